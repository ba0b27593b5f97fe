"""The time that a run will take, found before it begins."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax

from dlgm_jax.errors import Stopped
from dlgm_jax.learning.loop import Progress
from experiments.workdir.assembly import TRAIN, Assembly

BEGINNING = Progress()
CALLS = 2  # that are timed: the same number in every process of a run, since they compute together


class Seconds(NamedTuple):
    """Expected seconds of the parts of a run, without compilation."""

    refining: float  # a step of an epoch that refines
    plain: float  # a step of the epochs after them
    validation: float  # after every epoch
    closing: float  # scores of the best epoch


def expected(assembly: Assembly, splits: Sequence[str], stop: Callable[[], bool] = lambda: False) -> Seconds:
    """The seconds of a step of each kind and of scores, by the first batch of the training and validation documents.

    What is computed is thrown away; what is compiled for it the run takes. On an idle machine the time of a run is
    within a fifth of what is expected so; other programs change it by more.

    Args:
        assembly: the run, of which nothing changes.
        splits: names of what is scored at the end.
        stop: asked between two things that are timed, whether to stop.

    Raises:
        Stopped: where `stop` says so.
    """
    batch, key, state = next(iter(assembly.training_batches(1))), assembly.key(TRAIN), assembly.init_state()

    def of_step(refined: bool) -> float:
        step = assembly.training_step(refined=refined)

        def go() -> None:
            nonlocal state
            state, _ = jax.block_until_ready(step(state, batch, key))

        return seconds(go, stop)

    def of_batch(at_the_end: bool) -> float:
        score = assembly.score_with(at_the_end=at_the_end, watched=lambda batches: [next(iter(batches))])
        return seconds(lambda: score(state.params, "validation"), stop)

    refining = of_step(refined=True)
    plain = of_step(refined=False) if assembly.refines_first else refining
    state = assembly.init_state()  # the steps may have diverged, which scores refuse
    validating = of_batch(at_the_end=False)
    closing = of_batch(at_the_end=True) if assembly.tighter_at_the_end else validating
    batches = {split: assembly.num_batches(split) for split in assembly.splits}
    return Seconds(
        refining, plain, validating * batches["validation"], closing * sum(batches[split] for split in splits)
    )


def seconds(go: Callable[[], object], stop: Callable[[], bool] = lambda: False) -> float:
    """The fastest of CALLS, after one that may compile. Raises Stopped where `stop` says so."""
    times = []
    for _ in range(1 + CALLS):
        began = time.perf_counter()
        go()
        times.append(time.perf_counter() - began)
        if stop():
            raise Stopped("before the first step")
    return min(times[1:])


def of_training(assembly: Assembly, parts: Seconds, progress: Progress = BEGINNING) -> float:
    """Expected seconds of all epochs that are left, validation among them."""
    epochs = range(progress.epoch + 1, assembly.config.epochs + 1)
    steps = sum(of_epoch_step(assembly, parts, epoch) for epoch in epochs) * assembly.steps_per_epoch
    begun = progress.batches * of_epoch_step(assembly, parts, progress.epoch + 1)
    return max(steps - begun, 0.0) + len(epochs) * parts.validation


def of_epoch_step(assembly: Assembly, parts: Seconds, epoch: int) -> float:
    """Expected seconds of a step of an epoch."""
    return parts.refining if assembly.refines(epoch) else parts.plain


def spelled(duration: float) -> str:
    """Seconds for people, as 40 s, 6 minutes, 3.5 hours."""
    if duration < 90:
        return f"{max(duration, 1):.0f} s"
    return f"{duration / 60:.0f} minutes" if duration < 100 * 60 else f"{duration / 3600:.1f} hours"
