"""MatrixMarket coordinate files, through SciPy; and the folder that 10x Genomics's pipelines write."""

from pathlib import Path
from typing import Any

import scipy.io
import scipy.sparse

from dlgm_jax.data.corpus import Corpus, shown
from dlgm_jax.data.formats.pairs import number
from dlgm_jax.data.lines import DAMAGED, allowed, lines, opened, stem, too_much
from dlgm_jax.data.source import EVERYTHING, Reading, Source, beside, found, read_words, whole
from dlgm_jax.types import BadInput

BANNER = "%%MatrixMarket"
BYTES = 4  # that an entry takes at least
MOST_EMPTY = 1_000_000  # rows or columns without entries that a file may claim


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
        return whole("10x", {EVERYTHING: Corpus(counts, vocabulary, _sized(cells, counts.shape[0], path))})
    counts = _matrix(path).T if how.transposed else _matrix(path)
    words = how.vocab or beside(path.parent, f"{stem(path)}.vocab", "vocab.txt")
    vocabulary = read_words(words) if words else tuple(map(str, range(1, counts.shape[1] + 1)))
    names = tuple(f"{stem(path)}/{row}" for row in range(1, counts.shape[0] + 1))
    return whole("MatrixMarket", {EVERYTHING: Corpus(counts, vocabulary, names)})


def _genes(folder: Path) -> Path | None:
    return beside(folder, "features.tsv", "genes.tsv")


def _sized(names: tuple[str, ...], documents: int, folder: Path) -> tuple[str, ...]:
    if len(names) != documents:
        raise BadInput(f"{folder}: expected {documents} names in barcodes.tsv, found {len(names)}")
    return names


def _matrix(path: Path) -> Any:
    _check_sizes(path)
    try:
        with opened(path) as file:
            return scipy.sparse.csr_matrix(scipy.io.mmread(file))
    except (*DAMAGED, ValueError, OverflowError, TypeError, MemoryError) as error:
        raise BadInput(f"{path}: expected a MatrixMarket file, found: {error}") from error


def _check_sizes(path: Path) -> None:
    """Sizes that the file itself cannot hold are refused before anything is made of them."""
    size = 0
    header: tuple[str, int] | None = None
    for place, line in enumerate(lines(path), 1):
        size += len(line) + 1
        if size > allowed(path):
            raise too_much(path)
        if header is None and line.strip() and not line.startswith("%"):
            header = line, place
        elif place == 1 and (not line.startswith(BANNER) or "coordinate" not in line.lower()):
            raise BadInput(f"{path}:1: expected a coordinate MatrixMarket file, found {shown(line)}")
    if header is None:
        raise BadInput(f"{path}: expected a line of sizes, found none")
    fields, where = header[0].split(), f"{path}:{header[1]}"
    if len(fields) != 3:
        raise BadInput(f"{where}: expected rows, columns and entries, found {shown(header[0])}")
    rows, columns, entries = (number(field, "sizes", where, most=2**53) for field in fields)
    if entries * BYTES > size:
        raise BadInput(f"{where}: expected {entries} entries, which a file of {size} characters cannot hold")
    if max(rows, columns) > entries + MOST_EMPTY:
        raise BadInput(f"{where}: expected at most {MOST_EMPTY} empty rows or columns, found {shown(header[0])}")
