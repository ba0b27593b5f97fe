"""The folders that 10x Genomics's pipelines write: counts of features x cells in matrix.mtx, and two files of names."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.formats.tenx_features import Features, check_once, chosen
from dlgm_jax.data.lines import lines
from dlgm_jax.data.source import Reading, beside, files_of, found, named
from dlgm_jax.errors import BadInput, listed, shown

MATRIX = re.compile(r"(?i)(.*)matrix\.mtx(\.gz|\.xz|\.bz2)?")  # GEO puts the name of a sample before


class Files(NamedTuple):
    """The files of one sample."""

    matrix: Path
    features: Path
    barcodes: Path


def holds(folder: Path) -> bool:
    """Tells a folder with a matrix and the file that names its features."""
    return any(beside(folder, *_names(file)[0]) is not None for file in files_of(folder) if MATRIX.fullmatch(file.name))


def files(path: Path, how: Reading) -> Files | None:
    """The files of a folder, or of a matrix beside which the other two stand; None for a matrix that stands alone.

    Raises BadInput for a folder in which one is missing, or which holds several matrices.
    """
    if path.is_dir():
        if how.vocab:
            raise BadInput(f"--vocab: expected none with the folder {path}, whose features.tsv names the words")
        matrix = _only_matrix(path, how)
        features, barcodes = _names(matrix)
        return Files(matrix, found(path, *features), found(path, barcodes))
    if not MATRIX.fullmatch(path.name) or how.vocab:
        return None
    features, barcodes = _names(path)
    of_words, of_cells = beside(path.parent, *features), beside(path.parent, barcodes)
    if of_words is None or of_cells is None:
        return None
    how.note(f"{path} is read as 10x writes it: {of_words.name} names the words, {of_cells.name} the documents.")
    return Files(path, of_words, of_cells)


def corpus(counts: Any, sample: Files, how: Reading) -> Corpus:
    """Cells by the features that are chosen, of counts [features, cells]. Raises BadInput with file and line."""
    table = _table(sample.features, counts.shape[0], "row")
    for place, fields in enumerate(table, 1):
        if len(fields) != len(table[0]):
            where = f"{sample.features}:{place}"
            raise BadInput(f"{where}: expected as many fields as in line 1, {len(table[0])}, found {len(fields)}")
        if not fields[0]:
            raise BadInput(f"{sample.features}:{place}: expected an id first, found none")
    ids, symbols, types = [*map(list, zip(*table)), [], []][:3]
    cells = [fields[0] for fields in _table(sample.barcodes, counts.shape[1], "column")]
    check_once(cells, range(1, len(cells) + 1), str(sample.barcodes))
    places, words = chosen(Features(str(sample.features), ids, symbols, types), how)
    with named(sample.matrix):
        return Corpus(counts.T.tocsr()[:, places], words, cells)


def _only_matrix(folder: Path, how: Reading) -> Path:
    """The file matrix.mtx of a folder, or the one that has a prefix before this name."""
    matrices = sorted(file for file in folder.iterdir() if MATRIX.fullmatch(file.name))
    own = beside(folder, "matrix.mtx")
    if own is None and len(matrices) > 1:
        names = listed(file.name for file in matrices)
        raise BadInput(f"{folder}: expected one matrix.mtx, found {names}; give one of them as --input")
    if own and len(matrices) > 1:
        others = listed(file.name for file in matrices if file != own)
        how.note(f"{folder} is read by its {own.name}; left out: {others}.")
    return own or (matrices[0] if matrices else found(folder, "matrix.mtx"))


def _names(matrix: Path) -> tuple[tuple[str, str], str]:
    """The names of the files of features and of barcodes of a matrix."""
    match = MATRIX.fullmatch(matrix.name)
    prefix = match[1] if match else ""
    return (f"{prefix}features.tsv", f"{prefix}genes.tsv"), f"{prefix}barcodes.tsv"


def _table(path: Path, number: int, of_matrix: str) -> list[list[str]]:
    """The fields of each line, cut at tabs; blanks inside stay. Raises BadInput unless there are `number` lines."""
    table = [[field.strip() for field in line.split("\t")] for line in lines(path)]
    if len(table) != number:
        where = f"{path}:{min(len(table), number) + 1}"
        what = f"a line for each {of_matrix} of the matrix, {number}"
        raise BadInput(f"{where}: expected {what}, found {len(table)}")
    for column in zip(*table):  # R writes them around every name, and they would be part of it
        if all(len(field) > 1 and field[0] == field[-1] == '"' for field in column):
            raise BadInput(f"{path}:1: expected fields without quotation marks around them, found {shown(column[0])}")
    return table
