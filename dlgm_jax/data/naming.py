"""Names in place of ids: of films, genes or codes, from a second table."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from dlgm_jax.data import columns, delimited, id_columns
from dlgm_jax.data.source import Reading
from dlgm_jax.errors import BadInput, listed, quantity, shown

TITLES = ("name", "title")  # a column that is called so holds the names, wherever it stands


def distinct(names: dict[str, str]) -> dict[str, str]:
    """The name of each id; where two ids have the same name, `name #id`."""
    times = Counter(names.values())
    return {key: f"{name} #{key}" if times[name] > 1 else name for key, name in names.items()}


def renamed(ids: Iterable[str], names: dict[str, str], where: Path, unnamed: Callable[[str], str] = str) -> list[str]:
    """The names of ids; ids without one are called by `unnamed`. Raises BadInput when two would be called the same."""
    owners: dict[str, str] = {}
    for key in ids:
        name = names.get(key) or unnamed(key)
        if name in owners:
            raise BadInput(
                f"{where}: expected distinct names, found {shown(name)} "
                f"for the ids {shown(owners[name])} and {shown(key)}"
            )
        owners[name] = key
    return list(owners)


def one_each(rows: Iterable[tuple[str, list[str]]], what: str) -> dict[str, str]:
    """The value beside each id, from (file:line, [id, value]). Raises BadInput where one id has two values."""
    found: dict[str, str] = {}
    for where, (key, value) in rows:
        if value and not key:
            raise BadInput(f"{where}: expected an id, found none for {shown(value)}")
        if key and found.setdefault(key, value) != value:
            raise BadInput(
                f"{where}: expected one {what} of {shown(key)}, found {shown(found[key])} and {shown(value)}"
            )
    return found


def collected(rows: Iterable[tuple[str, list[str]]]) -> dict[str, str]:
    """The name of each id that has one, from (file:line, [id, name]). Raises BadInput for an id with two names."""
    return {key: name for key, name in one_each(rows, "name").items() if name}


def read_names(path: Path, word_column: str, ids: Collection[str], how: Reading) -> dict[str, str]:
    """The name of each id of a table, distinct.

    Args:
        path: the table; its ids are in the column called like `word_column`, else as `id_columns` says, and its names
            in a column called name or title, else in the one behind the ids.
        word_column: the column of the ids in the table that is to be named.
        ids: the ids that occur there, by which a table without a header is known.
        how: keeps the notes of what was taken.

    Raises:
        BadInput: with file and line; also when the table names none of the ids.
    """

    def headed(header: list[str]) -> bool:
        return bool(word_column) and len(columns.places(header, word_column)) == 1

    def headless(row: list[str]) -> bool:
        return len(row) > 1 and row[0] in ids

    line, text = delimited.first_row(path)
    candidates = [delimited.fields_of(text, delimiter) for delimiter in delimited.DELIMITERS]
    if not any(map(headed, candidates)) and any(map(headless, candidates)):
        delimiter = delimited.delimiter_of(text, f"{path}:{line}", headless)
        delimited.note_delimiter(path, delimiter, how)
        how.note(f"The first line of {path} is taken as data, not as a header: {shown(text)}.")
        first = tuple(delimited.fields_of(text, delimiter))
        table, places = delimited.Table(path, delimiter, line, first, headed=False), [0, 1]
        said = "its first column holds the ids and its second one the names"
    else:
        table = delimited.open_table(path, how, headed)
        places = _places(table, word_column, how)
        key, name = (id_columns.heading(table, place) for place in places)
        said = f"its column {key} holds the ids and {name} the names"
    how.note(f"Words are named by {path}: {said}.")
    names = collected(delimited.read_rows(table, places, how))
    _note_missing(names, ids, path, how)
    return distinct(names)


def _places(table: delimited.Table, word_column: str, how: Reading) -> list[int]:
    """The columns of ids and of names."""
    where = f"{table.path}:{table.line}"
    key = columns.places(table.names, word_column) if word_column else []
    if len(key) > 1:
        raise BadInput(f"{where}: expected one column {shown(word_column)}, found {len(key)}")
    place = key[0] if key else _place_of_ids(table, how)
    titles = sorted(other for title in TITLES for other in columns.places(table.names, title) if other != place)
    name = titles[0] if titles else place + 1
    if name >= len(table.names):
        header = listed(table.names)
        raise BadInput(f"{where}: expected a column of names behind that of ids, found {header}")
    return [place, name]


def _place_of_ids(table: delimited.Table, how: Reading) -> int:
    called = id_columns.CALLED.difference(TITLES)
    return id_columns.place_of(table, id_columns.has_index(table, how), how, called=called)


def _note_missing(names: dict[str, str], ids: Collection[str], path: Path, how: Reading) -> None:
    unnamed = [key for key in ids if key not in names]
    if ids and len(unnamed) == len(ids):
        raise BadInput(
            f"{path}: expected names of words as {shown(unnamed[0])}, found names of others, "
            f"as {shown(next(iter(names), ''))}"
        )
    if unnamed:
        how.note(f"{path}: without a name, called by their ids: {len(unnamed):,} of {quantity(len(ids), 'word')}.")
    times = Counter(names.values())
    if shared := sum(times[names[key]] > 1 for key in ids if key in names):
        how.note(f"{path}: named as another id is, and so written `name #id`: {quantity(shared, 'word')}.")
