"""Questions of tests/fuzz.py to detectors: none may raise, and each takes what its parser reads."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dlgm_jax.data.inputs import FORMATS, looks_like, open_input
from dlgm_jax.data.source import Reading, Source, in_memory
from dlgm_jax.errors import BadInput
from tests.fuzz_stage import Case

MARK = b"\xef\xbb\xbf"
UCI = (b"3\n4\n3\n1 1 2\n1 3 1.0\n3 2 1e+00\n", MARK + b"\r\n2                   \r\n4 \r\n1\r\n 2 4 9\r\n")
LDAC = (b"2 0:1 3:2\n1 2:5\n0\n", MARK + b"\n02 0:1 3:2.0\r\n")
SVMLIGHT = (b"# by\n+1 1:2 3:1 # remark\n-1 qid:3 2:1\n\nnan\n", MARK + b"1e3 4:1\r\n1,3 1:1\n")
LYRL2004 = (b".I 2286\n.W\nbank bank river\nloan\n\n.I 7\n.W\n\n", MARK + b"\r\n.I\t1\r\n.W\r\nbank\r\n")
MTX = (b"%%MatrixMarket matrix coordinate integer general\n% remark\n3 4 2\n1 1 2\n3 2 3\n",)
MTX += (MARK + b"%%matrixmarket MATRIX coordinate pattern symmetric\r\n4 4 1\r\n3 2\r\n",)
OTHERS = (b"document,word,count\nd1,river,2\n", b'{"text": "the river"}\n', b"the river 3:15\n", b"", b" \n\n")
FIRST = (
    b"\x89HDF\r\n\x1a\n",
    b"PAR1",
    b"PK\x03\x04",
    b"\x93NUMPY\x01\x00",
    b"%PDF-1.7\n",
    b"\xff\xfea\0",
    b"\x80\x04\x95",
)
FIRST += (b"\0" * 512 + b"\x89HDF\r\n\x1a\n", b"name" + b"\0" * 253 + b"ustar\x0000")
TEXTS = {"uci": UCI, "ldac": LDAC, "svmlight": SVMLIGHT, "lyrl2004": LYRL2004, "mtx": MTX}
WORDS = b"river\nbank\nmoney\nloan\n"


def ask_all(folder: Path) -> None:
    """Asks every detector about a folder and the file that changed last. Raises AssertionError for one that raises."""
    changed = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    for path in (folder, *(path for path, when in changed.items() if when == max(changed.values()))):
        for name, form in FORMATS.items():
            try:
                form.holds(path)
            except Exception as error:
                raise AssertionError(f"{name} raised {type(error).__name__}: {error}") from error
        try:
            looks_like(path, Reading())
        except BadInput as error:
            said = str(error)
            assert said.splitlines() == [said], said
            assert str(path) in said, said
            assert len(said) - len(str(path)) < 300, said


def agrees(name: str) -> Callable[[Path], object]:
    """Reads a file by the name of its format; when that is possible, its detector must take it."""

    def read(folder: Path) -> object:
        path, how = folder / "a", Reading(index_base=0, vocab=folder / "words" if name == "uci" else None)
        found = open_input(path, name, how)
        corpora = in_memory(found) if isinstance(found, Source) else list(found.read())
        # without a pair, SVMlight is any words and UCI three numbers
        nothing = isinstance(corpora, dict) and not sum(corpus.counts.nnz for corpus in corpora.values())
        assert nothing or FORMATS[name].holds(path), f"{name} reads what it does not take"
        return corpora

    return read


def _archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("data", "shape"):
            member = io.BytesIO()
            np.save(member, np.arange(3))
            archive.writestr(f"{name}.npy", member.getvalue())
    return file.getvalue()


def cases() -> dict[str, Case]:
    """All detectors together, and each with its parser."""
    every = tuple(text for texts in TEXTS.values() for text in texts) + OTHERS
    files = {"a": (*every, *FIRST, _archive()), "b.gz!": every, "c.Xz": (b"", b"\xfd7zXZ\0"), "d.bz2!": every[:2]}
    files |= {"corpus.json": (b"{}",), "e.NPZ": (_archive(),)}
    own = {f"{name}_detector": Case({"a": texts, "words": (WORDS,)}, agrees(name)) for name, texts in TEXTS.items()}
    return {"detectors": Case(files, ask_all)} | own
