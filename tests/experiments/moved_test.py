"""A corpus that lies elsewhere than when its run began: known by its counts, and by nothing else."""

import json
import shutil

import numpy as np
import pytest

from dlgm_jax.data import datasets
from experiments.recipes.sweep import Sweep
from experiments.workdir import hosts
from tests.conftest import log_linear_corpus, write_nvdm
from tests.experiments.conftest import SMALL, lines
from tests.experiments.resume_test import files

RUN = [*SMALL, "--M=1", "--epochs=1"]


def counts(seed):
    rng = np.random.default_rng(0)
    return log_linear_corpus(150, rng.normal(size=(2, 30)), rng.normal(size=30), seed)[0]


@pytest.fixture
def begun(command, tmp_path):
    """The folder of a run that ended, and that of its corpus."""
    corpus, workdir = write_nvdm(tmp_path / "before", counts(1), counts(2)), tmp_path / "run"
    assert command("train", *RUN, f"--dataset={corpus}", f"--workdir={workdir}")[0] == 0
    return workdir, corpus


def dataset_of(workdir):
    return json.loads((workdir / "config.json").read_text())["dataset"]


def test_a_run_goes_on_where_its_corpus_moved_to(begun, command, tmp_path):
    workdir, corpus = begun
    there, measured = tmp_path / "after", lines(workdir)
    corpus.rename(there)
    code, _, err = command("evaluate", f"--workdir={workdir}")
    assert (code, err.count("\n")) == (2, 1)
    same = [*RUN, f"--dataset={there}", f"--workdir={workdir}"]
    code, out, err = command("train", *same)
    assert code == 0, err
    assert f"Note: the corpus moved from {corpus} to {there}.\n" in out
    assert "goes on after epoch 1" in out
    assert (dataset_of(workdir), lines(workdir)) == (str(there), measured)
    code, again, _ = command("train", *same)
    assert code == 0
    assert out.endswith(again)
    assert "moved" not in again
    code, out, _ = command("train", *[flag for flag in same if "epochs" not in flag], "--epochs=2")
    assert code == 0
    assert "moved" not in out
    assert command("evaluate", f"--workdir={workdir}")[0] == 0
    few = ["--map_words=0", "--documents=20", "--samples=5", "--clusters=2"]
    code, out, err = command("introspect", f"--workdir={workdir}", *few)
    assert code == 0, err
    assert "documents are left out" not in out


@pytest.mark.parametrize("epochs", [1, 2])
def test_another_corpus_elsewhere_is_refused_and_nothing_changes(begun, command, tmp_path, epochs):
    workdir, _ = begun
    other, before = write_nvdm(tmp_path / "other", counts(1), counts(3)), files(workdir)
    code, _, err = command("train", *RUN[:-1], f"--epochs={epochs}", f"--dataset={other}", f"--workdir={workdir}")
    assert (code, err.count("\n")) == (2, 1), err
    assert f"{workdir}: expected the corpus that this run began with, found other test documents" in err
    assert files(workdir) == before


def test_a_named_corpus_and_a_folder_are_the_same_by_their_counts(command, tmp_path, monkeypatch):
    corpus, other = (write_nvdm(tmp_path / name, counts(1), counts(test)) for name, test in (("a", 2), ("b", 3)))
    workdir = tmp_path / "run"
    monkeypatch.setitem(datasets.NAMED, "docstrings", lambda: datasets.load(str(corpus)))
    for dataset, code, known in (("docstrings", 0, "docstrings"), (other, 2, "docstrings"), (corpus, 0, str(corpus))):
        found, _, err = command("train", *RUN, f"--dataset={dataset}", f"--workdir={workdir}")
        assert found == code, err
        assert dataset_of(workdir) == known
    monkeypatch.setitem(datasets.NAMED, "docstrings", lambda: datasets.load(str(other)))
    assert command("train", *RUN, "--dataset=docstrings", f"--workdir={workdir}")[0] == 2
    assert dataset_of(workdir) == str(corpus)


def test_a_recipe_takes_the_dataset_of_a_run_only_while_it_holds_the_same(begun, tmp_path):
    workdir, corpus = begun
    there = shutil.copytree(corpus, tmp_path / "after")

    def taken(dataset):
        one = Sweep.__new__(Sweep)
        one._corpora = {}
        return one._held_by(workdir, str(dataset))

    assert taken(there) == {"dataset": str(corpus)}
    assert taken(write_nvdm(tmp_path / "other", counts(1), counts(3))) == {}
    write_nvdm(corpus, counts(1), counts(3))
    assert taken(there) == {}
    shutil.rmtree(corpus)
    assert taken(there) == {}


def test_the_first_process_says_for_all_whether_a_run_is_finished(monkeypatch):
    assert [hosts.of_first(answer) for answer in (True, False)] == [True, False]
    monkeypatch.setattr(hosts.jax, "process_count", lambda: 2)
    monkeypatch.setattr(hosts.multihost_utils, "broadcast_one_to_all", lambda mine: np.int32(1))
    assert hosts.of_first(False) is True
