"""Jitted functions that are shared by all models of one shape: the idf is an argument, settings are the key.

What they give takes `idf` [V] first, and then the arguments of `algorithm1`, `posterior` and `scorer`.
"""

from collections.abc import Callable
from functools import lru_cache, partial

import jax

from dlgm_jax.evaluation import posteriors, scoring
from dlgm_jax.features import batch_normalised_counts, reader
from dlgm_jax.inference.batched import chosen
from dlgm_jax.learning import steps
from dlgm_jax.models.dlgm import dlgm
from dlgm_jax.types import Array

How = tuple[str, int, float, float]  # the arguments of `chosen`


@partial(jax.jit, static_argnames=("vocab_size", "latent_dim", "generative_widths", "inference_widths", "activation"))
def init_state(key: Array, vocab_size: int, **sizes) -> steps.State:
    """A state before the first step; `sizes` are the keyword arguments of `init_params`."""
    return steps.init_state(dlgm(batch_normalised_counts, **sizes), steps.adam(0.0), key, vocab_size)


@lru_cache
def training_step(features: str, how: How, learning_rate: float, weight_decay: float, **settings) -> Callable:
    """`algorithm1` with these settings: idf, state, batch, key -> state, info."""
    optimiser = steps.adam(learning_rate, weight_decay=weight_decay)

    def step(idf, state, batch, key):
        model = dlgm(reader(features, idf))
        return steps.algorithm1(model, optimiser, refinement=chosen(*how), **settings)(state, batch, key)

    return jax.jit(step, donate_argnums=1)


@lru_cache
def finder(features: str, how: How) -> Callable:
    """`posterior`: idf, params, batch, key -> Gaussian [B, K]."""

    def find(idf, params, batch, key):
        return posteriors.posterior(dlgm(reader(features, idf)), refinement=chosen(*how))(params, batch, key)

    return jax.jit(find)


@lru_cache
def scorer(features: str, how: How, num_samples: int) -> Callable:
    """`scoring.scorer`: idf, params, batch, key -> DocumentScores."""

    def score(idf, params, batch, key):
        model = dlgm(reader(features, idf))
        return scoring.scorer(model, refinement=chosen(*how), num_samples=num_samples)(params, batch, key)

    return jax.jit(score)
