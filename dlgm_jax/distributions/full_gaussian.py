"""Gaussians with full covariance."""

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from dlgm_jax.types import Array, FullGaussian


def from_precision(mean: Array, precision: Array) -> FullGaussian:
    """N(mean, precision^-1); precision [K, K] is positive definite."""
    identity = jnp.eye(len(precision), dtype=precision.dtype)
    return FullGaussian(mean, solve_triangular(jnp.linalg.cholesky(precision), identity, lower=True).T)


def sample(gaussian: FullGaussian, key: Array) -> Array:
    """One reparameterised draw [K]: mean + factor eps."""
    mean, factor = gaussian
    return mean + factor @ jax.random.normal(key, mean.shape, mean.dtype)


def kl_to_standard(gaussian: FullGaussian) -> Array:
    """KL(N(mean, factor factor^T) || N(0, I)) in nats, in closed form."""
    mean, factor = gaussian
    log_det = 2 * jnp.sum(jnp.log(jnp.diagonal(factor)))
    return 0.5 * (jnp.sum(mean**2) + jnp.sum(factor**2) - mean.size - log_det)
