"""Rows of real numbers: their statistics, and the baseline beside which their models are read."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from dlgm_jax.data import batches
from dlgm_jax.data.corpus import Documents
from dlgm_jax.types import RowStatistics

Rows = Callable[[], Iterable[Any]]  # blocks of the rows of a split as CSR, anew at each call
BLOCK = 512  # documents


class Moments(NamedTuple):
    """Sums over the rows of a split, in float64."""

    count: int
    total: np.ndarray  # [V]
    squares: float  # of all entries


def rows_of(corpus: Documents, read: Callable[[Any], Any]) -> Rows:
    """The rows that an inference network reads of documents by `features.reader`."""
    return partial(_blocks, corpus, read)


def _blocks(corpus: Documents, read: Callable[[Any], Any]) -> Iterator[Any]:
    size = min(BLOCK, corpus.num_documents)
    for batch in batches.ordered_batches(corpus, size, sizes=batches.padded_sizes(size, corpus)):
        ends, rows = batch.counts.row_ptr, read(batch.counts)
        values, words = np.asarray(rows.values)[: ends[-1]], batch.counts.words[: ends[-1]]
        found = scipy.sparse.csr_matrix((values, words, ends), (len(ends) - 1, corpus.vocab_size))
        yield found[np.flatnonzero(batch.mask)]


def moments(rows: Rows) -> Moments:
    """The sums that a Gaussian needs to know of rows."""
    blocks = [
        (len(b.indptr) - 1, b.sum(axis=0, dtype=np.float64), (b.data.astype(np.float64) ** 2).sum()) for b in rows()
    ]
    counts, totals, squares = zip(*blocks)
    return Moments(sum(counts), np.asarray(np.sum(totals, axis=0)).ravel(), float(sum(squares)))


def statistics(rows: Rows) -> RowStatistics:
    """The mean [V] of rows, and the variance of their entries about it, float32."""
    count, total, squares = moments(rows)
    mean = total / count
    variance = max((squares / count - mean @ mean) / len(mean), float(np.finfo(np.float32).tiny))  # of equal rows
    return RowStatistics(mean.astype(np.float32), np.float32(variance))


def one_gaussian(train: Rows, splits: Mapping[str, Rows]) -> dict[str, float]:
    """The mean log-likelihood of the rows of each split in nats, under one N(mean, variance I) fitted to training rows.

    It is what a model whose latents say nothing reaches, as the unigram model is for counts.
    """
    known = statistics(train)
    mean, variance = known.mean.astype(np.float64), float(known.variance)

    def log_likelihood(rows: Rows) -> float:
        count, total, squares = moments(rows)
        error = (squares - 2 * float(total @ mean)) / count + float(mean @ mean)  # mean of |x - mean|^2
        return float(-0.5 * (error / variance + len(mean) * np.log(2 * np.pi * variance)))

    return {split: log_likelihood(rows) for split, rows in splits.items()}
