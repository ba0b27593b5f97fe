"""The loop with a step and a validation that are made up, so that every turn of it can be foreseen."""

import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import BadInput, NonFinite
from dlgm_jax.learning import loop
from dlgm_jax.learning.checkpoints import Checkpoints
from dlgm_jax.learning.scoring import Scores
from dlgm_jax.learning.steps import Info, State
from dlgm_jax.types import Batch

BATCH = Batch(None, np.ones(4), np.arange(4), np.ones(4))


class Watcher:
    def __init__(self):
        self.epochs, self.steps = [], 0

    def stepped(self, documents, elbo_per_word):
        self.steps += 1

    def validated(self, epoch, scores, elbo_per_word):
        self.epochs.append((epoch, scores.perplexity_refined, elbo_per_word))


def fit(folder, perplexities, *, epochs, patience=0, bad_step=None, seen=None):
    """Each step adds 1 to the parameter; validation reads the epoch's perplexity from a list."""
    seen = [] if seen is None else seen

    def step(state, batch, key):
        seen.append((int(batch.length[0]), jax.random.key_data(key).tolist()))
        elbo = jnp.nan if int(state.step) + 1 == bad_step else -6.0 * 4
        return State({"w": state.params["w"] + 1}, state.moments, state.step + 1), Info(
            jnp.asarray(elbo), jnp.asarray(4.0)
        )

    def validate(params):
        value = perplexities[int(params["w"]) // 3 - 1]
        return Scores(4, 0, value + 1, value, value, value, 0.0, 0.0, 1)

    state = State({"w": jnp.zeros(())}, {"m": jnp.zeros(())}, jnp.zeros((), jnp.int32))
    checkpoints, best = Checkpoints(folder / "checkpoints"), Checkpoints(folder / "best")
    state, progress = loop.restore(state, checkpoints, best)
    watcher = Watcher()
    state, progress = loop.fit(
        state,
        progress,
        step=step,
        batches=lambda epoch: [BATCH._replace(length=np.full(4, epoch))] * 3,
        validate=validate,
        key=jax.random.key(0),
        epochs=epochs,
        patience=patience,
        checkpoints=checkpoints,
        best=best,
        watcher=watcher,
    )
    return state, progress, watcher, best


def test_the_best_epoch_is_kept(tmp_path):
    state, progress, watcher, best = fit(tmp_path, [9.0, 5.0, 7.0, 6.0], epochs=4)
    assert progress == loop.Progress(4, 2, 5.0)
    assert watcher.epochs == [(1, 9.0, -6.0), (2, 5.0, -6.0), (3, 7.0, -6.0), (4, 6.0, -6.0)]
    assert (watcher.steps, float(state.params["w"])) == (12, 12.0)
    params, _ = best.restore(2, jax.eval_shape(lambda: state.params))
    assert float(params["w"]) == 6.0


def test_patience_stops_and_more_patience_goes_on(tmp_path):
    perplexities = [9.0, 5.0, 7.0, 6.0, 4.0, 8.0]
    _, progress, watcher, _ = fit(tmp_path, perplexities, epochs=6, patience=2)
    assert (progress.epoch, len(watcher.epochs)) == (4, 4)
    _, progress, watcher, _ = fit(tmp_path, perplexities, epochs=6, patience=3)
    assert progress == loop.Progress(6, 5, 4.0)
    assert [epoch for epoch, *_ in watcher.epochs] == [5, 6]


def test_not_finite_names_the_step_and_the_last_good_checkpoint(tmp_path):
    with pytest.raises(NonFinite, match=r"epoch 1: step 2: the ELBO is nan; there is no checkpoint yet"):
        fit(tmp_path / "a", [9.0, 5.0, 7.0], epochs=3, bad_step=2)
    with pytest.raises(NonFinite, match=r"epoch 3: step 9: .* checkpoint is .*checkpoints/2"):
        fit(tmp_path / "b", [9.0, 5.0, 7.0], epochs=3, bad_step=9)


def test_an_infinite_perplexity_stops_and_names_the_step(tmp_path):
    with pytest.raises(
        NonFinite, match=r"epoch 2: after step 6: .* infinite; the last good checkpoint is .*checkpoints/1"
    ):
        fit(tmp_path, [9.0, float("inf")], epochs=2)


def test_a_missing_best_is_noticed_before_training(tmp_path):
    fit(tmp_path, [9.0], epochs=1)
    shutil.rmtree(tmp_path / "best")
    with pytest.raises(BadInput, match="best: expected the model of epoch 1, found none"):
        fit(tmp_path, [9.0, 5.0], epochs=2)


@pytest.mark.parametrize("values", [{"foo": 1}, [], None, {"epoch": "a", "best_epoch": 1, "best_perplexity": 2.0}, {}])
def test_damaged_progress_is_one_line(values):
    with pytest.raises(BadInput, match="here: expected the progress of a run"):
        loop.Progress.from_json(values, Path("here"))


def test_a_best_of_an_epoch_that_was_not_finished_is_forgotten(tmp_path):
    fit(tmp_path, [9.0, 5.0], epochs=2)
    best = Checkpoints(tmp_path / "best")
    best.save(3, {"w": jnp.zeros(())}, {})
    best.wait()
    _, progress, _, best = fit(tmp_path, [9.0, 5.0, 7.0], epochs=3)
    assert progress.best_epoch == best.latest() == 2


def test_a_damaged_checkpoint_is_one_line(tmp_path):
    fit(tmp_path, [9.0], epochs=1)
    for path in (tmp_path / "checkpoints" / "1").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadInput, match=r"checkpoints/1: expected a whole checkpoint") as caught:
        fit(tmp_path, [9.0, 5.0], epochs=2)
    assert "\n" not in str(caught.value)


def test_every_epoch_has_its_own_batches_and_noise_also_after_a_stop(tmp_path):
    straight, halves = [], []
    fit(tmp_path / "straight", [9.0, 5.0, 7.0, 6.0], epochs=4, seen=straight)
    fit(tmp_path / "halves", [9.0, 5.0, 7.0, 6.0], epochs=2, seen=halves)
    fit(tmp_path / "halves", [9.0, 5.0, 7.0, 6.0], epochs=4, seen=halves)
    assert straight == halves
    assert [epoch for epoch, _ in straight] == [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert len({tuple(key) for _, key in straight}) == 4


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path):
    (tmp_path / "best").write_text("")
    with pytest.raises(BadInput, match="best: expected a folder of checkpoints"):
        Checkpoints(tmp_path / "best")


def test_other_shapes_are_one_line(tmp_path):
    fit(tmp_path, [9.0], epochs=1)
    best = Checkpoints(tmp_path / "best")
    with pytest.raises(BadInput, match="best/1: expected a whole checkpoint of this model with 1 arrays, found other"):
        best.restore(1, {"w": jax.ShapeDtypeStruct((3,), np.float32)})
