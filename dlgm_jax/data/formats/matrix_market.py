"""MatrixMarket coordinate files; and the folder that 10x Genomics's pipelines write."""

import os
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.formats import tenx
from dlgm_jax.data.formats.pairs import count, number, told_by
from dlgm_jax.data.lines import lines, stem
from dlgm_jax.data.source import EVERYTHING, Reading, Source, named, whole
from dlgm_jax.data.vocabularies import note_numbered, vocabulary_of
from dlgm_jax.errors import BadInput, quantity, shown

BANNER = "%%MatrixMarket"
NUMBERS = "(integer|unsigned-integer|real|pattern)"
BANNER_LINE = re.compile(rf"(?i:{BANNER}\s+matrix\s+coordinate\s+{NUMBERS}\s+(general|symmetric))\s*")
NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
ENTRY = re.compile(rf"\s*([0-9]{{1,19}})\s+([0-9]{{1,19}})(?:\s+({NUMBER}))?\s*")
KEPT = 100_000  # writings of counts that are remembered
MOST_EMPTY = 100_000  # rows or columns without entries that a file may claim


def holds(path: Path) -> bool:
    """Tells whether a file begins with the banner, or a folder holds matrix.mtx and its genes."""
    if os.path.isdir(path):
        return tenx.holds(path)
    rows, _ = told_by(path)
    return bool(rows) and rows[0][0].lower().startswith(BANNER.lower())


def source(path: Path, how: Reading) -> Source:
    """A file, documents in rows unless `transposed`; or what 10x writes (genes in rows). Raises BadInput."""
    sample = tenx.files(path, how)
    if sample:
        return whole("10x", {EVERYTHING: tenx.corpus(_matrix(sample.matrix, how), sample, how)})
    for flag in ("words", "feature_type"):
        if getattr(how, flag):
            raise BadInput(f"{path}: expected --{flag} to go with 10x files, found no features.tsv and barcodes.tsv")
    counts = _matrix(path, how)
    counts = counts.T if how.transposed else counts
    vocabulary = vocabulary_of(path, how)
    if vocabulary is None:
        note_numbered(path, how)
        vocabulary = tuple(map(str, range(counts.shape[1])))
    names = tuple(f"{stem(path)}/{row}" for row in range(1, counts.shape[0] + 1))
    with named(path):
        return whole("MatrixMarket", {EVERYTHING: Corpus(counts, vocabulary, names)})


def _matrix(path: Path, how: Reading) -> Any:
    """The counts as they stand; those of one place add up. Raises BadInput with file and line."""
    text = ((place, line) for place, line in enumerate(lines(path), 1) if line.strip())
    place, banner = next(text, (1, ""))
    kind = BANNER_LINE.fullmatch(banner)
    if not kind:
        raise BadInput(f"{path}:{place}: expected a coordinate MatrixMarket file of numbers, found {shown(banner)}")
    pattern, symmetric = (kind[part].lower() == name for part, name in ((1, "pattern"), (2, "symmetric")))
    shape, entries = _sizes(path, text, symmetric)
    places, values, known = array("q"), array("q"), dict[str, int]()
    for place, line in text:
        entry = ENTRY.fullmatch(line)
        if not entry or (entry[3] is None) != pattern:
            raise BadInput(f"{path}:{place}: expected a row, a column and its number, found {shown(line)}")
        row, column = int(entry[1]), int(entry[2])
        if not (0 < row <= shape[0] and 0 < column <= shape[1]):
            raise BadInput(f"{path}:{place}: expected a place in {shape[0]} x {shape[1]}, found {shown(line)}")
        places.extend((row - 1, column - 1))
        values.append(1 if pattern else known.get(entry[3]) or _count(entry[3], known, f"{path}:{place}"))
    if len(values) != entries:
        raise BadInput(f"{path}: expected {entries} entries, as its line of sizes says, found {len(values)}")
    rows, columns = np.array(places, np.int64).reshape(-1, 2).T
    counts = scipy.sparse.csr_matrix((np.array(values), (rows, columns)), shape)
    if counts.nnz < len(values):
        how.note(f"{path}: {quantity(len(values) - counts.nnz, 'entry')} at a place that has one already: added up.")
    return counts + scipy.sparse.tril(counts, -1).T + scipy.sparse.triu(counts, 1).T if symmetric else counts


def _count(text: str, known: dict[str, int], where: str) -> int:
    """A count, which is looked at before those of one place add up, so that fractions and signs are seen."""
    value = count(text.removeprefix("+"), where, found=text)
    if len(known) < KEPT:
        known[text] = value
    return value


def _sizes(path: Path, text: Iterator[tuple[int, str]], symmetric: bool) -> tuple[tuple[int, int], int]:
    """The shape and the number of entries, from the first line that is no remark."""
    place, line = next(((place, line) for place, line in text if not line.startswith("%")), (0, ""))
    fields, where = line.split(), f"{path}:{place}"
    if not place:
        raise BadInput(f"{path}: expected a line of sizes, found none")
    if len(fields) != 3:
        raise BadInput(f"{where}: expected rows, columns and entries, found {shown(line)}")
    rows, columns, entries = (number(field, "sizes", where, most=2**53) for field in fields)
    if max(rows, columns) > entries + MOST_EMPTY:
        raise BadInput(f"{where}: expected at most {MOST_EMPTY} empty rows or columns, found {shown(line)}")
    if symmetric and rows != columns:
        raise BadInput(f"{where}: expected a symmetric matrix to be square, found {shown(line)}")
    return (rows, columns), entries
