"""Multinomials over the vocabulary, without the base measure N! / (x_1! ... x_V!)."""

import jax.numpy as jnp

from dlgm_jax.types import Array


def log_likelihood(log_probs: Array, counts: Array) -> Array:
    """sum_v x_v log mu_v in nats, from [V] and [V]; a word with count 0 adds 0 even where mu is 0."""
    return jnp.sum(jnp.where(counts > 0, counts * log_probs, 0))
