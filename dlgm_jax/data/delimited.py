"""Tables of text: rows of fields with commas, tabs, semicolons, `::` or `|` between, read by one reader for all."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from dlgm_jax.data.lines import lines
from dlgm_jax.data.source import Reading
from dlgm_jax.errors import BadInput, quantity, reason, shown

COMMA, COLONS = ",", "::"
DELIMITERS = {COMMA: "comma", "\t": "tab", ";": "semicolon", COLONS: "double colon", "|": "bar"}
LONG_ROWS = (COMMA, ";")  # between which quoted fields go over several lines; elsewhere a lone mark would swallow rows
THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(\.[0-9]{3})+")
QUOTED = re.compile(r'"(?:[^"]|"")*"')
TALLEST = 20  # lines over which the fields of a first row may go on
LOOKED_AT = 50  # rows by which a delimiter is judged where there is no header
Suits = Callable[[list[str]], bool]


class Row(NamedTuple):
    """The fields of a row as they are written, the line at which it begins, and the number of its lines."""

    line: int
    fields: list[str]
    height: int = 1


class Table(NamedTuple):
    """A table that is open: its header, or its first row where it has none."""

    path: Path
    delimiter: str
    line: int
    names: tuple[str, ...]
    headed: bool = True


def first_row(path: Path) -> tuple[int, str]:
    """The line at which the first row begins, and the row as it is written. Raises BadInput for an empty file."""
    first, text = 0, ""
    for number, line in enumerate(lines(path), 1):
        if first:
            text += f"\n{line}"
        elif line.strip():
            first, text = number, line
        if first and (text.count('"') % 2 == 0 or number - first == TALLEST):
            break
    if not first:
        raise BadInput(f"{path}: expected a table, found an empty file")
    return first, text


def rows(text: Iterable[str], path: Path, delimiter: str) -> Iterator[Row]:
    """The rows of lines; empty ones are left out. Raises BadInput with file and line, that at which a row begins.

    Fields may stand in quotes, as in CSV, but not between `::`, which MovieLens writes without. Blanks before a
    field, and so before its quote, do not count; a tab is a blank itself.
    """
    if delimiter == COLONS:
        yield from (Row(place, line.split(COLONS)) for place, line in enumerate(text, 1) if line.strip())
        return
    text = (f"{line}\n" for line in text)
    reader = csv.reader(text, delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t")
    line = 1
    try:
        for fields in reader:
            last = reader.line_num
            if last > line and delimiter not in LONG_ROWS:
                found = f"a quotation mark that opens in it and closes in line {last}"
                raise BadInput(f"{path}:{line}: expected a row on one line, found {found}")
            if len(fields) > 1 or (fields and fields[0].strip()):
                yield Row(line, fields, last - line + 1)
            line = last + 1
    except csv.Error as error:
        raise BadInput(
            f"{path}:{line}: expected {DELIMITERS[delimiter]}-separated values, found: {reason(error)}"
        ) from error


def fields_of(text: str, delimiter: str) -> list[str]:
    """The fields of a first row by a delimiter, without blanks around them; none where they cannot be told apart."""
    try:
        row = next(rows(text.split("\n"), Path(), delimiter), None)
    except BadInput:
        return []
    return [] if row is None else list(map(plain, row.fields))


def plain(name: str) -> str:
    """A name of a header without blanks or a byte-order mark around it."""
    return name.strip().strip("\ufeff").strip()


def delimiter_of(text: str, where: str, suits: Suits) -> str:
    """The delimiter by which the fields of a first row `suit`, else the most frequent one outside quotes.

    Raises BadInput where two are equal.
    """
    unquoted = QUOTED.sub("", text)
    times = {delimiter: unquoted.count(delimiter) for delimiter in DELIMITERS if delimiter in unquoted}
    most = max(times.values(), default=0)
    best = [delimiter for delimiter in times if suits(fields_of(text, delimiter))]
    best = best or [delimiter for delimiter in times if times[delimiter] == most] or [COMMA]
    if len(best) > 1:
        found = " and ".join(f"{DELIMITERS[delimiter]}s" for delimiter in best)
        raise BadInput(f"{where}: expected one delimiter between fields, found {found} in {shown(text)}")
    return best[0]


def open_table(path: Path, how: Reading, suits: Suits) -> Table:
    """A table with a header. Raises BadInput for a name that stands in the header twice."""
    line, text = first_row(path)
    delimiter = delimiter_of(text, f"{path}:{line}", suits)
    note_delimiter(path, delimiter, how)
    header = next(rows(lines(path), path, delimiter), None)
    if header is None:
        raise BadInput(f"{path}:{line}: expected a header, found {shown(text)}")
    table = Table(path, delimiter, header.line, tuple(map(plain, header.fields)))
    check_header(table)
    return table


def open_without_header(path: Path, how: Reading, width: int) -> Table:
    """A table whose first row is data, of `width` fields at least.

    The delimiter is the one that divides each of the first rows in as many fields; the most frequent one would be the
    comma of a title where tabs divide the fields. Raises BadInput unless there is just one.
    """
    line, text = first_row(path)
    found = [delimiter for delimiter in DELIMITERS if _even(path, delimiter, max(width, 2))]
    if len(found) != 1:
        several = " and ".join(f"{DELIMITERS[delimiter]}s" for delimiter in found) or "none"
        raise BadInput(
            f"{path}:{line}: expected rows of {width} fields or more, as many in each, with one delimiter between; "
            f"these could be it: {several}; found {shown(text)}"
        )
    note_delimiter(path, found[0], how)
    how.note(f"The first line of {path} is taken as data, not as a header: {shown(text)}.")
    return Table(path, found[0], line, tuple(fields_of(text, found[0])), headed=False)


def read_rows(table: Table, places: Sequence[int], how: Reading) -> Iterator[tuple[str, list[str]]]:
    """(file:line, the fields at `places` without blanks around them) of each row behind the header.

    Notes how many rows go over several lines. Raises BadInput for a row that lacks one of these fields, and for one
    that has more fields than the header, unless these are empty: a comma in a title that stands in no quotes would cut
    the title; and for a header that comes again.
    """
    width, last, long = len(table.names), max(places), 0
    for line, fields, height in rows(lines(table.path), table.path, table.delimiter):
        long += height > 1
        if line == table.line and table.headed:
            continue
        where = f"{table.path}:{line}"
        if len(fields) > width and any(map(str.strip, fields[width:])):
            raise surplus(where, table, len(fields))
        if len(fields) <= last:
            raise BadInput(f"{where}: expected {width} fields, found fewer: {len(fields)}")
        if table.headed and tuple(map(plain, fields)) == table.names:  # of files put one behind the other
            raise BadInput(f"{where}: expected a row, found the header again")
        yield where, [fields[place].strip() for place in places]
    note_long(table.path, long, how)


def surplus(where: str, table: Table, number: int) -> BadInput:
    """The error for a row of more fields than the header has."""
    like = "the header" if table.headed else "the first row"
    kind = DELIMITERS[table.delimiter]
    mend = "" if table.delimiter == COLONS else f"; a field that holds a {kind} needs quotes"
    return BadInput(f"{where}: expected {len(table.names)} fields, as {like} has, found {number}{mend}")


def check_header(table: Table) -> None:
    """Raises BadInput when two columns have one name; some may have none."""
    seen: dict[str, int] = {}
    for place, name in enumerate(table.names, 1):
        if name and name in seen:
            found = f"{shown(name)} as columns {seen[name]} and {place}"
            raise BadInput(f"{table.path}:{table.line}: expected distinct names in the header, found {found}")
        seen[name] = place


def note_delimiter(path: Path, delimiter: str, how: Reading) -> None:
    """Says what stands between the fields when it is no comma."""
    if delimiter != COMMA:
        how.note(f"The fields of {path} are taken to stand between {DELIMITERS[delimiter]}s.")


def note_long(path: Path, number: int, how: Reading) -> None:
    """Says how many rows go over several lines: a stray quotation mark would have swallowed rows."""
    if number:
        how.note(f"{path}: read with a quoted field that goes over several lines: {quantity(number, 'row')}.")


def check_thousands(text: str, delimiter: str, where: str) -> None:
    """Raises BadInput for a count as 1.000 between semicolons, which programs of many countries write for 1000."""
    if delimiter == ";" and THOUSANDS.fullmatch(text):
        raise BadInput(f"{where}: expected a count without a dot, found {shown(text)}, which could be a thousand")


def _even(path: Path, delimiter: str, width: int) -> bool:
    try:
        widths = {len(row.fields) for row in islice(rows(lines(path), path, delimiter), LOOKED_AT)}
    except BadInput:
        return False
    return len(widths) == 1 and widths.pop() >= width
