"""Nearest neighbours by cosine."""

from collections.abc import Sequence

import numpy as np


def nearest(embeddings: np.ndarray, queries: Sequence[int], *, num_neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each query row of [V, K], the other rows of largest cosine: indices and cosines, both [Q, n].

    n is the smaller of `num_neighbours` and V - 1. A row of zeros has cosine 0 with every other.
    """
    rows = np.asarray(embeddings, np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    units = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    cosines = units[list(queries)] @ units.T
    cosines[np.arange(len(queries)), list(queries)] = -np.inf
    order = np.argsort(-cosines, axis=1, kind="stable")[:, : min(num_neighbours, len(rows) - 1)]
    return order, np.take_along_axis(cosines, order, axis=1)
