"""The command line, from flags to files."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from dlgm_jax import BadInput, elbo, infer, jacobian_mean, load_run, sample, tfidf
from dlgm_jax.data import datasets
from dlgm_jax.data.corpus import split_validation
from dlgm_jax.data.formats import nvdm
from dlgm_jax.introspection.spectrum import log_singular_values
from experiments import train
from experiments.flags.config import Config
from experiments.workdir.assembly import INTROSPECT, assemble
from tests.experiments.conftest import SMALL, lines

ROOT = Path(__file__).parent.parent.parent


def test_a_run_leaves_its_files_and_says_where(finished, nvdm_folder):
    workdir, _, out = finished
    assert f"results go to {workdir}/" in out.splitlines()[0]
    assert str(workdir) in out.splitlines()[-2] + out.splitlines()[-1]
    config = json.loads((workdir / "config.json").read_text())
    assert (config["M"], config["generative_widths"], config["model"]) == (4, [8], None)
    environment = json.loads((workdir / "environment.json").read_text())
    assert environment["packages"]["jax"] == jax.__version__
    assert environment["origin"] == {"folder": str(nvdm_folder)}
    assert (workdir / "vocab.txt").read_text().split() == [f"w{v}" for v in range(30)]
    assert np.load(workdir / "idf.npy").shape == (30,)
    assert (workdir / "curves.png").read_bytes().startswith(b"\x89PNG")
    measured = lines(workdir)
    assert [(line["split"], line["epoch"]) for line in measured[:3]] == [("validation", n) for n in (1, 2, 3)]
    assert {line["split"] for line in measured[3:]} == {"test", "train"}
    for line in measured:
        assert 1 < line["perplexity_refined"] <= line["perplexity"] * 1.1


def table(out):
    """Title of a row -> its validation, test and train figure."""
    rows = out[out.index("Perplexity (upper bounds") :].split("\n\n")[0].splitlines()
    return {row[:48].strip(): row[48:].split() for row in rows}


def test_the_tables_hold_what_metrics_hold(finished):
    workdir, _, out = finished
    found = table(out)
    assert found["Perplexity (upper bounds, mean over documents)"] == ["validation", "test", "train"]
    for column, split in enumerate(("test", "train"), 1):
        line = next(line for line in lines(workdir) if line["split"] == split)
        shown = {
            "M=1, at the network's guess": "perplexity",
            "M=5, refined": "perplexity_refined",
            "corpus total, M=1": "corpus_perplexity",
            "corpus total, M=5": "corpus_perplexity_refined",
            "KL, nats a document, M=5": "kl_refined",
        }
        for title, name in shown.items():
            assert float(found[title][column]) == pytest.approx(line[name], abs=0.05)
        assert found["documents"][column] == str(line["documents"])
    neighbours = out.split("rows of J_mean^log")[1].split("\n\n")[0].strip().splitlines()
    assert len(neighbours) == 12


def test_a_finished_run_prints_its_tables_again(finished, command):
    workdir, arguments, out = finished
    before = lines(workdir)
    code, again, _ = command("train", *arguments)
    assert code == 0
    assert out.endswith(again)
    assert "Nearest neighbours" in again
    assert lines(workdir) == before


TIGHTER = {
    "--eval_iwae_samples=20": "importance-weighted bound, refined",
    "--eval_full_steps=4": "full covariance, refined",
}


def test_evaluate_gives_the_same_numbers_and_others_by_other_flags(finished, command):
    workdir, _, out = finished
    code, again, _ = command("evaluate", f"--workdir={workdir}")
    assert code == 0
    assert table(again) == table(out)
    code, more, _ = command("evaluate", f"--workdir={workdir}", "--eval_M=60", *TIGHTER)
    assert code == 0
    before, after = table(out), table(more)
    assert after["M=1, at the network's guess"] == before["M=1, at the network's guess"]
    for longer, shorter, *tighter in zip(
        after["M=60, refined"], before["M=5, refined"], *(after[name] for name in TIGHTER.values())
    ):
        assert all(float(one) < float(longer) * 1.01 for one in tighter)
        assert float(longer) < float(shorter) * 1.01


def test_load_run_is_ready_for_the_public_functions(finished, nvdm_folder):
    workdir, _, _ = finished
    run = load_run(workdir)
    assert len(run.vocabulary) == 30
    counts = sample(run.params, jax.random.key(0), 20)
    psi = infer(run.params.phi, tfidf(counts, run.idf))
    assert np.isfinite(elbo(run.params.theta, psi, counts, jax.random.key(1)))
    assert jacobian_mean(run.params, jax.random.key(2)).shape == (30, 3)
    train, _ = split_validation(nvdm.read(nvdm_folder)[0], 40, seed=0)
    np.testing.assert_allclose(run.idf, np.log(360 / (train.counts.toarray() > 0).sum(0)), rtol=1e-5)


def test_the_same_settings_give_the_same_numbers(finished, command, tmp_path):
    workdir, arguments, _ = finished
    other = tmp_path / "other"
    _, out, _ = command("train", *arguments[:-1], f"--workdir={other}", "--eval_full_steps=2")
    found = table(out)["full covariance, refined"]
    *validated, test, train = lines(other)
    assert [f"{line.pop('perplexity_full_covariance'):.1f}" for line in (test, train)] == found[1:]
    *before, test_before, train_before = lines(workdir)
    for line in (test_before, train_before):
        assert line.pop("perplexity_full_covariance") is None
    assert [*validated, test, train] == [*before, test_before, train_before]


def test_a_run_of_before_full_covariances_is_read(finished, command):
    workdir, _, out = finished
    config = json.loads((workdir / "config.json").read_text())
    assert config.pop("eval_full_steps") == 0
    (workdir / "config.json").write_text(json.dumps(config))
    code, again, _ = command("evaluate", f"--workdir={workdir}")
    assert code == 0
    assert table(again) == table(out)


def test_not_finite_exits_with_3_and_the_step(command, nvdm_folder, tmp_path):
    arguments = [*SMALL, f"--dataset={nvdm_folder}", "--M=1", "--learning_rate=1e30", f"--workdir={tmp_path / 'run'}"]
    code, _, err = command("train", *arguments)
    assert code == 3
    assert "epoch 1: step 2: the ELBO is" in err
    assert "there is no checkpoint yet" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model=1", "--M=1", "--features=tfidf_smooth", "--eval_samples=2"],
        ["--model=3", "--M=3", "--features=norm", "--kl_anneal_steps=5", "--weight_decay=0.1"],
        ["--generative_widths=", "--inference_widths=", "--M=2", "--schedule=cosine", "--activation=tanh"],
    ],
)
def test_other_models_run(command, nvdm_folder, tmp_path, arguments):
    small = [argument for argument in SMALL if "widths" not in argument]
    code, out, err = command(
        "train", *small, *arguments, f"--dataset={nvdm_folder}", "--epochs=1", f"--workdir={tmp_path / 'run'}"
    )
    assert code == 0, err
    assert "Perplexity" in out
    assert load_run(tmp_path / "run").params.theta.output.weights.shape[1] == 30


def test_load_run_without_a_model_is_one_line(tmp_path):
    with pytest.raises(BadInput, match=r"expected the workdir of a run"):
        load_run(tmp_path)


def test_the_report_reads_the_best_model_s_log_jacobian(finished, nvdm_folder):
    workdir, arguments, out = finished
    del arguments
    run = load_run(workdir)
    assembly = assemble(Config.from_json(run.config))
    frequencies = assembly.train.word_frequencies()
    words = train.frequent_words(assembly)
    assert min(frequencies[words]) >= max(np.delete(frequencies, words))
    jacobian = np.asarray(jacobian_mean(run.params, assembly.key(INTROSPECT), variant="log"), np.float64)
    units = jacobian / np.linalg.norm(jacobian, axis=1, keepdims=True)
    cosines = units @ units.T - 2 * np.eye(30)
    rows = out.split("rows of J_mean^log\n")[1].splitlines()
    for word, row in zip(words, rows):
        assert row.split()[0] == run.vocabulary[word]
        assert row.split()[1].strip(",") == run.vocabulary[int(np.argmax(cosines[word]))]
    assert f"J_mean^log uses {int((log_singular_values(jacobian) > 0).sum())} of 3" in out


def test_compilations_are_kept_for_the_next_start(finished):
    assert any((datasets.cache_folder() / "xla").iterdir())


def test_the_bar_shows_the_validation_perplexity_of_the_last_epoch(command, nvdm_folder, tmp_path):
    arguments = [*SMALL, f"--dataset={nvdm_folder}", "--M=1", "--epochs=1", f"--workdir={tmp_path / 'run'}"]
    _, _, err = command("train", *arguments)
    line = lines(tmp_path / "run")[0]
    assert f"refined {line['perplexity_refined']:.0f}" in err.split("\r")[-1]


def test_a_folder_with_an_odd_name_and_words_beyond_ascii(command, nvdm_folder, tmp_path):
    folder = tmp_path / "$a$ b_{"
    folder.mkdir()
    for path in nvdm_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    words = [f"caf\u00e9 {v}\u2028x" for v in range(30)]
    (folder / "vocab.new").unlink()
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    workdir = tmp_path / "run"
    code, _, err = command("train", *SMALL, f"--dataset={folder}", "--M=1", "--epochs=1", f"--workdir={workdir}")
    assert code == 0, err
    assert load_run(workdir).vocabulary == tuple(words)


def test_given_widths_name_the_run():
    assert Config.of(generative_widths=(), inference_widths=(50, 20)).name == "linear-M100-tfidf-q50x20"
    assert Config.of(model=1, M=1, inference_widths=()).name == "1-M1-tfidf-qlinear"
    assert Config.of(generative_widths=(200, 200)).name == "200x200-M100-tfidf"


def test_only_the_first_epochs_refine_and_a_run_goes_on_as_it_would_have(command, nvdm_folder, tmp_path, monkeypatch):
    arguments = ["--K=3", "--generative_widths=8", "--inference_widths=8", "--eval_M=5", "--valid_size=40", "--M=7"]
    arguments += ["--refiner=fisher", f"--dataset={nvdm_folder}"]

    def epochs_of(name, number, refined=0):
        workdir = tmp_path / name
        done = command("train", *arguments, f"--epochs={number}", f"--refined_epochs={refined}", f"--workdir={workdir}")
        assert done[0] == 0, done[2]
        return [line["train_elbo_per_word"] for line in lines(workdir) if line["split"] == "validation"]

    always, first = epochs_of("always", 3), epochs_of("first", 3, refined=2)
    assert first[:2] == always[:2]
    assert first[2] != always[2]
    assert epochs_of("cut", 2, refined=2) == first[:2]
    assert epochs_of("cut", 3, refined=2) == first


def test_another_score_keeps_what_was_scored(command, nvdm_folder, tmp_path):
    arguments = [*SMALL, f"--dataset={nvdm_folder}", "--M=1", "--epochs=1", f"--workdir={tmp_path / 'run'}"]
    code, first, err = command("train", *arguments, "--score=test")
    assert code == 0, err
    assert "on validation, test ..." in first
    assert "train" not in [line["split"] for line in lines(tmp_path / "run")]
    code, second, err = command("train", *arguments, "--score=train")
    assert code == 0, err
    assert "on validation, train, test ..." in second
    assert [line["split"] for line in lines(tmp_path / "run")] == ["validation", "train", "test"]
    code, third, err = command("train", *arguments, "--score=")
    assert code == 0, err
    assert second.endswith(third)  # nothing is asked that is not there
    code, _, err = command("train", *arguments, "--score=all")
    assert (code, err) == (2, "error: --score: expected test, train, both or nothing, found 'all'\n")
