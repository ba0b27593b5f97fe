"""Labels that stand in a file of their own: one a line, or in a column of a table of the documents' names."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dlgm_jax.data import columns, delimited, id_columns, naming
from dlgm_jax.data.labels import MISSING, NUMBER, class_of
from dlgm_jax.data.lines import lines
from dlgm_jax.data.source import EVERYTHING, Part, Reading, Source
from dlgm_jax.data.text import Text, Texts
from dlgm_jax.errors import BadInput, listed, quantity, shown

OF_TABLES = (",", "\t", ";")  # one of these in every line makes a table
OTHERS = ("::", "|")  # these may divide the fields of a table too, or be part of a label


@dataclass(frozen=True)
class Labels:
    """Labels of a file; an empty one is none."""

    path: Path
    listed: tuple[str, ...] = ()  # in the order of the documents, where the file has one a line
    of: dict[str, str] | None = None  # by the documents' names, where it is a table
    heading: str = ""  # of the names
    key: str = ""  # the same for people, also where the column has none


def read_labels(path: Path, column: str, how: Reading) -> Labels:
    """The labels of a file: one a line where no line has a comma, tab or semicolon; a table where every line has one.

    Args:
        path: the file; a table has a header, and the documents' names in the column that `id_columns` finds.
        column: the column of the labels; may be empty where there are only two columns.
        how: keeps the notes of what was taken.

    Raises:
        BadInput: with file and line, for a file that could be either, and for a document with two labels.
    """
    text = list(lines(path))
    full = [line for line in text if line.strip()]
    if not full:
        raise BadInput(f"{path}: expected labels, found an empty file")
    if found := [delimiter for delimiter in OF_TABLES if _divides(path, text, delimiter)]:
        return _table(path, text, found, column, how)
    for place, line in enumerate(text, 1):
        if any(delimiter in line for delimiter in OF_TABLES):
            raise BadInput(
                f"{path}:{place}: expected no comma, tab or semicolon in any line (one label a line), or one of them "
                f"in every line (a table), found some in {shown(line)} and none in others"
            )
    if any(all(delimiter in line for line in full) for delimiter in OTHERS):
        raise BadInput(
            f"{path}: expected one label a line, or a table with commas, tabs or semicolons between its fields, "
            f"found lines that could be either: {shown(full[0])}"
        )
    if column:
        raise BadInput(f"{path}: expected a table with a column {shown(column)}, found one label a line")
    return Labels(path, listed=tuple(_classes(_unquoted([line.strip() for line in text], path, how), path, how)))


def _unquoted(written: list[str], path: Path, how: Reading) -> list[str]:
    """Labels one a line without the quotation marks that stand around all of them, as R writes them."""
    if not all(map(delimited.QUOTED.fullmatch, filter(None, written))):
        return written
    how.note(f"{path}: the quotation marks around all labels are taken off.")
    return [label[1:-1].replace('""', '"').strip() for label in written]


def _classes(written: list[str], path: Path, how: Reading) -> list[str]:
    """Labels, empty where a missing value is written; 1.0 and 1 are one class where all are numbers."""
    missing = Counter(filter(MISSING.__contains__, written))
    if missing:
        found = ", ".join(f"{name} ({number:,})" for name, number in missing.items())
        how.note(f"{path}: taken as no label, since missing values are written so: {found}.")
    labels = ["" if label in missing else label for label in written]
    if not all(map(NUMBER.fullmatch, filter(None, labels))):
        return labels
    classes = list(map(class_of, labels))
    if changed := next(((label, name) for label, name in zip(labels, classes) if label != name), None):
        how.note(f"{path}: all labels are numbers, and numbers that are equal are one class: {' is '.join(changed)}.")
    return classes


def labelled(opened: Source | Texts, labels: Labels, how: Reading) -> Source | Texts:
    """The same documents with these labels, given as they are read.

    Raises BadInput, at the latest when all documents are read, where the documents have labels already, where their
    number is not that of labels one a line or they come in splits, and where a table names none of them.
    """
    if isinstance(opened, Texts):

        def texts() -> Iterator[Text]:
            attach = _Attachment(labels, how)
            for text in opened.read():
                attach.check(bool(text.label), text.split)
                label = attach.label(text.name)
                if not attach.short:
                    yield text._replace(label=label)
            attach.end()

        return opened._replace(read=texts)

    def parts() -> Iterator[Part]:
        attach = _Attachment(labels, how)
        for split, corpus in opened.read():
            attach.check(corpus.labels is not None, split)
            found = [attach.label(name) for name in corpus.ids]
            if not attach.short:
                yield Part(split, replace(corpus, labels=found if any(found) else None))
        attach.end()

    return Source(opened.form, opened.vocabulary, parts)


def _divides(path: Path, text: list[str], delimiter: str) -> bool:
    """Tells whether each row has two fields or more; a line of quotation marks alone is a row of one."""
    try:
        rows = list(delimited.rows(text, path, delimiter))
        covered = {line for row in rows for line in range(row.line, row.line + row.height)}
        alone = any(line.strip() and place not in covered for place, line in enumerate(text, 1))
        return not alone and min((len(row.fields) for row in rows), default=0) > 1
    except BadInput:
        if all(delimiter in line for line in text if line.strip()):  # a table, but for a quote
            raise
        return False


def _table(path: Path, text: list[str], delimiters: Sequence[str], column: str, how: Reading) -> Labels:
    """A table by the one of these delimiters that gives the column."""
    tables = [_opened(path, text, delimiter) for delimiter in delimiters]
    having = [table for table in tables if column and columns.have(table.names, (column,))]
    if len(having or tables) > 1:
        several = " and ".join(f"{delimited.DELIMITERS[delimiter]}s" for delimiter in delimiters)
        raise BadInput(f"{path}: expected one delimiter between fields, found {several} in every line")
    table = (having or tables)[0]
    where = f"{path}:{table.line}"
    delimited.check_header(table)
    delimited.note_delimiter(path, table.delimiter, how)
    key, place = _places(table, column, where, how)
    names = [id_columns.heading(table, place) for place in (key, place)]
    how.note(f"{path}: the column {names[0]} holds the documents' names, and {names[1]} their labels.")
    rows = list(delimited.read_rows(table, [key, place], how))
    labels = _classes([label for _, (_, label) in rows], path, how)
    found = naming.one_each(((where, [name, label]) for (where, (name, _)), label in zip(rows, labels)), "label")
    if not found:
        raise BadInput(f"{path}: expected rows of names and labels behind the header, found none")
    return Labels(path, of=found, heading=table.names[key], key=names[0])


def _places(table: delimited.Table, column: str, where: str, how: Reading) -> tuple[int, int]:
    """The columns of the documents' names and of the labels: of two columns, the one that holds no names."""
    named = columns.chosen(table.names, (column,), where) if column else []
    indexed = id_columns.has_index(table, how)
    if named:
        return id_columns.place_of(table, indexed, how, beside=named[0]), named[0]
    places = range(indexed, len(table.names))
    if len(places) == 2:
        key = id_columns.place_of(table, indexed, how)
        place = sum(places) - key
        if table.names[place]:
            return key, place
    raise BadInput(f"{where}: expected --label to name the column of labels, found {listed(table.names)}")


def _opened(path: Path, text: list[str], delimiter: str) -> delimited.Table:
    header = next(delimited.rows(text, path, delimiter))
    return delimited.Table(path, delimiter, header.line, tuple(map(delimited.plain, header.fields)))


class _Attachment:
    """Gives the documents of an input their labels, one after another, and counts what has no counterpart."""

    def __init__(self, labels: Labels, how: Reading):
        self._labels, self._how = labels, how
        self._left = set(labels.of or ())
        self._documents, self._missing, self._empty, self._first = 0, 0, 0, ""

    @property
    def short(self) -> bool:
        """Tells whether there are fewer labels, one a line, than documents."""
        return self._labels.of is None and self._documents > len(self._labels.listed)

    def check(self, has_label: bool, split: str) -> None:
        """Raises BadInput where these labels cannot go with a document."""
        if has_label:
            raise BadInput(f"{self._labels.path}: --labels: expected to go with an input without labels, found some")
        if self._labels.of is None and split != EVERYTHING:
            raise BadInput(
                f"{self._labels.path}: expected a table of names and labels for an input that is divided in splits, "
                "found one label a line, which needs the order of the documents"
            )

    def label(self, name: str) -> str:
        """The label of the next document; empty where there is none."""
        self._documents += 1
        self._first = self._first or name
        if self._labels.of is None:
            return "" if self.short else self._labels.listed[self._documents - 1]
        key = name.strip()
        if key and key == self._labels.heading:
            raise BadInput(f"{self._labels.path}:1: expected a header, found the document {shown(key)}")
        self._left.discard(key)
        found = self._labels.of.get(key)
        self._missing += found is None
        self._empty += found == ""
        return found or ""

    def end(self) -> None:
        """Raises BadInput, or notes what was left over, when all documents have come."""
        path, of, documents = self._labels.path, self._labels.of, self._documents
        if of is None:
            if documents != len(self._labels.listed):
                raise BadInput(
                    f"{path}: expected {documents} labels, one a line for each document, "
                    f"found {len(self._labels.listed)}"
                )
            return
        if documents and len(self._left) == len(of):
            hint = "; its rows are as many, but their order is not trusted" if documents == len(of) else ""
            raise BadInput(
                f"{path}: expected names of documents as {shown(self._first)} in the column {self._labels.key}, "
                f"found none of them, but names as {shown(next(iter(of), ''))}{hint}"
            )
        all_of_them = quantity(documents, "document")
        if self._missing:
            self._how.note(f"{path}: without a row, and so without a label: {self._missing:,} of {all_of_them}.")
        if self._empty:
            self._how.note(f"{path}: without a label in their row: {self._empty:,} of {all_of_them}.")
        if self._left:
            self._how.note(f"{path}: of no document of the input: {quantity(len(self._left), 'row')}.")
