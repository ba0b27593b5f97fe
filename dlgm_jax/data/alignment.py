"""A corpus over the words of another one, word by word."""

from typing import NamedTuple

import numpy as np
import scipy.sparse

from dlgm_jax.data.corpus import Corpus


class Aligned(NamedTuple):
    """Counts of the words that are known, and how much is not."""

    corpus: Corpus  # over the wanted vocabulary
    unknown: np.ndarray  # [D], tokens of each document that are not in it


def align(corpus: Corpus, vocabulary: tuple[str, ...]) -> Aligned:
    """The same documents over `vocabulary`, whatever the order of their own words."""
    wanted = {word: column for column, word in enumerate(vocabulary)}
    pairs = [(own, wanted[word]) for own, word in enumerate(corpus.vocabulary) if word in wanted]
    rows, columns = np.asarray(pairs, np.int64).reshape(-1, 2).T
    shape = (corpus.vocab_size, len(vocabulary))
    chosen = scipy.sparse.csr_matrix((np.ones(len(rows), corpus.counts.dtype), (rows, columns)), shape)
    aligned = Corpus(corpus.counts @ chosen, vocabulary, corpus.ids, corpus.labels, corpus.whole)
    return Aligned(aligned, corpus.lengths - aligned.lengths)
