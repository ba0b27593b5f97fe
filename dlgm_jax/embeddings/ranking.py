"""Items ranked for users by scores, judged by the items that were held out.

What a user was observed to have is not ranked. Relevance is binary. Users who have no held-out items are left out.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from dlgm_jax.embeddings.neighbours import BLOCK, largest

DEFINITIONS = ("liang", "classical")


class Ranked(NamedTuple):
    """The tops of the rankings of the U users who have held-out items."""

    hits: np.ndarray  # bool [U, n], whether the item at each rank is held out; n is the depth, or V where that is less
    held_out: np.ndarray  # int [U], how many items are
    depth: int  # ranks that were asked for
    left_out: int  # users without held-out items


def ranked(scores: Iterable[np.ndarray], observed: Any, held_out: Any, *, depth: int) -> Ranked:
    """Ranks every user's unobserved items, largest score first.

    scores: blocks [.., V] of the D users, in order; observed, held_out: sparse [D, V]. Equal scores stand in an order
    drawn by a fixed seed and not in that of the columns. Raises ValueError for scores that are NaN, or not of D users.
    """
    seen: Any = scipy.sparse.csr_matrix(observed)
    wanted: Any = scipy.sparse.csr_matrix(held_out)
    relevant = np.diff(wanted.indptr)
    drawn = np.random.default_rng(0).permutation(wanted.shape[1])
    hits, user = np.zeros((len(relevant), min(depth, wanted.shape[1])), bool), 0
    for block in scores:
        for row in block:
            if user < len(relevant) and relevant[user]:
                hits[user] = np.isin(_top(row, _items(seen, user), drawn, hits.shape[1]), _items(wanted, user))
            user += 1
    if user != len(relevant):
        raise ValueError(f"scores: expected those of {len(relevant)} users, found {user}")
    kept = relevant > 0
    return Ranked(hits[kept], relevant[kept], depth, int(np.sum(~kept)))


def recall_at(found: Ranked, k: int, *, definition: str) -> np.ndarray:
    """Of each user, the share of held-out items among the first k: [U].

    `liang`: hits / min(k, held out), at most 1 (Liang et al. 2018, "Variational Autoencoders for Collaborative
    Filtering"); `classical`: hits / held out (as Wang & Blei 2011, "Collaborative Topic Modeling"), never larger.
    Raises ValueError for another definition, and for a k beyond the ranked depth.
    """
    if definition not in DEFINITIONS:
        raise ValueError(f"definition: expected one of {', '.join(DEFINITIONS)}, found {definition!r}")
    possible = np.minimum(k, found.held_out) if definition == "liang" else found.held_out
    return _first(found, k).sum(axis=1) / possible


def ndcg_at(found: Ranked, k: int) -> np.ndarray:
    """Of each user, the discounted cumulative gain of the first k: [U].

    sum_r [item at rank r is held out] / log2(r + 1), by that of a ranking whose first min(k, held out) items all are
    (Liang et al. 2018). Raises ValueError for a k beyond the ranked depth.
    """
    hits = _first(found, k)
    discount = 1 / np.log2(np.arange(2, k + 2))
    return hits @ discount[: hits.shape[1]] / np.cumsum(discount)[np.minimum(k, found.held_out) - 1]


def svd_scores(components: np.ndarray, observed: Any) -> Iterator[np.ndarray]:
    """x C^T C of users' observed counts x [D, V], in blocks [.., V] (PureSVD: Cremonesi et al. 2010).

    components: C [K, V], right singular vectors of the counts of training users.
    """
    for start in range(0, observed.shape[0], BLOCK):
        yield (observed[start : start + BLOCK] @ components.T) @ components


def popularity_scores(popularity: np.ndarray, num_users: int) -> Iterator[np.ndarray]:
    """The same scores [V] for every user, in blocks [1, V]."""
    for _ in range(num_users):
        yield popularity[None]


def _items(matrix: Any, user: int) -> np.ndarray:
    return matrix.indices[matrix.indptr[user] : matrix.indptr[user + 1]]


def _top(scores: np.ndarray, seen: np.ndarray, drawn: np.ndarray, number: int) -> np.ndarray:
    values = np.array(scores, np.float64)
    if np.isnan(values).any():
        raise ValueError(f"scores: expected numbers, found NaN for {np.isnan(values).sum()} of {len(values)} items")
    values[seen] = -np.inf
    return drawn[largest(values[drawn], number)]


def _first(found: Ranked, k: int) -> np.ndarray:
    if not 1 <= k <= found.depth:
        raise ValueError(f"k: expected 1 to {found.depth}, the ranked depth, found {k}")
    return found.hits[:, :k]
