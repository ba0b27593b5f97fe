"""Words that come in bursts: documents drawn from a Dirichlet-multinomial whose parameters the decoder gives.

A word that was seen once is likelier to come again than the multinomial says (Madsen et al. 2005; Elkan 2006). The
potentials gamma(z) are the logarithms of the concentrations alpha of a Dirichlet, from which the document's own
distribution over words is drawn. Words have the same means as in the deep latent Gaussian model, mu = softmax(gamma);
A = sum_v alpha_v, which a softmax does not see, says how alike all documents of one z are.
"""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp

from dlgm_jax import networks, sparse
from dlgm_jax.devices.collectives import logsumexp_across, shared, summed
from dlgm_jax.distributions.rising import burst
from dlgm_jax.inference.softmax import logsumexp_and_logits_at, logsumexp_linear
from dlgm_jax.models import dlgm
from dlgm_jax.types import Array, Batch, Csr, LinearSoftmax, Model, Params

CONCENTRATION = 200.0  # A of untrained parameters


class Evidence(NamedTuple):
    """All that log p(x|z) needs of the documents of a batch."""

    multinomial: dlgm.Evidence  # leaves [B, ..]
    counts: Csr  # [B, V]

    @property
    def length(self) -> Array:
        """N of every document: [B]."""
        return self.multinomial.length


def of_bursty_words(model: Model, vocab_axis: str | None = None) -> Model:
    """The deep latent Gaussian model with the Dirichlet-multinomial for the multinomial."""
    softmax = model.linear
    assert softmax is not None

    def evidence(params: Params, batch: Batch) -> Evidence:
        return Evidence(model.evidence(params, batch), batch.counts)

    def adapted(params: Params, frequencies: Array) -> Params:
        shares = (frequencies + 1) / jnp.sum(frequencies + 1)
        bias = jnp.log(CONCENTRATION * shares).astype(params.theta.output.bias.dtype)
        return params._replace(theta=params.theta._replace(output=params.theta.output._replace(bias=bias)))

    def log_concentration(params: Params, z: Array) -> Array:
        """log A."""
        h = networks.mlp(params.theta.hidden, z)
        return logsumexp_across(logsumexp_linear(shared(h, vocab_axis), *params.theta.output), vocab_axis)

    def curvature(params: Params, z: Array, document) -> Array:
        """Scales that of the multinomial, N F(z), by (1 + A) / (N + A), since words of a burst tell less."""
        A = jnp.exp(log_concentration(params, z))
        return (1 + A) / (document.length + A) * softmax.curvature(params, z, document)

    return replace(
        model,
        evidence=evidence,
        select=select,
        log_likelihood=lambda params, *rest: log_likelihood(params.theta, *rest, vocab_axis=vocab_axis),
        adapted=adapted,
        linear=LinearSoftmax(softmax.information, curvature, softmax.hidden_share),
        own_log_probs=own_log_probs,
        next_log_probs=next_log_probs,
    )


def select(evidence: Evidence, documents: Array) -> Evidence:
    """The evidence of some documents, by their places in the batch [D]."""
    of_documents = jax.tree.map(lambda leaf: jnp.asarray(leaf)[documents], evidence.multinomial)
    return Evidence(of_documents, sparse.select_rows(evidence.counts, documents))


def log_likelihood(theta: dlgm.Theta, z: Array, evidence: Evidence, *, vocab_axis: str | None = None) -> Array:
    """log p(x|z) of the words of documents in their order, in nats, for z [B, K]: [B].

    It is lgamma(A) - lgamma(A + N) + sum_v lgamma(alpha_v + x_v) - lgamma(alpha_v): what the multinomial of mu gives,
    and for every word and the document their `burst`, which vanishes for words seen once and as A grows.
    """
    (xw, xb, length), counts = evidence
    h = networks.mlp(theta.hidden, z)
    log_A, log_alpha = logsumexp_and_logits_at(shared(h, vocab_axis), *theta.output, counts)
    log_A = logsumexp_across(log_A, vocab_axis)
    bursts = summed(sparse.row_sums(counts, burst(log_alpha, counts.values)), vocab_axis)
    return jnp.sum(h * xw, axis=-1) + xb - length * log_A + bursts - burst(log_A, length)


def own_log_probs(params: Params, z: Array, key: Array) -> Array:
    """Draws the distribution over words of one document from Dirichlet(alpha(z)): log probabilities [V]."""
    return jax.nn.log_softmax(jax.random.loggamma(key, jnp.exp(networks.potentials(params.theta, z))))


def next_log_probs(params: Params, z: Array, seen: Array) -> Array:
    """log (alpha_v + x_v) / (A + N), the probability of one more word beside the counts x = seen [V]: [V]."""
    log_seen = jnp.where(seen > 0, jnp.log(jnp.maximum(seen, 1e-30)), -jnp.inf)
    return jax.nn.log_softmax(jnp.logaddexp(networks.potentials(params.theta, z), log_seen))
