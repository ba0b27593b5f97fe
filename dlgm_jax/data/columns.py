"""Columns of a table by their names, as a user or a format asks for them."""

import re
from collections.abc import Sequence

from dlgm_jax.errors import BadInput, listed, shown

TYPED = re.compile(r"(.+):(?:token|token_seq|float|float_seq)")  # `user_id:token` of RecBole's files


def bare(name: str) -> str:
    """A name without the type that RecBole writes behind it."""
    typed = TYPED.fullmatch(name)
    return typed[1] if typed else name


def places(names: Sequence[str], asked: str) -> list[int]:
    """The columns that are called so: exactly, else but for RecBole's types, else but for capitals."""
    for written, sought in (
        (names, asked),
        ([bare(name) for name in names], asked),
        ([bare(name).casefold() for name in names], asked.casefold()),
    ):
        found = [place for place, name in enumerate(written) if name == sought]
        if found:
            return found
    return []


def have(names: Sequence[str], asked: Sequence[str]) -> bool:
    """Tells whether there is one column of each of these names."""
    return all(len(places(names, name)) == 1 for name in asked)


def chosen(names: Sequence[str], asked: Sequence[str], where: str) -> list[int]:
    """The column of each of these names. Raises BadInput for one that is not there, or could be two."""
    found = [places(names, name) for name in asked]
    missing = [name for name, those in zip(asked, found) if not those]
    if missing:
        header = shown(", ".join(names))
        raise BadInput(f"{where}: expected the columns {listed(asked)}, found no {listed(missing)} in {header}")
    for name, those in zip(asked, found):
        if len(those) > 1:
            several = listed([names[place] for place in those])
            raise BadInput(f"{where}: expected one column {shown(name)}, found {several}")
    columns = [those[0] for those in found]
    if len(set(columns)) < len(columns):
        raise BadInput(f"{where}: expected different columns, found {listed(asked)}")
    return columns
