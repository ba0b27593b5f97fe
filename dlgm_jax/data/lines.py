"""Lines of text files, compressed or not."""

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from dlgm_jax.data.corpus import reason, shown
from dlgm_jax.types import BadInput

SURROGATE = re.compile("[\ud800-\udfff]")
OPENED: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
NAMES = {".gz": "gzip", ".xz": "xz", ".bz2": "bzip2"}
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, MemoryError)
LONGEST = 2**26  # characters of a line
EXPANSION, ALWAYS = 200, 2**27  # what an archive may hold: so many times its own bytes, or this


def lines(path: str | Path, *, encoding: str = "utf-8-sig") -> Iterator[str]:
    """The lines of a file without their ends; `.gz`, `.xz` and `.bz2` are opened by their names.

    Raises BadInput for what cannot be read, a damaged archive or one that holds suspiciously much, carriage returns
    inside, lines of more than 64 Mi characters, and text of another encoding.
    """
    path = Path(path)
    try:
        with OPENED.get(path.suffix, open)(
            path, "rt", encoding=encoding, errors="surrogateescape", newline="\n"
        ) as file:
            room = _allowed(path)
            for number, text in enumerate(iter(partial(file.readline, LONGEST), ""), 1):
                room -= len(text)
                if room < 0:
                    raise too_much(path)
                line = text.removesuffix("\n").removesuffix("\r")
                if "\r" in line:
                    raise BadInput(f"{path}:{number}: expected lines to end with a line feed, found a carriage return")
                if not line.isascii() and SURROGATE.search(line):
                    raise BadInput(f"{path}:{number}: expected UTF-8 text, found {shown(line)}")
                if len(text) == LONGEST:
                    raise BadInput(f"{path}:{number}: expected lines of less than {LONGEST} characters, found more")
                yield line
    except DAMAGED as error:
        raise BadInput(
            f"{path}: expected a whole {NAMES.get(path.suffix, 'text')} file, found: {reason(error)}"
        ) from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from error


def begins(path: Path, text: str) -> bool:
    """Whether a file, decompressed by its name, begins with some ASCII text; False for one that cannot be read."""
    try:
        with OPENED.get(path.suffix, open)(path, "rb") as file:
            return file.read(len(text)) == text.encode()
    except (OSError, *DAMAGED):
        return False


def _allowed(path: Path) -> int | float:
    """How many bytes a file may hold: no limit where it is not compressed."""
    return max(EXPANSION * path.stat().st_size, ALWAYS) if path.suffix in OPENED else float("inf")


def too_much(path: Path) -> BadInput:
    """The error for an archive that holds more than it may."""
    return BadInput(f"{path}: expected at most {EXPANSION} times what the archive weighs, found more; unpack it first")


def stem(path: str | Path) -> str:
    """The name of a file up to its first dot."""
    return Path(path).name.split(".")[0]
