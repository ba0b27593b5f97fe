"""Settings that nobody gave."""

import json

import numpy as np
import pytest

from dlgm_jax.data import compact, datasets
from dlgm_jax.sizes import FEWEST_STEPS, Sized, by_size
from experiments.flags import unset
from experiments.flags.command import parse
from experiments.flags.config import PRESETS, Config
from experiments.train import OWN_FLAGS
from tests.conftest import as_corpus
from tests.experiments.conftest import SMALL

TODAY = Sized(500, 15, 500, 0.003, 0.0, 0.0)  # before settings went by size
TOY = ["--K=3", "--generative_widths=8", "--inference_widths=8", "--eval_M=5", "--M=1"]


def filled(*arguments):
    command = parse(["train", *arguments], about="", own=OWN_FLAGS)
    return unset.filled(command, unset.workdir_of(command))


def corpus_of(documents, folder):
    """A folder with so many training documents."""
    rng = np.random.default_rng(2)
    with compact.Writer(folder, tuple(f"w{v}" for v in range(9)), {}) as writer:
        writer.add("train", as_corpus(1 + rng.poisson(1.0, (documents, 9))))
        writer.add("test", as_corpus(1 + rng.poisson(1.0, (20, 9))))
    return folder


def dataset(documents):
    """What a named corpus would be, without its documents."""
    train = as_corpus(np.ones((documents, 2), int))
    return datasets.Dataset(train, as_corpus(np.ones((5, 2), int)), {})


@pytest.mark.parametrize("documents", [11_314, 11_268, 10_000, 20_000])  # by scikit-learn, in NVDM's form
def test_20_newsgroups_has_what_it_had(documents):
    assert by_size(documents, 2000, 100.0) == TODAY
    defaults = Config()
    assert Sized(*(getattr(defaults, name) for name in Sized._fields)) == TODAY


def test_what_keeps_from_overfitting_goes_by_the_tokens_of_a_word():
    """Ten thousand film reviews of 10,000 words, which overfit by the settings of 20 Newsgroups."""
    reviews = by_size(10_000, 10_000, 94.0)
    assert (reviews.input_dropout, reviews.weight_decay) == (0.5, 1.0)
    assert reviews._replace(input_dropout=0.0, weight_decay=0.0) == TODAY
    between = by_size(10_000, 4000, 100.0)
    assert (between.input_dropout, between.weight_decay) == (0.25, 0.5)


@pytest.mark.parametrize("documents", [1, 2, 31, 100, 238, 1000, 3000, 9999, 10_001, 123_456, 1_000_000, 50_000_000])
def test_any_size_has_settings_that_train(documents):
    sized = by_size(documents, 9, 9.0)
    Config.of(**sized._asdict())  # raises for what is no setting
    assert 1 <= sized.valid_size < max(documents, 2)
    assert sized.epochs * -(-max(documents - sized.valid_size, 1) // sized.batch_size) >= FEWEST_STEPS
    assert sized.batch_size % 4 == 0


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((238, 8000, 350.0), Sized(32, 10, 23, 0.001, 0.5, 1.0)),
        ((5000, 2000, 100.0), Sized(248, 12, 500, 0.002, 0.25, 0.5)),
        ((80_000, 2000, 100.0), Sized(500, 8, 500, 0.003, 0.0, 0.0)),
    ],
)
def test_the_rules_by_hand(size, expected):
    """128 batches of 4 at the share 0.5; 15 passes times (20,000 / 80,000)^0.5."""
    assert by_size(*size) == expected


def test_epochs_take_enough_steps_of_a_batch_that_is_given(tmp_path):
    assert by_size(238, 9, 9.0, 500).epochs == FEWEST_STEPS
    assert by_size(238, 9, 9.0, 500)._replace(batch_size=32, epochs=10) == by_size(238, 9, 9.0)._replace(epochs=10)
    assert filled(f"--dataset={corpus_of(238, tmp_path / 'corpus')}", "--batch_size=500").config.epochs == FEWEST_STEPS


def test_the_length_of_documents_counts(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(unset, "by_size", lambda *size: seen.append(size) or by_size(*size))
    filled(f"--dataset={corpus_of(238, tmp_path / 'corpus')}")
    train = datasets.load(str(tmp_path / "corpus")).train
    assert seen == [(238, 9, train.lengths.sum() / 238, None)]


def test_a_chosen_batch_leaves_no_device_without_documents(tmp_path, monkeypatch):
    folder = corpus_of(238, tmp_path / "corpus")
    monkeypatch.setattr(unset.meshes.jax, "devices", lambda: [None] * 6)
    assert filled(f"--dataset={folder}").config.batch_size == 36
    assert filled(f"--dataset={folder}", "--batch_size=32").config.batch_size == 32
    assert filled(f"--dataset={folder}", "--mesh=data:5,vocab:1").config.batch_size == 35
    assert filled("--model=3", "--M=100").config.batch_size == 54


def test_what_is_not_read_is_not_said(tmp_path):
    with compact.Writer(tmp_path / "own", ("a", "b"), {}) as writer:
        for split in ("train", "validation", "test"):
            writer.add(split, as_corpus(np.ones((30, 2), int)))
    assert "valid_size" not in filled(f"--dataset={tmp_path / 'own'}").chosen


def test_one_training_document_is_too_few(command, tmp_path):
    folder = corpus_of(1, tmp_path / "corpus")
    code, _, err = command("train", f"--dataset={folder}", *TOY, f"--workdir={tmp_path / 'run'}")
    assert (code, err.strip()) == (
        2,
        "error: expected at least two training documents, one of them for validation, found 1",
    )


def test_settings_change_with_the_size_and_never_jump():
    sizes = np.arange(3, 12_000, 37)
    found = np.array([by_size(int(size), 3000, 100.0) for size in sizes])
    for column, name in enumerate(Sized._fields):
        if name not in ("epochs", "valid_size"):
            steps = np.abs(np.diff(found[:, column]))
            assert steps.max() <= 0.06 * np.ptp(found[:, column]), name  # rates have two digits


def test_a_small_corpus_trains_by_the_printed_command(command, tmp_path):
    folder = corpus_of(238, tmp_path / "corpus")
    code, out, err = command("train", f"--dataset={folder}", *TOY, f"--workdir={tmp_path / 'run'}")
    assert code == 0, err
    train = datasets.load(str(folder)).train
    sized = by_size(238, 9, train.lengths.mean())
    said = ", ".join(f"{name} {value:g}" for name, value in sized._asdict().items())
    assert f"(chosen by its size: {said}); results go to" in out.splitlines()[0]
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert {name: config[name] for name in Sized._fields} == sized._asdict()


def test_flags_and_presets_win(tmp_path):
    folder = corpus_of(238, tmp_path / "corpus")
    config = filled(f"--dataset={folder}", "--batch_size=7", "--input_dropout=0").config
    assert (config.batch_size, config.input_dropout) == (7, 0.0)
    assert config.epochs == by_size(238, 9, 9.0, 7).epochs
    paper = filled(f"--dataset={folder}", "--preset=paper", "--epochs=3")
    assert (paper.dataset, paper.chosen) == (None, "")
    assert paper.config == Config.of(**PRESETS["paper"] | {"epochs": 3, "dataset": str(folder)})


def test_the_named_corpora(monkeypatch):
    monkeypatch.setitem(datasets.NAMED, "20news", lambda: dataset(11_314))
    config = filled("--dataset=20news").config
    assert Sized(*(getattr(config, name) for name in Sized._fields)) == TODAY
    monkeypatch.setitem(datasets.NAMED, "docstrings", lambda: pytest.fail("was read to find its settings"))
    first = filled("--model=3", "--M=100")
    assert first.config == Config.of(**unset.DOCSTRINGS._asdict(), refined_epochs=5)
    assert "for this corpus: batch_size 50, " in first.chosen
    assert first.chosen.endswith(", refined_epochs 5")
    assert filled("--model=3", "--M=51").config.refined_epochs == 5
    for flags in (("--M=13", "--refiner=fisher"), ("--M=100", "--epochs=20"), ("--M=1",), ("--M=50",)):
        assert filled("--model=3", *flags).config.refined_epochs == 0
    assert filled("--model=3", "--M=100", "--refined_epochs=2").config.refined_epochs == 2


def test_a_run_that_goes_on_keeps_what_was_chosen_for_it(finished, command, nvdm_folder):
    workdir, flags, _ = finished
    open_ones = ("--batch_size", "--valid_size", "--epochs", "--workdir")
    less = [flag for flag in flags if not flag.startswith(open_ones)]
    found = filled(*less, f"--workdir={workdir}")
    assert (found.config.batch_size, found.config.valid_size, found.config.epochs) == (50, 40, 3)
    assert found.chosen.startswith("as this run began: batch_size 50, epochs 3")
    code, _, err = command("train", *less, "--batch_size=60", f"--workdir={workdir}")
    assert code == 2
    assert "batch_size was 50, is now 60" in err


def test_help_says_who_chooses(command):
    _, out, _ = command("train", "--help")
    assert " ".join(out.split()).count("(default by the size of the corpus)") == len(Sized._fields)


def test_wrong_flags_are_said_before_a_corpus_is_read(command, monkeypatch):
    monkeypatch.setitem(datasets.NAMED, "20news", lambda: pytest.fail("was read"))
    code, _, err = command("train", *SMALL, "--dataset=20news", "--learning_rate=-1")
    assert code == 2
    assert "--learning_rate: expected a number above 0" in err
