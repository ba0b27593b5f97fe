"""Gradient steps: Algorithm 1 on one batch."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from dlgm_jax.devices import meshes
from dlgm_jax.devices.collectives import DATA, VOCAB, agreed, gathered, summed
from dlgm_jax.features import drop_words
from dlgm_jax.inference.batched import Refinement, document_keys, infer
from dlgm_jax.types import Array, Batch, Model, Params


class State(NamedTuple):
    """What the next step needs."""

    params: Params
    moments: Params  # optimiser states of theta and of phi
    step: Array  # []


class Info(NamedTuple):
    """What a step saw."""

    elbo: Array  # [], nats, with beta = 1, summed over the documents of the batch
    words: Array  # [], of these documents; their number where they are rows of real numbers
    whole: Array  # [], everything was finite; a step that is not whole changes nothing but the count of steps
    bounds: Array  # [B], nats, whose sum is `elbo`
    finite: Params  # of each array, whether its gradient, the square of that and its new values are


class Keys(NamedTuple):
    """What a step draws for each document, [B] keys each."""

    dropout: Array
    theta: Array
    phi: Array
    refine: Array


def init_state(
    model: Model,
    optimiser: optax.GradientTransformation,
    key: Array,
    vocab_size: int,
    seen: Any = None,
) -> State:
    """Random parameters, which some models adapt to what is `seen` of the training rows, and zero moments; theta and
    phi have their own."""
    params = model.init(key, vocab_size)
    if model.adapted and seen is not None:
        params = model.adapted(params, seen)
    moments = Params(optimiser.init(params.theta), optimiser.init(params.phi))
    return State(params, moments, jnp.zeros((), jnp.int32))


def algorithm1(
    model: Model,
    optimiser: optax.GradientTransformation,
    *,
    refinement: Refinement,
    beta: float = 1.0,
    kl_anneal_steps: int = 0,
    input_dropout: float = 0.0,
    length_weighting: float = 0.0,
    mesh: Mesh | None = None,
) -> Callable[[State, Batch, Array], tuple[State, Info]]:
    """One step of Algorithm 1, jitted, with donated state.

    Every document's psi is guessed by the inference network and refined; theta climbs the bound at the refined psi,
    then phi climbs the bound of its own guess under the new theta. Without refinement (M=1) both move by the gradient
    of one joint bound. Losses are sums over the documents of the batch, each weighed by N^-length_weighting: 0 is the
    paper's sum, 1 the sum of bounds per word whose mean is perplexity. The weight of the KL grows from 0 to `beta`
    over `kl_anneal_steps` steps. Where anything is not finite, parameters and moments stay as they are.

    On a `mesh` each device takes its documents and words, of a batch in blocks; gradients are summed once they are
    found, so nothing crosses `data` before. The optimiser then moves each array, and each element of it, by itself.
    """
    data, vocab = (meshes.axis(mesh, name) for name in (DATA, VOCAB))
    loss_of = partial(batch_loss, model, length_weighting=length_weighting)
    climb = partial(climbed, optimiser, data)

    def joint(params, moments, features, batch, keys, beta, key) -> Climbed:
        def loss(params):
            return loss_of(params, model.encode(params, features), batch, keys.theta, beta)

        return climb(params, moments, ("theta", "phi"), loss)

    def alternating(params, moments, features, batch, keys, beta, key) -> Climbed:
        psi = infer(model, refinement, params, batch, features, keys.refine, key, beta=beta).refined

        def at_refined(params):
            return loss_of(params, psi, batch, keys.theta, beta)

        def at_guess(params):
            return loss_of(params, model.encode(params, features), batch, keys.phi, beta)

        first = climb(params, moments, ("theta",), at_refined)
        second = climb(first.params, first.moments, ("phi",), at_guess)
        return second._replace(gradients=Params(first.gradients.theta, second.gradients.phi), bounds=first.bounds)

    def step(state: State, batch: Batch, key: Array) -> tuple[State, Info]:
        params, moments, count = state
        weight = jnp.minimum(1.0, (count + 1) / kl_anneal_steps) if kl_anneal_steps else jnp.ones(())
        weight = weight if beta == 1 else beta * weight
        keys = Keys(*(document_keys(jax.random.fold_in(key, use), batch) for use in range(len(Keys._fields))))
        features = model.features(batch.counts)
        if input_dropout:
            features = drop_words(features, keys.dropout, input_dropout, vocab_axis=vocab)
        step_key = jax.random.fold_in(jax.random.fold_in(key, len(keys)), count)
        update = alternating if refinement.num_steps else joint
        found = update(params, moments, features, batch, keys, weight, step_key)
        words = summed(jnp.sum(batch.length if model.of_words else batch.mask), data)
        info = _seen(found, words, data, vocab)
        params, moments = _where(info.whole, (found.params, found.moments), (params, moments))
        return State(params, moments, count + 1), info

    return meshes.over(mesh, step, model.word_axis, gives=lambda share: (share, P()), donate_argnums=0)


class Climbed(NamedTuple):
    """Parameters after a move, their moments, and what moved them."""

    params: Params
    moments: Params
    gradients: Params  # None of what did not move
    bounds: Array  # [B], nats, before the move


def climbed(
    optimiser: optax.GradientTransformation,
    data_axis: str | None,
    params: Params,
    moments: Params,
    parts: tuple[str, ...],
    loss: Callable[[Params], tuple[Array, Array]],
) -> Climbed:
    """Moves the parts of the parameters, `theta`, `phi` or both, down the gradient of one loss of all parameters.

    `loss` gives a sum over the documents of this device and their bounds [B]; gradients are summed over all devices.
    """

    def of_parts(moving: dict[str, Any]) -> tuple[Array, Array]:
        return loss(params._replace(**moving))

    gradients, bounds = jax.grad(of_parts, has_aux=True)({name: getattr(params, name) for name in parts})
    gradients = summed(gradients, data_axis)
    moved, grown = {}, {}
    for name in parts:
        updates, grown[name] = optimiser.update(gradients[name], getattr(moments, name), getattr(params, name))
        moved[name] = optax.apply_updates(getattr(params, name), updates)
    seen = Params(None, None)._replace(**gradients)
    return Climbed(params._replace(**moved), moments._replace(**grown), seen, bounds)


def batch_loss(
    model: Model, params: Params, psi: Any, batch: Batch, keys: Array, beta: Array, *, length_weighting: float
) -> tuple[Array, Array]:
    """What a step minimises, in nats: minus the weighed sum of the documents' bounds; and each plain, at beta 1 [B]."""
    z = jax.vmap(model.family.sample)(psi, keys)
    log_likelihood = model.log_likelihood(params, z, model.evidence(params, batch))
    kl = jax.vmap(partial(model.kl, params))(psi, z)
    bounds = log_likelihood - beta * kl
    weights = batch.mask / jnp.maximum(batch.length, 1) ** length_weighting
    return -jnp.sum(weights * bounds), batch.mask * (log_likelihood - kl)


def adam(learning_rate: float | optax.Schedule, *, weight_decay: float = 0.0) -> optax.GradientTransformation:
    """Adam for theta and phi, with decoupled weight decay on matrices (not on biases)."""
    return optax.adamw(learning_rate, weight_decay=weight_decay, mask=partial(jax.tree.map, _is_matrix))


def _seen(found: Climbed, words: Array, data: str | None, vocab: str | None) -> Info:
    """The Info of a step: its bounds, and whether all that it found is finite."""
    elbo = summed(jnp.sum(found.bounds), data)
    finite = jax.tree.map(lambda *arrays: agreed(_all_finite(*arrays), vocab), found.gradients, found.params)
    whole = jnp.stack([jnp.isfinite(elbo), *jax.tree.leaves(finite)]).all()
    return Info(elbo, words, whole, gathered(found.bounds, data), finite)


def _all_finite(gradient: Array, parameter: Array) -> Array:
    return jnp.isfinite(gradient**2 + parameter).all()


def _where(condition: Array, yes, no):
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def _is_matrix(parameter) -> bool:
    return parameter.ndim > 1
