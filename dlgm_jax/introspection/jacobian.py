"""Jacobian vectors: how each word's potential, log-probability or probability moves with z (eq. 4).

Potentials are linear in the hidden layer, gamma(z) = h(z) W + b, so only J_h = dh/dz [H, K] is ever differentiated:

    J_pot = W^T J_h        J_log = J_pot - 1 (mu W^T) J_h        J_prob = mu * J_log

and the means of the first two need one [V, K] product for all samples.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from dlgm_jax import networks
from dlgm_jax.distributions import gaussian
from dlgm_jax.networks import Decoder, latent_dim, potentials
from dlgm_jax.types import Array, Gaussian, Mlp, Model, Params

VARIANTS = "pot", "log", "prob"
BLOCK = 100  # samples of z taken at once by `jacobian_mean`


@partial(jax.jit, static_argnames="variant")
def jacobian_at(params: Params, z: Array, *, variant: str = "log") -> Array:
    """J(z): [V, K], row v the Jacobian vector of word v at z [K]; `variant` is `pot`, `log` or `prob` (eq. 4).

    Raises ValueError for another variant or another shape of z.
    """
    return _jacobian(params.theta, z, variant)


@partial(jax.jit, static_argnames="variant")
def jacobian_rows(params: Params, z: Array, ids: Array, *, variant: str = "log") -> Array:
    """The rows of J(z) (eq. 4) for the words ids [n]: [n, K], without the others; z is [K].

    Ids are integers with 0 <= id < V, which cannot be checked under jit: others give rows of NaN. Raises
    ValueError for another variant, another shape of z, and ids that are not a vector of integers.
    """
    return _jacobian(params.theta, z, variant, partial(_columns, ids=_checked(ids)))


@partial(jax.jit, static_argnames=("num_samples", "variant"))
def jacobian_mean(params: Params, key: Array, *, num_samples: int = 400, variant: str = "log") -> Array:
    """J_mean = E_{p(z)}[J(z)]: [V, K], the plain average over `num_samples` draws of z from the prior (eq. 4).

    E[J_pot] = W^T E[J_h] and E[J_log] = E[J_pot] - 1 E[(mu W^T) J_h]; E[J_prob] takes a [V, K] product per sample, or
    one in the log-linear model. Samples are summed in blocks, so memory does not grow with them, also under `grad`.
    """
    networks.check_of_counts(params.theta)
    prior = gaussian.standard(latent_dim(params.theta))
    return _mean_jacobian(params.theta, _draws(params.theta, prior), key, num_samples, variant)


@partial(jax.jit, static_argnames=("num_samples", "variant"))
def jacobian_posterior(
    params: Params,
    psi: Gaussian,
    key: Array,
    *,
    ids: Array | None = None,
    num_samples: int = 50,
    variant: str = "log",
) -> Array:
    """E_{q(z|x)}[J(z)], the contextual Jacobian vectors of a document with posterior psi ([K], [K]): [V, K].

    The plain average over `num_samples` draws from q. With word ids [n] (as `jacobian_rows`) their rows only: [n, K].
    `vmap` it over psi, key and ids for a batch of contexts. Raises ValueError as the others do.
    """
    theta = params.theta
    networks.check_of_counts(theta)
    for name, leaf in zip(("psi.mean", "psi.log_var"), psi):
        if jnp.shape(leaf) != (latent_dim(theta),):
            raise ValueError(f"{name} has shape {jnp.shape(leaf)}, expected {(latent_dim(theta),)}; vmap for more")
    pick = _whole if ids is None else partial(_columns, ids=_checked(ids))
    return _mean_jacobian(theta, _draws(theta, psi), key, num_samples, variant, pick)


def variants_of(model: Model) -> tuple[str, ...]:
    """The variants of the Jacobian that a model has, the first of which is shown unless another is asked for."""
    return ("log", "pot", "prob") if model.of_words else ("pot",)


def mean_jacobian(
    model: Model,
    params: Params,
    key: Array,
    *,
    psi: Any = None,
    ids: Array | None = None,
    num_samples: int = 400,
    variant: str = "log",
) -> Array:
    """E[J(z)] of any model, z from its prior, or from q(z; psi) of one document: [V, K].

    With word ids [n] (as `jacobian_rows`) their rows only: [n, K]. Where the decoder is an MLP with a linear output the
    mean takes one product for all samples, as in `jacobian_mean`, which it equals for a deep latent Gaussian model.
    Other decoders are differentiated draw by draw. Raises ValueError as the others do, and for a variant that the model
    does not have (`variants_of`).
    """
    _check_variant(variant, num_samples, variants_of(model))
    draw, of = (model.prior, params) if psi is None else (model.family.sample, psi)
    how = {"draw": draw, "num_samples": num_samples, "variant": variant}
    if model.decoder:
        return _of_decoder(params, of, key, ids, decoder=model.decoder, **how)
    return _by_draws(params, of, key, ids, potentials_of=model.potentials, log_probs_of=model.log_probs, **how)


@partial(jax.jit, static_argnames=("decoder", "draw", "num_samples", "variant"))
def _of_decoder(params, of, key, ids, *, decoder, draw, num_samples: int, variant: str) -> Array:
    pick = _whole if ids is None else partial(_columns, ids=_checked(ids))
    return _mean_jacobian(decoder(params), partial(draw, of), key, num_samples, variant, pick)


@partial(jax.jit, static_argnames=("potentials_of", "log_probs_of", "draw", "num_samples", "variant"))
def _by_draws(params, of, key, ids, *, potentials_of, log_probs_of, draw, num_samples: int, variant: str) -> Array:
    pick = _whole if ids is None else partial(_columns, ids=_checked(ids))
    outputs = {"pot": potentials_of, "log": log_probs_of, "prob": lambda *z: jnp.exp(log_probs_of(*z))}[variant]

    def at(sample):
        z = draw(of, jax.random.fold_in(key, sample))
        return pick(jax.jacfwd(partial(outputs, params))(z).T)

    def add(total, sample):
        return total + at(sample), None

    zero = jax.tree.map(jnp.zeros_like, jax.eval_shape(at, 0))
    return jax.lax.scan(add, zero, jnp.arange(num_samples))[0].T / num_samples


def _draws(theta: Decoder, psi: Gaussian) -> Callable[[Array], Array]:
    """Draws from psi in the type of theta's arrays."""
    return partial(gaussian.sample, Gaussian(*(jnp.asarray(leaf, theta.output.weights.dtype) for leaf in psi)))


def _whole(words: Array) -> Array:
    return words


def _mean_jacobian(
    theta: Decoder, draw: Callable[[Array], Array], key: Array, num_samples: int, variant: str, pick=_whole
) -> Array:
    """The rows that `pick`, [..., V] -> [..., n], takes of E[J(z)] over draws of z: [n, K]."""
    _check_variant(variant, num_samples)
    mean = partial(_mean, theta, draw, key, num_samples)
    if variant == "prob":
        return mean(partial(_prob, theta, pick=pick)).T
    words = pick(theta.output.weights).T
    if variant == "pot":
        return words @ mean(partial(_hidden, theta.hidden))
    hidden, expected = mean(partial(_hidden_and_expected, theta))
    return words @ hidden - expected


def _jacobian(theta: Decoder, z, variant: str, pick: Callable[[Array], Array] = _whole) -> Array:
    """The rows that `pick`, [..., V] -> [..., n], takes: [n, K]."""
    _check_variant(variant)
    weights = theta.output.weights
    z = jnp.asarray(z, weights.dtype)
    if z.shape != (latent_dim(theta),):
        raise ValueError(f"z has shape {z.shape}, expected {(latent_dim(theta),)}; vmap for more")
    hidden = jax.jacfwd(partial(networks.mlp, theta.hidden))(z)
    pot = pick(weights).T @ hidden
    if variant == "pot":
        return pot
    mu = jax.nn.softmax(potentials(theta, z))
    log = pot - (weights @ mu) @ hidden
    return log if variant == "log" else pick(mu)[:, None] * log


def _checked(ids) -> Array:
    ids = jnp.asarray(ids)
    if ids.ndim != 1 or not jnp.issubdtype(ids.dtype, jnp.integer):
        raise ValueError(f"ids have shape {ids.shape} and dtype {ids.dtype}, expected (n,) and an integer dtype")
    return ids.astype(int)


def _columns(words: Array, ids: Array) -> Array:
    return words.at[..., ids].get(mode="fill", wrap_negative_indices=False)


def _mean(theta: Decoder, draw: Callable[[Array], Array], key: Array, num_samples: int, weighted_sum: Callable):
    """The mean of f at draws z_s by fold_in(key, s), from `weighted_sum`: w [S], z [S, K] -> sum_s w_s f(z_s).

    Blocks have the same size S: what fills up the last one has weight 0.
    """
    dtype = theta.output.weights.dtype
    num_blocks = -(-num_samples // BLOCK)
    size = -(-num_samples // num_blocks)

    @jax.checkpoint
    def block(start):
        samples = start + jnp.arange(size)
        z = jax.vmap(lambda s: draw(jax.random.fold_in(key, s)))(samples)
        return weighted_sum((samples < num_samples).astype(dtype) / num_samples, z)

    def add(total, start):
        return jax.tree.map(jnp.add, total, block(start)), None

    zero = jax.tree.map(jnp.zeros_like, jax.eval_shape(block, 0))
    return jax.lax.scan(add, zero, size * jnp.arange(num_blocks))[0]


def _hidden(network: Mlp, weights: Array, z: Array) -> Array:
    """sum_s w_s J_h(z_s): [H, K].

    J_h^T = W_1 diag(d_1) W_2 diag(d_2) = W_1 (W_2 * d_1 d_2^T) with the slopes d of the activations, so that two layers
    need only the sum of d_1 d_2^T. Deeper networks are differentiated sample by sample.
    """
    slopes = _slopes(network, z)
    match [layer.weights for layer in network.layers]:
        case []:
            return jnp.sum(weights) * jnp.eye(z.shape[1], dtype=z.dtype)
        case [first]:
            return (first * (weights @ slopes[0])).T
        case [first, second]:
            return (first @ (second * ((weights * slopes[0].T) @ slopes[1]))).T
        case _:
            return jnp.tensordot(weights, _hidden_jacobians(network, z), axes=1)


def _slopes(network: Mlp, z: Array) -> list[Array]:
    """The derivative of every activation where it is evaluated, [S, H_l] for layer l."""
    slopes = []
    for layer in network.layers:
        inputs = networks.affine(layer, z)
        z, slope = jax.jvp(networks.ACTIVATIONS[network.activation], (inputs,), (jnp.ones_like(inputs),))
        slopes.append(slope)
    return slopes


def _hidden_jacobians(network: Mlp, z: Array) -> Array:
    return jax.vmap(jax.jacfwd(partial(networks.mlp, network)))(z)


def _expected_rows(theta: Decoder, z: Array) -> tuple[Array, Array]:
    """mu [S, V] and mu J_pot = (mu W^T) J_h [S, K], at each row of z [S, K]."""
    hidden, pull_back = jax.vjp(partial(networks.mlp, theta.hidden), z)
    mu = jax.nn.softmax(networks.affine(theta.output, hidden))
    return mu, pull_back(mu @ theta.output.weights.T)[0]


def _hidden_and_expected(theta: Decoder, weights: Array, z: Array) -> tuple[Array, Array]:
    """sum_s w_s J_h(z_s) [H, K] and sum_s w_s mu J_pot [K]."""
    return _hidden(theta.hidden, weights, z), weights @ _expected_rows(theta, z)[1]


def _prob(theta: Decoder, weights: Array, z: Array, *, pick) -> Array:
    """sum_s w_s (mu * W^T J_h - mu (mu J_pot)), transposed, which multiplies faster: [K, V], or what `pick` takes."""
    words = pick(theta.output.weights)
    mu, expected = _expected_rows(theta, z)
    mu = weights[:, None] * pick(mu)
    total = -expected.T @ mu

    @jax.checkpoint
    def add(total, one):
        mu, hidden = one
        return total + mu * (hidden.T @ words), None

    if not theta.hidden.layers:
        return total + jnp.sum(mu, axis=0) * words
    return jax.lax.scan(add, total, (mu, _hidden_jacobians(theta.hidden, z)))[0]


def _check_variant(variant: str, num_samples: int = 1, variants: tuple[str, ...] = VARIANTS) -> None:
    if variant not in variants:
        raise ValueError(f"variant is one of {', '.join(variants)}; found {variant!r}")
    if num_samples < 1:
        raise ValueError(f"num_samples is at least 1; found {num_samples}")
