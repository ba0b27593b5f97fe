"""The features of 10x Genomics's files: genes and, in some, antibodies or guides, with ids, symbols and types."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dlgm_jax.data.formats.gene_names import by_symbol
from dlgm_jax.data.source import Reading
from dlgm_jax.errors import BadInput, listed, shown

GENES = "Gene Expression"


class Features(NamedTuple):
    """The rows of a matrix; symbols and types are empty where the file has none."""

    where: str  # the file, and the member if there is one
    ids: Sequence[str]
    symbols: Sequence[str]
    types: Sequence[str]


def chosen(features: Features, how: Reading) -> tuple[list[int], tuple[str, ...]]:
    """The places of the features that are read, and their words: ids, or symbols where asked. Raises BadInput."""
    if how.words not in ("", "symbol"):
        raise BadInput(f"{features.where}: expected --words=symbol, or none for ids, found {shown(how.words)}")
    columns = _of_type(features, how)
    ids = [features.ids[column] for column in columns]
    if how.words:
        if not features.symbols:
            raise BadInput(f"{features.where}: expected symbols in a second field, found one field")
        return columns, by_symbol([features.symbols[column] for column in columns], ids, features.where, how)
    check_once(ids, [column + 1 for column in columns], features.where)
    return columns, tuple(ids)


def check_once(names: Sequence[str], rows: Iterable[int], where: str) -> None:
    """Raises BadInput, beginning with `where` and the row, for a name that is missing or comes again."""
    first: dict[str, int] = {}
    for name, row in zip(names, rows):
        if not name:
            raise BadInput(f"{where}:{row}: expected an id, found none")
        if name in first:
            raise BadInput(f"{where}:{row}: expected distinct ids, found {shown(name)} again, as in row {first[name]}")
        first[name] = row


def _of_type(features: Features, how: Reading) -> list[int]:
    """The places of the features of the type that is asked for; of genes where there are several types; or all."""
    types, wanted = Counter(features.types), how.feature_type or GENES
    if len(types) <= 1 and how.feature_type in ("", *types):
        return list(range(len(features.ids)))
    if not types:
        raise BadInput(f"{features.where}: expected types in a third field for --feature_type, found none")
    if wanted not in types:
        asked = f"--feature_type of {listed(types)}"
        found = shown(wanted) if how.feature_type else f"none, and no {GENES} among these types"
        raise BadInput(f"{features.where}: expected {asked}, found {found}")
    left = [(listed([name]), number) for name, number in types.most_common() if name != wanted]
    features_of = "features of type" if left[0][1] > 1 else "feature of type"
    counted = [f"{left[0][1]} {features_of} {left[0][0]}", *(f"{number} of {name}" for name, number in left[1:])]
    how.note(f"{features.where}: left out: {', '.join(counted)}; --feature_type takes another.")
    return [place for place, name in enumerate(features.types) if name == wanted]
