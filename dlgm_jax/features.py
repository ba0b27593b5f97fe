"""What the inference network reads: tf-idf, normalised or bare counts, of one dense document and of a flat batch."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from dlgm_jax.devices.collectives import summed
from dlgm_jax.sparse import row_sums
from dlgm_jax.types import Array, Csr

FEATURES = ("tfidf", "tfidf_smooth", "norm", "counts")


def idf(document_frequencies, num_documents, *, smooth: bool = False) -> Array:
    """Inverse document frequencies [V], from the number of documents that hold each word [V] and their total D.

    log(D / df) as in the paper (section 3), or ln((1 + D) / (1 + df)) + 1 when `smooth`. A word of no
    document gets 0 in the paper's form: it tells nothing.
    """
    frequencies = jnp.asarray(document_frequencies, jnp.result_type(float))
    if smooth:
        return jnp.log((1 + num_documents) / (1 + frequencies)) + 1
    return jnp.where(frequencies > 0, jnp.log(num_documents / jnp.maximum(frequencies, 1)), 0)


def tfidf(counts: Array, idf: Array) -> Array:
    """Counts times idf, normalised to length 1 in L2: [V]; a document without weight gives zeros."""
    weights = _floating(counts) * _floating(idf)
    return _divide(weights, jnp.sqrt(_positive(jnp.sum(weights**2))), jnp.any(weights != 0))


def normalised_counts(counts: Array) -> Array:
    """x / sum(x): [V]; an empty document gives zeros."""
    counts = _floating(counts)
    total = jnp.sum(counts)
    return _divide(counts, _positive(total), total > 0)


def batch_tfidf(counts: Csr, idf: Array, *, vocab_axis: str | None = None) -> Csr:
    """`tfidf` of every row of a flat batch; `idf` [V] of the whole vocabulary."""
    weights = counts.values * idf[_whole_vocabulary_ids(counts, vocab_axis)]
    squares = summed(row_sums(counts, weights**2), vocab_axis)[counts.rows]
    return counts._replace(values=_divide(weights, jnp.sqrt(_positive(squares)), squares > 0))


def batch_normalised_counts(counts: Csr, *, vocab_axis: str | None = None) -> Csr:
    """`normalised_counts` of every row of a flat batch."""
    totals = summed(row_sums(counts, counts.values), vocab_axis)[counts.rows]
    return counts._replace(values=_divide(counts.values, _positive(totals), totals > 0))


def idf_for(name: str, document_frequencies, num_documents) -> Array:
    """The `idf` [V] in the form that a name in FEATURES means."""
    return idf(document_frequencies, num_documents, smooth=name == "tfidf_smooth")


def reader(name: str, idf, *, vocab_axis: str | None = None) -> Callable[[Any], Any]:
    """The features that the inference network reads, by their name in FEATURES.

    They are a function of a flat batch (Csr), or of the counts of one document [V]. `idf` [V] is that of `idf_for`.

    With a `vocab_axis`, each of its devices has a block of the columns of the batch.
    """
    if name == "counts":
        of_document, of_batch = _floating, _unchanged
    elif name == "norm":
        of_document, of_batch = normalised_counts, partial(batch_normalised_counts, vocab_axis=vocab_axis)
    else:
        weights = jnp.asarray(idf)
        of_document, of_batch = partial(tfidf, idf=weights), partial(batch_tfidf, idf=weights, vocab_axis=vocab_axis)
    return lambda counts: of_batch(counts) if isinstance(counts, Csr) else of_document(counts)


def drop_words(features: Csr, document_keys: Array, rate: float, *, vocab_axis: str | None = None) -> Csr:
    """Dropout on the input: an entry vanishes with probability `rate`, the others grow by 1 / (1 - rate).

    The draw belongs to (document, word), so it depends on neither the batch nor the padding nor the devices.
    """

    def keep(key, word):
        return jax.random.bernoulli(jax.random.fold_in(key, word), 1 - rate)

    kept = jax.vmap(keep)(document_keys[features.rows], _whole_vocabulary_ids(features, vocab_axis))
    return features._replace(values=jnp.where(kept, features.values / (1 - rate), 0))


def _whole_vocabulary_ids(counts: Csr, vocab_axis: str | None):
    if vocab_axis is None:
        return counts.words
    return counts.words + jax.lax.axis_index(vocab_axis) * (counts.word_ptr.size - 1)


def _unchanged(counts: Csr) -> Csr:
    return counts


def _floating(x) -> Array:
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.result_type(float))


def _positive(x):
    return jnp.where(x > 0, x, 1)


def _divide(x, by, defined):
    return jnp.where(defined, x / by, 0)
