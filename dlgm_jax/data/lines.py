"""Lines of text files, compressed or not."""

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlgm_jax.data.corpus import shown
from dlgm_jax.types import BadInput

SURROGATE = re.compile("[\ud800-\udfff]")
OPENED: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
NAMES = {".gz": "gzip", ".xz": "xz", ".bz2": "bzip2"}


def lines(path: str | Path, *, encoding: str = "utf-8-sig") -> Iterator[str]:
    """The lines of a file without their ends; `.gz`, `.xz` and `.bz2` are opened by their names.

    Raises BadInput for what cannot be read, a damaged archive, carriage returns inside, and text of another encoding.
    """
    path = Path(path)
    try:
        with OPENED.get(path.suffix, open)(
            path, "rt", encoding=encoding, errors="surrogateescape", newline="\n"
        ) as file:
            for number, text in enumerate(file, 1):
                line = text.removesuffix("\n").removesuffix("\r")
                if "\r" in line:
                    raise BadInput(f"{path}:{number}: expected lines to end with a line feed, found a carriage return")
                if not line.isascii() and SURROGATE.search(line):
                    raise BadInput(f"{path}:{number}: expected UTF-8 text, found {shown(line)}")
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise BadInput(f"{path}: expected a whole {NAMES[path.suffix]} file, found: {error}") from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from error
