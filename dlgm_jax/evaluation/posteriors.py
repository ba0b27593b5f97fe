"""Posteriors of all documents of a corpus."""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from dlgm_jax.inference.batched import Refinement, document_keys, infer
from dlgm_jax.types import Array, Batch, Model, Params


def posterior(model: Model, *, refinement: Refinement) -> Callable[[Params, Batch, Array], Any]:
    """A jitted function to psi of every document of a batch, refined: leaves [B, ...]."""

    def step(params: Params, batch: Batch, key: Array) -> Any:
        keys, batch_key = document_keys(jax.random.fold_in(key, 0), batch), jax.random.fold_in(key, 1)
        return infer(model, refinement, params, batch, model.features(batch.counts), keys, batch_key).refined

    return jax.jit(step)


def corpus_posteriors(
    find: Callable[[Params, Batch, Any], Any], params: Params, batches: Iterable[Batch], key: Any
) -> Any:
    """The posteriors, or whatever else `find` gives, of the documents of all batches, on the host: leaves [D, ...]."""
    parts = [jax.tree.map(lambda a, b=batch: np.asarray(a)[b.mask > 0], find(params, batch, key)) for batch in batches]
    return jax.tree.map(lambda *rows: np.concatenate(rows), *parts)
