"""When a run is to save and when it is to stop: signals and the clock."""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from dlgm_jax.errors import Stopped

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
REQUEUE = 75  # exit code of a command that was stopped and may be run again (EX_TEMPFAIL)
GRACE = 25.0  # seconds from the first signal to the end of the process, whatever it does
LATE = (
    b"error: stopped at once, by a second signal or after 25 s; "
    b"the same command goes on from the last checkpoint, if there is one\n"
)


@contextmanager
def listening() -> Iterator[Callable[[], bool]]:
    """A function that says whether one of SIGNALS came. A second one, or GRACE seconds, end the process at once.

    A thread sees to that, which hears of a signal even while the main thread computes. Python lets only the main thread
    choose who hears signals: called in another one, as a notebook's own, they are left alone, and a line says so.
    """
    if threading.current_thread() is not threading.main_thread():
        print("Note: signals are left alone, since this is not the main thread; checkpoints are written as always.")
        yield lambda: False
        return
    asked = threading.Event()
    ears, mouth = os.pipe()
    os.set_blocking(mouth, False)

    def watch() -> None:
        if os.read(ears, 1):
            asked.set()
            late = not select.select([ears], [], [], GRACE)[0]
            if late or os.read(ears, 1):
                os.write(2, LATE)
                os._exit(REQUEUE)
        os.close(ears)

    before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    speaker = signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield asked.is_set
    finally:
        signal.set_wakeup_fd(speaker)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(mouth)


class Clock:
    """Whether some minutes went by since it was last said that they had; a clock that is set back changes nothing."""

    def __init__(self, minutes: float):
        self._seconds, self._last = 60 * minutes, time.monotonic()

    def __call__(self) -> bool:
        now = time.monotonic()
        due = now - self._last >= self._seconds
        self._last = now if due else self._last
        return due


class Pauses:
    """As `loop.fit` asks for them."""

    def __init__(self, stop: Callable[[], bool], save: Callable[[], bool]):
        self.stop, self.save = stop, save

    def watched(self, items: Iterable) -> Iterator:
        """The same items, until it is time to stop. Raises Stopped."""
        for item in items:
            if self.stop():
                raise Stopped("while scoring")
            yield item
