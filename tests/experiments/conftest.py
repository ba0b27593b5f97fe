import json
import os
import sys

import pytest

from experiments import evaluate, introspect, prepare, train, transform
from experiments.command import run_main

SMALL = ["--K=3", "--generative_widths=8", "--inference_widths=8", "--batch_size=50", "--valid_size=40", "--eval_M=5"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test writes into the user's cache."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder  # workers share what they compiled
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs a command as from a shell: exit code, stdout, stderr."""

    def run(name, *arguments):
        main = {
            "train": train.main,
            "evaluate": evaluate.main,
            "introspect": introspect.main,
            "prepare": prepare.main,
            "transform": transform.main,
        }[name]
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        try:
            run_main(main)
        except SystemExit as stop:
            code = stop.code
        else:
            code = 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


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
