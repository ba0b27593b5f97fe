"""HDF5 files before they are read: what is no such file, what claims too much, and what is damaged inside."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dlgm_jax.data.lines import ALWAYS
from dlgm_jax.errors import BadInput, shown

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SHRUNK = 1100  # times that HDF5's compression can make an array smaller
OTHERS = {  # the first bytes of what files are packed by
    b"\x1f\x8b": "one compressed by gzip; unpack it first",
    b"\xfd7zXZ\0": "one compressed by xz; unpack it first",
    b"BZh": "one compressed by bzip2; unpack it first",
    b"\x28\xb5\x2f\xfd": "one compressed by zstd; unpack it first",
    b"PK\x03\x04": "a zip archive; unpack it first",
}


def begins(path: Path) -> bool:
    """Tells whether a file is HDF5: its signature stands at the beginning or, behind what others put there (as MATLAB
    does), at byte 512, 1024, 2048 ...
    """
    if not os.path.isfile(path):
        return False
    with suppress(OSError), path.open("rb") as file:
        place, size = 0, os.path.getsize(path)
        while place < size:
            file.seek(place)
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return True
            place = max(512, 2 * place)
    return False


def check_installed(library: str, path: Path) -> None:
    """Raises BadInput where a library that reads the file is missing."""
    if find_spec(library) is None:
        raise BadInput(f"{path}: expected {library} to read it, which is not installed; pip install 'dlgm-jax[cells]'")


def check_begins(path: Path) -> None:
    """Raises BadInput, naming what it is, for a folder, an empty file, a packed one and one that is not HDF5."""
    if path.is_dir():
        raise BadInput(f"{path}: expected an HDF5 file, found a folder")
    with intact(path), path.open("rb") as file:
        first = file.read(20)
    if not begins(path):
        packed = next((name for begin, name in OTHERS.items() if first.startswith(begin)), "")
        other = f"one that begins {shown(first.decode('latin-1'))}" if first else "an empty file"
        raise BadInput(f"{path}: expected an HDF5 file, found {packed or other}")


def check_sizes(path: Path) -> None:
    """Raises BadInput for arrays that claim much more than the file holds, before they are read."""
    import h5py

    claimed = 0

    def add(_, found: Any) -> None:
        nonlocal claimed
        arrays = [found] if isinstance(found, h5py.Dataset) else []
        for array in [*arrays, *map(found.attrs.get_id, found.attrs)]:
            claimed += math.prod(array.shape or ()) * array.dtype.itemsize

    with intact(path), h5py.File(path) as file:
        file.visititems(add)
    if claimed > max(SHRUNK * path.stat().st_size, ALWAYS):
        raise BadInput(f"{path}: expected at most {SHRUNK} times what the file weighs, found {claimed} bytes claimed")


@contextmanager
def intact(path: Path, member: str = "") -> Iterator[None]:
    """Says in one line, of the file or a `member`, that it cannot be read; h5py raises nearly every kind of error."""
    try:
        yield
    except BadInput:
        raise
    except (FileNotFoundError, PermissionError) as error:
        said = "no such file" if isinstance(error, FileNotFoundError) else "permission denied"
        raise BadInput(f"{path}: cannot be read: {said}") from error
    except Exception as error:
        if not member:
            raise BadInput(f"{path}: expected a whole HDF5 file, found it truncated or damaged") from error
        raise BadInput(
            f"{path}: expected {member} to be whole, found it damaged or compressed by a filter that h5py lacks"
        ) from error
