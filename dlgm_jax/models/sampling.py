"""Documents drawn from a model."""

import jax
import jax.numpy as jnp

from dlgm_jax.types import Array, Model, Params


def sample(model: Model, params: Params, key: Array, length: int | Array) -> Array:
    """Draws z from the prior and then a document of `length` words, whole counts [V]; or a row of real numbers [V].

    `length` means nothing for real numbers.
    """
    if model.log_probs is None:
        assert model.sample_row is not None
        return model.sample_row(params, key)
    z_key, words_key = jax.random.split(key)
    return jax.random.multinomial(words_key, length, jnp.exp(model.log_probs(params, model.prior(params, z_key))))
