"""RCV1-v2 as tokens (Lewis, Yang, Rose, Li 2004, Online Appendix 12): files `lyrl2004_tokens_*.dat`.

A document is a line `.I` and its number, a line `.W`, and lines of tokens: stems, without stop words. Empty lines mean
nothing. The documents of all files are one set.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from dlgm_jax.data.formats.pairs import number, told_by
from dlgm_jax.data.lines import OPENED, lines
from dlgm_jax.data.source import Reading, files_of
from dlgm_jax.data.text import Text, Texts
from dlgm_jax.errors import BadInput, shown

NAME = re.compile(rf"(?i)lyrl2004_tokens_.*\.dat({'|'.join(map(re.escape, OPENED))})?")
MARKS = (".I", ".W")  # no token is written so: they are in lower case
END = (0, "")


def holds(path: Path) -> bool:
    """Tells whether a folder has files of these names, or a file begins with the number of a document."""
    if os.path.isdir(path):
        return bool(_files(path))
    rows, _ = told_by(path)
    return len(rows) > 0 and len(rows[0]) == 2 and rows[0][0] == ".I" and rows[0][1].isascii() and rows[0][1].isdigit()


def source(path: Path, how: Reading) -> Texts:
    """A file or a folder, its tokens as they stand. Raises BadInput with file and line."""
    files = _files(path) if path.is_dir() else [path]
    if not files:
        raise BadInput(f"{path}: expected files lyrl2004_tokens_NAME.dat (or .gz, .xz, .bz2), found none")
    return Texts(lambda: _texts(files), "LYRL2004", str.split, stop_words=())


def _files(folder: Path) -> list[Path]:
    return [path for path in files_of(folder) if NAME.fullmatch(path.name)]


def _texts(files: list[Path]) -> Iterator[Text]:
    seen: set[int] = set()
    for path in files:
        for place, document, tokens in _documents(path):
            if document in seen:
                raise BadInput(f"{path}:{place}: expected each document once, found {document} again")
            seen.add(document)
            yield Text(str(document), "", tokens)


def _documents(path: Path) -> Iterator[tuple[int, int, str]]:
    """The line at which each document begins, its number and its tokens."""
    text = ((place, line) for place, line in enumerate(lines(path), 1) if line.strip())
    place, line = next(text, END)
    if not line:
        raise BadInput(f"{path}: expected documents, found an empty file")
    while line:
        first, document = place, _number(line, f"{path}:{place}")
        place, line = next(text, END)
        if line.strip() != ".W":
            found = shown(line) if line else "the end of the file"
            raise BadInput(f"{path}:{place or first}: expected .W after .I {document}, found {found}")
        tokens = []
        place, line = next(text, END)
        while line and not line.lstrip().startswith(MARKS):
            tokens.append(line)
            place, line = next(text, END)
        yield first, document, " ".join(tokens)


def _number(line: str, where: str) -> int:
    """The number of a document, by the line that it begins with."""
    sign, *rest = line.split()
    given = rest[0] if sign == ".I" and len(rest) == 1 else ""
    return number(given, ".I and the number of a document,", where, found=line)
