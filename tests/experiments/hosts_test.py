"""One run in two processes of four devices each: stopped, gone on with elsewhere, and left by a peer that dies."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import QUICK, log_linear_corpus, write_nvdm
from tests.experiments.conftest import lines

ROOT = Path(__file__).parent.parent.parent
SETTINGS = ["--K=3", "--generative_widths=8", "--inference_widths=8", "--valid_size=40", "--eval_M=5", "--M=4"]
SETTINGS += ["--batch_size=8", "--epochs=4", "--input_dropout=0.2"]


def process(devices, *arguments):
    environment = {"PYTHONPATH": str(ROOT), "XLA_FLAGS": f"{QUICK} --xla_force_host_platform_device_count={devices}"}
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.train", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )


def two(*arguments, others=()):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"--coordinator=localhost:{free.getsockname()[1]}"
    both = ["--num_processes=2", "--heartbeat_timeout_seconds=60", "--mesh=data:4,vocab:2", address]
    first, second = ([*arguments, *both, f"--process_id={place}"] for place in range(2))
    return [process(4, *first), process(4, *second, *others)]


def saved_by_two(workdir, epochs, *arguments):
    """Two processes whose run has a checkpoint and so many epochs.

    On a busy machine one may wait for the other longer than the 30 s that gloo grants; then both say that they may be
    started again, and are.
    """
    metrics, deadline = workdir / "metrics.jsonl", time.monotonic() + 600
    pair = two(*arguments, f"--workdir={workdir}", "--checkpoint_minutes=0.01")
    while not (
        metrics.exists() and metrics.read_text().count("\n") >= epochs and any(workdir.glob("checkpoints/*/m*"))
    ):
        if any(one.poll() is not None for one in pair):
            said = [one.communicate(timeout=300)[0] for one in pair]
            assert all("another process is gone; the same commands go on" in text for text in said), said
            pair = two(*arguments, f"--workdir={workdir}", "--checkpoint_minutes=0.01")
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return pair


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(3, 30)), rng.normal(size=30)
    data = (log_linear_corpus(number, weights, bias, seed)[0] for number, seed in ((400, 1), (50, 2)))
    return f"--dataset={write_nvdm(tmp_path_factory.mktemp('hosts') / 'data', *data)}"


def test_a_run_moves_between_processes_and_devices(command, dataset, tmp_path):
    straight, moved = tmp_path / "straight", tmp_path / "moved"
    assert command("train", *SETTINGS, dataset, f"--workdir={straight}")[0] == 0

    pair = saved_by_two(moved, 0, *SETTINGS, dataset)
    pair[1].send_signal(signal.SIGTERM)  # either stops both
    said = [one.communicate()[0] for one in pair]
    assert [one.returncode for one in pair] == [75, 75], said
    assert "stopped in epoch" in said[0]

    pair = saved_by_two(moved, 1, *SETTINGS, dataset)
    pair[1].kill()
    said = pair[0].communicate(timeout=300)[0]
    assert pair[0].returncode not in (0, None), said
    pair[1].wait()

    code, out, err = command("train", *SETTINGS, dataset, f"--workdir={moved}")  # on one device
    assert code == 0, err
    assert "goes on after epoch" in out
    ours, theirs = lines(moved), lines(straight)
    assert len(ours) == len(theirs) == 5  # four epochs and the test documents
    for one, other in zip(ours, theirs, strict=True):
        assert one["split"] == other["split"]
        np.testing.assert_allclose(one["perplexity_refined"], other["perplexity_refined"], rtol=1e-3)


def test_a_second_signal_ends_one_of_several_processes_at_once():
    alone = """
import signal, jax
from experiments.workdir import hosts
jax.process_count = lambda: 2
hosts.multihost_utils.reached_preemption_sync_point = lambda step: step == 2
with hosts.listening() as asked:
    print(asked(), asked(), flush=True)
    signal.raise_signal(signal.SIGTERM)
    signal.pause()
"""
    ended = subprocess.run([sys.executable, "-c", alone], capture_output=True, text=True, timeout=300)
    assert ended.stdout == "False True\n"
    assert ended.returncode == 75
    assert "stopped at once" in ended.stderr


def test_processes_that_are_given_different_things_end(dataset, tmp_path):
    pair = two(*SETTINGS, dataset, f"--workdir={tmp_path}/run", others=["--learning_rate=0.05"])
    said = [one.communicate()[0] for one in pair]
    assert pair[1].returncode == 2, said
    assert pair[0].returncode not in (0, None), said
    assert "error: flags: expected what the first process was given, found something else in this one" in said[1]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--mesh=data:9"], "--mesh: expected at most"),
        (["--coordinator=nowhere"], "--coordinator: expected auto or HOST:PORT, found 'nowhere'"),
        (
            ["--coordinator=a:1", "--num_processes=2"],
            "--process_id: expected 0 to --num_processes less 1, found -1 of 2",
        ),
        (["--num_processes=2"], "--num_processes: expected to go with --coordinator=HOST:PORT, found 2"),
        (["--heartbeat_timeout_seconds=0"], "--heartbeat_timeout_seconds: expected a whole number from 1, found 0"),
    ],
)
def test_bad_flags_are_one_line(command, dataset, tmp_path, flags, message):
    code, _, err = command("train", *SETTINGS, dataset, f"--workdir={tmp_path}/run", *flags)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
    assert not (tmp_path / "run").exists()
