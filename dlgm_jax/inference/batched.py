"""Inference for all documents of a batch: guess, evidence, refine; and what refiners prepare once for a batch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.custom_batching
import jax.numpy as jnp

from dlgm_jax.inference import fisher, refine
from dlgm_jax.inference.fisher import WORDS_A_DRAW
from dlgm_jax.inference.refine import Refiner
from dlgm_jax.types import Array, Batch, Model, Params

REFINERS = ("adam", "fisher")


@dataclass(frozen=True)
class Refinement:
    """A refiner for the documents of a model, for how many steps it runs, and its work.

    Work is counted in evaluations of log p(x|z) with its gradient in z, for one document.
    """

    prepare: Callable[..., Callable[[Any], Refiner]]  # model, params, key, beta -> (evidence of a document -> Refiner)
    num_steps: int
    evaluations: int  # gradients for each document, M - 1
    other_work: Callable[[int, float], float] = lambda batch_size, hidden_share: 0.0  # beside them, for each document


def adam(num_steps: int, learning_rate: float = 0.01, b1: float = 0.1) -> Refinement:
    """The paper's: Adam on one-sample gradients."""

    def prepare(model: Model, params: Params, key: Array, beta: Array):
        bound = {"family": model.family, "kl": partial(model.kl, params), "beta": beta}
        return lambda evidence: refine.adam(learning_rate, b1, **bound)

    return Refinement(prepare, num_steps, evaluations=num_steps)


def preconditioned(num_steps: int) -> Refinement:
    """The `fisher` refiner: theta's token information, estimated once for the batch, preconditions every document.

    Its other work: the last pair of values, and the draws of the token information for the whole batch, each with
    the pull-backs of its words through the hidden layers, whose share of an evaluation's products is `hidden_share`.
    """

    def prepare(model: Model, params: Params, key: Array, beta: Array):
        if model.linear is None:
            raise ValueError("the fisher refiner expects a softmax of a linear layer under the standard normal prior")
        information = model.linear.information(params, key)
        return lambda evidence: fisher.fisher(information, evidence.length, beta=beta)

    def other_work(batch_size: int, hidden_share: float) -> float:
        return 1 + fisher.DRAWS * (1 + WORDS_A_DRAW * hidden_share / 2) / batch_size

    return Refinement(prepare, num_steps, fisher.EVALUATIONS_PER_STEP * num_steps, other_work)


def chosen(refiner: str, M: int, learning_rate: float, b1: float) -> Refinement:
    """The refinement that costs M - 1 gradient evaluations of log p(x|z) per document."""
    if refiner == "fisher":
        return preconditioned((M - 1) // fisher.EVALUATIONS_PER_STEP)
    return adam(M - 1, learning_rate, b1)


class Inferred(NamedTuple):
    """Guess, evidence and refined posterior of the documents of a batch."""

    guess: Any  # psi by the inference network, leaves [B, ...]
    evidence: Any  # leaves [B, ...]
    refined: Any  # psi after refinement, leaves [B, ...]


class Numbered(NamedTuple):
    """A document of a batch whose evidence does not fall apart."""

    place: Array  # [B], in the batch
    length: Array  # [B], N


def apart(model: Model, params: Params, evidence: Any) -> tuple[Any, Callable[[Array, Any], Array]]:
    """Gives what `vmap` takes apart into documents, leaves [B, ..], and log p(x|z) of z [K] and one of them, in nats.

    The evidence itself, where its leaves are of documents. Else documents are numbered, and those that a `vmap` takes
    together are evaluated at once: sparse arrays of a batch stay flat, without padding to the longest document. The
    gradient in z of the sum over documents is each document's own. The function has one derivative, in z.
    """
    select = model.select
    if select is None:
        return evidence, lambda z, document: model.log_likelihood(params, z, document)

    def sums(z: Array, places: Array, known: tuple[Params, Any]) -> tuple[Array, Array]:
        params, evidence = known
        whole = len(places) == len(evidence.length)  # a vmap keeps their order
        values = model.log_likelihood(params, z, evidence if whole else select(evidence, places))
        return jnp.sum(values), values

    def values_and_gradients(*arguments: Any) -> tuple[Array, Array]:
        gradients, values = jax.grad(sums, has_aux=True)(*arguments)
        return values, gradients

    value, value_and_gradient = _together(lambda *arguments: sums(*arguments)[1]), _together(values_and_gradients)
    known = params, evidence

    @jax.custom_vjp
    def log_likelihood(z: Array, place: Array) -> Array:
        return value(z, place, known)

    log_likelihood.defvjp(
        lambda z, place: value_and_gradient(z, place, known), lambda gradient, cotangent: (cotangent * gradient, None)
    )
    return Numbered(jnp.arange(len(evidence.length)), evidence.length), lambda z, one: log_likelihood(z, one.place)


def _together(of_documents: Callable[..., Any]) -> Callable[..., Any]:
    """The function of one document, z [K] and its place, that `vmap` evaluates for all documents at once.

    What is `known` of the batch is an argument, since a function with a rule of its own for `vmap` closes over nothing.
    """

    @jax.custom_batching.custom_vmap
    def of_one(z: Array, place: Array, known: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf[0], of_documents(z[None], place[None], known))

    @of_one.def_vmap
    def _(size: int, batched: list[Any], z: Array, place: Array, known: Any) -> tuple[Any, Any]:
        if not batched[1]:  # several z of one document
            found = jax.lax.map(lambda one: of_one(one, place, known), z)
        else:
            found = of_documents(z if batched[0] else jnp.broadcast_to(z, (size, *z.shape)), place, known)
        return found, jax.tree.map(lambda _: True, found)

    return of_one


def document_keys(key: Array, batch: Batch) -> Array:
    """One key for each document, the same whatever batch it stands in: [B]."""
    return jax.vmap(partial(jax.random.fold_in, key))(batch.document)


def infer(
    model: Model,
    refinement: Refinement,
    params: Params,
    batch: Batch,
    features: Any,
    keys: Array,
    key: Array,
    *,
    beta: float | Array = 1.0,
) -> Inferred:
    """Guess, evidence and refined psi of every document; `features` are those of the batch, with dropout or without.

    `keys` [B] belong to the documents, `key` to the batch.
    """
    guess, evidence = model.encode(params, features), model.evidence(params, batch)
    refined = refine_batch(refinement, model, params, guess, evidence, keys, key, beta=beta)
    return Inferred(guess, evidence, refined)


def refine_batch(
    refinement: Refinement,
    model: Model,
    params: Params,
    psi: Any,
    evidence: Any,
    keys: Array,
    key: Array,
    *,
    beta: float | Array = 1.0,
) -> Any:
    """psi of every document after refinement, leaves [B, ...]; `keys` [B] and `key` as in `infer`."""
    if not refinement.num_steps:
        return psi
    refiner = refinement.prepare(model, params, key, beta)
    documents, log_likelihood = apart(model, params, evidence)

    def one(psi, document, key):
        def of_z(z):
            return log_likelihood(z, document)

        steps = refinement.num_steps
        return refine.refine(of_z, psi, key, refiner=refiner(document), num_steps=steps)[0]

    return jax.vmap(one)(psi, documents, keys)
