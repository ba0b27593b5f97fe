"""A run that was stopped, raised or changed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from dlgm_jax import load_run
from experiments.flags.config import Config
from experiments.workdir.assembly import assemble
from tests.conftest import log_linear_corpus, write_nvdm
from tests.experiments.conftest import SMALL, lines

ROOT = Path(__file__).parent.parent.parent


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


def test_the_cosine_schedule_ends_low_and_does_not_bend_the_past(command, nvdm_folder, tmp_path):
    assembly = assemble(Config.of(dataset=str(nvdm_folder), valid_size=40, schedule="cosine", epochs=2))
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


def files(workdir):
    return {str(path.relative_to(workdir)): path.read_bytes() for path in sorted(workdir.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("damage", ["checkpoint", "metrics", "environment", "best"])
def test_a_refused_run_leaves_its_workdir_as_it_was(finished, command, damage):
    workdir, arguments, out = finished
    kept = workdir / "checkpoints"
    {
        "checkpoint": lambda: [p.write_bytes(b"") for p in kept.rglob("*") if p.is_file()],
        "metrics": lambda: (workdir / "metrics.jsonl").write_bytes(b"\xff\n"),
        "environment": lambda: (workdir / "environment.json").unlink(),
        "best": lambda: shutil.rmtree(workdir / "best"),
    }[damage]()
    before = files(workdir)
    code, _, err = command("train", *[a for a in arguments if "epochs" not in a], "--epochs=5")
    assert (code, err.count("\n")) == (2, 1), err
    assert files(workdir) == before
    assert command("train", *arguments)[1] in out


def test_a_kill_while_the_first_file_is_written_is_no_lock_out(command, nvdm_folder, tmp_path):
    workdir = tmp_path / "run"
    workdir.mkdir()
    (workdir / "config.json.new").write_text("{")
    code, _, err = command("train", *SMALL, f"--dataset={nvdm_folder}", "--M=1", "--epochs=1", f"--workdir={workdir}")
    assert code == 0, err


def test_an_empty_report_is_no_end(finished, command):
    workdir, arguments, out = finished
    (workdir / "report.txt").write_text("")
    code, again, _ = command("train", *arguments)
    assert code == 0
    assert out.split("Perplexity")[1] == again.split("Perplexity")[1]


def test_patience_may_be_raised_under_any_schedule(command, nvdm_folder, tmp_path):
    arguments = [*SMALL, f"--dataset={nvdm_folder}", "--M=1", "--epochs=2", f"--workdir={tmp_path / 'run'}"]
    assert command("train", *arguments, "--schedule=cosine", "--patience=1")[0] == 0
    code, _, err = command("train", *arguments, "--schedule=cosine", "--patience=2")
    assert code == 0, err
    code, _, err = command("train", *arguments, "--schedule=cosine", "--patience=1")
    assert code == 2
    assert "patience was 2, is now 1" in err
