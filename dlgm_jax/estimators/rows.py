"""Rows of counts in memory: passes of training over them, and what is found for each of them alone."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
from threadpoolctl import threadpool_limits

from dlgm_jax.data.batches import ahead, epoch_batches, marked_batches, padded_sizes, powers_of_two
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.learning.loop import one_pass
from dlgm_jax.learning.steps import State
from dlgm_jax.types import Array, Params

ROWS = 64  # of every batch that is not trained on: among so many, the bits of a row do not depend on the others
FEWEST = 64  # a training batch has a multiple of so many rows, or `batch_size`


def passes(
    state: State, step: Callable, corpus: Corpus, key: Array, *, batch_size: int, seed: int, epochs: range
) -> Iterator[tuple[State, float]]:
    """The state after each of the epochs, and its mean bound in nats a word. Raises NonFinite."""
    batch_size = min(batch_size, FEWEST * -(-corpus.num_documents // FEWEST))
    sizes = powers_of_two(padded_sizes(batch_size, corpus))
    state = jax.tree.map(jax.numpy.array, state)  # a copy, since steps take the memory of theirs
    for epoch in epochs:
        batches = ahead(epoch_batches(corpus, batch_size, seed=seed, epoch=epoch, sizes=sizes))
        with threadpool_limits(1, user_api="blas"):
            state, bound = one_pass(state, step, batches, jax.random.fold_in(key, epoch))
        yield state, bound


def on_rows(gather: Callable, function: Callable, params: Params, corpus: Corpus, key: Array) -> Any:
    """`gather` (`corpus_posteriors` or `document_scores`) of what `function` finds for each row by itself alone."""
    batches = marked_batches(corpus, ROWS, sizes=powers_of_two(padded_sizes(ROWS, corpus)))
    with threadpool_limits(1, user_api="blas"):
        return gather(function, jax.device_put(params), ahead(batches), key)
