"""Words read in a context: Jacobian vectors under the posterior of a document (Table 2b)."""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

import jax
import numpy as np
import scipy.sparse

from dlgm_jax.data import batches
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.errors import BadInput, shown
from dlgm_jax.evaluation.posteriors import corpus_posteriors
from dlgm_jax.inference.batched import Refinement, infer
from dlgm_jax.introspection.jacobian import mean_jacobian
from dlgm_jax.types import Array, Batch, Model, Params
from experiments.findings.model import Learned, refinement_of, variant_of
from experiments.findings.vectors import listed, neighbours
from experiments.flags.command import Command
from experiments.report.page import Table

STEPS = 6  # of the fisher refiner for each context
SAMPLES = 50  # of z for the Jacobian vectors of a context
TOGETHER = 64  # contexts that are refined at once


def parts(model: Learned, queries: list[int], command: Command) -> Iterator[Table]:
    """Neighbours of the queries under every context, side by side; nothing without contexts."""
    own = command.own
    texts = contexts_of(command)
    if not texts:
        return
    columns = [neighbours(model, model.vectors, queries, own["neighbours"], plurals=own["plurals"])]
    unknown = []
    keys = jax.random.split(jax.random.fold_in(model.context_key, 0), len(texts))
    for text, key in zip(texts, keys):
        counts, missing = document(model, text)
        if missing:
            unknown.append(f"{shown(text)}: {', '.join(sorted(set(missing)))}")
        vectors = contextual_vectors(model, counts, key, variant_of(command, model.model))
        columns.append(neighbours(model, vectors, queries, own["neighbours"], plurals=own["plurals"]))
    rows = [
        (model.vocabulary[query], *(listed(model, column[place]) for column in columns))
        for place, query in enumerate(queries)
    ]
    note = (
        f"Not in the vocabulary: {'; '.join(unknown) or 'none'}. "
        "Nearest words by Jacobian vectors averaged over z from the prior, and from the posterior of a document "
        f"that holds the words of the context, {refinement_of(model.model, STEPS)[1]}."
    )
    yield Table("Neighbours in context", note, ("word", "no context", *texts), rows)


def contexts_of(command: Command) -> list[str]:
    """The texts of --context, which stand between semicolons."""
    return [text.strip() for text in command.own["context"].split(";") if text.strip()]


def document(model: Learned, text: str) -> tuple[np.ndarray, list[str]]:
    """The counts [V] of a context, and its words that the vocabulary lacks. Raises BadInput when nothing is known."""
    counts, missing = counted(model, text)
    if not counts.any():
        raise BadInput(f"--context: expected words of the vocabulary, found {shown(text)}")
    return counts, missing


def words_of(model: Learned, text: str) -> Iterator[str]:
    """The words of a text, none of them changed but to lower case, as texts are read for training.

    What stands between commas, or between white space, and is an entry of the vocabulary (a title, a code) is one word.
    """
    for part in map(str.strip, text.split(",")):
        for token in [part] if part in model.row else part.split():
            yield from [token] if token in model.row else model.cut(token)


def counted(model: Learned, text: str) -> tuple[np.ndarray, list[str]]:
    """Counts [V] of those words of a text that the vocabulary holds, and the others."""
    words = list(words_of(model, text))
    known = np.array([model.row[word] for word in words if word in model.row], int)
    counts = np.bincount(known, minlength=len(model.vocabulary)).astype(np.float32)
    return counts, [word for word in words if word not in model.row]


def contextual_vectors(model: Learned, counts: np.ndarray, key: Array, variant: str) -> np.ndarray:
    """The Jacobian vectors of all words under the posterior of a document [V]: [V, K]."""
    refining, averaging = jax.random.split(key)
    psi = jax.tree.map(lambda leaf: leaf[0], posteriors(model, counts[None], refining))
    found = mean_jacobian(model.model, model.run.params, averaging, psi=psi, num_samples=SAMPLES, variant=variant)
    return np.asarray(found)


def posteriors(model: Learned, counts: np.ndarray, key: Array) -> Any:
    """Refined posteriors of documents [n, V]: leaves [n, ...]."""
    informing, refining = jax.random.split(key)
    keys = jax.random.split(refining, len(counts))
    documents = scipy.sparse.csr_matrix(counts)
    corpus = Corpus(documents, model.vocabulary, [str(row) for row in range(len(counts))], whole=False)
    size = min(TOGETHER, len(counts))
    ordered = batches.ordered_batches(corpus, size, sizes=batches.padded_sizes(size, corpus))
    how, _ = refinement_of(model.model, STEPS)
    return corpus_posteriors(_finder(model.model, how), model.run.params, ordered, (keys, informing))


def contextual_rows(model: Learned, psi: Any, rows: np.ndarray, key: Array, variant: str) -> np.ndarray:
    """Of each document, the Jacobian vector of one word under its posterior: [n, K]."""
    keys = jax.random.split(key, len(rows))
    return np.asarray(_contextual_rows(model.run.params, psi, rows, keys, model=model.model, variant=variant))


@lru_cache
def _finder(model: Model, how: Refinement) -> Callable[[Params, Batch, tuple[Array, Array]], Any]:
    def find(params: Params, batch: Batch, keys: tuple[Array, Array]) -> Any:
        own, informing = keys
        features = model.features(batch.counts)
        return infer(model, how, params, batch, features, own[batch.document], informing).refined

    return jax.jit(find)


@partial(jax.jit, static_argnames=("model", "variant"))
def _contextual_rows(params: Params, psi: Any, rows: Array, keys: Array, *, model: Model, variant: str) -> Array:
    def one(given):
        psi, row, key = given
        how = {"ids": row[None], "num_samples": SAMPLES, "variant": variant}
        return mean_jacobian(model, params, key, psi=psi, **how)[0]

    return jax.lax.map(one, (psi, rows, keys), batch_size=16)
