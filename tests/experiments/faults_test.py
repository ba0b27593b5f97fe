"""What may happen to a long run: signals, disks, clocks, files that vanish, numbers that are not finite."""

import os
import re
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
from dlgm_jax.errors import Stopped
from dlgm_jax.storage.checkpoints import Checkpoints
from experiments import train
from experiments.workdir import workdir
from experiments.workdir.locks import held
from experiments.workdir.pauses import Pauses
from tests.conftest import log_linear_corpus, write_nvdm
from tests.experiments.conftest import SMALL, lines

ROOT = Path(__file__).parent.parent.parent
# train as from a shell, but for the grace after a signal, which a machine that has other work may well need
PATIENT = """
from experiments import train
from experiments.workdir import pauses
pauses.GRACE = 600.0
train.run_main(train.main)
"""


def bits(workdir):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(load_run(workdir).params)]


def started(*arguments):
    return subprocess.Popen(
        [sys.executable, "-c", PATIENT, *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def until(process, condition):
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    """Settings of a run of many steps an epoch."""
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(3, 30)), rng.normal(size=30)
    data = (log_linear_corpus(number, weights, bias, seed)[0] for number, seed in ((1500, 1), (50, 2)))
    folder = write_nvdm(tmp_path_factory.mktemp("long") / "data", *data)
    settings = ["--K=3", "--generative_widths=8", "--inference_widths=8", "--valid_size=40", "--eval_M=5"]
    return [*settings, "--batch_size=5", "--M=4", "--epochs=3", "--input_dropout=0.2", f"--dataset={folder}"]


def test_signals_stop_a_run_that_then_ends_as_if_nothing_had_happened(command, long_run, tmp_path):
    stopped, straight = tmp_path / "stopped", tmp_path / "straight"
    metrics = stopped / "metrics.jsonl"
    for epochs, number in ((0, signal.SIGTERM), (1, signal.SIGUSR1)):
        process = started(*long_run, f"--workdir={stopped}", "--checkpoint_minutes=0.005")
        until(process, lambda epochs=epochs: metrics.exists() and metrics.read_text().count("\n") >= epochs)
        until(process, lambda epochs=epochs: any((stopped / "checkpoints").glob("*/manifest.json")))
        process.send_signal(number)
        err = process.communicate(timeout=300)[1]
        assert process.returncode == 75, err
        assert "error: stopped in epoch" in err
        assert "the same command goes on from there" in err
        assert "Traceback" not in err
    code, out, err = command("train", *long_run, f"--workdir={stopped}")
    assert code == 0, err
    assert re.search(r"goes on after epoch 1 and \d+ steps?: 3 epochs", out)
    assert command("train", *long_run, f"--workdir={straight}")[0] == 0
    assert lines(stopped) == lines(straight)
    assert bits(stopped) == bits(straight)


def test_a_stop_within_an_evaluation_is_heard():
    asked = iter([False, False, True])
    items = Pauses(lambda: next(asked), lambda: False).watched(range(5))
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(Stopped):
        next(items)


def test_a_finished_run_that_is_raised_and_stopped_is_not_finished(finished, command, monkeypatch):
    workdir, arguments, _ = finished
    longer = [*[a for a in arguments if "epochs" not in a], "--epochs=5"]
    with monkeypatch.context() as patched:
        patched.setattr(Pauses, "watched", lambda pauses, items: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            command("train", *longer)
    assert not (workdir / "report.txt").exists()
    code, out, err = command("train", *longer)
    assert code == 0, err
    assert "goes on after epoch 3" in out
    assert len(lines(workdir)) == 5 + 2


def test_a_second_signal_ends_a_run_at_once(long_run, tmp_path):
    slow = [flag for flag in long_run if "eval_M" not in flag]
    process = started(*slow, "--eval_M=200000", f"--workdir={tmp_path}/run")
    until(process, lambda: (tmp_path / "run/environment.json").exists())
    deadline = time.monotonic() + 300  # half of what the first signal grants
    while process.poll() is None:  # two that come before it has heard of one are one
        assert time.monotonic() < deadline
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
    assert process.returncode == 75


def test_a_workdir_in_use_is_refused(finished, command):
    workdir, arguments, _ = finished
    longer = [*[a for a in arguments if "epochs" not in a], "--epochs=5"]
    with held(workdir / "lock", "it"):
        code, _, err = command("train", *longer)
    assert code == 2
    assert f"{workdir}: expected that no one writes to it, found process {os.getpid()} of" in err
    assert command("train", *longer)[0] == 0


def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_is_taken(finished, command, tmp_path):
    workdir, arguments, _ = finished
    newest = workdir / "checkpoints" / str(Checkpoints(workdir / "checkpoints").latest())
    damaged = max((path for path in (newest / "arrays").rglob("*") if path.is_file()), key=lambda p: p.stat().st_size)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    longer = [*[a for a in arguments if "epochs" not in a and "workdir" not in a], "--epochs=4"]
    code, out, err = command("train", *longer, f"--workdir={workdir}")
    assert code == 0, err
    assert f"Note: {newest}: expected a whole checkpoint, found arrays" in out
    assert "goes on after epoch 2" in out
    assert "Traceback" not in out + err
    assert command("train", *longer, f"--workdir={tmp_path}/straight")[0] == 0
    assert lines(workdir) == lines(tmp_path / "straight")


def test_a_clock_that_goes_backwards_changes_nothing(finished, command, tmp_path, monkeypatch):
    workdir, arguments, _ = finished
    now = [time.time()]

    def backwards():
        now[0] -= 60
        return now[0]

    monkeypatch.setattr(time, "time", backwards)
    code, _, err = command("train", *arguments[:-1], f"--workdir={tmp_path}/other", "--checkpoint_minutes=0.001")
    assert code == 0, err
    assert lines(tmp_path / "other") == lines(workdir)


def test_data_that_vanish_in_the_middle_of_a_run(command, nvdm_folder, tmp_path, monkeypatch):
    assert command("prepare", f"--input={nvdm_folder}", f"--output={tmp_path}/data")[0] == 0
    validated = train.Bar.validated

    def vanishing(bar, epoch, scores, bound):
        validated(bar, epoch, scores, bound)
        shutil.rmtree(tmp_path / "data", ignore_errors=True)

    monkeypatch.setattr(train.Bar, "validated", vanishing)
    arguments = [*SMALL, f"--dataset={tmp_path}/data", "--M=1", f"--workdir={tmp_path}/run"]
    code, _, err = command("train", *arguments, "--epochs=2")
    assert code == 0, err
    code, _, err = command("train", *arguments, "--epochs=3")
    assert code == 2
    assert f"--dataset: expected docstrings, 20news or a folder, found '{tmp_path}/data'" in err


def test_a_device_without_memory_says_which_flags_to_lower(nvdm_folder, tmp_path):
    widths = "--generative_widths=50000,50000"  # a matrix of 10 GB
    settings = f"--dataset={nvdm_folder} {widths} --valid_size=40 --workdir={tmp_path}/run"
    script = f"ulimit -v 9000000; exec {sys.executable} -m experiments.train {settings}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2
    expected = "error: the device has too little memory; lower --batch_size, --K or the widths"
    assert done.stderr.splitlines()[-1] == expected


@pytest.mark.parametrize(("policy", "said"), [("stop", 0), ("skip", 3)])
def test_steps_that_are_not_finite(command, nvdm_folder, tmp_path, policy, said):
    arguments = [*SMALL, f"--dataset={nvdm_folder}", "--M=1", "--learning_rate=1e30", f"--workdir={tmp_path}/run"]
    code, _, err = command("train", *arguments, f"--on_nonfinite={policy}", "--max_skips=3")
    assert code == 3
    assert err.count("skipped step") == said
    last = err.splitlines()[-1]
    assert f"epoch 1: step {2 + said}: the ELBO is " in last
    assert re.search(r"not finite: the bounds of .* \([0-9]+ in all\)", last)
    assert "(train/" in last
    assert "theta.output.weights" in last


NAMESPACE = ["unshare", "-rm", "sh", "-c"]


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*NAMESPACE, "mount -t tmpfs t /mnt"], check=False).returncode != 0,
    reason="no file system can be mounted here",
)
def test_a_full_and_a_read_only_disk_are_one_line_and_lose_nothing(command, nvdm_folder, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    small = [flag for flag in SMALL if not flag.startswith(("--generative", "--batch"))]
    settings = [
        *small,
        "--generative_widths=300",
        "--batch_size=500",
        f"--dataset={nvdm_folder}",
        "--M=1",
        "--epochs=4",
    ]
    run = " ".join([sys.executable, "-m experiments.train", *settings, f"--workdir={disk}/run"])
    script = f"""
        mount -t tmpfs -o size=700k tmpfs {disk}
        {run}; echo code $?
        ls {disk}/run/checkpoints/*/manifest.json
        mount -o remount,ro,size=700k {disk}
        {run}; echo code $?
        mount -o remount,rw,size=100m {disk}
        {run}; echo code $?
        cp -r {disk}/run {tmp_path}/saved
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([*NAMESPACE, script], cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2, done.stderr
    full, read_only = errors
    assert "No space left on device" in full, done.stderr
    assert "Read-only file system" in read_only
    assert "Traceback" not in done.stderr, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("code")] == ["code 2", "code 2", "code 0"], (
        done.stdout
    )
    assert "goes on after epoch" in done.stdout
    assert command("train", *settings, f"--workdir={tmp_path}/straight")[0] == 0
    assert lines(tmp_path / "saved") == lines(tmp_path / "straight")


def test_a_bad_policy_is_one_line(command):
    for flag, message in (
        ("--on_nonfinite=perhaps", "--on_nonfinite: expected stop or skip, found 'perhaps'"),
        ("--checkpoint_minutes=0", "--checkpoint_minutes: expected a number above 0, found 0"),
        ("--max_skips=0", "--max_skips: expected a whole number from 1, found 0"),
    ):
        code, _, err = command("train", "--on_nonfinite=skip", flag) if "max" in flag else command("train", flag)
        assert (code, message in err) == (2, True), err


def test_a_lock_that_a_dead_process_held_is_free(tmp_path):
    path = tmp_path / "lock"
    path.write_text("process 1 of nowhere")
    with workdir.locked(tmp_path):
        assert path.read_text().startswith(f"process {os.getpid()}")
    assert path.read_text() == ""
