"""The column of a table that holds the ids of its rows, and not the numbers of rows that pandas and R write first."""

from collections.abc import Collection

from dlgm_jax.data import columns, delimited
from dlgm_jax.data.delimited import Table
from dlgm_jax.data.source import Reading
from dlgm_jax.errors import BadInput, listed

CALLED = frozenset(("id", "document", "doc", "cell", "barcode", "name"))  # in small letters
UNNAMED = ("", "unnamed: 0")  # the heading of the numbers of rows, also where pandas wrote a table that it had read


def has_index(table: Table, how: Reading) -> bool:
    """Tells whether the first column has no heading and counts the rows, from 0 or 1, and is left out, which is noted.

    Where there are but two columns, the first one is all that can name the rows.
    """
    if _headed(table, 0) or sum(map(bool, table.names[1:])) < 2:
        return False
    numbers = [fields[0] for _, fields in delimited.read_rows(table, [0], how)]
    if not numbers or numbers not in [list(map(str, range(first, first + len(numbers)))) for first in (0, 1)]:
        return False
    how.note(f"{table.path}: the first column, without a heading, holds the numbers of the rows and is left out.")
    return True


def place_of(
    table: Table, indexed: bool, how: Reading, *, beside: int | None = None, called: Collection[str] = CALLED
) -> int:
    """The column of the ids: the one that is `called` so, else the first one; a first one without a heading goes first.

    Args:
        table: the table.
        indexed: its first column is left out.
        how: keeps the notes of the rows that are read.
        beside: a column that holds something else.
        called: the headings of ids.

    Raises:
        BadInput: where several columns could hold the ids.
    """
    free = [place for place, name in enumerate(table.names) if place != beside and (name or place == 0)]
    free = free[1:] if indexed else free
    named = [place for place in free if columns.bare(table.names[place]).casefold() in called]
    if not free:
        raise _unsure(table, [], "none")
    if free[0] == 0 and not _headed(table, 0):
        for where, (first, *others) in delimited.read_rows(table, [0, *named], how) if named else ():
            if any(other != first for other in others):
                raise _unsure(table, [0, *named], f"different values at {where.rpartition(':')[2]}")
        return 0
    if len(named) == 1:
        return named[0]
    if named and free[0] not in named:
        raise _unsure(table, named, "several")
    if indexed and not named:
        values = [fields[0] for _, fields in delimited.read_rows(table, free[:1], how)]
        if len(set(values)) < len(values):
            raise _unsure(table, free[:1], "values that come again")
    return free[0]


def heading(table: Table, place: int) -> str:
    """The name of a column for people."""
    return listed([table.names[place]]) if table.names[place] else f"number {place + 1}"


def _headed(table: Table, place: int) -> bool:
    return table.names[place].casefold() not in UNNAMED


def _unsure(table: Table, places: list[int], found: str) -> BadInput:
    those = f" in the columns {' and '.join(heading(table, place) for place in places)}" if places else ""
    return BadInput(
        f"{table.path}:{table.line}: expected one column of ids, called id or standing first, found {found}{those}; "
        "leave out the columns that hold no ids"
    )
