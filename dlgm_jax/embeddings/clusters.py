"""Spectral clustering of embeddings (von Luxburg 2007).

The affinity (1 + cos) / 2 of unit rows U [V, K] is B B^T with B = [1, U] / sqrt 2, of rank K + 1: the eigenvectors of
D^-1/2 A D^-1/2 are the left singular vectors of D^-1/2 B, and the [V, V] matrix is never formed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.metrics import adjusted_rand_score

from dlgm_jax.embeddings.neighbours import unit_rows

AFFINITIES = "cosine", "neighbours"


def spectral_clusters(
    embeddings: np.ndarray, num_clusters: int, *, affinity: str = "cosine", num_neighbours: int = 10, seed: int = 0
) -> np.ndarray:
    """The cluster of every row of [V, K]: [V], from 0, the largest cluster first.

    `affinity` is `cosine`, (1 + cos) / 2 of all pairs, or `neighbours`, scikit-learn's graph of each row's
    `num_neighbours` nearest ones. Raises ValueError for another affinity, and unless 1 <= num_clusters <= V.
    """
    units = unit_rows(embeddings)
    if affinity not in AFFINITIES:
        raise ValueError(f"affinity is one of {', '.join(AFFINITIES)}; found {affinity!r}")
    if not 1 <= num_clusters <= len(units):
        raise ValueError(f"num_clusters is from 1 to the {len(units)} rows; found {num_clusters}")
    if num_clusters == len(units):
        return np.arange(num_clusters)
    if affinity == "neighbours":
        graph = SpectralClustering(
            num_clusters, affinity="nearest_neighbors", n_neighbors=min(num_neighbours, len(units)), random_state=seed
        )
        return _largest_first(graph.fit_predict(units))
    places = spectral_embedding(units, num_clusters)
    settings: dict[str, Any] = {"n_init": 5, "random_state": seed}
    return _largest_first(KMeans(num_clusters, **settings).fit_predict(places))


def spectral_embedding(units: np.ndarray, num_components: int) -> np.ndarray:
    """Leading eigenvectors of D^-1/2 A D^-1/2 over sqrt(D), as scikit-learn scales them: [V, n].

    n is the smallest of `num_components`, K + 1 and V.
    """
    factor = np.column_stack([np.ones(len(units)), units]) / np.sqrt(2)
    degrees = factor @ factor.sum(axis=0)
    scaled = factor / np.sqrt(degrees)[:, None]
    vectors, _, _ = np.linalg.svd(scaled, full_matrices=False)
    return vectors[:, :num_components] / np.sqrt(degrees)[:, None]


def _largest_first(labels: np.ndarray) -> np.ndarray:
    sizes = np.bincount(labels)
    rank = np.empty(len(sizes), int)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return rank[labels]


def agreement_with_labels(embeddings: np.ndarray, labels: Sequence[str], *, seed: int = 0) -> float:
    """The adjusted Rand index of labels and of as many k-means clusters of the rows [D, K]: 0 chance, 1 the same."""
    settings: dict[str, Any] = {"n_init": 10, "random_state": seed}
    found = KMeans(len(set(labels)), **settings).fit_predict(embeddings)
    return float(adjusted_rand_score(labels, found))
