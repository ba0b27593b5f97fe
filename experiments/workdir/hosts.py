"""Several processes as one run, on JAX's own distributed runtime. The first of them writes and speaks for all."""

import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from dlgm_jax.devices.meshes import same
from dlgm_jax.errors import BadInput, quantity
from experiments.flags.command import Command
from experiments.workdir import pauses

FLAGS = {
    "mesh": ("auto", "the devices: auto, or axes as data:4,vocab:2"),
    "coordinator": (
        "",
        "of several processes: HOST:PORT of the first, or auto: as the cluster says (Slurm, TPU)",
    ),
    "num_processes": (0, "how many there are, with HOST:PORT"),
    "process_id": (-1, "which of them this is, from 0"),
    "heartbeat_timeout_seconds": (100, "silence after which a process counts as dead, and the others end"),
}
ASKED_EVERY = 16  # steps between two questions to the first process whether it is time to save


def join(command: Command) -> None:
    """Meets the other processes, if the flags say that there are any. Raises BadInput."""
    own = command.own
    where, number, place = own["coordinator"], own["num_processes"], own["process_id"]
    if not where or where == "auto":
        for flag, unset in (("num_processes", 0), ("process_id", -1)):
            if own[flag] != unset:
                raise BadInput(f"--{flag}: expected to go with --coordinator=HOST:PORT, found {own[flag]}")
    elif not re.fullmatch(r"[^:\s]+:\d{1,5}", where):
        raise BadInput(f"--coordinator: expected auto or HOST:PORT, found {where!r}")
    elif not 0 <= place < number:
        raise BadInput(f"--process_id: expected 0 to --num_processes less 1, found {place} of {number}")
    seconds = command.number("heartbeat_timeout_seconds")
    if not where:
        return
    given = {} if where == "auto" else {"coordinator_address": where, "num_processes": number, "process_id": place}
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(**given, heartbeat_timeout_seconds=seconds, shutdown_timeout_seconds=3600)
    except (RuntimeError, ValueError) as error:
        others = quantity(number, "process") if number else "the processes"
        raise BadInput(f"--coordinator: expected to meet {others}, found: {error}") from error
    if not first():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def first() -> bool:
    """Tells whether this process is the one that writes."""
    return jax.process_index() == 0


def of_first(answer: bool) -> bool:
    """The answer of the first process, in all of them."""
    if jax.process_count() == 1:
        return answer
    return bool(multihost_utils.broadcast_one_to_all(np.int32(answer)))


def check_same(what: dict[str, Any]) -> None:
    """Raises BadInput, naming what, when this process was given something else than the first one."""
    other = [name for name, value in what.items() if not same(json.dumps(value, sort_keys=True, default=str))]
    if other:
        raise BadInput(
            f"{', '.join(other)}: expected what the first process was given, found something else in this one"
        )


@contextmanager
def listening() -> Iterator[Callable[[], bool]]:
    """As `pauses.listening`, of one process. Several stop at the same step, whichever of them is asked.

    JAX's runtime hears SIGTERM itself and agrees on the step; others are handed to it. Once it is agreed, this process
    listens as if it were alone, so that a second signal ends it at once.
    """
    if jax.process_count() == 1 or threading.current_thread() is not threading.main_thread():
        with pauses.listening() as asked:
            yield asked
        return
    for number in set(pauses.SIGNALS) - {signal.SIGTERM}:
        signal.signal(number, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    asks = count(1)
    with ExitStack() as stack:

        def asked() -> bool:
            stop = multihost_utils.reached_preemption_sync_point(next(asks))
            if stop:
                stack.enter_context(pauses.listening())
                signal.raise_signal(signal.SIGTERM)
            return stop

        yield asked


def agreed(due: Callable[[], bool]) -> Callable[[], bool]:
    """What the first process says, asked now and then."""
    if jax.process_count() == 1:
        return due
    asks = count(1)
    return lambda: next(asks) % ASKED_EVERY == 0 and of_first(due())
