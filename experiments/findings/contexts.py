"""Words read in a context: Jacobian vectors under the posterior of a document (Table 2b)."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from dlgm_jax.data.corpus import shown
from dlgm_jax.data.text import WORD
from dlgm_jax.features import normalised_counts, tfidf
from dlgm_jax.introspection.jacobian import jacobian_posterior
from dlgm_jax.models.dlgm import infer, refine, token_information
from dlgm_jax.types import Array, BadInput, Gaussian
from experiments.command import Command
from experiments.findings.model import Learned
from experiments.findings.vectors import listed, neighbours
from experiments.page import Figure, Table

TOKEN = re.compile(WORD)
STEPS = 6  # of the fisher refiner for each context


def parts(model: Learned, command: Command) -> list[Table | Figure]:
    """Neighbours of the queries under every context, side by side; nothing without contexts."""
    own = command.own
    texts = contexts_of(command)
    if not texts:
        return []
    queries = model.rows("query", own["query"])
    columns, unknown = [], set()
    for place, text in enumerate(texts):
        counts, missing = document(model, text)
        unknown.update(missing)
        psi = posteriors(model, counts[None], jax.random.fold_in(model.key, place))
        one = jax.tree.map(lambda leaf: leaf[0], psi)
        key = jax.random.fold_in(model.key, place)
        vectors = np.asarray(jacobian_posterior(model.run.params, one, key, variant=own["variant"]))
        columns.append(neighbours(model, vectors, queries, own["neighbours"], plurals=own["plurals"]))
    plain = neighbours(model, model.vectors, queries, own["neighbours"], plurals=own["plurals"])
    rows = [
        (model.vocabulary[query], *(listed(model, column[place]) for column in [plain, *columns]))
        for place, query in enumerate(queries)
    ]
    note = (
        "Nearest words by Jacobian vectors averaged over z from the prior, and from the posterior of a document "
        f"that holds the words of the context, refined by fisher with {2 * STEPS} gradient evaluations. "
        f"Not in the vocabulary: {', '.join(sorted(unknown)) or 'none'}."
    )
    return [Table("Neighbours in context", note, ("word", "no context", *texts), rows)]


def contexts_of(command: Command) -> list[str]:
    """The texts of --context, which stand between semicolons."""
    return [text.strip() for text in command.own["context"].split(";") if text.strip()]


def document(model: Learned, text: str) -> tuple[np.ndarray, list[str]]:
    """The counts [V] of a context, and its words that the vocabulary lacks.

    What stands between commas may be one entry of the vocabulary (a title, a code); else it is read as text. Raises
    BadInput when nothing is known.
    """
    words = []
    for part in map(str.strip, text.split(",")):
        words += [part] if model.find(part) is not None else words_of(model, part)
    counts, missing = counted(model, words)
    if not counts.any():
        raise BadInput(f"--context: expected words of the vocabulary, found {shown(text)}")
    return counts, missing


def words_of(model: Learned, text: str) -> list[str]:
    """Entries of the vocabulary between white space, and of what is none the words, as texts are read for training."""
    return [
        word
        for token in text.split()
        for word in ([token] if model.find(token) is not None else TOKEN.findall(token.lower()))
    ]


def counted(model: Learned, words: list[str]) -> tuple[np.ndarray, list[str]]:
    """Counts [V] of those words that the vocabulary holds, and the others."""
    rows = [model.find(word) for word in words]
    known = [row for row in rows if row is not None]
    counts = np.bincount(known, minlength=len(model.vocabulary)).astype(np.float32)
    return counts, [word for word, row in zip(words, rows) if row is None]


def posteriors(model: Learned, counts: np.ndarray, key: Array) -> Gaussian:
    """Posteriors of documents [n, V], refined by fisher: [n, K] each."""
    params = model.run.params
    idf = jnp.asarray(model.run.idf)
    information = token_information(params.theta, jax.random.fold_in(key, len(counts)))

    def one(x, key):
        features = normalised_counts(x) if model.config.features == "norm" else tfidf(x, idf)
        guess = infer(params.phi, features)
        return refine(params.theta, guess, x, key, num_steps=STEPS, information=information)[0]

    return jax.lax.map(lambda pair: one(*pair), (counts, jax.random.split(key, len(counts))), batch_size=64)


def contextual_rows(model: Learned, psi: Gaussian, rows: np.ndarray, key: Array, variant: str) -> np.ndarray:
    """Of each document, the Jacobian vector of one word under its posterior: [n, K]."""
    find = partial(jacobian_posterior, model.run.params, variant=variant)

    def one(pair):
        psi, row, key = pair
        return find(psi, key, ids=row[None])[0]

    return np.asarray(jax.lax.map(one, (psi, rows, jax.random.split(key, len(rows))), batch_size=16))
