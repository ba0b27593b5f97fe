"""Nothing that a workdir or a data file holds is run: no pickle, no path out of a folder, no code in a config."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from dlgm_jax import DLGM, BadInput, load_run
from dlgm_jax.data.inputs import open_input
from dlgm_jax.data.source import Reading, in_memory

SOURCES = Path(__file__).parent.parent.parent


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def went_off(tmp_path):
    return tmp_path / "went-off"


def armed(path, went_off):
    """An array file whose only item is a bomb."""
    np.save(path, np.array([Bomb(went_off)], dtype=object), allow_pickle=True)
    return path


def test_the_bomb_works(tmp_path, went_off):
    np.load(armed(tmp_path / "a.npy", went_off), allow_pickle=True)
    assert went_off.exists()


def test_a_workdir_runs_no_pickle(finished, command, went_off):
    workdir, arguments, _ = finished
    armed(workdir / "idf.npy", went_off)
    with pytest.raises(BadInput, match=r"expected vocab\.txt and idf\.npy of a run"):
        load_run(workdir)
    for checkpoint in ("best", "checkpoints"):
        for path in (workdir / checkpoint).rglob("*"):
            if path.is_file():
                path.write_bytes(pickle.dumps(Bomb(went_off)))
    code, _, err = command("train", *[a for a in arguments if "epochs" not in a], "--epochs=5")
    assert (code, err.count("\n")) == (2, 1), err
    assert command("evaluate", f"--workdir={workdir}")[0] == 2
    assert not went_off.exists()


@pytest.mark.parametrize("where", ["config", "environment", "metrics", "report"])
def test_a_workdir_runs_no_code(finished, command, tmp_path, went_off, where):
    workdir, arguments, _ = finished
    code = f"__import__('pathlib').Path({str(went_off)!r}).touch()"
    if where == "config":
        config = json.loads((workdir / "config.json").read_text())
        for name in config:
            (workdir / "config.json").write_text(json.dumps(config | {name: code}))
            # a corpus may move, and is known by its digest: the place where it was is only shown
            assert command("train", *arguments)[0] == (0 if name == "dataset" else 2)
        (workdir / "config.json").write_text(json.dumps(config | {"activation": code}))
        assert command("evaluate", f"--workdir={workdir}")[0] == 2
    else:
        for path in workdir.glob(f"{where}*"):
            path.write_text(code)
        command("train", *[a for a in arguments if "epochs" not in a], "--epochs=4")
        command("evaluate", f"--workdir={workdir}")
    assert not went_off.exists()


def test_an_estimator_s_folder_runs_no_pickle(tmp_path, went_off):
    counts = scipy.sparse.csr_matrix(np.random.default_rng(0).poisson(1.0, (20, 6)))
    DLGM(n_components=2, max_iter=1).fit(counts).save(tmp_path / "model")
    armed(tmp_path / "model" / "document_frequencies.npy", went_off)
    with pytest.raises(BadInput):
        DLGM.load(tmp_path / "model")
    assert not went_off.exists()


def test_a_data_file_runs_no_pickle(tmp_path, went_off):
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    stream = io.BytesIO()
    armed(stream, went_off)
    matrix = scipy.sparse.csr_matrix([[1, 2]])
    scipy.sparse.save_npz(tmp_path / "sound.npz", matrix)
    with zipfile.ZipFile(tmp_path / "sound.npz") as sound, zipfile.ZipFile(tmp_path / "bad.npz", "w") as bad:
        for name in sound.namelist():
            bad.writestr(name, stream.getvalue() if name == "data.npy" else sound.read(name))
    with pytest.raises(BadInput, match=r"bad\.npz: expected numbers in 'data\.npy'"):
        in_memory(open_input(tmp_path / "bad.npz", "", Reading()))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Bomb(went_off)))
    with pytest.raises(BadInput):
        in_memory(open_input(tmp_path / "pickle.npz", "npz", Reading()))
    assert not went_off.exists()


def test_members_of_an_archive_and_splits_of_a_corpus_stay_where_they_are(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "vocab.txt").write_text("a\nb\n")
    with zipfile.ZipFile(tmp_path / "in" / "a.npz", "w") as archive:
        archive.writestr("../../escaped.npy", b"x")
    with pytest.raises(BadInput):
        in_memory(open_input(tmp_path / "in" / "a.npz", "", Reading()))
    facts = {"form": "dlgm-jax corpus 1", "labels": [], "origin": {}}
    facts["splits"] = {"../train": {"sha256": "", "shards": [{"documents": 0, "entries": 0}]}}
    (tmp_path / "in" / "corpus.json").write_text(json.dumps(facts))
    with pytest.raises(BadInput, match=r"a split '\.\./train'"):
        open_input(tmp_path / "in", "", Reading())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_no_source_unpickles_or_runs_text():
    for path in [*(SOURCES / "dlgm_jax").rglob("*.py"), *(SOURCES / "experiments").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        for forbidden in ("import pickle", "allow_pickle=True", "eval(", "exec(", "extractall", "yaml.load"):
            assert forbidden not in text.replace("_eval(", ""), (path, forbidden)
