"""Gaussians with diagonal covariance."""

import jax
import jax.numpy as jnp

from dlgm_jax.types import Array, Family, Gaussian


def sample(gaussian: Gaussian, key: Array) -> Array:
    """One reparameterised draw [K]: mean + sigma * eps."""
    mean, log_var = gaussian
    return mean + jnp.exp(log_var / 2) * jax.random.normal(key, mean.shape, mean.dtype)


def log_density(gaussian: Gaussian, z: Array) -> Array:
    """log N(z; mean, diag exp(log_var)), in nats."""
    mean, log_var = gaussian
    return -0.5 * jnp.sum(log_var + (z - mean) ** 2 / jnp.exp(log_var) + jnp.log(2 * jnp.pi))


def standard_log_density(z: Array) -> Array:
    """log N(z; 0, I), in nats."""
    return -0.5 * jnp.sum(z**2 + jnp.log(2 * jnp.pi))


def kl_to_standard(gaussian: Gaussian) -> Array:
    """KL(N(mean, diag exp(log_var)) || N(0, I)) in nats, in closed form."""
    mean, log_var = gaussian
    return 0.5 * jnp.sum(mean**2 + jnp.exp(log_var) - 1 - log_var)


def unit_kl(gaussian: Gaussian) -> Array:
    """The terms of `kl_to_standard`, one for each dimension: [K], in nats."""
    mean, log_var = gaussian
    return 0.5 * (mean**2 + jnp.exp(log_var) - 1 - log_var)


def standard(latent_dim: int) -> Gaussian:
    """N(0, I)."""
    return Gaussian(jnp.zeros(latent_dim), jnp.zeros(latent_dim))


DIAGONAL = Family(sample, mean=lambda psi: psi.mean, log_prob=log_density, start=standard)
