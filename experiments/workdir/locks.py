"""What only one process may write at a time."""

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlgm_jax.errors import BadInput


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Holds the lock that a file stands for; the system lets go of it when the process ends, in whatever way.

    Raises BadInput, saying `what` is in use and by whom, while another process holds it.
    """
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            found = file.read(80) or "another process"
            raise BadInput(f"{what}: expected that no one writes to it, found {found} there") from error
        file.truncate(0)
        file.write(f"process {os.getpid()} of {platform.node()}")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Holds the lock that a file stands for, after whoever holds it now."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
