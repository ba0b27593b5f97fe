"""Do cosines rank pairs of words as people do? (Table 3 and Table 7.)"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from dlgm_jax.embeddings.neighbours import singulars, unit_rows


class Agreement(NamedTuple):
    """Spearman's rank correlation between ratings and cosines."""

    spearman: float  # nan with fewer than two pairs, or when all ratings or all cosines are the same
    pairs: int  # that were compared
    left_out: int  # pairs with a word that is not in the vocabulary
    missing: tuple[str, ...]  # these words, sorted


def spellings(vocabulary: Sequence[str]) -> Callable[[str], int | None]:
    """The row of a word: as it is, else lower-cased, else the first that differs by case and hyphens; or None."""
    rows = {word: row for row, word in enumerate(vocabulary)}
    plain = {_plain(word): row for row, word in reversed(list(enumerate(vocabulary)))}

    def find(word: str) -> int | None:
        return next((rows[form] for form in (word, word.lower()) if form in rows), plain.get(_plain(word)))

    return find


def _plain(word: str) -> str:
    return word.lower().replace("-", "")


def finder(vocabulary: Sequence[str]) -> Callable[[str], int | None]:
    """The row of a word of a published list: as by `spellings`, else its singular; or None."""
    find = spellings(vocabulary)

    def find_form(word: str) -> int | None:
        forms = word, *singulars(_plain(word))
        return next((row for form in forms if (row := find(form)) is not None), None)

    return find_form


def read_as_singulars(
    words: Iterable[str], find: Callable[[str], int | None], vocabulary: Sequence[str]
) -> tuple[str, ...]:
    """Those words, sorted, that `find` takes for another than a spelling of theirs: for their singular."""
    rows = {word: find(word) for word in words}
    return tuple(sorted(w for w, row in rows.items() if row is not None and _plain(vocabulary[row]) != _plain(w)))


def agreement(first: np.ndarray, second: np.ndarray, ratings: Sequence[float]) -> float:
    """Spearman between the cosines of rows of two [n, K] arrays and n ratings.

    nan with fewer than two, or when all ratings or all cosines are the same.
    """
    cosines = np.sum(unit_rows(first) * unit_rows(second), axis=1)
    if len(ratings) < 2 or np.ptp(ratings) == 0 or np.ptp(cosines) == 0:
        return float("nan")
    correlation: Any = stats.spearmanr(cosines, ratings)
    return float(correlation.statistic)


def known_pairs(
    pairs: Iterable[tuple[str, str, float]], find: Callable[[str], int | None]
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Which pairs have both words: their places [n], the rows of both words [n, 2], and the words that are missing."""
    places, rows, missing = [], [], set()
    for place, (first, second, _) in enumerate(pairs):
        both = find(first), find(second)
        missing.update(word for word, row in zip((first, second), both) if row is None)
        if None not in both:
            places.append(place)
            rows.append(both)
    return np.array(places, int), np.array(rows, int).reshape(-1, 2), tuple(sorted(missing))


def word_similarity(
    embeddings: np.ndarray, find: Callable[[str], int | None], pairs: Sequence[tuple[str, str, float]]
) -> Agreement:
    """Of rows of [V, K] with rated pairs (word, word, rating); `find` gives the row of a word, or None."""
    places, rows, missing = known_pairs(pairs, find)
    embeddings = np.asarray(embeddings)
    ratings = [pairs[place][2] for place in places]
    rho = agreement(embeddings[rows[:, 0]], embeddings[rows[:, 1]], ratings)
    return Agreement(rho, len(places), len(pairs) - len(places), missing)
