"""Checkpoints that are damaged, gone or of another shape, under the loop with made-up steps."""

import asyncio
import gc
import shutil
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import BadInput
from dlgm_jax.learning import loop
from dlgm_jax.storage.checkpoints import Checkpoints
from tests.learning.loop_test import equal, fit


def files(folder):
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


@pytest.mark.parametrize("place", ["checkpoints", "best"])
def test_one_flipped_bit_in_any_file_of_the_newest_checkpoint_is_seen(tmp_path, place):
    perplexities = [9.0, 5.0]
    fit(tmp_path / "sound", perplexities, epochs=2)
    newest = {"checkpoints": "checkpoints/8", "best": "best/2"}[place]
    for number in range(len(files(tmp_path / "sound" / newest))):
        folder = tmp_path / f"{number}"
        shutil.copytree(tmp_path / "sound", folder)
        path = files(folder / newest)[number]
        data = bytearray(path.read_bytes() or b"\0")
        data[len(data) // 2] ^= 1 << number % 8
        path.write_bytes(data)
        _, progress, watcher, best = fit(folder, perplexities, epochs=2)
        assert progress == loop.Progress(epoch=2, best_epoch=2, best_loss=5.0)
        assert [epoch for epoch, *_ in watcher.epochs] == [2], path
        assert len(watcher.damaged) == 1
        assert f"{newest}: expected a whole checkpoint, found" in watcher.damaged[0]
        assert path.name in watcher.damaged[0] or path.name == "manifest.json"
        best.verify(2)


def test_two_damaged_checkpoints_leave_a_third(tmp_path):
    perplexities = [9.0, 5.0, 4.0, 3.0]
    whole = fit(tmp_path, perplexities, epochs=4)
    for number in (12, 16):
        (tmp_path / f"checkpoints/{number}/progress.json").write_text("{}")
    again = fit(tmp_path, perplexities, epochs=4)
    assert [epoch for epoch, *_ in again[2].epochs] == [3, 4]
    assert len(again[2].damaged) == 2
    equal(again, whole)


@pytest.mark.parametrize("gone", ["manifests", "checkpoints"])
def test_a_run_whose_checkpoints_are_gone_is_not_begun_anew(tmp_path, gone):
    fit(tmp_path, [9.0, 5.0, 7.0], epochs=3)
    if gone == "manifests":
        for path in tmp_path.glob("*/*/manifest.json"):
            path.unlink()
    else:
        shutil.rmtree(tmp_path / "checkpoints")
    before = files(tmp_path)
    with pytest.raises(BadInput, match="checkpoints: expected a whole checkpoint of the run that was here, found none"):
        fit(tmp_path, [9.0, 5.0, 7.0, 6.0], epochs=4)
    assert files(tmp_path) == before


def test_a_number_that_is_saved_stays_as_it_is(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for value in (1.0, 2.0):
        checkpoints.save(5, {"w": jnp.asarray(value)}, {})
        checkpoints.wait()
    assert float(checkpoints.restore(5, {"w": jax.ShapeDtypeStruct((), np.float32)})[0]["w"]) == 1.0


def test_a_checkpoint_whose_deletion_is_cut_short_is_none(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, kept=1)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    for number in (1, 2):
        checkpoints.save(number, {"w": jnp.asarray(1.0)}, {})
        checkpoints.wait()
    assert (tmp_path / "1" / "progress.json").exists()
    assert checkpoints.numbers() == [2]


def test_best_and_checkpoints_never_run_ahead_of_each_other(tmp_path, monkeypatch):
    """A kill at any time leaves a checkpoint whose best model is whole: each waits for the other to be on disk."""
    begun, finish = [], Checkpoints._finish

    def slowly(self, place, *rest):
        time.sleep(0.1)
        finish(self, place, *rest)

    def save(self, number, tree, progress):
        whole = {name: Checkpoints(tmp_path / name).numbers() for name in ("checkpoints", "best")}
        begun.append((self.folder.name, number, whole))
        saved(self, number, tree, progress)

    saved = Checkpoints.save
    monkeypatch.setattr(Checkpoints, "_finish", slowly)
    monkeypatch.setattr(Checkpoints, "save", save)
    fit(tmp_path, [9.0, 5.0], epochs=2)
    assert begun == [
        ("best", 1, {"checkpoints": [], "best": []}),
        ("checkpoints", 4, {"checkpoints": [], "best": [1]}),
        ("best", 2, {"checkpoints": [4], "best": [1]}),
        ("checkpoints", 8, {"checkpoints": [4], "best": [1, 2]}),
    ]


def test_a_checkpoint_without_a_manifest_is_none_and_is_cleared_away(tmp_path):
    fit(tmp_path, [9.0, 5.0], epochs=2)
    (tmp_path / "checkpoints" / "8" / "manifest.json").unlink()
    (tmp_path / "checkpoints" / "11" / "arrays").mkdir(parents=True)
    _, _, watcher, _ = fit(tmp_path, [9.0, 5.0], epochs=2)
    assert [epoch for epoch, *_ in watcher.epochs] == [2]
    assert watcher.damaged == []
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["4", "8"]


def test_when_every_checkpoint_is_damaged_nothing_is_changed(tmp_path):
    fit(tmp_path, [9.0, 5.0], epochs=2)
    for path in (tmp_path / "checkpoints").glob("*/progress.json"):
        path.write_text("{}")
    before = {path: path.read_bytes() for path in files(tmp_path)}
    with pytest.raises(
        BadInput, match=r"checkpoints/8: .* progress\.json changed; and no whole one before it"
    ) as caught:
        fit(tmp_path, [9.0, 5.0, 7.0], epochs=3)
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in files(tmp_path)} == before


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path):
    (tmp_path / "best").write_text("")
    with pytest.raises(BadInput, match="best: expected a folder of checkpoints"):
        Checkpoints(tmp_path / "best")


def test_other_shapes_are_one_line(tmp_path):
    fit(tmp_path, [9.0], epochs=1)
    best = Checkpoints(tmp_path / "best")
    with pytest.raises(BadInput, match="best/1: expected a whole checkpoint of this model with 1 arrays, found other"):
        best.restore(1, {"w": jax.ShapeDtypeStruct((3,), np.float32)})


TWO_WRITES = """
async def write():
    raise ValueError("no space")

async def writes(asyncio):
    beside = asyncio.create_task(write())
    await asyncio.sleep(0)
    await write()
"""


@pytest.mark.parametrize(("file", "said"), [("/lib/orbax/checkpoint/serialization.py", 0), ("/home/me/own.py", 1)])
def test_writes_that_fail_beside_the_one_that_is_raised_are_not_reported_again(tmp_path, caplog, file, said):
    Checkpoints(tmp_path)
    scope = {}
    exec(compile(TWO_WRITES, file, "exec"), scope)
    loop = asyncio.new_event_loop()
    with pytest.raises(ValueError, match="no space"):
        loop.run_until_complete(scope["writes"](asyncio))
    loop.close()
    gc.collect()
    assert [record.name for record in caplog.records] == ["asyncio"] * said
