"""Document completion: the posterior of a document's observed part predicts the words of the other part.

The tokens of the scored part are predicted each on its own, by a distribution over words that is either the plug-in
mu(E_q[z]) or the predictive E_q[mu(z)]; where words come in bursts, mu is that of one more word beside the observed
ones, given z. Both are normalised, so their perplexities are what they are and no bounds.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dlgm_jax import sparse
from dlgm_jax.errors import BadInput, NonFinite
from dlgm_jax.evaluation.perplexity import corpus_perplexity, perplexity
from dlgm_jax.evaluation.posteriors import posterior
from dlgm_jax.evaluation.scoring import check_finite
from dlgm_jax.inference.batched import Refinement, document_keys
from dlgm_jax.types import AnyArray, Array, Batch, Model, Params


class Completed(NamedTuple):
    """Of the scored part of each document of a batch, in nats."""

    plug_in: AnyArray  # [B], sum_w x_w log mu_w(E_q[z])
    predictive: AnyArray  # [B], sum_w x_w log (1/S) sum_s mu_w(z_s), z_s ~ q


@dataclass(frozen=True)
class Completion:
    """Perplexities of the scored parts of a corpus, over the documents that have one."""

    documents: int
    left_out: int  # documents without a scored part
    plug_in: float  # exp(-mean_d log p_d / N_d)
    predictive: float
    corpus_plug_in: float  # exp(-sum_d log p_d / sum_d N_d)
    corpus_predictive: float


def word_scores(model: Model, *, refinement: Refinement) -> Callable[[Params, Batch, Array], Array]:
    """A jitted function to log mu(E_q[z]) of every document of a batch, as items are ranked: [B, V].

    Raises BadInput for a model of real rows.
    """
    find, log_probs = posterior(model, refinement=refinement), _log_probs(model)

    def step(params: Params, batch: Batch, key: Array) -> Array:
        means = jax.vmap(model.family.mean)(find(params, batch, key))
        return jax.vmap(lambda z: log_probs(params, z))(means)

    return jax.jit(step)


def corpus_scores(
    score: Callable[[Params, Batch, Array], Array], params: Params, batches: Iterable[Batch], key: Array
) -> Iterator[np.ndarray]:
    """`word_scores` of the documents of all batches, on the host, in blocks [.., V]. Raises NonFinite."""
    for batch in batches:
        scores = np.asarray(score(params, batch, key))[batch.mask > 0]
        if not np.isfinite(scores).all():
            raise NonFinite(f"ranking: {np.sum(~np.isfinite(scores))} of {scores.size} scores are not finite")
        yield scores


def completer(
    model: Model, *, refinement: Refinement, num_samples: int
) -> Callable[[Params, Batch, Batch, Array], Completed]:
    """A jitted function of the observed and the scored part of the same documents; dense is one [B, V] at a time.

    The noise of a document depends on the key and its index only. Raises BadInput for a model of real rows.
    """
    find, log_probs = posterior(model, refinement=refinement), _log_probs(model)

    def step(params: Params, observed: Batch, scored: Batch, key: Array) -> Completed:
        psi, words = find(params, observed, key), scored.counts
        keys = document_keys(jax.random.fold_in(key, 2), observed)

        def at_words(z):  # [B, K] -> [P], log probabilities of the scored words
            if model.next_log_probs is None:
                of_words = jax.vmap(partial(log_probs, params))(z)
            else:
                of_words = jax.vmap(partial(model.next_log_probs, params))(z, sparse.to_dense(observed.counts))
            return of_words[words.rows, words.words]

        def another(total, number):
            draws = jax.vmap(lambda q, key: model.family.sample(q, jax.random.fold_in(key, number)))(psi, keys)
            return jnp.logaddexp(total, at_words(draws)), None

        none = jnp.full(words.values.shape, -jnp.inf)
        total, _ = jax.lax.scan(another, none, jnp.arange(num_samples))
        return Completed(
            plug_in=sparse.row_sums(words, words.values * at_words(jax.vmap(model.family.mean)(psi))),
            predictive=sparse.row_sums(words, words.values * (total - jnp.log(num_samples))),
        )

    return jax.jit(step)


def _log_probs(model: Model) -> Callable[..., Array]:
    if model.log_probs is None:
        raise BadInput(
            "completion: expected a model of counts, found one of real rows, which gives words no probability"
        )
    return model.log_probs


def complete_corpus(
    complete: Callable[[Params, Batch, Batch, Array], Completed],
    params: Params,
    observed: Iterable[Batch],
    scored: Iterable[Batch],
    key: Array,
) -> Completion:
    """Completion of all documents; the batches of both parts hold the same documents. Raises NonFinite."""
    parts, lengths = [], []
    for given, other in zip(observed, scored, strict=True):
        kept = other.mask > 0
        found = complete(params, given, other, key)
        parts.append(Completed(*(np.asarray(values, np.float64)[kept] for values in found)))
        lengths.append(np.asarray(other.length, np.float64)[kept])
    return completion(Completed(*map(np.concatenate, zip(*parts))), np.concatenate(lengths))


def completion(scores: Completed, lengths: np.ndarray) -> Completion:
    """Perplexities from the log probabilities and lengths [D] of the scored parts. Raises NonFinite."""
    check_finite("completion", scores)
    return Completion(
        documents=len(lengths),
        left_out=int(np.sum(lengths == 0)),
        plug_in=perplexity(scores.plug_in, lengths),
        predictive=perplexity(scores.predictive, lengths),
        corpus_plug_in=corpus_perplexity(scores.plug_in, lengths),
        corpus_predictive=corpus_perplexity(scores.predictive, lengths),
    )
