"""Perplexity of bounds on log p(x), and the unigram model as its baseline."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dlgm_jax.data.corpus import Documents

SMOOTHING = 0.01  # added to each word's count by the unigram baseline where it would be infinite


def perplexity(bounds: np.ndarray, lengths: np.ndarray) -> float:
    """exp(-(1/D) sum_d ELBO_d / N_d) over documents with words: the paper's perplexity, a mean over documents."""
    kept = lengths > 0
    return _exp(-np.mean(bounds[kept] / lengths[kept])) if kept.any() else float("nan")


def corpus_perplexity(bounds: np.ndarray, lengths: np.ndarray) -> float:
    """exp(-sum_d ELBO_d / sum_d N_d) over documents with words: the corpus total."""
    kept = lengths > 0
    if not kept.any():
        return float("nan")
    return _exp(-np.sum(bounds[kept]) / np.sum(lengths[kept]))


class Unigram(NamedTuple):
    """The unigram model of a training split, and what it gives other documents."""

    added: float  # to each word's count in training; 0 is the plain model
    log_likelihoods: dict[str, np.ndarray]  # [D] by split, in nats, all of one model

    @property
    def name(self) -> str:
        """The model for people."""
        return "unigram model" + (f", {self.added} added to each word's count" if self.added else "")


def unigram_baseline(train: Documents, corpora: Mapping[str, Documents]) -> Unigram:
    """The unigram model that scores all of `corpora`: plain, or smoothed by SMOOTHING where one of them holds a word
    that training never saw, whose perplexity would be infinite. The splits stay comparable with each other.
    """

    def with_added(added: float) -> Unigram:
        return Unigram(
            added, {split: unigram_log_likelihoods(train, corpus, added=added) for split, corpus in corpora.items()}
        )

    plain = with_added(0.0)
    finite = all(np.isfinite(values).all() for values in plain.log_likelihoods.values())
    return plain if finite else with_added(SMOOTHING)


def unigram_perplexity(train: Documents, corpus: Documents) -> float:
    """Perplexity, mean over documents, of the training split's word frequencies.

    Infinite when a word that never occurs in training occurs here.
    """
    return perplexity(unigram_log_likelihoods(train, corpus), corpus.lengths.astype(np.float64))


def unigram_log_likelihoods(train: Documents, corpus: Documents, *, added: float = 0.0) -> np.ndarray:
    """Log-likelihoods of documents in nats, under the training split's word frequencies with `added` to each: [D].

    -inf for a document with a word whose frequency is 0.
    """
    frequencies = train.word_frequencies() + added
    with np.errstate(divide="ignore"):
        log_probs = np.log(frequencies / frequencies.sum())
    found = [
        np.bincount(
            np.repeat(np.arange(block.shape[0]), np.diff(block.indptr)),
            block.data * log_probs[block.indices],
            minlength=block.shape[0],
        )
        for block in corpus.blocks()
    ]
    return np.concatenate(found)


def _exp(x: Any) -> float:
    with np.errstate(over="ignore"):
        return float(np.exp(x))
