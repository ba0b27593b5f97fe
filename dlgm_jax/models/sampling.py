"""Documents drawn from a model."""

import jax
import jax.numpy as jnp

from dlgm_jax.types import Array, Model, Params


def sample(model: Model, params: Params, key: Array, length: int | Array) -> Array:
    """Draws z from the prior and then a document of `length` words, whole counts [V]; or a row of real numbers [V].

    `length` means nothing for real numbers.
    """
    if not model.of_words:
        assert model.sample_row is not None
        return model.sample_row(params, key)
    document_key, words_key = jax.random.split(key)
    return jax.random.multinomial(words_key, length, jnp.exp(log_probs(model, params, document_key)))


def log_probs(model: Model, params: Params, key: Array) -> Array:
    """Draws z from the prior and what the words of one document are drawn from: log probabilities [V]."""
    assert model.log_probs is not None
    if model.own_log_probs is None:
        return model.log_probs(params, model.prior(params, key))
    z_key, own_key = jax.random.split(key)
    return model.own_log_probs(params, model.prior(params, z_key), own_key)
