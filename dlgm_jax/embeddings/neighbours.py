"""Nearest neighbours by cosine, exact, for any number of rows."""

from collections.abc import Sequence

import numpy as np

NOT_PLURAL = frozenset({"news", "gas", "lens", "physics", "mathematics", "economics", "politics"})
# endings of plurals, and what may stand in their place in the singular
PLURALS = (
    ("ies", ("ie", "y")),
    ("ves", ("ve", "f", "fe")),
    ("men", ("man",)),
    ("'s", ("",)),
    *((ending + "es", (ending + "e", ending)) for ending in ("s", "x", "z", "ch", "sh", "o")),
)
NOT_STRIPPED = ("ss", "us", "is")  # words end so in the singular
BLOCK = 512  # queries whose cosines with all rows are held at once


def unit_rows(embeddings: np.ndarray) -> np.ndarray:
    """Rows of length 1, in float64: [V, K]. A row of zeros stays one, so its cosine with every other is 0.

    Raises ValueError for a row that is not finite.
    """
    rows = np.asarray(embeddings, np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(norms).all():
        raise ValueError(f"expected finite rows, found {np.sum(~np.isfinite(norms))} of {len(rows)} that are not")
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)


def nearest(embeddings: np.ndarray, queries: Sequence[int], *, num_neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each query row of [V, K], the other rows of largest cosine: indices and cosines, both [Q, n].

    n is the smaller of `num_neighbours` and V - 1. Equal cosines stand in the order of rows.
    """
    rows = np.asarray(embeddings)
    own = np.asarray(list(queries), int)
    return nearest_to(rows, rows[own], num_neighbours=num_neighbours, omitted=own[:, None])


def nearest_to(
    embeddings: np.ndarray, vectors: np.ndarray, *, num_neighbours: int, omitted: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Of each vector [Q, K], the rows of [V, K] of largest cosine: indices and cosines, both [Q, n].

    `omitted` [Q, m] are rows that each query must not find; n is the smaller of `num_neighbours` and V - m.
    """
    units, towards = unit_rows(embeddings), unit_rows(vectors)
    omitted = np.empty((len(towards), 0), int) if omitted is None else np.asarray(omitted)
    number = max(0, min(num_neighbours, len(units) - omitted.shape[1]))
    order = np.empty((len(towards), number), int)
    found = np.empty((len(towards), number))
    for start in range(0, len(towards), BLOCK):
        cosines = towards[start : start + BLOCK] @ units.T
        np.put_along_axis(cosines, omitted[start : start + BLOCK], -np.inf, axis=1)
        for query, row in enumerate(cosines, start):
            order[query] = largest(row, number)
            found[query] = row[order[query]]
    return order, found


def largest(values: np.ndarray, number: int) -> np.ndarray:
    """Where the `number` largest of [V] are, the largest first; equal values in the order of their places."""
    if number == 0:
        return np.empty(0, int)
    least = np.partition(values, -number)[-number]
    places = np.flatnonzero(values >= least)
    return places[np.argsort(-values[places], kind="stable")][:number]


def singulars(word: str) -> tuple[str, ...]:
    """What the singular of a word may be, first the word itself: `caches` may be of `cache` or of `cach`."""
    if word in NOT_PLURAL:
        return (word,)
    found = [word]
    for ending, stems in PLURALS:
        if word.endswith(ending) and len(word) > len(ending):
            found += [word.removesuffix(ending) + stem for stem in stems]
    if word.endswith("s") and len(word) > 3 and not word.endswith(NOT_STRIPPED):
        found.append(word[:-1])
    return tuple(dict.fromkeys(found))


def without_plurals(query: str, neighbours: Sequence[str]) -> list[int]:
    """Places of the neighbours that are no plural or singular of the query or of one before them (Table 2a).

    Two words are taken for forms of one when they may have the same singular.
    """
    seen, kept = set(singulars(query)), []
    for place, word in enumerate(neighbours):
        if seen.isdisjoint(singulars(word)):
            seen.update(singulars(word))
            kept.append(place)
    return kept
