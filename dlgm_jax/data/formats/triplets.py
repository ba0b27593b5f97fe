"""Tables of (document, word, count): ratings, purchases, patients' codes. CSV with a header, or Parquet."""

import csv
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from dlgm_jax.data.corpus import Corpus, reason, shown
from dlgm_jax.data.formats.pairs import number
from dlgm_jax.data.lines import ALWAYS, EXPANSION, beginning, first_bytes, lines, packing, too_much
from dlgm_jax.data.source import EVERYTHING, Reading, Source, named, whole
from dlgm_jax.types import BadInput

COLUMNS = ("document", "word", "count")
ROWS = 4096  # of a Parquet file that are read at once
Event = tuple[str, str, int]  # document, word, count


def holds(path: Path) -> bool:
    """Whether a file is a table with a header of these names, or Parquet."""
    if is_parquet(path):
        return True
    try:
        header = next(csv.reader(beginning(path).lines[:1]), [])
    except csv.Error:
        return False
    return set(COLUMNS[:2]) <= set(header)


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does."""
    return packing(path) == "" and first_bytes(path, 4) == b"PAR1"


def source(path: Path, how: Reading) -> Source:
    """A table; `columns` name document, word and, if there is one, count. A row without a count counts once.

    Rows of the same document and word add up. Raises BadInput with file and line.
    """
    columns = how.columns or COLUMNS
    if not how.columns and COLUMNS[2] not in _header(path):
        columns = COLUMNS[:2]
    events = _parquet(path, columns) if is_parquet(path) else _csv(path, columns)
    return whole("triplets", {EVERYTHING: gathered(events, path)})


def gathered(events: Iterable[Event], where: Path) -> Corpus:
    """Events as a corpus: words from the most frequent down, documents in the order in which they came."""
    documents: dict[str, int] = {}
    words: dict[str, int] = {}
    totals: Counter[str] = Counter()
    rows, columns, counts = array("q"), array("q"), array("q")
    for document, word, count in events:
        rows.append(documents.setdefault(document, len(documents)))
        columns.append(words.setdefault(word, len(words)))
        counts.append(count)
        totals[word] += count
    if not rows:
        raise BadInput(f"{where}: expected rows, found empty tables")
    ordered = sorted(totals, key=lambda word: (-totals[word], word))
    place = np.empty(len(words), np.int64)
    place[[words[word] for word in ordered]] = np.arange(len(words))
    shape = (len(documents), len(words))
    matrix = scipy.sparse.coo_matrix((np.asarray(counts), (np.asarray(rows), place[np.asarray(columns)])), shape)
    with named(where):
        return Corpus(matrix, tuple(ordered), tuple(documents))


def rows(path: Path, columns: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """(file:line, row) of a CSV table. Raises BadInput when it lacks a column or a row is short."""
    reader = csv.DictReader((f"{line}\n" for line in lines(path)), strict=True)
    try:
        names = reader.fieldnames or ()
        missing = [column for column in columns if column not in names]
        if missing:
            raise BadInput(f"{path}:1: expected the columns {', '.join(columns)}, found no {', '.join(missing)}")
        for row in reader:
            if any(row[column] is None for column in columns):
                raise BadInput(f"{path}:{reader.line_num}: expected {len(names)} fields, found fewer")
            yield f"{path}:{reader.line_num}", row
    except csv.Error as error:
        raise BadInput(
            f"{path}:{reader.reader.line_num}: expected comma-separated values, found: {reason(error)}"
        ) from error


def _header(path: Path) -> list[str]:
    if is_parquet(path):
        return _opened(path).schema_arrow.names
    try:
        return next(csv.reader([next(lines(path), "")]), [])
    except csv.Error:  # a field too long for a table
        return []


def _csv(path: Path, columns: tuple[str, ...]) -> Iterator[Event]:
    for where, row in rows(path, columns):
        document, word, *count = (row[column].strip() for column in columns)
        if not (document and word):
            raise BadInput(f"{where}: expected a document and a word, found {shown(str(row))}")
        yield document, word, number(count[0].removesuffix(".0"), "a count", where) if count else 1


def _opened(path: Path) -> Any:
    if find_spec("pyarrow") is None:
        raise BadInput(f"{path}: expected pyarrow to read Parquet, which is not installed; pip install pyarrow")
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except Exception as error:  # pyarrow raises nearly every kind for a damaged file
        raise BadInput(f"{path}: expected a Parquet file, found: {reason(error)}") from error


def _parquet(path: Path, columns: tuple[str, ...]) -> Iterator[Event]:
    file = _opened(path)
    missing = [column for column in columns if column not in file.schema_arrow.names]
    if missing:
        raise BadInput(f"{path}: expected the columns {', '.join(columns)}, found no {', '.join(missing)}")
    room = max(EXPANSION * path.stat().st_size, ALWAYS)
    claimed = sum(file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups))
    if max(claimed, file.metadata.num_rows) > room:
        raise too_much(path)
    batches = file.iter_batches(ROWS, columns=list(columns))
    while True:
        try:
            batch = next(batches, None)
            table = batch and batch.to_pydict()
        except Exception as error:
            raise BadInput(f"{path}: expected a Parquet file, found: {reason(error)}") from error
        if table is None:
            return
        room -= len(batch or ())
        if room < 0:
            raise too_much(path)
        yield from _events(table, columns, path)


def _events(table: dict[str, list], columns: tuple[str, ...], path: Path) -> Iterator[Event]:
    for document, word, *count in zip(*(table[column] for column in columns)):
        if document is None or word is None:
            raise BadInput(f"{path}: expected a document and a word in each row, found none in one")
        written = str(count[0]) if count else "1"
        yield str(document), str(word), number(written.removesuffix(".0"), "a count", str(path))
