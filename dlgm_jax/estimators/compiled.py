"""Jitted functions that are shared by all estimators of one model: the idf is an argument, settings are the key.

What they give takes `idf` [V] first, and then the arguments of `algorithm1`, `posterior` and `scorer`.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np

from dlgm_jax.evaluation import posteriors, scoring
from dlgm_jax.features import reader
from dlgm_jax.inference.batched import chosen
from dlgm_jax.learning import steps
from dlgm_jax.models import registry
from dlgm_jax.types import Array, Model

How = tuple[str, int, float, float]  # the arguments of `chosen`


class Spec(NamedTuple):
    """A model by its name in the registry, its settings and the features that its inference network reads."""

    name: str
    settings: Any
    features: str

    def model(self, idf: Any) -> Model:
        """The model itself; `idf` [V] is read where the features are tf-idf."""
        return registry.entry(self.name).build(self.settings, reader(self.features, idf))

    @property
    def of_words(self) -> bool:
        """Tells a model of counts from one of real rows."""
        return self.model(np.ones(1)).of_words

    @property
    def signed(self) -> bool:
        """Tells whether rows may hold numbers below 0: where real rows are taken as they are."""
        return self.features == "counts" and not self.of_words


@partial(jax.jit, static_argnames=("spec", "vocab_size"))
def init_state(key: Array, vocab_size: int, spec: Spec, seen: Any = None) -> steps.State:
    """A state before the first step."""
    return steps.init_state(spec._replace(features="norm").model(None), steps.adam(0.0), key, vocab_size, seen)


@lru_cache
def training_step(spec: Spec, how: How, learning_rate: float, weight_decay: float, **settings) -> Callable:
    """`algorithm1` with these settings: idf, state, batch, key -> state, info."""
    optimiser = steps.adam(learning_rate, weight_decay=weight_decay)

    def step(idf, state, batch, key):
        return steps.algorithm1(spec.model(idf), optimiser, refinement=chosen(*how), **settings)(state, batch, key)

    return jax.jit(step, donate_argnums=1)


@lru_cache
def finder(spec: Spec, how: How) -> Callable:
    """The posterior means of a batch: idf, params, batch, key -> [B, K]."""

    def find(idf, params, batch, key):
        model = spec.model(idf)
        return jax.vmap(model.family.mean)(posteriors.posterior(model, refinement=chosen(*how))(params, batch, key))

    return jax.jit(find)


@lru_cache
def scorer(spec: Spec, how: How, num_samples: int) -> Callable:
    """`scoring.scorer`: idf, params, batch, key -> DocumentScores."""

    def score(idf, params, batch, key):
        return scoring.scorer(spec.model(idf), refinement=chosen(*how), num_samples=num_samples)(params, batch, key)

    return jax.jit(score)
