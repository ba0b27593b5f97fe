"""Words that are symbols of genes: several genes may share one, and some have none."""

from collections import Counter
from collections.abc import Sequence

from dlgm_jax.data.source import Reading
from dlgm_jax.errors import BadInput


def by_symbol(symbols: Sequence[str], ids: Sequence[str], where: str, how: Reading) -> tuple[str, ...]:
    """Distinct words: the symbol of each gene, or its id where it has none; both cases are noted.

    Args:
        symbols: one for each gene, empty where there is none.
        ids: one for each gene.
        where: the file and what in it holds the symbols, for messages and notes.
        how: keeps the notes.

    Raises:
        BadInput: when no gene has a symbol.
    """
    missing = sum(not symbol for symbol in symbols)
    if missing == len(symbols):
        raise BadInput(f"{where}: expected names of genes, found none in all {missing} rows")
    names = [symbol or name for symbol, name in zip(symbols, ids)]
    words = made_distinct(names)
    changed = sum(word != name for word, name in zip(words, names))
    if missing:
        plural = (
            "genes have no name there and keep their ids" if missing > 1 else "gene has no name there and keeps its id"
        )
        how.note(f"{where}: {missing} {plural}.")
    if changed:
        plural = "names that came before have" if changed > 1 else "name that came before has"
        how.note(f"{where}: {changed} {plural} -1, -2, ... behind, so that all words are distinct.")
    return words


def made_distinct(names: Sequence[str]) -> tuple[str, ...]:
    """The same names, with -1, -2, ... behind those that came before, by the rule of AnnData's var_names_make_unique.

    Example:
        >>> made_distinct(["a", "a", "a-1"])
        ('a', 'a-2', 'a-1')
    """
    taken, seen = set(names), set()
    tried: Counter[str] = Counter()
    words = []
    for name in names:
        word = name
        while name in seen and word in taken:
            tried[name] += 1
            word = f"{name}-{tried[name]}"
        seen.add(name)
        taken.add(word)
        words.append(word)
    return tuple(words)
