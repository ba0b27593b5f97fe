"""Local refinement: psi of one document climbs its own bound (step 3 of Algorithm 1)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from dlgm_jax.inference.elbo import LogLikelihood, elbo
from dlgm_jax.types import Array


class RefineInfo(NamedTuple):
    """What happened on the way."""

    elbo: Array  # [num_steps], the bound estimated before each step, in nats


@dataclass(frozen=True)
class Refiner:
    """How psi moves; holds functions, so it is closed over and never a jitted argument."""

    init: Callable[[Any], Any]  # psi -> state
    step: Callable[..., tuple[Any, Any, Array]]  # log_likelihood, psi, state, key -> psi, state, elbo
    finish: Callable[..., Any] = lambda log_likelihood, psi, state, key: psi  # the psi that is returned


def adam(
    learning_rate: float = 0.01,
    b1: float = 0.1,
    **bound: Any,
) -> Refiner:
    """The paper's refiner: Adam on a one-sample gradient; moments start from zero for every document.

    `bound` are keyword arguments of `elbo`.
    """
    optimiser = optax.adam(learning_rate, b1=b1)

    def step(log_likelihood: LogLikelihood, psi: Any, state: Any, key: Array) -> tuple[Any, Any, Array]:
        def loss(psi):
            return -elbo(log_likelihood, psi, key, **bound)

        value, gradient = jax.value_and_grad(loss)(psi)
        updates, state = optimiser.update(gradient, state, psi)
        return optax.apply_updates(psi, updates), state, -value

    return Refiner(optimiser.init, step)


def refine(
    log_likelihood: LogLikelihood, psi: Any, key: Array, *, refiner: Refiner, num_steps: int
) -> tuple[Any, RefineInfo]:
    """`num_steps` steps of `refiner` from `psi`, with noise redrawn at each: a scan, reverse-differentiable."""

    def body(carry, m):
        psi, state = carry
        psi, state, value = refiner.step(log_likelihood, psi, state, jax.random.fold_in(key, m))
        return (psi, state), value

    (psi, state), trace = jax.lax.scan(body, (psi, refiner.init(psi)), jnp.arange(num_steps))
    return refiner.finish(log_likelihood, psi, state, jax.random.fold_in(key, num_steps)), RefineInfo(trace)
