"""Lines of text files, compressed or not."""

import bz2
import gzip
import io
import lzma
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

from dlgm_jax.errors import BadInput, reason, shown

SURROGATE = re.compile("[\ud800-\udfff]")
OPENED: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
NAMES = {"": "text", ".gz": "gzip", ".xz": "xz", ".bz2": "bzip2"}
PACKED = {  # first bytes; more than `BZh9`, with which a text may begin
    ".gz": re.compile(rb"\x1f\x8b\x08"),
    ".xz": re.compile(rb"\xfd7zXZ\0"),
    ".bz2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
}
UTF16 = re.compile("\udcff\udcfe|\udcfe\udcff|\0\0\udcfe\udcff")  # the marks of UTF-16 and UTF-32, as they are decoded
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, MemoryError)
LONGEST = 2**26  # characters of a line
EXPANSION, ALWAYS = 200, 2**27  # what an archive may hold: so many times its own bytes, or this
BEGINNING = 2**16  # bytes by which a format is told


class Beginning(NamedTuple):
    """The first lines of a file, as far as a detector looks."""

    lines: list[str]
    cut: bool = False  # the first line is longer than this, and the only one


def lines(path: str | Path, *, encoding: str = "utf-8-sig") -> Iterator[str]:
    """The lines of a file without their ends; gzip, xz and bzip2 are opened by their ending or their first bytes.

    Raises BadInput for what cannot be read, a damaged archive or one that holds suspiciously much, carriage returns
    inside, lines of more than 64 Mi characters, and text of another encoding.
    """
    path = Path(path)
    kind = packing(path)
    try:
        with _unpacked(path, kind) as data:
            file = io.TextIOWrapper(data, encoding=encoding, errors="surrogateescape", newline="\n")
            room = _allowed(path, kind)
            for number, text in enumerate(iter(partial(file.readline, LONGEST), ""), 1):
                room -= len(text)
                if room < 0:
                    raise too_much(path)
                yield _line(text, f"{path}:{number}", first=number == 1)
    except (OSError, *DAMAGED) as error:
        if isinstance(error, DAMAGED) or error.errno is None:  # bzip2's own OSError has no number
            raise BadInput(f"{path}: expected a whole {NAMES[kind]} file, found: {reason(error)}") from error
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from error


def first_bytes(path: Path, size: int = BEGINNING) -> bytes:
    """The first bytes of a regular file, unpacked; none of what cannot be read, and never an error.

    Of a damaged archive, what could be unpacked. Pipes and devices are not touched, since they would be waited for.
    """
    found = b""
    with suppress(OSError, ValueError, *DAMAGED):  # a path that cannot be is a ValueError
        if os.path.isfile(path):
            with _unpacked(path, packing(path)) as data:
                while len(found) < size and (more := data.read(min(size - len(found), 2**12))):
                    found += more
    return found


def beginning(path: Path) -> Beginning:
    """The first whole lines of a text file, unpacked, without byte-order mark; never an error.

    At most 64 KiB are read. The line at which they end is left out, unless it is the first: then it ends with its last
    whole field. None of a file that cannot be read.
    """
    data = first_bytes(path)
    text = data.decode("utf-8-sig", "surrogateescape")
    whole, found, rest = text.rpartition("\n")
    if len(data) < BEGINNING:  # the end of the file, or of what is whole of it
        whole, found, rest = text.removesuffix("\n"), text, ""
    if found:
        return Beginning([line.removesuffix("\r") for line in whole.split("\n")])
    return Beginning([_without_last_field(rest)], cut=True) if rest else Beginning([])


def packing(path: Path) -> str:
    """The ending of files that are packed as this one is, `.gz`, `.xz` or `.bz2`: its own, in any case, else by its
    first bytes; empty when it is not packed.
    """
    ending = path.suffix.lower()
    if ending in OPENED:
        return ending
    data = b""
    with suppress(OSError, ValueError):
        if os.path.isfile(path):
            with path.open("rb") as file:
                data = file.read(16)
    return next((ending for ending, sign in PACKED.items() if sign.match(data)), "")


def _without_last_field(line: str) -> str:
    fields = line.rsplit(maxsplit=1)
    return line[: -len(fields[1])] if len(fields) == 2 and not line[-1].isspace() else line


@contextmanager
def _unpacked(path: Path, kind: str) -> Iterator[IO[bytes]]:
    with OPENED.get(kind, open)(path, "rb") as file:
        yield file


def _line(text: str, where: str, first: bool) -> str:
    """A line without its end. Raises BadInput for one that is no text."""
    line = text.removesuffix("\n").removesuffix("\r")
    if first and UTF16.match(line):
        raise BadInput(f"{where}: expected UTF-8 text, found the byte-order mark of UTF-16 or UTF-32")
    if "\r" in line:
        raise BadInput(f"{where}: expected lines to end with a line feed, found a carriage return")
    if not line.isascii() and SURROGATE.search(line):
        raise BadInput(f"{where}: expected UTF-8 text, found {shown(line)}")
    if len(text) == LONGEST:
        raise BadInput(f"{where}: expected lines of less than {LONGEST} characters, found more")
    return line


def _allowed(path: Path, kind: str) -> int | float:
    """How many bytes a file may hold: no limit where it is not compressed."""
    return max(EXPANSION * path.stat().st_size, ALWAYS) if kind else float("inf")


def too_much(path: Path) -> BadInput:
    """The error for an archive that holds more than it may."""
    return BadInput(f"{path}: expected at most {EXPANSION} times what the archive weighs, found more; unpack it first")


def stem(path: str | Path) -> str:
    """The name of a file up to its first dot."""
    return Path(path).name.split(".")[0]
