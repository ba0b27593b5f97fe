"""Autoencoders of documents: plain, denoising and variational, for counts or for rows of real numbers.

They share an encoder of features and a decoder f(z) = output(hidden(z)). The autoencoder (ae) and the denoising one
(dae) give each document one code and minimise the error of its reconstruction; the variational one (vae) gives it a
Gaussian beside the prior N(0, I) and maximises the evidence lower bound (Kingma & Welling 2014).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from dlgm_jax import networks, sparse
from dlgm_jax.devices.collectives import summed
from dlgm_jax.distributions import delta
from dlgm_jax.models import dlgm, likelihoods
from dlgm_jax.settings import LIKELIHOODS, one_of, setting
from dlgm_jax.types import Array, Batch, Code, Csr, Dense, Mlp, Model, Params, RowStatistics

Read = Callable[[Csr], Csr]


@dataclass(frozen=True)
class Settings(dlgm.Settings):
    """The sizes of the deep latent Gaussian model, and what is reconstructed."""

    likelihood: str = setting(
        "multinomial",
        dlgm.LIKELIHOOD,
        one_of((*LIKELIHOODS, "gaussian")),
    )


class Encoder(NamedTuple):
    """phi of one code a document: features -> z."""

    hidden: Mlp
    mean: Dense


class GaussianTheta(NamedTuple):
    """x / scale ~ N(f(z), exp(log_var) I), f(z) = output(hidden(z))."""

    hidden: Mlp
    output: Dense  # weights [H, V]
    log_var: Array  # []
    scale: Array  # [], the unit of the rows, which no gradient moves


class GaussianEvidence(NamedTuple):
    """All that refinement needs to know of a row, in units of the scale: x."""

    xw: Array  # [H], W x
    xb: Array  # [], b.x
    xx: Array  # [], x.x
    words: Array  # [], V


def vae(settings: Settings, features: Read, *, vocab_axis: str | None = None) -> Model:
    """The variational autoencoder (Kingma & Welling 2014); of counts it is the deep latent Gaussian model itself.

    Args:
        settings: sizes and likelihood.
        features: counts as a flat batch -> what the network reads, and of real rows what is modelled.
        vocab_axis: the axis of a mesh along which words are divided, if any.

    Returns:
        The model as functions of its parameters.
    """
    model = likelihoods.build(settings, features, vocab_axis=vocab_axis)
    return of_real_rows(model, vocab_axis) if settings.likelihood == "gaussian" else model


def ae(settings: Settings, features: Read, *, vocab_axis: str | None = None) -> Model:
    """The autoencoder: q is a point, and nothing is paid for where it lies, so log p(x|z) at the code bounds nothing.

    Random codes, for samples and mean Jacobians, are drawn from N(0, I), which training does not know of. A denoising
    autoencoder is the same, trained with dropout on what the network reads. Arguments and result are those of `vae`.
    """
    gaussian = likelihoods.build(settings, features, vocab_axis=vocab_axis)

    def init(key: Array, vocab_size: int) -> Params:
        theta, phi = gaussian.init(key, vocab_size)
        return Params(theta, Encoder(phi.hidden, phi.mean))

    def encode(params: Params, features: Csr) -> Code:
        hidden, mean = params.phi
        product = partial(_product, vocab_axis=vocab_axis)
        last = networks.affine if hidden.layers else partial(networks.affine, product=product)
        return Code(last(mean, networks.mlp(hidden, features, product=product)))

    def no_kl(params: Params, code: Code, z: Array) -> Array:
        return jnp.zeros((), z.dtype)

    of_codes = {"init": init, "encode": encode, "family": delta.POINT, "kl": no_kl, "linear": None, "unit_kl": None}
    model = replace(gaussian, **of_codes)
    return of_real_rows(model, vocab_axis) if settings.likelihood == "gaussian" else model


def of_real_rows(model: Model, vocab_axis: str | None = None) -> Model:
    """The model of the rows that the inference network reads, with a Gaussian likelihood and a learned variance.

    log p(x|z) = -|x - f(z)|^2 / (2 exp(log_var)) - V (log_var + log 2 pi) / 2 in nats, x in units of the spread of the
    training rows: the squared error of the lecture on autoencoders, and with a linear decoder probabilistic PCA
    (Tipping & Bishop 1999), for which the variance must be learned (Lucas et al. 2019). f begins at the mean of the
    training rows. The network reads rows whose length is about 1, as that of tf-idf is.
    """

    def init(key: Array, vocab_size: int) -> Params:
        (hidden, output), phi = model.init(key, vocab_size)
        log_var, scale = jnp.zeros((), output.bias.dtype), jnp.ones((), output.bias.dtype)
        return Params(GaussianTheta(hidden, output, log_var, scale), phi)

    def adapted(params: Params, rows: RowStatistics) -> Params:
        output = Dense(params.theta.output.weights, rows.mean / rows.spread)
        return params._replace(theta=params.theta._replace(output=output, scale=jnp.asarray(rows.spread)))

    def words(params: Params) -> int:
        return params.theta.output.bias.size * (1 if vocab_axis is None else jax.lax.axis_size(vocab_axis))

    def encode(params: Params, features: Csr) -> Any:
        unit = jax.lax.stop_gradient(params.theta.scale) * words(params) ** 0.5
        return model.encode(params, features._replace(values=features.values / unit))

    def evidence(params: Params, batch: Batch) -> GaussianEvidence:
        rows, (weights, bias) = model.features(batch.counts), params.theta.output
        rows = rows._replace(values=rows.values / jax.lax.stop_gradient(params.theta.scale))
        xw = _product(rows, jnp.concatenate([weights, bias[None]]).T, vocab_axis=vocab_axis)
        xx = summed(sparse.row_sums(rows, rows.values**2), vocab_axis)
        return GaussianEvidence(xw[:, :-1], xw[:, -1], xx, jnp.full_like(xx, words(params)))

    return replace(
        model,
        init=init,
        adapted=adapted,
        encode=encode,
        evidence=evidence,
        log_likelihood=lambda params, *rest: gaussian_log_likelihood(params.theta, *rest, vocab_axis=vocab_axis),
        potentials=lambda params, z: networks.potentials(decoder(params), z),
        log_probs=None,
        sample_row=sample_row,
        linear=None,
        decoder=decoder,
    )


def gaussian_log_likelihood(
    theta: GaussianTheta, z: Array, evidence: GaussianEvidence, *, vocab_axis: str | None = None
) -> Array:
    """log N(x; h W + b, exp(log_var) I) - V log scale in nats, h = MLP(z) and x in units of the scale.

    z is [..., K] and evidence has the same leading axes; they are those of the result, [...].

    |x - h W - b|^2 = x.x - 2 (h.(W x) + b.x) + h (W W^T) h + 2 h.(W b) + b.b, so that refinement, whose theta stays,
    never meets the V words. Where rows are far from 0 compared with their spread, float32 loses digits by that.
    """
    weights, bias = theta.output
    h = networks.mlp(theta.hidden, z)
    stacked = jnp.concatenate([weights, bias[None]])  # [H + 1, V]
    gram = summed(stacked @ stacked.T, vocab_axis)
    ones = jnp.concatenate([h, jnp.ones((*h.shape[:-1], 1), h.dtype)], axis=-1)
    reconstructed = jnp.sum((ones @ gram) * ones, axis=-1)
    error = evidence.xx - 2 * (jnp.sum(h * evidence.xw, axis=-1) + evidence.xb) + reconstructed
    log_scale = jax.lax.stop_gradient(jnp.log(theta.scale))
    constant = evidence.words * (theta.log_var + 2 * log_scale + jnp.log(2 * jnp.pi))
    return -0.5 * (error * jnp.exp(-theta.log_var) + constant)


def decoder(params: Params) -> GaussianTheta:
    """The generative model with its output in the units of the rows, as the Jacobians read it."""
    theta = params.theta
    return theta._replace(output=Dense(theta.scale * theta.output.weights, theta.scale * theta.output.bias))


@jax.jit
def sample_row(params: Params, key: Array) -> Array:
    """Draws z and then a row of real numbers [V]."""
    z_key, noise_key = jax.random.split(key)
    mean = networks.potentials(decoder(params), dlgm.prior(params, z_key))
    spread = params.theta.scale * jnp.exp(params.theta.log_var / 2)
    return mean + spread * jax.random.normal(noise_key, mean.shape, mean.dtype)


def _product(matrix: Csr, weights: Array, *, vocab_axis: str | None) -> Array:
    return summed(sparse.product(matrix, weights), vocab_axis)
