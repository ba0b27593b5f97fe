"""Embeddings of documents, judged by their labels."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from dlgm_jax.embeddings.neighbours import unit_rows


class LabelScores(NamedTuple):
    """Shares of test documents whose label is found."""

    neighbours: float  # by a vote of the nearest training documents (cosine)
    linear: float  # by logistic regression on standardised embeddings


def label_scores(train: np.ndarray, labels, test: np.ndarray, test_labels, *, num_neighbours: int = 10) -> LabelScores:
    """How well [D, K] embeddings of training documents tell the labels of test documents."""
    votes = KNeighborsClassifier(min(num_neighbours, len(train)), algorithm="brute")
    votes.fit(unit_rows(train), labels)
    scaler = StandardScaler().fit(train)
    probe = LogisticRegression(max_iter=1000).fit(scaler.transform(train), labels)
    return LabelScores(
        float(votes.score(unit_rows(test), test_labels)), float(probe.score(scaler.transform(test), test_labels))
    )


def with_labels(embeddings: np.ndarray, labels: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """The rows of [D, K] embeddings whose documents have a label (one that is not empty), and these labels."""
    known = [row for row, label in enumerate(labels) if label]
    return embeddings[known], [labels[row] for row in known]


def lsa(train: Any, idf: np.ndarray, num_components: int, *, seed: int = 0) -> Any:
    """Latent semantic analysis: a truncated SVD of tf-idf rows of length 1, fitted to sparse counts [D, V]."""
    return truncated_svd(tfidf_rows(train, idf), num_components, seed=seed)


def truncated_svd(rows: Any, num_components: int, *, seed: int = 0) -> Any:
    """A truncated SVD fitted to sparse rows [D, V], of fewer components where there are fewer rows or columns."""
    number = max(1, min(num_components, min(rows.shape) - 1))
    return TruncatedSVD(number, random_state=seed).fit(rows)


def tfidf_rows(counts: Any, idf: np.ndarray) -> Any:
    """Sparse counts [D, V] as tf-idf rows of length 1."""
    weighted = counts.multiply(np.asarray(idf)[None]).tocsr()
    norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return weighted.multiply(scale[:, None]).tocsr()


def log_normalised_components(train: Any, num_components: int, *, total: float = 1e4, seed: int = 0) -> Any:
    """The usual embedding of single cells: principal components of log(1 + counts scaled to `total` a row).

    train: sparse [D, V]. Gives a function of counts [.., V] to [.., number], fitted to `train`.
    """

    def normalised(counts: Any) -> Any:
        lengths = np.asarray(counts.sum(axis=1), np.float64).ravel()
        scale = np.divide(total, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        return counts.multiply(scale[:, None]).tocsr().log1p()

    number = max(1, min(num_components, min(train.shape) - 1))
    components = PCA(number, svd_solver="arpack", random_state=seed).fit(normalised(train))
    return lambda counts: components.transform(normalised(counts))
