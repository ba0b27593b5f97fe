"""MatrixMarket coordinate files, through SciPy; and the folder that 10x Genomics's pipelines write."""

import re
from pathlib import Path
from typing import Any

import scipy.io
import scipy.sparse

from dlgm_jax.data.corpus import Corpus, reason, shown
from dlgm_jax.data.formats.pairs import number
from dlgm_jax.data.lines import DAMAGED, lines, opened, stem
from dlgm_jax.data.source import EVERYTHING, Reading, Source, beside, found, named, read_words, whole
from dlgm_jax.types import BadInput

BANNER = "%%MatrixMarket"
BANNER_LINE = re.compile(rf"(?i:{BANNER} +matrix +coordinate +(integer|real|pattern) +(general|symmetric)) *")
PLACE = re.compile(r"[ \t]*[0-9]{1,19}[ \t]+[0-9]{1,19}[ \t]*")
ENTRY = re.compile(rf"{PLACE.pattern}[ \t][-+0-9.eEnaNiIfF]+[ \t]*")
BLANK = " \t"
MOST_EMPTY = 100_000  # rows or columns without entries that a file may claim


def holds(path: Path) -> bool:
    """Whether a file begins with the banner, or a folder holds matrix.mtx and its genes."""
    if path.is_dir():
        return beside(path, "matrix.mtx") is not None and _genes(path) is not None
    return next(lines(path), "").startswith(BANNER)


def source(path: Path, how: Reading) -> Source:
    """A file, documents in rows unless `transposed`; or a 10x folder (genes in rows). Raises BadInput."""
    if path.is_dir():
        genes, cells = _genes(path), read_words(found(path, "barcodes.tsv"))
        counts = _matrix(found(path, "matrix.mtx")).T
        vocabulary = read_words(genes or found(path, "features.tsv"), first_field=True)
        with named(path):
            return whole("10x", {EVERYTHING: Corpus(counts, vocabulary, _sized(cells, counts.shape[0]))})
    counts = _matrix(path).T if how.transposed else _matrix(path)
    words = how.vocab or beside(path.parent, f"{stem(path)}.vocab", "vocab.txt")
    vocabulary = read_words(words) if words else tuple(map(str, range(1, counts.shape[1] + 1)))
    names = tuple(f"{stem(path)}/{row}" for row in range(1, counts.shape[0] + 1))
    with named(path):
        return whole("MatrixMarket", {EVERYTHING: Corpus(counts, vocabulary, names)})


def _genes(folder: Path) -> Path | None:
    return beside(folder, "features.tsv", "genes.tsv")


def _sized(names: tuple[str, ...], documents: int) -> tuple[str, ...]:
    if len(names) != documents:
        raise BadInput(f"expected {documents} names in barcodes.tsv, found {len(names)}")
    return names


def _matrix(path: Path) -> Any:
    _check(path)
    try:
        with opened(path) as file:
            return scipy.sparse.csr_matrix(scipy.io.mmread(file))
    except (*DAMAGED, ValueError, OverflowError, TypeError, MemoryError) as error:
        raise BadInput(f"{path}: expected a MatrixMarket file, found: {reason(error)}") from error


def _check(path: Path) -> None:
    """Looks at every line first: SciPy's reader trusts the sizes, and may crash on lines that are no entries."""
    text = ((place, line) for place, line in enumerate(lines(path), 1) if line.strip(BLANK))
    place, banner = next(text, (1, ""))
    kind = BANNER_LINE.fullmatch(banner)
    if place > 1 or not kind:
        raise BadInput(f"{path}:1: expected a coordinate MatrixMarket file of numbers, found {shown(banner)}")
    place, header = next(((place, line) for place, line in text if not line.startswith("%")), (0, ""))
    fields, where = header.split(), f"{path}:{place}"
    if not place:
        raise BadInput(f"{path}: expected a line of sizes, found none")
    if len(fields) != 3:
        raise BadInput(f"{where}: expected rows, columns and entries, found {shown(header)}")
    rows, columns, entries = (number(field, "sizes", where, most=2**53) for field in fields)
    if max(rows, columns) > entries + MOST_EMPTY:
        raise BadInput(f"{where}: expected at most {MOST_EMPTY} empty rows or columns, found {shown(header)}")
    if kind[2].lower() == "symmetric" and rows != columns:
        raise BadInput(f"{where}: expected a symmetric matrix to be square, found {shown(header)}")
    entry, seen = PLACE if kind[1].lower() == "pattern" else ENTRY, 0
    for place, line in text:
        seen += 1
        if not entry.fullmatch(line):
            raise BadInput(f"{path}:{place}: expected a row, a column and its number, found {shown(line)}")
    if seen != entries:
        raise BadInput(f"{where}: expected {entries} entries, as this line says, found {seen}")
