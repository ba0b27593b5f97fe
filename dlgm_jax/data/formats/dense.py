"""Dense tables of counts: documents x words with a header of words, or, transposed, words (genes) x documents (cells).

The first column names the rows: R writes no heading above it, pandas an empty one. It may be missing.
"""

import os
import re
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from dlgm_jax.data import delimited
from dlgm_jax.data.corpus import Corpus, check_distinct
from dlgm_jax.data.delimited import Row
from dlgm_jax.data.formats import pairs
from dlgm_jax.data.formats.dense_sides import check_sides, note_sides
from dlgm_jax.data.lines import lines, stem
from dlgm_jax.data.source import EVERYTHING, Reading, Source, named, whole
from dlgm_jax.errors import BadInput, shown

HEADINGS = frozenset(
    ("", "id", "document", "doc", "cell", "barcode", "sample", "gene", "index", "unnamed: 0")
)  # of a column of names, in small letters
LOOKED_AT = 20  # rows by which a table is known
LEAST = 20  # columns of a table that is known by its counts alone
SURELY_IDS = 10  # whole numbers, none of them twice, that are no counts
# `doc_id`, `doc id` and `DocID`, but not `acid`, which may be a word
HEADS_IDS = re.compile(r".*[\W_][iI][dD]|.*[a-z]I[dD]|(?i:doc|document|user|cell|sample|gene|patient)id", re.DOTALL)
KEPT = 100_000  # writings of counts that are remembered


class Dense(NamedTuple):
    """A dense table that is open."""

    path: Path
    line: int  # of the header
    delimiter: str
    heading: str | None  # of the first column; None where the header is one field short
    words: list[str]  # of the other columns
    rows: Iterator[Row]  # behind the header


def holds(path: Path) -> bool:
    """Tells whether a file is a dense table of counts beyond doubt; never raises.

    A table of ids is never taken for one, though its fields are whole numbers too: a dense table has names in front
    (with no heading), or very many columns. Numbers in front could be ids, unless the column is called so.
    """
    if not os.path.isfile(path):  # a pipe would be waited for
        return False
    try:
        table = _open(path, Reading())
        rows = list(islice(table.rows, LOOKED_AT))
    except (BadInput, OSError):
        return False
    width = len(table.words) + 1
    counts = all(len(row.fields) == width and all(map(_is_whole, row.fields[1:])) for row in rows)
    if not rows or not counts or width < 3 or len(set(table.words)) < len(table.words):
        return False
    first = [row.fields[0].strip() for row in rows]
    of_numbers = all(map(_is_whole, first))
    if not of_numbers and table.heading in (None, ""):
        return True
    numbered = of_numbers and table.heading is not None and table.heading.casefold() not in HEADINGS
    headless = numbered and all(map(_is_whole, table.words))  # the first line seems to be data as well
    return width >= LEAST and not headless and not (numbered and len(set(first)) == len(first))


def source(path: Path, how: Reading) -> Source:
    """A table, documents in rows unless `transposed`. Raises BadInput with file and line."""
    table = _open(path, how)
    check_sides(table.heading or "", how.transposed, f"{path}:{table.line}")
    first, begin, counts = _read(table, how)
    words, names = list(table.words), first
    if not _heads_names(table.heading) and all(map(_is_whole, first)):
        counts = _with_first(table, first, begin, counts)
        words.insert(0, str(table.heading))
        names = _numbered(table, len(first), how)
    elif all(map(_is_whole, first)):
        how.note(f"The first column of {path} is taken to name its rows, though it holds numbers.")
    if not words:
        raise BadInput(f"{path}:{table.line}: expected columns of counts, found none")
    _check_numbers(table, words)
    note_sides(path, names, words, counts, how)
    if how.transposed:
        words, names, counts = names, words, counts.T
    _check_words(table, words, how.transposed)
    with named(path):
        return whole("dense", {EVERYTHING: Corpus(counts, tuple(words), tuple(names))})


def _open(path: Path, how: Reading) -> Dense:
    """The header, and what it heads: the first row says whether it is one field short."""
    line, text = delimited.first_row(path)
    delimiter = delimited.delimiter_of(text, f"{path}:{line}", lambda header: False)
    rows = delimited.rows(lines(path), path, delimiter)
    header, first = next(rows, None), next(rows, None)
    if header is None or first is None:
        raise BadInput(f"{path}: expected a header of words and rows of counts, found {'one' if header else 'no'} line")
    delimited.note_delimiter(path, delimiter, how)
    names = list(map(delimited.plain, header.fields))
    short = len(first.fields) == len(names) + 1
    if short and _heads_names(names[0]):  # the counts could be shifted
        raise BadInput(
            f"{path}:{first.line}: expected {len(names)} fields, as the header has, which begins with a heading of "
            f"names, {shown(names[0])}; found {len(first.fields)}"
        )
    heading, words = (None, names) if short else (names[0], names[1:])

    def behind() -> Iterator[Row]:
        yield first
        yield from rows

    return Dense(path, header.line, delimiter, heading, words, behind())


def _read(table: Dense, how: Reading) -> tuple[list[str], array, Any]:
    """The first fields of all rows, the lines at which these begin, and the counts of the other fields."""
    first, known = [], {"0": 0}
    begin, columns, counts, starts = array("q"), array("q"), array("q"), array("q", [0])
    width, long = len(table.words) + 1, 0
    for line, fields, height in table.rows:
        long += height > 1
        if len(fields) != width:
            like = width - (table.heading is None)
            raise BadInput(f"{table.path}:{line}: expected {width} fields, found {len(fields)}; the header has {like}")
        if not fields[0].strip():
            raise BadInput(f"{table.path}:{line}: expected a name or a count first, found nothing")
        first.append(fields[0].strip())
        begin.append(line)
        for place, text in enumerate(fields):
            if text != "0" and place:
                count = known.get(text)
                if count is None:
                    count = _count(table, line, text, table.words[place - 1])
                    if len(known) < KEPT:
                        known[text] = count
                columns.append(place - 1)
                counts.append(count)
        starts.append(len(columns))
    delimited.note_long(table.path, long, how)
    arrays = (np.asarray(counts), np.asarray(columns), np.asarray(starts))
    return first, begin, scipy.sparse.csr_matrix(arrays, (len(first), len(table.words)))


def _with_first(table: Dense, first: list[str], begin: array, counts: Any) -> Any:
    """The counts with those of the first column, which names no rows. Raises BadInput where it seems to."""
    heading = str(table.heading)
    if len(first) >= SURELY_IDS and len(set(first)) == len(first):
        raise BadInput(
            f"{table.path}:{table.line}: expected counts below {shown(heading)}, found {len(first)} different numbers, "
            "which could be ids; call that column id, or leave it out"
        )
    column = [_count(table, line, text, heading) for line, text in zip(begin, first)]
    return scipy.sparse.csr_matrix(scipy.sparse.hstack([np.array(column, np.int64)[:, None], counts]))


def _count(table: Dense, line: int, text: str, word: str) -> int:
    text, where = text.strip(), f"{table.path}:{line}: column {shown(word)}"
    delimited.check_thousands(text, table.delimiter, where)
    return pairs.count(text, where)


def _check_numbers(table: Dense, header: list[str]) -> None:
    """Raises BadInput for a header of numbers that does not count its columns, and could be the first row."""
    if all(map(_is_whole, header)) and header not in (_range(0, len(header)), _range(1, len(header))):
        found = shown(", ".join(header))
        raise BadInput(
            f"{table.path}:{table.line}: expected a header of words, found numbers alone: {found}, which could be "
            "counts; a letter before each would make them words"
        )


def _numbered(table: Dense, number: int, how: Reading) -> list[str]:
    """Names of rows that have none."""
    kind = "words" if how.transposed else "documents"
    how.note(
        f"The rows of {table.path} have no names, so its {kind} are numbered from 1; its first column, "
        f"{shown(str(table.heading))}, is taken to hold counts. A column of names can be called id."
    )
    return _range(1, number) if how.transposed else [f"{stem(table.path)}/{row}" for row in range(1, number + 1)]


def _check_words(table: Dense, words: Sequence[str], transposed: bool) -> None:
    """Raises BadInput for words that are missing, or stand twice: in the header, or in the first column."""
    where = f"{table.path}: the first column" if transposed else f"{table.path}:{table.line}"
    if "" in words:
        raise BadInput(f"{where}: expected words, found an empty one as word {words.index('') + 1}")
    check_distinct(words, where)


def _heads_names(heading: str | None) -> bool:
    return heading is None or heading.casefold() in HEADINGS or HEADS_IDS.fullmatch(heading) is not None


def _is_whole(text: str) -> bool:
    return pairs.WHOLE.fullmatch(text.strip()) is not None


def _range(first: int, number: int) -> list[str]:
    return [str(place) for place in range(first, first + number)]
