"""Words read in a context: Jacobian vectors under the posterior of a document (Table 2b)."""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from dlgm_jax.errors import BadInput, shown
from dlgm_jax.features import reader
from dlgm_jax.introspection.jacobian import jacobian_posterior
from dlgm_jax.models.dlgm import infer, refine, token_information
from dlgm_jax.types import Array, Gaussian, Params
from experiments.findings.model import Learned
from experiments.findings.vectors import listed, neighbours
from experiments.flags.command import Command
from experiments.report.page import Table

STEPS = 6  # of the fisher refiner for each context


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
        vectors = contextual_vectors(model, counts, key, own["variant"])
        columns.append(neighbours(model, vectors, queries, own["neighbours"], plurals=own["plurals"]))
    rows = [
        (model.vocabulary[query], *(listed(model, column[place]) for column in columns))
        for place, query in enumerate(queries)
    ]
    note = (
        f"Not in the vocabulary: {'; '.join(unknown) or 'none'}. "
        "Nearest words by Jacobian vectors averaged over z from the prior, and from the posterior of a document "
        f"that holds the words of the context, refined by fisher with {2 * STEPS} gradient evaluations."
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
    return np.asarray(jacobian_posterior(model.run.params, psi, averaging, variant=variant))


def posteriors(model: Learned, counts: np.ndarray, key: Array) -> Gaussian:
    """Posteriors of documents [n, V], refined by fisher: [n, K] each."""
    return _posteriors(model.run.params, jnp.asarray(model.run.idf), counts, key, features=model.config.features)


def contextual_rows(model: Learned, psi: Gaussian, rows: np.ndarray, key: Array, variant: str) -> np.ndarray:
    """Of each document, the Jacobian vector of one word under its posterior: [n, K]."""
    return np.asarray(_contextual_rows(model.run.params, psi, rows, key, variant=variant))


@partial(jax.jit, static_argnames="features")
def _posteriors(params: Params, idf: Array, counts: Array, key: Array, *, features: str) -> Gaussian:
    informing, refining = jax.random.split(key)
    information = token_information(params.theta, informing)
    read = reader(features, idf)

    def one(pair):
        x, key = pair
        guess = infer(params.phi, read(x))
        return refine(params.theta, guess, x, key, num_steps=STEPS, information=information)[0]

    return jax.lax.map(one, (counts, jax.random.split(refining, len(counts))), batch_size=64)


@partial(jax.jit, static_argnames="variant")
def _contextual_rows(params: Params, psi: Gaussian, rows: Array, key: Array, *, variant: str) -> Array:
    def one(pair):
        psi, row, key = pair
        return jacobian_posterior(params, psi, key, ids=row[None], variant=variant)[0]

    return jax.lax.map(one, (psi, rows, jax.random.split(key, len(rows))), batch_size=16)
