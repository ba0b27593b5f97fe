"""The run: epochs, validation, early stopping, checkpoints."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np

from dlgm_jax.errors import BadInput, NonFinite, Stopped
from dlgm_jax.learning.steps import Info, State
from dlgm_jax.types import Array, Batch, Params

Step = Callable[[State, Batch, Array], tuple[State, Info]]
NO_CHECKPOINT = "there is no checkpoint yet"
NAMED = 5  # documents of a batch, or arrays, that a message names


@dataclass(frozen=True)
class Progress:
    """How far a run is; it is saved with every checkpoint."""

    epoch: int = 0  # epochs that are done
    batches: int = 0  # of the epoch after them
    elbo: float = 0.0  # nats, of these batches
    words: float = 0.0  # of these batches
    skipped: int = 0  # steps of the whole run that were not finite
    best_epoch: int = 0
    best_loss: float = float("inf")  # of validation documents: their refined perplexity, or minus nats a row

    @classmethod
    def from_json(cls, values: Any, where: Path) -> "Progress":
        """From what a checkpoint holds beside its arrays. Raises BadInput."""
        kinds = {item.name: item.type for item in fields(cls)}
        if isinstance(values, dict) and "best_perplexity" in values:  # its name in older checkpoints
            values = {"best_loss" if name == "best_perplexity" else name: value for name, value in values.items()}
        if not isinstance(values, dict) or {name: type(value) for name, value in values.items()} != kinds:
            raise BadInput(f"{where}: expected the progress of a run, found {str(values)[:60]}")
        return cls(**values)

    def finished(self, epochs: int, patience: int) -> bool:
        """All epochs are done, or `patience` epochs (0: no limit) went by without a new best."""
        return self.epoch >= epochs or bool(patience and self.epoch - self.best_epoch >= patience)

    @property
    def elbo_per_word(self) -> float:
        """Of the epoch that is not done, in nats."""
        return self.elbo / max(self.words, 1)


class Scores(Protocol):
    """Scores of validation documents, of which training reads one figure."""

    @property
    def loss(self) -> float:
        """The lower, the better the epoch."""
        ...


class Checkpoints(Protocol):
    """A folder of checkpoints that are written in the background."""

    @property
    def folder(self) -> Path:
        """The folder."""
        ...

    def save(self, number: int, tree: Any, progress: dict[str, Any]) -> None:
        """Begins to write arrays and what stands beside them."""

    def wait(self) -> None:
        """Waits until all is written."""

    def latest(self) -> int | None:
        """The number of the newest."""
        ...


class Watcher(Protocol):
    """Who is told what happens."""

    def stepped(self, documents: int, elbo_per_word: float) -> None:
        """A batch of `documents` is done."""

    def skipped(self, message: str) -> None:
        """A step was not finite, and changed nothing."""

    def validated(self, epoch: int, scores: Any, elbo_per_word: float) -> None:
        """An epoch is done and the validation documents are scored."""


class Pauses(Protocol):
    """Who says when to save within an epoch, and when to stop; both are asked after every step."""

    def stop(self) -> bool:
        """Whether to save and stop now."""
        ...

    def save(self) -> bool:
        """Whether to save now."""
        ...


class Pass:
    """Steps over the batches of an epoch. What a step says is read one step late, so that a device never waits."""

    def __init__(
        self,
        state: State,
        progress: Progress,
        *,
        step: Step,
        key: Array,
        watcher: Watcher | None = None,
        most_skips: int = 0,
        names: Callable[[np.ndarray], Sequence[str]] = lambda documents: [str(document) for document in documents],
    ):
        self.state, self.progress = state, progress
        self._step, self._key, self._watcher, self._most_skips, self._names = step, key, watcher, most_skips, names
        self._done = int(state.step)  # steps that were read
        self._waiting: deque[tuple[Info, Batch]] = deque()

    def take(self, batch: Batch) -> None:
        """One step. Raises NonFinite, naming the step before."""
        self.state, info = self._step(self.state, batch, self._key)
        self._waiting.append((info, batch))
        if len(self._waiting) > 1:
            self._read(*self._waiting.popleft())

    def settle(self) -> tuple[State, Progress]:
        """What there is after the last step. Raises NonFinite, naming it."""
        while self._waiting:
            self._read(*self._waiting.popleft())
        return self.state, self.progress

    def _read(self, info: Info, batch: Batch) -> None:
        elbo, words, whole = (value.item() for value in jax.device_get((info.elbo, info.words, info.whole)))
        self._done += 1
        progress = replace(self.progress, batches=self.progress.batches + 1)
        if whole:
            self.progress = replace(progress, elbo=progress.elbo + elbo, words=progress.words + words)
        else:
            message = f"step {self._done}: {not_finite(info, batch, self._names)}"
            if progress.skipped >= self._most_skips:
                raise NonFinite(message)
            self.progress = replace(progress, skipped=progress.skipped + 1)
        if self._watcher:
            self._watcher.stepped(int(batch.mask.sum()), elbo / max(words, 1))
            if not whole:
                self._watcher.skipped(message)


def one_pass(state: State, step: Step, batches: Iterable[Batch], key: Array) -> tuple[State, float]:
    """One pass over the batches: the new state and the mean ELBO per word, in nats. Raises NonFinite."""
    turn = Pass(state, Progress(), step=step, key=key)
    for batch in batches:
        turn.take(batch)
    state, progress = turn.settle()
    return state, progress.elbo_per_word


def fit(
    state: State,
    progress: Progress,
    *,
    steps: Callable[[int], Step],
    batches: Callable[[int, int], Iterable[Batch]],
    validate: Callable[[Params], Scores],
    key: Array,
    epochs: int,
    patience: int,
    checkpoints: Checkpoints,
    best: Checkpoints,
    watcher: Watcher,
    pauses: Pauses,
    **how,
) -> tuple[State, Progress]:
    """Epochs until `progress.finished`; `steps(epoch)` gives an epoch's step, `batches(epoch, first)` its batches from
    its `first` on, `how` are keyword arguments of `Pass`.

    The epoch of lowest validation loss is kept in `best`. Raises NonFinite, naming the step and
    the last good checkpoint, and Stopped (also when `validate` does) after a checkpoint from which the run goes on as
    if nothing had happened.
    """

    course = _Course(state, progress, checkpoints, best)
    while not course.progress.finished(epochs, patience):
        epoch = course.progress.epoch + 1
        epoch_key = jax.random.fold_in(key, epoch)
        turn = Pass(course.state, course.progress, step=steps(epoch), key=epoch_key, watcher=watcher, **how)
        with course.explained(epoch):
            course.follow(turn, batches(epoch, course.progress.batches), pauses)
            scores = _validated(course.state, validate)
        bound = course.progress.elbo_per_word
        course.end(epoch, scores)
        watcher.validated(epoch, scores, bound)
        best.wait()
        course.save()
    checkpoints.wait()
    return course.state, course.progress


class _Course:
    """The state of a run on its way, and the folders that keep it."""

    def __init__(self, state: State, progress: Progress, checkpoints: Checkpoints, best: Checkpoints):
        self.state, self.progress, self._checkpoints, self._best = state, progress, checkpoints, best

    def save(self) -> None:
        """Begins to write a checkpoint."""
        number = int(self.state.step) + self.progress.epoch
        self._checkpoints.save(number, self.state, asdict(self.progress))

    def follow(self, turn: Pass, batches: Iterable[Batch], pauses: Pauses) -> None:
        """Takes a step for each batch, and saves where `pauses` ask for it. Raises NonFinite and Stopped."""
        for batch in batches:
            turn.take(batch)
            stop = pauses.stop()
            if stop or pauses.save():
                self.state, self.progress = turn.settle()
                if stop:
                    raise Stopped
                self.save()
        self.state, self.progress = turn.settle()

    def end(self, epoch: int, scores: Scores) -> None:
        """Counts an epoch, and keeps its model where its scores are the best so far."""
        self.progress = replace(self.progress, epoch=epoch, batches=0, elbo=0.0, words=0.0)
        if scores.loss < self.progress.best_loss:
            self.progress = replace(self.progress, best_epoch=epoch, best_loss=scores.loss)
            self._checkpoints.wait()  # so that `best` is never more than one epoch ahead
            self._best.save(epoch, self.state.params, asdict(self.progress))

    @contextmanager
    def explained(self, epoch: int) -> Iterator[None]:
        """Says in which epoch a run came to nothing, or was stopped; the latter saves first."""
        try:
            yield
        except NonFinite as error:
            self._checkpoints.wait()
            last = self._checkpoints.latest()
            good = f"the last good checkpoint is {self._checkpoints.folder / str(last)}" if last else NO_CHECKPOINT
            raise NonFinite(f"epoch {epoch}: {error}; {good}") from error
        except Stopped as stopped:
            self.save()
            self._checkpoints.wait()
            raise Stopped(f"in epoch {epoch}, after step {int(self.state.step)}") from stopped


def not_finite(info: Info, batch: Batch, names: Callable[[np.ndarray], Sequence[str]]) -> str:
    """Which documents of a batch, and which arrays, were not finite in a step."""
    bad = batch.document[(batch.mask > 0) & ~np.isfinite(info.bounds)]
    leaves = jax.tree_util.tree_leaves_with_path(jax.device_get(info.finite))
    arrays = [jax.tree_util.keystr(path, simple=True, separator=".") for path, whole in leaves if not whole]
    found = [f"the ELBO is {float(info.elbo)}"]
    if len(bad):
        documents = ", ".join(names(bad[:NAMED]))
        found.append(f"not finite: the bounds of {documents}{' ...' * (len(bad) > NAMED)} ({len(bad)} in all)")
    if arrays:
        named = ", ".join(arrays[:NAMED]) + " ..." * (len(arrays) > NAMED)
        found.append(f"gradients or steps of {named} are not finite")
    return "; ".join(found)


def _validated(state: State, validate: Callable[[Params], Scores]) -> Scores:
    try:
        scores = validate(state.params)
    except NonFinite as error:
        raise NonFinite(f"after step {int(state.step)}: {error}") from error
    if not np.isfinite(scores.loss):
        raise NonFinite(f"after step {int(state.step)}: the refined validation score is infinite")
    return scores
