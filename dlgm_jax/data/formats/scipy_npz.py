"""Sparse matrices that `scipy.sparse.save_npz` wrote; and TopMost's folders of `train_bow.npz` and `test_bow.npz`."""

import os
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.labels import label_of
from dlgm_jax.data.lines import ALWAYS, EXPANSION, first_bytes, lines, stem, too_much
from dlgm_jax.data.source import EVERYTHING, Reading, Source, beside, files_of, found, named, whole
from dlgm_jax.data.vocabularies import read_vocabulary, vocabulary_of
from dlgm_jax.errors import BadInput, reason, shown

MOST_EMPTY = 100_000  # documents or words without entries that a file may claim
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
REFUSED = (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, OverflowError, MemoryError)
REFUSED += (NotImplementedError, RuntimeError, AttributeError, zipfile.BadZipFile, zlib.error, SyntaxError)
REFUSED += (tokenize.TokenError, ArithmeticError)


def holds(path: Path) -> bool:
    """Tells whether a file is a zip archive named `.npz` or of arrays, or a folder holds one of TopMost's files."""
    if os.path.isdir(path):
        return bool(_parts(path))
    return first_bytes(path, 4) in ZIP and (path.suffix.lower() == ".npz" or _of_arrays(path))


def source(path: Path, how: Reading) -> Source:
    """A matrix [D, V] with its words in `vocab` or `vocab.txt` beside it; or TopMost's folder. Raises BadInput."""
    if path.is_dir():
        vocabulary = read_vocabulary(how.vocab or found(path, "vocab.txt"), how)
        there = _parts(path)
        if not there:
            raise BadInput(f"{path}: expected train_bow.npz and test_bow.npz, found neither")
        return whole("TopMost", {split: _corpus(file, vocabulary, how) for split, file in there.items()})
    words = vocabulary_of(path, how)
    if words is None:
        raise BadInput(f"{path}: expected its words, one a line, in --vocab or vocab.txt beside it, found none")
    return whole("SciPy npz", {EVERYTHING: _corpus(path, words, how)})


def _parts(folder: Path) -> dict[str, Path]:
    """TopMost's files by splits."""
    names = {"train": "train", "validation": "valid", "test": "test"}
    files = sorted(files_of(folder), key=lambda path: path.name.islower())  # of two, the one that is written so
    there = {path.name.lower(): path for path in files}
    return {split: there[f"{name}_bow.npz"] for split, name in names.items() if f"{name}_bow.npz" in there}


def _of_arrays(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (struct.error, *REFUSED):
        return False
    return bool(names) and all(name.lower().endswith(".npy") for name in names)


def _corpus(path: Path, vocabulary: tuple[str, ...], how: Reading) -> Corpus:
    counts = load(path)
    counts = counts.T if how.transposed else counts
    names = tuple(f"{stem(path)}/{row}" for row in range(1, counts.shape[0] + 1))
    labels = beside(path.parent, f"{stem(path).removesuffix('_bow')}_labels.txt")
    with named(path):
        return Corpus(counts, vocabulary, names, _labels(labels, len(names)) if labels else None)


def _labels(path: Path, number: int) -> tuple[str, ...] | None:
    """One label a line, blank where it is missing; None where all are."""
    labels = tuple(label_of(line.strip(), f"{path}:{place}") for place, line in enumerate(lines(path), 1))
    if len(labels) != number:
        raise BadInput(f"{path}: expected {number} labels, one for each document, found {len(labels)}")
    return labels if any(labels) else None


def load(path: Path) -> Any:
    """A sparse matrix whose arrays are what its archive can hold. Raises BadInput naming file and member."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > max(EXPANSION * path.stat().st_size, ALWAYS):
                raise too_much(path)
            for member in archive.infolist():
                _check_member(archive, member, path)
        matrix: Any = scipy.sparse.load_npz(path)
        if matrix.ndim != 2 or matrix.dtype.kind not in "biuf":
            raise ValueError(f"{matrix.ndim} dimensions of {matrix.dtype}")
        if max(matrix.shape) > matrix.data.size + MOST_EMPTY:
            raise ValueError(f"a shape of {matrix.shape} with {matrix.data.size} entries")
        matrix.check_format(full_check=True) if matrix.format in ("csr", "csc", "bsr") else None
        _check_counts(matrix, path)
        return scipy.sparse.csr_matrix(matrix)
    except BadInput:
        raise
    except REFUSED as error:
        raise BadInput(f"{path}: expected a sparse matrix of scipy.sparse.save_npz, found: {reason(error)}") from error


def _check_counts(matrix: Any, path: Path) -> None:
    """Raises BadInput for entries that are no counts, which could add up to one where they share a place (COO)."""
    values = np.asarray(matrix.data).ravel()
    bad = ~np.isfinite(values) | (values < 0) | (values != np.floor(values))
    if bad.any():
        raise BadInput(f"{path}: expected counts, whole numbers from 0, found {values[bad][0]}")


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(file)
    if dtype.hasobject or int(np.prod(shape, dtype=object)) * dtype.itemsize > member.file_size:
        found = shown(f"{dtype} of shape {shape}")
        raise BadInput(f"{path}: expected numbers in {shown(member.filename)}, found {found}")
