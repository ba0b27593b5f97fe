"""Rows of real numbers: their statistics, and the baseline beside which their models are read."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from dlgm_jax.data import batches
from dlgm_jax.data.corpus import Documents
from dlgm_jax.errors import BadInput
from dlgm_jax.types import RowStatistics

Rows = Callable[[], Iterable[Any]]  # blocks of the rows of a split as CSR, anew at each call
BLOCK = 512  # documents
FAR = 200  # times the spread; the squares of means so far away take 4e4 of the 1e7 that float32 tells apart
EQUAL = 1e-12  # of the mean square: a variance that rounding may leave


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
    wide = (block.astype(np.float64) for block in rows())
    blocks = [(len(block.indptr) - 1, block.sum(axis=0), (block.data**2).sum()) for block in wide]
    counts, totals, squares = zip(*blocks)
    return Moments(sum(counts), np.asarray(np.sum(totals, axis=0)).ravel(), float(sum(squares)))


def statistics(rows: Rows) -> RowStatistics:
    """The mean [V] of rows, and the spread of their entries about it (of rows that are all equal, their size), float32.

    Raises BadInput where there is nothing but zeros, and where columns are so far from 0 that digits would be lost in
    float32.
    """
    mean, spread = _mean_and_spread(rows)
    if not mean.any() and spread == 0:
        raise BadInput(
            "rows: expected a number that is not 0, found none (tf-idf gives the weight 0 to a column without zeros; "
            "the features named counts take rows as they are)"
        )
    far = int(np.argmax(np.abs(mean)))
    if np.sqrt(np.mean(mean**2)) > FAR * spread:
        raise BadInput(
            f"rows: expected columns whose means are within {FAR} times the spread of the entries, {spread:.3g} (root "
            f"mean square of the means), found {mean[far]:.6g} in column {far}: subtract the means first"
        )
    return RowStatistics(mean.astype(np.float32), np.float32(spread))


def _mean_and_spread(rows: Rows) -> tuple[np.ndarray, float]:
    count, total, squares = moments(rows)
    mean, square = total / count, squares / count / len(total)
    variance = square - float(mean @ mean) / len(mean)
    equal = variance <= EQUAL * square  # but for rounding
    return mean, float(np.sqrt(square if equal else variance))


def one_gaussian(train: Rows, splits: Mapping[str, Rows]) -> dict[str, float]:
    """The mean log-likelihood of the rows of each split in nats, under one N(mean, spread^2 I) fitted to training rows.

    It is what a model whose latents say nothing reaches, as the unigram model is for counts.
    """
    mean, spread = _mean_and_spread(train)

    def log_likelihood(rows: Rows) -> float:
        count, total, squares = moments(rows)
        error = (squares - 2 * float(total @ mean)) / count + float(mean @ mean)  # mean of |x - mean|^2
        return float(-0.5 * (error / spread**2 + len(mean) * np.log(2 * np.pi * spread**2)))

    return {split: log_likelihood(rows) for split, rows in splits.items()}
