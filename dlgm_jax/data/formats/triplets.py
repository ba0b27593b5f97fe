"""Tables of (document, word, count): ratings, purchases, patients' codes. Text with a delimiter, or Parquet."""

import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse

from dlgm_jax.data import columns, delimited, naming
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.delimited import Table
from dlgm_jax.data.formats import pairs, parquet
from dlgm_jax.data.labels import MISSING, label_of
from dlgm_jax.data.source import EVERYTHING, Reading, Source, named, whole
from dlgm_jax.errors import BadInput, listed, quantity, shown

COLUMNS = ("document", "word", "count")
RECBOLE = ("user_id", "item_id")  # in its files with the type behind: `user_id:token`
Event = tuple[str, str, int]  # document, word, count


class Events(NamedTuple):
    """The rows of a table, and the name of the column whose values are the words."""

    rows: Iterable[Event]
    word_column: str


def holds(path: Path) -> bool:
    """Tells whether a file is a table with a header of these names or of RecBole's, or Parquet; never raises."""
    try:
        return parquet.is_parquet(path) or (os.path.isfile(path) and bool(_known(_header(path))))
    except (BadInput, OSError):
        return False


def source(path: Path, how: Reading) -> Source:
    """A table; `columns` name document, word and, if there is one, count. A row without a count counts once.

    Rows of the same document and word add up; words get names from the table `names`. Raises BadInput with file and
    line, or with file and row.
    """
    how = replace(how, columns=tuple(map(str.strip, how.columns)))  # its notes are the caller's still
    if len(set(how.columns)) < len(how.columns):
        raise BadInput(f"--columns: expected different columns, found {','.join(how.columns)} for {path}")
    found = _parquet(path, how) if parquet.is_parquet(path) else _text(path, how)

    def rename(ids: list[str]) -> list[str]:
        names = naming.read_names(how.names, found.word_column, dict.fromkeys(ids), how) if how.names else {}
        return naming.renamed(ids, names, how.names or path)

    return whole("triplets", {EVERYTHING: gathered(_noted(found.rows, path, how), path, rename)})


def gathered(events: Iterable[Event], where: Path, rename: Callable[[list[str]], list[str]] = list) -> Corpus:
    """Events as a corpus: words from the most frequent down, documents in the order in which they came.

    `rename` gives the names of words by their ids, all at once and distinct.
    """
    documents: dict[str, int] = {}
    words: dict[str, int] = {}
    rows, places, counts = array("q"), array("q"), array("q")
    for document, word, count in events:
        rows.append(documents.setdefault(document, len(documents)))
        places.append(words.setdefault(word, len(words)))
        counts.append(count)
    if not rows:
        raise BadInput(f"{where}: expected rows, found empty tables")
    names, totals = rename(list(words)), np.zeros(len(words), np.int64)
    np.add.at(totals, np.asarray(places), np.asarray(counts))
    ordered = sorted(range(len(words)), key=lambda word: (-totals[word], names[word]))
    column = np.empty(len(words), np.int64)
    column[ordered] = np.arange(len(words))
    shape = (len(documents), len(words))
    matrix = scipy.sparse.coo_matrix((np.asarray(counts), (np.asarray(rows), column[np.asarray(places)])), shape)
    with named(where):
        return Corpus(matrix, tuple(names[word] for word in ordered), tuple(documents))


def _noted(events: Iterable[Event], path: Path, how: Reading) -> Iterator[Event]:
    """The same events, and a note of documents that are called as a missing value is written."""
    missing: Counter[str] = Counter()
    for event in events:
        if event[0] in MISSING:
            missing[event[0]] += 1
        yield event
    for name, number in missing.items():
        rows = quantity(number, "row")
        how.note(f"{path}: of the document {name}, which is taken as written, though it may stand for none: {rows}.")


def _header(path: Path) -> list[str]:
    """The names of the columns by the delimiter that gives those that are known, else by none."""
    _, text = delimited.first_row(path)
    headers = (delimited.fields_of(text, delimiter) for delimiter in delimited.DELIMITERS)
    return next((header for header in headers if _known(header)), [])


def _known(header: Sequence[str]) -> tuple[str, ...]:
    """Those of the known columns that a header has, or none; a name that stands twice is refused later."""
    if all(columns.places(header, name) for name in COLUMNS[:2]):
        return COLUMNS if columns.places(header, COLUMNS[2]) else COLUMNS[:2]
    typed = [name for name in header if columns.TYPED.fullmatch(name)]
    return RECBOLE if columns.have(typed, RECBOLE) else ()


def _taken(header: Sequence[str], path: Path, how: Reading) -> tuple[str, ...]:
    """The columns that are read, with a note where nobody asked for them and others are left."""
    taken = how.columns or _known(header) or COLUMNS[:2]
    there = [columns.places(header, asked) for asked in taken] if not how.columns and len(taken) == 2 else []
    left = [name for place, name in enumerate(header) if name and place not in set().union(*there)]
    if there and all(there) and left:
        how.note(
            f"Each row of {path} counts once: its columns {taken[0]} and {taken[1]} are taken, and "
            f"{listed(left)} not; --columns={','.join(taken)},COLUMN would take counts from a column."
        )
    return taken


def _text(path: Path, how: Reading) -> Events:
    table, places = _open_table(path, how)
    return Events(_rows(table, places, how), columns.bare(table.names[places[1]]) if table.headed else "")


def _open_table(path: Path, how: Reading) -> tuple[Table, list[int]]:
    """The table, and where its documents, words and, if there are some, counts stand."""
    numbers = bool(how.columns) and all(name.isascii() and name.isdigit() for name in how.columns)
    _, text = delimited.first_row(path)
    named_so = any(columns.have(delimited.fields_of(text, d), how.columns) for d in delimited.DELIMITERS)
    if numbers and not named_so:
        places = [pairs.number(name, "numbers of columns", f"--columns of {path}", least=1) - 1 for name in how.columns]
        if len(set(places)) < len(places):
            raise BadInput(f"--columns: expected different columns, found {','.join(how.columns)} for {path}")
        return delimited.open_without_header(path, how, max(places) + 1), places
    if numbers:
        names = ",".join(how.columns)
        how.note(
            f"--columns={names} are taken as names, since the first line of {path} has them; that line is no data."
        )
    suits = (lambda header: columns.have(header, how.columns)) if how.columns else (lambda header: bool(_known(header)))
    table = delimited.open_table(path, how, suits)
    return table, columns.chosen(table.names, _taken(table.names, path, how), f"{path}:{table.line}")


def _rows(table: Table, places: list[int], how: Reading) -> Iterator[Event]:
    for where, (document, word, *count) in delimited.read_rows(table, places, how):
        if not (document and word):
            raise BadInput(f"{where}: expected a document and a word, found {shown(document)} and {shown(word)}")
        if count:
            delimited.check_thousands(count[0], table.delimiter, where)
        yield document, word, pairs.count(count[0], where) if count else 1


def _parquet(path: Path, how: Reading) -> Events:
    file = parquet.opened(path)
    header = file.schema_arrow.names
    taken = [header[place] for place in columns.chosen(header, _taken(header, path, how), str(path))]
    if twice := [name for name in taken if header.count(name) > 1]:
        raise BadInput(f"{path}: expected distinct names of columns, found {shown(twice[0])} twice")
    return Events(_values(parquet.rows(file, path, taken)), taken[1])


def _values(rows: Iterable[tuple[str, tuple]]) -> Iterator[Event]:
    for where, values in rows:
        document, word, *count = (label_of(value, where) for value in values)
        if not (document and word):
            raise BadInput(f"{where}: expected a document and a word, found {shown(document)} and {shown(word)}")
        if count and not count[0]:
            raise BadInput(f"{where}: expected a count, found none")
        yield document, word, pairs.count(count[0], where) if count else 1
