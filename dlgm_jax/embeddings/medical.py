"""Medical relatedness of embeddings of codes (Choi et al. 2016; appendix D, eq. 6 and 7)."""

from collections.abc import Sequence

import numpy as np

from dlgm_jax.embeddings.neighbours import nearest, unit_rows

NEIGHBOURS = 40


def mrm_ccs(
    embeddings: np.ndarray,
    groups: Sequence[int] | np.ndarray,
    *,
    num_neighbours: int = NEIGHBOURS,
    normalised: bool = False,
) -> float:
    """MRM_CCS (eq. 6): over codes with a group, the mean of sum_i [neighbour i is in the group] / log2(i + 1).

    `groups` [V] are the groups of the rows, below 0 for rows that have none (they may be neighbours, and count
    nothing). `normalised` gives 100 times the share of the sum with all neighbours in the group, which only groups of
    more than `num_neighbours` codes can reach. A code that is alone in its group counts 0.
    Raises ValueError when no row has a group.
    """
    labels = np.asarray(groups)
    grouped = np.flatnonzero(labels >= 0)
    if not len(grouped):
        raise ValueError("expected codes with a group, found none")
    order, _ = nearest(embeddings, grouped.tolist(), num_neighbours=num_neighbours)
    gains = 1 / np.log2(np.arange(order.shape[1]) + 2)
    mean = np.mean((labels[order] == labels[grouped][:, None]) @ gains)
    return float(100 * mean / gains.sum() if normalised else mean)


def mrm_ndfrt(
    embeddings: np.ndarray, relations: Sequence[tuple[int, int]], *, num_neighbours: int = NEIGHBOURS
) -> tuple[float, float]:
    """MRM_NDF-RT (eq. 7), mean and maximum over seeds, in percent.

    `relations` are pairs of rows (drug, disease). A seed is one of them, s = drug - disease (the paper's example has
    the other sign, by which v - s would not lead from a drug to a disease); a drug v is answered when a neighbour of
    v - s, among all rows but v, is one of its diseases. The seed's own drug is not asked. Raises ValueError unless two
    drugs have a disease.
    """
    units, pairs = unit_rows(embeddings), np.asarray(relations, int).reshape(-1, 2)
    drugs = np.unique(pairs[:, 0])
    if len(drugs) < 2:
        raise ValueError(f"expected relations of at least two drugs, found {len(drugs)}")
    related = np.zeros((len(drugs), len(units)), bool)
    related[np.searchsorted(drugs, pairs[:, 0]), pairs[:, 1]] = True
    shares = [_answered(units, drugs, related, seed, num_neighbours) for seed in pairs]
    return 100 * float(np.mean(shares)), 100 * float(np.max(shares))


def _answered(units: np.ndarray, drugs: np.ndarray, related: np.ndarray, seed, num_neighbours: int) -> float:
    """The share of drugs, but the seed's, that find one of their diseases."""
    drug, disease = seed
    scores = unit_rows(units[drugs] - (units[drug] - units[disease])) @ units.T
    scores[np.arange(len(drugs)), drugs] = -np.inf
    number = min(num_neighbours, len(units) - 1)
    found = np.argpartition(-scores, number - 1, axis=1)[:, :number]
    hits = np.any(np.take_along_axis(related, found, axis=1), axis=1)
    return float(np.mean(hits, where=drugs != drug))
