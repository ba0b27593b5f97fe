"""Every document in two parts: one is observed, the other is scored.

The draw belongs to the document's index in its corpus, so its parts do not depend on the other documents. A document
with fewer than two tokens (or items) is observed whole; its scored part is empty, and who scores leaves it out.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from dlgm_jax.data.corpus import Corpus, Documents
from dlgm_jax.errors import BadInput

MOST = 10**9  # tokens of a document that NumPy can draw from
Split = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


class Halves(NamedTuple):
    """The same documents, in the same order, in two parts whose counts sum to the whole."""

    observed: Corpus
    scored: Corpus

    @property
    def left_out(self) -> int:
        """Documents that nothing is scored of."""
        return int(np.sum(self.scored.entries() == 0))


def tokens(counts: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Of one document's counts, those of the observed tokens, drawn without replacement: [n] -> [n]."""
    return rng.multivariate_hypergeometric(counts, _observed(int(counts.sum()), share))


def items(counts: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Of one document's counts, those of the observed items, each whole or not at all: [n] -> [n]."""
    return np.where(rng.permutation(len(counts)) < _observed(len(counts), share), counts, 0)


def halves(corpus: Documents, split: Split, *, share: float, seed: int) -> Halves:
    """Every document in two parts by `split` (`tokens` or `items`); `share` of it, as near as can be, is observed.

    Of two or more tokens (items) at least one is observed and one scored. Raises BadInput for `tokens` of weights that
    are not whole.
    """
    observed, scored, start = [], [], 0
    for block in corpus.blocks():
        part = _split_block(block, np.arange(start, start + block.shape[0]), split, share=share, seed=seed)
        observed.append(part)
        scored.append(block - part)
        start += block.shape[0]
    return Halves(_like(corpus, observed), _like(corpus, scored))


def _split_block(block: Any, documents: np.ndarray, split: Split, *, share: float, seed: int) -> Any:
    if split is tokens and block.dtype.kind not in "iu":
        raise BadInput("counts: expected whole numbers, whose tokens can be split, found weights")
    most = int(block.sum(axis=1, dtype=np.int64).max())
    if split is tokens and most >= MOST:
        raise BadInput(f"counts: expected fewer than {MOST:,} tokens a document, which can be split, found {most:,}")
    part = block.copy()
    for document, first, end in zip(documents, block.indptr, block.indptr[1:]):
        if first < end:
            rng = np.random.default_rng([seed, document])
            part.data[first:end] = split(block.data[first:end], share, rng)
    return part


def _observed(number: int, share: float) -> int:
    return min(max(round(share * number), 1), max(number - 1, 1))


def _like(corpus: Documents, blocks: list[Any]) -> Corpus:
    counts: Any = scipy.sparse.vstack(blocks, "csr")
    return Corpus(counts, corpus.vocabulary, corpus.ids, corpus.labels, whole=counts.dtype.kind in "iu")
