"""Refinement of all documents of a batch, and what is prepared for it once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from dlgm_jax.distributions.gaussian import kl_to_standard
from dlgm_jax.inference import fisher, refine
from dlgm_jax.inference.fisher import WORDS_A_DRAW
from dlgm_jax.inference.refine import Refiner
from dlgm_jax.types import Array, Gaussian, Model

REFINERS = ("adam", "fisher")


@dataclass(frozen=True)
class Refinement:
    """A refiner for the documents of a model, for how many steps it runs, and its work.

    Work is counted in evaluations of log p(x|z) with its gradient in z, for one document.
    """

    prepare: Callable[..., Callable[[Any], Refiner]]  # model, theta, key, beta -> (evidence of a document -> Refiner)
    num_steps: int
    evaluations: int  # gradients for each document, M - 1
    other_work: Callable[[int, float], float] = lambda batch_size, hidden_share: 0.0  # beside them, for each document


def adam(num_steps: int, learning_rate: float = 0.01, b1: float = 0.1) -> Refinement:
    """The paper's: Adam on one-sample gradients."""

    def prepare(model: Model, theta, key: Array, beta: Array):
        return lambda evidence: refine.adam(learning_rate, b1, prior=model.prior, beta=beta)

    return Refinement(prepare, num_steps, evaluations=num_steps)


def preconditioned(num_steps: int) -> Refinement:
    """The `fisher` refiner: theta's token information, estimated once for the batch, preconditions every document.

    Its other work: the last pair of values, and the draws of the token information for the whole batch, each with
    the pull-backs of its words through the hidden layers, whose share of an evaluation's products is `hidden_share`.
    """

    def prepare(model: Model, theta, key: Array, beta: Array):
        if model.prior is not kl_to_standard:
            raise ValueError("the fisher refiner expects the standard normal prior")
        information = model.information(theta, key)
        return lambda evidence: fisher.fisher(information, evidence.length, beta=beta)

    def other_work(batch_size: int, hidden_share: float) -> float:
        return 1 + fisher.DRAWS * (1 + WORDS_A_DRAW * hidden_share / 2) / batch_size

    return Refinement(prepare, num_steps, fisher.EVALUATIONS_PER_STEP * num_steps, other_work)


def chosen(refiner: str, M: int, learning_rate: float, b1: float) -> Refinement:
    """The refinement that costs M - 1 gradient evaluations of log p(x|z) per document."""
    if refiner == "fisher":
        return preconditioned((M - 1) // fisher.EVALUATIONS_PER_STEP)
    return adam(M - 1, learning_rate, b1)


def refine_batch(
    refinement: Refinement, model: Model, theta, psi: Gaussian, evidence, keys: Array, key: Array, *, beta=1.0
) -> Gaussian:
    """psi of every document after refinement: [B, K]; `keys` [B] belong to the documents, `key` to the batch."""
    if not refinement.num_steps:
        return psi
    refiner = refinement.prepare(model, theta, key, beta)

    def one(psi, evidence, key):
        def log_likelihood(z):
            return model.log_likelihood(theta, z, evidence)

        steps = refinement.num_steps
        return refine.refine(log_likelihood, psi, key, refiner=refiner(evidence), num_steps=steps)[0]

    return jax.vmap(one)(psi, evidence, keys)
