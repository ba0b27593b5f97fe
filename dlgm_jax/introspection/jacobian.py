"""Jacobian vectors: how each word's potential, log-probability or probability moves with z (eq. 4)."""

from functools import partial

import jax
import jax.numpy as jnp

from dlgm_jax.models.dlgm import latent_dim, log_probs, potentials, vocab_size
from dlgm_jax.types import Array, Params

VARIANTS = {
    "pot": potentials,
    "log": log_probs,
    "prob": lambda theta, z: jnp.exp(log_probs(theta, z)),
}


@partial(jax.jit, static_argnames="variant")
def jacobian_at(params: Params, z: Array, *, variant: str = "log") -> Array:
    """J(z): [V, K], row v the Jacobian vector of word v at z [K]; `variant` is `pot`, `log` or `prob` (eq. 4).

    Raises ValueError for another variant or another shape of z.
    """
    _check_variant(variant)
    z = jnp.asarray(z, params.theta.output.weights.dtype)
    if z.shape != (latent_dim(params.theta),):
        raise ValueError(f"z has shape {z.shape}, expected {(latent_dim(params.theta),)}; vmap for more")
    return jax.jacfwd(partial(VARIANTS[variant], params.theta))(z)


@partial(jax.jit, static_argnames=("num_samples", "variant"))
def jacobian_mean(params: Params, key: Array, *, num_samples: int = 400, variant: str = "log") -> Array:
    """J_mean = E_{p(z)}[J(z)]: [V, K], the plain average over `num_samples` draws of z from the prior.

    Samples are summed one after the other, so only a few [V, K] matrices are alive at any time, also under `grad`.
    """
    _check_variant(variant)
    if num_samples < 1:
        raise ValueError(f"num_samples is at least 1; found {num_samples}")
    dtype = params.theta.output.weights.dtype
    shape = (vocab_size(params.theta), latent_dim(params.theta))

    @jax.checkpoint
    def add(total, sample):
        z = jax.random.normal(jax.random.fold_in(key, sample), shape[1:], dtype)
        return total + jacobian_at(params, z, variant=variant), None

    total, _ = jax.lax.scan(add, jnp.zeros(shape, dtype), jnp.arange(num_samples))
    return total / num_samples


def _check_variant(variant: str) -> None:
    if variant not in VARIANTS:
        raise ValueError(f"variant is one of {', '.join(VARIANTS)}; found {variant!r}")
