"""The command line, from flags to files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from dlgm_jax import BadInput, elbo, infer, jacobian_mean, load_run, sample, tfidf
from dlgm_jax.data import datasets
from dlgm_jax.data.corpus import split_validation
from dlgm_jax.data.formats import nvdm
from dlgm_jax.inference import refine
from dlgm_jax.introspection.spectrum import log_singular_values
from dlgm_jax.learning import scoring, steps
from experiments import train
from experiments.assembly import INTROSPECT, assemble
from experiments.config import Config
from tests.conftest import log_linear_corpus, write_nvdm
from tests.experiments.conftest import SMALL

ROOT = Path(__file__).parent.parent.parent


def lines(workdir):
    """metrics.jsonl without the time that things took."""
    read = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in read]


@pytest.fixture
def finished(command, nvdm_folder, tmp_path):
    """A run of three epochs with refinement."""
    workdir = tmp_path / "run"
    arguments = [*SMALL, f"--dataset={nvdm_folder}", "--M=4", "--epochs=3", f"--workdir={workdir}"]
    code, out, err = command("train", *arguments)
    assert code == 0, err
    return workdir, arguments, out


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


def test_evaluate_gives_the_same_numbers_and_others_by_other_flags(finished, command):
    workdir, _, out = finished
    code, again, _ = command("evaluate", f"--workdir={workdir}")
    assert code == 0
    assert table(again) == table(out)
    code, more, _ = command("evaluate", f"--workdir={workdir}", "--eval_M=60", "--eval_iwae_samples=20")
    assert code == 0
    before, after = table(out), table(more)
    assert after["M=1, at the network's guess"] == before["M=1, at the network's guess"]
    for longer, shorter, weighted in zip(
        after["M=60, refined"], before["M=5, refined"], after["importance-weighted bound, refined"]
    ):
        assert float(weighted) <= float(longer) < float(shorter) * 1.01


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
    command("train", *arguments[:-1], f"--workdir={other}")
    assert lines(other) == lines(workdir)


def test_raised_epochs_go_on_and_equal_a_longer_run(finished, command, tmp_path):
    workdir, arguments, _ = finished
    longer = [argument if "--epochs" not in argument else "--epochs=5" for argument in arguments]
    code, out, _ = command("train", *longer)
    assert code == 0
    assert "goes on after epoch 3" in out
    straight = tmp_path / "straight"
    command("train", *longer[:-1], f"--workdir={straight}")
    assert lines(straight) == lines(workdir)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("--M=5", "M was 4, is now 5"),
        ("--epochs=2", "epochs was 3, is now 2"),
        ("--seed=7", "seed was 0, is now 7"),
    ],
)
def test_other_settings_are_refused_with_the_difference(finished, command, change, message):
    workdir, arguments, _ = finished
    before = lines(workdir)
    code, _, err = command("train", *[a for a in arguments if not a.startswith(change.split("=")[0])], change)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert lines(workdir) == before


def test_another_corpus_under_the_same_name_is_refused(command, tmp_path):
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(2, 30)), rng.normal(size=30)
    first, second = (log_linear_corpus(100, weights, bias, seed)[0] for seed in (1, 2))
    folder = write_nvdm(tmp_path / "data", first, first)
    workdir = tmp_path / "run"
    arguments = [*SMALL, f"--dataset={folder}", "--M=1", f"--workdir={workdir}"]
    assert command("train", *arguments, "--epochs=1")[0] == 0
    write_nvdm(folder, second, first)
    before = {path.name: path.read_bytes() for path in workdir.iterdir() if path.is_file()}
    for _ in range(2):
        code, _, err = command("train", *arguments, "--epochs=2")
        assert code == 2
        assert "expected the corpus that this run began with, found other train and validation documents" in err
    code, _, err = command("evaluate", f"--workdir={workdir}")
    assert code == 2
    assert "expected the corpus that this run began with" in err
    assert {path.name: path.read_bytes() for path in workdir.iterdir() if path.is_file()} == before
    code, out, _ = command("evaluate", f"--workdir={workdir}", f"--dataset={folder}")
    assert code == 0
    assert "Perplexity" in out


def test_a_kill_in_the_middle_of_an_epoch_loses_nothing(command, tmp_path):
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(3, 30)), rng.normal(size=30)
    folder = write_nvdm(
        tmp_path / "data", log_linear_corpus(3000, weights, bias, 1)[0], log_linear_corpus(50, weights, bias, 2)[0]
    )
    settings = ["--K=3", "--generative_widths=8", "--inference_widths=8", "--valid_size=40", "--eval_M=5"]
    settings += ["--batch_size=5", "--M=4", "--epochs=5", "--input_dropout=0.2", f"--dataset={folder}"]
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    metrics = killed / "metrics.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.train", *settings, f"--workdir={killed}"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    deadline = time.monotonic() + 300
    while not (metrics.exists() and metrics.read_text().count("\n") >= 2):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 2 <= metrics.read_text().count("\n") < 5
    assert not (killed / "report.txt").exists()

    code, out, err = command("train", *settings, f"--workdir={killed}")
    assert code == 0, err
    assert "goes on after epoch" in out
    assert command("train", *settings, f"--workdir={straight}")[0] == 0
    assert lines(killed) == lines(straight)
    ends = [load_run(workdir).params for workdir in (killed, straight)]
    for ours, theirs in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_patience_may_be_raised(command, nvdm_folder, tmp_path):
    arguments = [*SMALL, f"--dataset={nvdm_folder}", "--M=1", "--epochs=40", f"--workdir={tmp_path / 'run'}"]
    arguments += ["--learning_rate=0.2"]
    assert command("train", *arguments, "--patience=2")[0] == 0
    stopped = len(lines(tmp_path / "run"))
    assert stopped < 42
    code, out, err = command("train", *arguments, "--patience=4")
    assert code == 0, err
    assert "goes on after epoch" in out
    assert len(lines(tmp_path / "run")) > stopped


def test_dry_run_trains_nothing(command, nvdm_folder, tmp_path):
    workdir = tmp_path / "run"
    code, out, _ = command("train", *SMALL, f"--dataset={nvdm_folder}", f"--workdir={workdir}", "--dry_run")
    assert code == 0
    parameters = 3 * 8 + 8 + 8 * 30 + 30 + 30 * 8 + 8 + 2 * (8 * 3 + 3)
    assert f"parameters  {parameters:,}" in out
    assert "minutes" in out
    assert not workdir.exists()


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


SETTINGS = {
    "M": 7,
    "eval_M": 9,
    "psi_learning_rate": 0.02,
    "psi_beta1": 0.3,
    "eval_psi_learning_rate": 0.04,
    "eval_samples": 3,
    "kl_anneal_steps": 11,
    "input_dropout": 0.25,
    "weight_decay": 0.125,
    "length_weighting": 0.5,
    "learning_rate": 0.001,
    "valid_size": 40,
}


def test_every_setting_arrives_where_it_belongs(nvdm_folder, monkeypatch):
    assembly = assemble(Config(dataset=str(nvdm_folder), **SETTINGS).resolved())
    calls = {}

    def spy(module, name):
        real = getattr(module, name)

        def record(*arguments, **settings):
            calls.setdefault(name, []).append((arguments, settings))
            return real(*arguments, **settings)

        monkeypatch.setattr(module, name, record)

    spy(refine, "adam")
    spy(steps, "algorithm1")
    spy(steps, "adam")
    spy(scoring, "scorer")
    monkeypatch.setattr(steps, "adam", lambda rate, **more: calls.setdefault("optimiser", (rate, more)))
    assembly.training_step()
    _, settings = calls["algorithm1"][0]
    assert settings.pop("num_steps") == 6
    calls["adam"].clear()
    settings.pop("refiner")(0.25)
    assert calls["adam"] == [((0.02, 0.3), {"beta": 0.25})]
    assert settings == {"kl_anneal_steps": 11, "input_dropout": 0.25, "length_weighting": 0.5}
    assert calls["optimiser"] == (0.001, {"weight_decay": 0.125})
    calls["adam"].clear()
    assembly.score_with(iwae_samples=5)
    assert calls["adam"] == [((0.04, 0.3), {})]
    _, settings = calls["scorer"][0]
    assert (settings["num_steps"], settings["num_samples"], settings["iwae_samples"]) == (8, 3, 5)


def test_m_minus_1_evaluations_or_a_refusal():
    from experiments.assembly import num_steps

    pairs = refine.Refiner(init=lambda psi: psi, step=lambda *a: a, evaluations_per_step=2)
    assert num_steps("M", 11, pairs) == 5
    assert num_steps("M", 1, pairs) == 0
    with pytest.raises(BadInput, match="--M: expected 1 plus a multiple of 2, found 100"):
        num_steps("M", 100, pairs)


def test_the_cosine_schedule_ends_low_and_does_not_bend_the_past(command, nvdm_folder, tmp_path):
    assembly = assemble(Config(dataset=str(nvdm_folder), valid_size=40, schedule="cosine", epochs=2).resolved())
    optimiser, ones = assembly.optimiser(), {"w": np.ones(1, np.float32)}
    state, sizes = optimiser.init(ones), []
    for _ in range(assembly.steps_per_epoch * 2 + 1):
        updates, state = optimiser.update(ones, state, ones)
        sizes.append(-float(updates["w"][0]))
    np.testing.assert_allclose((sizes[0], sizes[-1]), (0.003, 0.00003), rtol=0.02)
    arguments = [*SMALL, f"--dataset={nvdm_folder}", "--M=1", "--schedule=cosine", f"--workdir={tmp_path / 'run'}"]
    assert command("train", *arguments, "--epochs=1")[0] == 0
    code, _, err = command("train", *arguments, "--epochs=2")
    assert code == 2
    assert "epochs was 1, is now 2" in err


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


def test_dropped_validation_documents_are_not_trained_on(nvdm_folder):
    assembly = assemble(Config(dataset=str(nvdm_folder), valid_size=40).resolved())
    assert not set(assembly.train.ids) & set(assembly.splits["validation"].ids)
    assert assembly.batch_size == 360
