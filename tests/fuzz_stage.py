"""Inputs of the readers: whole files, one of them changed; and what may come of reading them."""

import bz2
import contextlib
import gzip
import io
import lzma
import random
import tempfile
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from dlgm_jax.data import compact
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.errors import BadInput

FRAMES = ("dlgm_jax", "tests")
BETWEEN = b"|--|"  # the members of an archive that is yet to be packed
WRITTEN = rb"""0|1|-1|+1|1.0|1e9|nan|inf|Infinity|NaN|2147483647|2147483648|4294967296|9007199254740992
9223372036854775807|18446744073709551616|99999999999999999999
1:1|0:1|:|qid:3|#|\t|\r|\r\n|\x00|\x1a|\x1c|\x85|\xc2\x85|\xe2\x80\xa8
\xef\xbb\xbf|\xff\xfe|\xed\xa0\x80|\\ud800|\\u0000|"|""|,|[|]|{|}|null|true|text|id|label|split|train|test|val
MatrixMarket|coordinate|array|complex|hermitian|skew-symmetric|symmetric|pattern|real|integer|general|vector|csr|csc
coo|bsr|dia|PK\x03\x04|PK\x01\x02|PK\x05\x06|\x93NUMPY|'shape': |'descr': |'<i8'|'|O'|'fortran_order': |(|)|**
documents|entries|shards|splits|labels|sha256|<br/>|word1|.|1.1|\x1f\x8b|BZh9|\xfd7zXZ\x00
.I 5|.I\t7|.W|2 0:1 3:2|03|2.0|1e+05|%%MatrixMarket|%PDF-1.7|PAR1|\x89HDF\r\n\x1a\n|ustar|BZh91AY&SY|xl/workbook"""

TOKENS = [token.decode("unicode_escape").encode("latin-1") for token in WRITTEN.replace(b"\n", b"|").split(b"|")]


class Case(NamedTuple):
    """A reader. Files named with `!` behind are packed by their ending before they are written."""

    files: dict[str, tuple[bytes, ...]]  # whole contents; the first is the one that stands beside others
    read: Callable[[Path], Any]


class Stage:
    """A folder of whole files, one of which is replaced by an input: its first byte says which."""

    def __init__(self, case: Case, folder: Path):
        self.case, self.folder, self.names = case, folder, list(case.files)
        self.paths = [folder / name.removesuffix("!") for name in self.names]
        for place in reversed(range(len(self.names))):
            self.paths[place].parent.mkdir(parents=True, exist_ok=True)
            self._write(place, case.files[self.names[place]][0])
        self._replaced = 0

    def seeds(self) -> list[bytes]:
        """Whole inputs."""
        return [bytes([place]) + data for place, name in enumerate(self.names) for data in self.case.files[name]]

    def set(self, data: bytes) -> None:
        """Writes an input; what the last one replaced is whole again."""
        place = data[0] % len(self.names) if data else 0
        if place != self._replaced:
            self._write(self._replaced, self.case.files[self.names[self._replaced]][0])
        self._replaced = place
        self._write(place, data[1:])

    def _write(self, place: int, content: bytes) -> None:
        self.paths[place].write_bytes(packed(self.names[place], content))


def verdict(case: Case, folder: Path, *, stored: bool = False) -> str:
    """`read`, `refused`, or what is wrong."""
    try:
        corpora = case.read(folder)
    except BadInput as error:
        one_line = "".join(str(error).splitlines()) == str(error) and len(str(error)) < 1000
        return "refused" if one_line and str(folder) in str(error) else f"message: {str(error)[:200]!r}"
    except Exception as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if any(name in f.filename for name in FRAMES)]
        return f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}: {str(error)[:80]!r}"
    if stored and isinstance(corpora, dict) and corpora:
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch, contextlib.suppress(BadInput):
            try:
                store_and_load(corpora, Path(scratch) / "stored")
            except (AssertionError, UnicodeError, OSError) as error:
                return f"stored: {type(error).__name__}: {str(error)[:80]!r}"
    return "read"


def store_and_load(corpora: dict[str, Corpus], folder: Path) -> None:
    """What was read comes back from the compact form."""
    vocabulary = next(iter(corpora.values())).vocabulary
    with compact.Writer(folder, vocabulary, {}) as writer:
        for split, corpus in corpora.items():
            writer.add(split, corpus)
    for split, stored in compact.load(folder)[0].items():
        found = stored.in_memory()
        assert found.vocabulary == vocabulary
        assert found.ids == tuple(" ".join(name.split()) for name in corpora[split].ids)
        assert (found.counts != corpora[split].counts).nnz == 0


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Some random changes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        place, size = rng.randrange(len(changed) + 1), rng.choice((1, 1, 2, 4, 8, 64))
        new = rng.choice((rng.choice(TOKENS), rng.randbytes(size), b"\xff" * size, b"\0" * size))
        match rng.randrange(6):
            case 0:
                changed[place : place + len(new)] = new
            case 1:
                changed[place:place] = new
            case 2:
                del changed[place : place + size]
            case 3:
                changed[place:place] = changed[place : place + size]
            case 4 if place < len(changed):
                changed[place] ^= 1 << rng.randrange(8)
            case 5 if rng.random() < 0.1:
                del changed[place:]
    return bytes(changed)


def packed(name: str, content: bytes) -> bytes:
    """The content of a file as it is written."""
    if name.endswith(".npz!"):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for place, member in enumerate(content.split(BETWEEN)):
                title, _, inside = member.partition(b"\0")
                archive.writestr(title.decode("latin-1") or f"{place}.npy", inside)
        return file.getvalue()
    kinds = {"gz!": lambda data: gzip.compress(data, 1), "xz!": lambda data: lzma.compress(data, preset=0)}
    return (kinds | {"bz2!": bz2.compress}).get(name.split(".")[-1], bytes)(content)
