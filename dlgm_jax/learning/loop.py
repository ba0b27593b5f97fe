"""The run: epochs, validation, early stopping, checkpoints."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np

from dlgm_jax.learning.checkpoints import Checkpoints
from dlgm_jax.learning.scoring import Scores
from dlgm_jax.learning.steps import Info, State
from dlgm_jax.types import Array, BadInput, Batch, NonFinite, Params


@dataclass(frozen=True)
class Progress:
    """How far a run is, by epochs; it is saved with every checkpoint."""

    epoch: int = 0
    best_epoch: int = 0
    best_perplexity: float = float("inf")

    @classmethod
    def from_json(cls, values: Any, where: Path) -> "Progress":
        """From what a checkpoint holds beside its arrays. Raises BadInput."""
        kinds = {"epoch": int, "best_epoch": int, "best_perplexity": float}
        if not isinstance(values, dict) or {name: type(value) for name, value in values.items()} != kinds:
            raise BadInput(f"{where}: expected the progress of a run, found {str(values)[:60]}")
        return cls(**values)

    def finished(self, epochs: int, patience: int) -> bool:
        """All epochs are done, or `patience` epochs (0: no limit) went by without a new best."""
        return self.epoch >= epochs or bool(patience and self.epoch - self.best_epoch >= patience)


class Watcher(Protocol):
    """Who is told what happens."""

    def stepped(self, documents: int, elbo_per_word: float) -> None:
        """A batch of `documents` is done."""

    def validated(self, epoch: int, scores: Scores, elbo_per_word: float) -> None:
        """An epoch is done and the validation documents are scored."""


def fit(
    state: State,
    progress: Progress,
    *,
    step: Callable[[State, Batch, Array], tuple[State, Info]],
    batches: Callable[[int], Iterable[Batch]],
    validate: Callable[[Params], Scores],
    key: Array,
    epochs: int,
    patience: int,
    checkpoints: Checkpoints,
    best: Checkpoints,
    watcher: Watcher,
) -> tuple[State, Progress]:
    """Epochs until `progress.finished`; `batches(epoch)` gives an epoch's batches.

    The epoch of lowest refined validation perplexity is kept in `best`. Raises NonFinite, naming the step and
    the last good checkpoint.
    """
    while not progress.finished(epochs, patience):
        epoch = progress.epoch + 1
        try:
            epoch_key = jax.random.fold_in(key, epoch)
            state, elbo_per_word = one_pass(state, step, batches(epoch), epoch_key, watcher.stepped)
            scores = _validated(state, validate)
        except NonFinite as error:
            last = checkpoints.latest()
            good = (
                f"the last good checkpoint is {checkpoints.folder / str(last)}"
                if last
                else "there is no checkpoint yet"
            )
            raise NonFinite(f"epoch {epoch}: {error}; {good}") from error
        progress = replace(progress, epoch=epoch)
        if scores.perplexity_refined < progress.best_perplexity:
            progress = replace(progress, best_epoch=epoch, best_perplexity=scores.perplexity_refined)
            checkpoints.wait()  # so that `best` is never more than one epoch ahead
            best.save(epoch, state.params, asdict(progress))
        watcher.validated(epoch, scores, elbo_per_word)
        best.wait()
        checkpoints.save(epoch, state, asdict(progress))
    checkpoints.wait()
    return state, progress


def restore(state: Any, checkpoints: Checkpoints, best: Checkpoints) -> tuple[State, Progress]:
    """The newest checkpoint in the form of `state`, or `state` itself when there is none."""
    latest = checkpoints.latest()
    if latest is None:
        best.forget_after(0)
        return state, Progress()
    restored, stored = checkpoints.restore(latest, jax.eval_shape(lambda: state))
    progress = Progress.from_json(stored, checkpoints.folder / str(latest))
    if not best.holds(progress.best_epoch):
        raise BadInput(f"{best.folder}: expected the model of epoch {progress.best_epoch}, found none; begin anew")
    best.forget_after(latest)
    return restored, progress


def _validated(state: State, validate) -> Scores:
    try:
        scores = validate(state.params)
    except NonFinite as error:
        raise NonFinite(f"after step {int(state.step)}: {error}") from error
    if not np.isfinite(scores.perplexity_refined):
        raise NonFinite(f"after step {int(state.step)}: the refined validation perplexity is infinite")
    return scores


def one_pass(
    state: State,
    step: Callable[[State, Batch, Array], tuple[State, Info]],
    batches: Iterable[Batch],
    key: Array,
    stepped: Callable[[int, float], None] = lambda documents, elbo_per_word: None,
) -> tuple[State, float]:
    """One pass over the batches: the new state and the mean ELBO per word, in nats; `stepped` hears of every batch.

    Raises NonFinite, naming the step.
    """
    first = int(state.step) + 1
    reports = []  # of the steps whose result was read; reading lags one step, so that a device never waits
    waiting: list[tuple[Info, int]] = []

    def read(info: Info, documents: int) -> None:
        elbo, words = float(info.elbo), float(info.words)
        if not np.isfinite(elbo):
            raise NonFinite(f"step {first + len(reports)}: the ELBO is {elbo}")
        reports.append((elbo, words))
        stepped(documents, elbo / max(words, 1))

    for batch in batches:
        state, info = step(state, batch, key)
        waiting.append((info, int(batch.mask.sum())))
        if len(waiting) > 1:
            read(*waiting.pop(0))
    for last in waiting:
        read(*last)
    elbo, words = np.sum(reports, axis=0)
    return state, float(elbo / max(words, 1))
