import contextlib
import importlib
import io
import json
import math
import os
import shutil
import sys

import numpy as np
import pytest

from experiments import evaluate, introspect, prepare, train, transform
from experiments.flags.command import run_main
from experiments.recipes import sweep
from experiments.report.page import Table, plain

SMALL = ["--K=3", "--generative_widths=8", "--inference_widths=8", "--batch_size=50", "--valid_size=40", "--eval_M=5"]
PERPLEXITIES = {"validation": [1000.0, 800.0], "test": [1100.0, 900.0], "train": [700.0, 600.0]}  # of a run made up


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """The cache of the tests, in which workers share what they compiled."""
    folder = tmp_path_factory.getbasetemp()
    return (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "cache"


@pytest.fixture(autouse=True)
def own_cache(cache, monkeypatch):
    """No test writes into the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


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


@pytest.fixture(scope="session")
def trained_once(cache, nvdm_folder, tmp_path_factory):
    """The folder of a run of three epochs with refinement, its flags without --workdir, and what it printed."""
    workdir, printed = tmp_path_factory.mktemp("finished") / "run", io.StringIO()
    flags = [*SMALL, f"--dataset={nvdm_folder}", "--M=4", "--epochs=3", "--score=test,train"]
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(printed):
        patched.setenv("XDG_CACHE_HOME", str(cache))
        train.main(["train", *flags, f"--workdir={workdir}"])
    return workdir, flags, printed.getvalue()


@pytest.fixture
def finished(trained_once, tmp_path):
    """A run of three epochs with refinement, as if it had been trained here: its folder, flags and printed text."""
    once, flags, printed = trained_once
    workdir = shutil.copytree(once, tmp_path / "run")
    report = workdir / "report.txt"
    report.write_text(report.read_text(encoding="utf-8").replace(str(once), str(workdir)), encoding="utf-8")
    return workdir, [*flags, f"--workdir={workdir}"], printed.replace(str(once), str(workdir))


@pytest.fixture
def recipe(monkeypatch, capsys):
    """Runs a recipe as from a shell: exit code, stdout, stderr."""

    def run(name, *arguments):
        module = importlib.import_module(f"experiments.recipes.{name}")
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        code = 0
        try:
            run_main(module.main)
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def made_up(monkeypatch):
    """Runs that are not made: their settings, in order. Each next one is better by 10."""
    runs = []

    def trained(settings, workdir, score):
        runs.append(settings)
        scores = {
            split: [value - 10 * len(runs) for value in PERPLEXITIES[split]]
            for split in ("validation", *filter(None, score.split(",")))
        }
        more = {"epochs": 3, "best_epoch": 2, "seconds": 60.0, "log_singular_values": [1.0, 0.5, -0.5]}
        curve = [[1, 2000.0, 1900.0], [2, *scores["validation"]], [3, 1500.0, 1400.0]]
        return {"settings": settings, "scores": scores, "curve": curve, **more}

    monkeypatch.setattr(sweep, "trained", trained)
    return runs


@pytest.fixture
def texts(tmp_path):
    """150 texts of 49 words."""
    rng = np.random.default_rng(0)
    words = [f"word{a}{b}" for a in "abcdefg" for b in "abcdefg"]
    path = tmp_path / "texts.txt"
    path.write_text("".join(" ".join(rng.choice(words, 20)) + "\n" for _ in range(150)))
    return path


def results(path):
    return json.loads(path.read_text())


def rows_of(out, title):
    """The cells of a table that was printed."""
    after = out.split(f"{title}\n")[1].split("\n\n")[0].splitlines()
    return [line.split() for line in after]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the recipes put their runs, which they share."""
    return tmp_path_factory.mktemp("recipes")


def shown(title, held):
    """A table of a JSON file, which has null for what is not a number."""
    cells = [[math.nan if value is None else value for value in row] for row in held["rows"]]
    return Table(title, held["note"], held["header"], cells)


@pytest.fixture
def quick(folder, tmp_path, capsys):
    """Runs the quick form of a recipe: what it printed, and the tables of its JSON file by title."""

    def run(module, *flags):
        name = module.__name__.rpartition(".")[2]
        path = tmp_path / f"{name}.json"
        module.main([name, "--quick", f"--folder={folder}", f"--results={path}", *flags])
        out = capsys.readouterr().out
        titled = ((title.split(" [")[0], one) for title, one in results(path)["tables"].items())
        tables = {title: shown(title, one) for title, one in titled}
        for table in tables.values():
            assert plain(table) in out
        return out, tables

    return run
