"""The baseline for films (appendix B): what the people who liked a film thought of the others."""

from typing import Any

import numpy as np
import scipy.sparse

from dlgm_jax.embeddings.neighbours import largest


def mean_rating_neighbours(
    ratings: Any, queries: list[int], *, liked: float, num_neighbours: int, least: float = 0.1
) -> np.ndarray:
    """Of each query film, the films of highest mean rating by the users who rated it above `liked`: [Q, n].

    ratings: sparse [users, films], 0 where there is none. Films that less than the share `least` of these users rated
    come last, or one enthusiast would decide. Equal means, which are many, stand in an order drawn by a fixed seed and
    not in that of the columns. Raises ValueError for a query that nobody rated above `liked`.
    """
    matrix: Any = scipy.sparse.csr_matrix(ratings)
    drawn = np.random.default_rng(0).permutation(matrix.shape[1])
    order = np.empty((len(queries), min(num_neighbours, matrix.shape[1] - 1)), int)
    for place, query in enumerate(queries):
        fans = matrix[np.flatnonzero(matrix[:, [query]].toarray().ravel() > liked)]
        if not fans.shape[0]:
            raise ValueError(f"expected films rated above {liked:g}, found column {query}, which nobody liked")
        seen = fans.getnnz(axis=0)
        means = np.asarray(fans.sum(axis=0)).ravel() / np.maximum(seen, 1)
        means[(seen == 0) | (seen < least * fans.shape[0])] = -1
        means[query] = -np.inf
        order[place] = drawn[largest(means[drawn], order.shape[1])]
    return order


def shared_share(order: np.ndarray, queries: list[int], kinds: list[set[str]]) -> float:
    """The share of neighbours [Q, n] that share a kind (a genre) with their query; `kinds` are of all V rows."""
    hits = [bool(kinds[query] & kinds[other]) for query, row in zip(queries, order) for other in row]
    return float(np.mean(hits))


def popularity_percentile(order: np.ndarray, popularity: np.ndarray) -> float:
    """The mean percentile of popularity [V] of the neighbours, from 0 to 100; 50 is no bias."""
    ranks = np.argsort(np.argsort(popularity, kind="stable"), kind="stable")
    return float(100 * np.mean(ranks[np.asarray(order)] / max(len(popularity) - 1, 1)))
