"""The loop with a step and a validation that are made up, so that every turn of it can be foreseen."""

import shutil
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import BadInput, NonFinite
from dlgm_jax.errors import Stopped
from dlgm_jax.evaluation.scoring import Scores
from dlgm_jax.learning import loop
from dlgm_jax.learning.steps import Info, State
from dlgm_jax.storage.checkpoints import Checkpoints
from dlgm_jax.storage.restore import restore
from dlgm_jax.types import Batch

BATCH = Batch(None, np.ones(4), np.arange(4), np.ones(4))


class Watcher:
    def __init__(self):
        self.epochs, self.steps, self.skips = [], 0, []

    def stepped(self, documents, elbo_per_word):
        self.steps += 1

    def skipped(self, message):
        self.skips.append(message)

    def validated(self, epoch, scores, elbo_per_word):
        self.epochs.append((epoch, scores.perplexity_refined, elbo_per_word))


class Pauses:
    """Stops and saves after some steps, counted over all epochs of one call."""

    def __init__(self, stop_after=None, save_after=()):
        self.stop_after, self.save_after, self.steps = stop_after, save_after, 0

    def stop(self):
        self.steps += 1
        return self.steps == self.stop_after

    def save(self):
        return self.steps in self.save_after


def fit(
    folder, perplexities, *, epochs, patience=0, bad_step=None, seen=None, pauses=None, validation=None, most_skips=0
):
    """Each step but a bad one adds 1 to the parameter; validation reads the epoch's perplexity from a list."""
    seen = [] if seen is None else seen

    def step(state, batch, key):
        seen.append((int(batch.length[0]), jax.random.key_data(key).tolist()))
        whole = int(state.step) + 1 != bad_step
        bounds = jnp.full(4, -6.0).at[2].set(-6.0 if whole else jnp.nan)
        new = State({"w": state.params["w"] + whole}, state.moments, state.step + 1)
        return new, Info(bounds.sum(), jnp.asarray(4.0), jnp.asarray(whole), bounds, {"w": jnp.asarray(whole)})

    def validate(params):
        if validation:
            validation()
        value = perplexities[-(-int(params["w"]) // 3) - 1]
        return Scores(4, 0, value + 1, value, value, value, 0.0, 0.0, 1, -1.0, -1.0, value)

    state = State({"w": jnp.zeros(())}, {"m": jnp.zeros(())}, jnp.zeros((), jnp.int32))
    checkpoints, best = Checkpoints(folder / "checkpoints"), Checkpoints(folder / "best")
    found, progress, damaged = restore(jax.eval_shape(lambda: state), checkpoints, best)
    watcher = Watcher()
    watcher.damaged = damaged
    state, progress = loop.fit(
        state if found is None else found,
        progress,
        steps=lambda epoch: step,
        batches=lambda epoch, first: ([BATCH._replace(length=np.full(4, epoch))] * 3)[first:],
        validate=validate,
        key=jax.random.key(0),
        epochs=epochs,
        patience=patience,
        checkpoints=checkpoints,
        best=best,
        watcher=watcher,
        pauses=pauses or Pauses(),
        most_skips=most_skips,
    )
    return state, progress, watcher, best


def test_the_best_epoch_is_kept(tmp_path):
    state, progress, watcher, best = fit(tmp_path, [9.0, 5.0, 7.0, 6.0], epochs=4)
    assert progress == loop.Progress(epoch=4, best_epoch=2, best_loss=5.0)
    assert watcher.epochs == [(1, 9.0, -6.0), (2, 5.0, -6.0), (3, 7.0, -6.0), (4, 6.0, -6.0)]
    assert (watcher.steps, float(state.params["w"])) == (12, 12.0)
    params, _ = best.restore(2, jax.eval_shape(lambda: state.params))
    assert float(params["w"]) == 6.0


def test_patience_stops_and_more_patience_goes_on(tmp_path):
    perplexities = [9.0, 5.0, 7.0, 6.0, 4.0, 8.0]
    _, progress, watcher, _ = fit(tmp_path, perplexities, epochs=6, patience=2)
    assert (progress.epoch, len(watcher.epochs)) == (4, 4)
    _, progress, watcher, _ = fit(tmp_path, perplexities, epochs=6, patience=3)
    assert progress == loop.Progress(epoch=6, best_epoch=5, best_loss=4.0)
    assert [epoch for epoch, *_ in watcher.epochs] == [5, 6]


def test_not_finite_names_the_step_and_the_last_good_checkpoint(tmp_path):
    with pytest.raises(
        NonFinite,
        match=r"epoch 1: step 2: the ELBO is nan; not finite: the bounds of .*2 \(.* in all\); "
        r"gradients or steps of w are .*; there is no checkpoint yet",
    ):
        fit(tmp_path / "a", [9.0, 5.0, 7.0], epochs=3, bad_step=2)
    with pytest.raises(NonFinite, match=r"epoch 3: step 9: .* checkpoint is .*checkpoints/8"):
        fit(tmp_path / "b", [9.0, 5.0, 7.0], epochs=3, bad_step=9)


def test_an_infinite_perplexity_stops_and_names_the_step(tmp_path):
    with pytest.raises(
        NonFinite, match=r"epoch 2: after step 6: .* infinite; the last good checkpoint is .*checkpoints/4"
    ):
        fit(tmp_path, [9.0, float("inf")], epochs=2)


def test_a_missing_best_is_noticed_before_training(tmp_path):
    fit(tmp_path, [9.0], epochs=1)
    shutil.rmtree(tmp_path / "best")
    with pytest.raises(BadInput, match=r"best/1: expected a whole checkpoint, found no manifest.json .* begin anew"):
        fit(tmp_path, [9.0, 5.0], epochs=2)


@pytest.mark.parametrize("values", [{"foo": 1}, [], None, {"epoch": "a", "best_epoch": 1, "best_loss": 2.0}, {}])
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


def test_skips_are_counted_over_stops(tmp_path):
    with pytest.raises(Stopped):
        fit(tmp_path, [9.0, 5.0], epochs=2, bad_step=2, most_skips=1, pauses=Pauses(stop_after=3))
    with pytest.raises(NonFinite, match="step 5"):
        fit(tmp_path, [9.0, 5.0], epochs=2, bad_step=5, most_skips=1)


def equal(ours, theirs):
    (state, progress, watcher, _), (other, other_progress, other_watcher, _) = ours, theirs
    assert progress == other_progress
    assert float(state.params["w"]) == float(other.params["w"])
    assert watcher.epochs == other_watcher.epochs[len(other_watcher.epochs) - len(watcher.epochs) :]


@pytest.mark.parametrize("step", range(1, 9))
def test_a_stop_after_any_step_goes_on_as_if_nothing_had_happened(tmp_path, step):
    perplexities = [9.0, 5.0, 7.0]
    straight, parts = [], []
    whole = fit(tmp_path / "straight", perplexities, epochs=3, seen=straight)
    with pytest.raises(Stopped, match=f"in epoch {(step + 2) // 3}, after step {step}"):
        fit(tmp_path / "parts", perplexities, epochs=3, seen=parts, pauses=Pauses(stop_after=step))
    assert len(parts) == step
    equal(fit(tmp_path / "parts", perplexities, epochs=3, seen=parts), whole)
    assert parts == straight


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_stop_in_validation_repeats_no_step(tmp_path, epoch):
    perplexities = [9.0, 5.0, 7.0]
    straight, parts, validations = [], [], []
    whole = fit(tmp_path / "straight", perplexities, epochs=3, seen=straight)

    def validation():
        validations.append(1)
        if len(validations) == epoch:
            raise Stopped

    with pytest.raises(Stopped, match=f"in epoch {epoch}, after step {3 * epoch}"):
        fit(tmp_path / "parts", perplexities, epochs=3, seen=parts, validation=validation)
    equal(fit(tmp_path / "parts", perplexities, epochs=3, seen=parts), whole)
    assert parts == straight


def test_after_a_crash_it_goes_on_from_the_last_save_within_an_epoch(tmp_path):
    perplexities, parts = [9.0, 5.0], []
    whole = fit(tmp_path / "straight", perplexities, epochs=2)

    class Crash(Pauses):
        def stop(self):
            super().stop()
            if self.steps == 6:
                raise ZeroDivisionError
            return False

    with pytest.raises(ZeroDivisionError):
        fit(tmp_path / "parts", perplexities, epochs=2, seen=parts, pauses=Crash(save_after=(2, 5)))
    while not (tmp_path / "parts/checkpoints/6/manifest.json").exists():
        time.sleep(0.01)
    equal(fit(tmp_path / "parts", perplexities, epochs=2, seen=parts), whole)
    assert len(parts) == 6 + 1


def test_steps_that_are_not_finite_are_skipped_up_to_a_bound(tmp_path):
    state, progress, watcher, _ = fit(tmp_path / "a", [9.0, 5.0], epochs=2, bad_step=2, most_skips=1)
    assert (progress.skipped, float(state.params["w"]), int(state.step)) == (1, 5.0, 6)
    assert watcher.epochs[0] == (1, 9.0, -6.0)
    assert len(watcher.skips) == 1
    assert "step 2: the ELBO is nan" in watcher.skips[0]
    with pytest.raises(NonFinite, match="step 2"):
        fit(tmp_path / "b", [9.0, 5.0], epochs=2, bad_step=2, most_skips=0)


def test_every_epoch_has_its_own_batches_and_noise_also_after_a_stop(tmp_path):
    straight, halves = [], []
    fit(tmp_path / "straight", [9.0, 5.0, 7.0, 6.0], epochs=4, seen=straight)
    fit(tmp_path / "halves", [9.0, 5.0, 7.0, 6.0], epochs=2, seen=halves)
    fit(tmp_path / "halves", [9.0, 5.0, 7.0, 6.0], epochs=4, seen=halves)
    assert straight == halves
    assert [epoch for epoch, _ in straight] == [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert len({tuple(key) for _, key in straight}) == 4


def test_arrays_that_are_not_finite_are_named_where_no_document_is():
    def names(documents):
        assert len(documents)
        return map(str, documents)

    info = Info(jnp.asarray(-4.0), jnp.asarray(4.0), jnp.asarray(False), jnp.full(4, -1.0), {"w": jnp.asarray(False)})
    assert loop.not_finite(info, BATCH, names) == "the ELBO is -4.0; gradients or steps of w are not finite"
