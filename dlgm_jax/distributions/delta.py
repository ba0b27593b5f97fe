"""Points: posteriors that are one code each, without spread."""

import jax.numpy as jnp

from dlgm_jax.types import Array, Code, Family


def sample(code: Code, key: Array) -> Array:
    """The code itself [K]: nothing is drawn."""
    return code.mean


POINT = Family(sample, mean=lambda code: code.mean, log_prob=None, start=lambda latent_dim: Code(jnp.zeros(latent_dim)))
