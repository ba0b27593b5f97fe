"""Posteriors of all documents of a corpus."""

from collections.abc import Callable, Iterable
from functools import partial

import jax
import numpy as np

from dlgm_jax.inference.batched import Refinement, refine_batch
from dlgm_jax.learning.steps import document_keys
from dlgm_jax.types import Array, Batch, Gaussian, Model, Params


def posterior(model: Model, *, refinement: Refinement) -> Callable[[Params, Batch, Array], Gaussian]:
    """A jitted function to q(z|x) of every document of a batch, refined: [B, K]."""

    def step(params: Params, batch: Batch, key: Array) -> Gaussian:
        theta, phi = params
        guess, evidence = model.encode(phi, model.features(batch.counts)), model.evidence(theta, batch)
        refine = partial(refine_batch, refinement, model, theta, guess, evidence)
        return refine(document_keys(jax.random.fold_in(key, 0), batch), jax.random.fold_in(key, 1))

    return jax.jit(step)


def corpus_posteriors(
    find: Callable[[Params, Batch, Array], Gaussian], params: Params, batches: Iterable[Batch], key: Array
) -> Gaussian:
    """q(z|x) of the documents of all batches, on the host: [D, K]."""
    parts = [jax.tree.map(lambda a, b=batch: np.asarray(a)[b.mask > 0], find(params, batch, key)) for batch in batches]
    return jax.tree.map(lambda *rows: np.concatenate(rows), *parts)
