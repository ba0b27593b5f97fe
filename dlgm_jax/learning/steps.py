"""Gradient steps: Algorithm 1 on one batch."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from dlgm_jax.devices import meshes
from dlgm_jax.devices.collectives import DATA, VOCAB, agreed, gathered, summed
from dlgm_jax.distributions.gaussian import sample
from dlgm_jax.features import drop_words
from dlgm_jax.inference.batched import Refinement, refine_batch
from dlgm_jax.types import Array, Batch, Gaussian, Model, Params


class State(NamedTuple):
    """What the next step needs."""

    params: Params
    moments: Params  # optimiser states of theta and of phi
    step: Array  # []


class Info(NamedTuple):
    """What a step saw."""

    elbo: Array  # [], nats, with beta = 1, summed over the documents of the batch
    words: Array  # [], of these documents
    whole: Array  # [], everything was finite; a step that is not whole changes nothing but the count of steps
    bounds: Array  # [B], nats, whose sum is `elbo`
    finite: Params  # of each array, whether its gradient, the square of that and its new values are


class Keys(NamedTuple):
    """What a step draws for each document, [B] keys each."""

    dropout: Array
    theta: Array
    phi: Array
    refine: Array


def document_keys(key: Array, batch: Batch) -> Array:
    """One key for each document, the same whatever batch it stands in: [B]."""
    return jax.vmap(partial(jax.random.fold_in, key))(batch.document)


def init_state(model: Model, optimiser: optax.GradientTransformation, key: Array, vocab_size: int) -> State:
    """Random parameters and zero moments; theta and phi have their own."""
    params = model.init(key, vocab_size)
    moments = Params(optimiser.init(params.theta), optimiser.init(params.phi))
    return State(params, moments, jnp.zeros((), jnp.int32))


def algorithm1(
    model: Model,
    optimiser: optax.GradientTransformation,
    *,
    refinement: Refinement,
    kl_anneal_steps: int = 0,
    input_dropout: float = 0.0,
    length_weighting: float = 0.0,
    mesh: Mesh | None = None,
) -> Callable[[State, Batch, Array], tuple[State, Info]]:
    """One step of Algorithm 1, jitted, with donated state.

    Every document's psi is guessed by the inference network and refined; theta climbs the bound at the refined psi,
    then phi climbs the bound of its own guess under the new theta. Without refinement (M=1) both move by the gradient
    of one joint bound. Losses are sums over the documents of the batch, each weighed by N^-length_weighting: 0 is the
    paper's sum, 1 the sum of bounds per word whose mean is perplexity. beta grows from 0 to 1 over `kl_anneal_steps`
    steps. Where anything is not finite, parameters and moments stay as they are.

    On a `mesh` each device takes its documents and words, of a batch in blocks; gradients are summed once they are
    found, so nothing crosses `data` before. The optimiser then moves each array, and each element of it, by itself.
    """
    data, vocab = (meshes.axis(mesh, name) for name in (DATA, VOCAB))
    loss = partial(batch_loss, model, length_weighting=length_weighting)

    def guess_loss(phi, theta, features, *data):
        return loss(theta, model.encode(phi, features), *data)

    def joint_loss(params, *data):
        return guess_loss(params.phi, params.theta, *data)

    def climb(moments, parameters, gradients):
        updates, moments = optimiser.update(gradients, moments, parameters)
        return optax.apply_updates(parameters, updates), moments

    def joint(params, moments, features, batch, keys, beta, key):
        gradients, bounds = jax.grad(joint_loss, has_aux=True)(params, features, batch, keys.theta, beta)
        gradients = summed(gradients, data)
        theta, theta_moments = climb(moments.theta, params.theta, gradients.theta)
        phi, phi_moments = climb(moments.phi, params.phi, gradients.phi)
        return Params(theta, phi), Params(theta_moments, phi_moments), gradients, bounds

    def alternating(params, moments, features, batch, keys, beta, key):
        theta, phi = params
        psi, evidence = model.encode(phi, features), model.evidence(theta, batch)
        psi = refine_batch(refinement, model, theta, psi, evidence, keys.refine, key, beta=beta)
        of_theta, bounds = jax.grad(loss, has_aux=True)(theta, psi, batch, keys.theta, beta)
        of_theta = summed(of_theta, data)
        theta, theta_moments = climb(moments.theta, theta, of_theta)
        of_phi, _ = jax.grad(guess_loss, has_aux=True)(phi, theta, features, batch, keys.phi, beta)
        of_phi = summed(of_phi, data)
        phi, phi_moments = climb(moments.phi, phi, of_phi)
        return Params(theta, phi), Params(theta_moments, phi_moments), Params(of_theta, of_phi), bounds

    def step(state: State, batch: Batch, key: Array) -> tuple[State, Info]:
        params, moments, count = state
        beta = jnp.minimum(1.0, (count + 1) / kl_anneal_steps) if kl_anneal_steps else jnp.ones(())
        keys = Keys(*(document_keys(jax.random.fold_in(key, use), batch) for use in range(len(Keys._fields))))
        features = model.features(batch.counts)
        if input_dropout:
            features = drop_words(features, keys.dropout, input_dropout, vocab_axis=vocab)
        update = alternating if refinement.num_steps else joint
        step_key = jax.random.fold_in(jax.random.fold_in(key, len(keys)), count)
        climbed, grown, gradients, bounds = update(params, moments, features, batch, keys, beta, step_key)
        elbo = summed(jnp.sum(bounds), data)
        finite = jax.tree.map(lambda *arrays: agreed(_all_finite(*arrays), vocab), gradients, climbed)
        whole = jnp.stack([jnp.isfinite(elbo), *jax.tree.leaves(finite)]).all()
        params, moments = _where(whole, (climbed, grown), (params, moments))
        stepped = State(params, moments, count + 1)
        return stepped, Info(elbo, summed(jnp.sum(batch.length), data), whole, gathered(bounds, data), finite)

    return meshes.over(mesh, step, gives=lambda share: (share, P()), donate_argnums=0)


def batch_loss(
    model: Model, theta, psi: Gaussian, batch: Batch, keys: Array, beta: Array, *, length_weighting: float
) -> tuple[Array, Array]:
    """What a step minimises, in nats: minus the weighed sum of the documents' bounds; and each plain, at beta 1 [B]."""
    z = jax.vmap(sample)(psi, keys)
    log_likelihood = model.log_likelihood(theta, z, model.evidence(theta, batch))
    kl = jax.vmap(model.prior)(psi)
    bounds = log_likelihood - beta * kl
    weights = batch.mask / jnp.maximum(batch.length, 1) ** length_weighting
    return -jnp.sum(weights * bounds), batch.mask * (log_likelihood - kl)


def adam(learning_rate: float | optax.Schedule, *, weight_decay: float = 0.0) -> optax.GradientTransformation:
    """Adam for theta and phi, with decoupled weight decay on matrices (not on biases)."""
    return optax.adamw(learning_rate, weight_decay=weight_decay, mask=partial(jax.tree.map, _is_matrix))


def _all_finite(gradient: Array, parameter: Array) -> Array:
    return jnp.isfinite(gradient**2 + parameter).all()


def _where(condition: Array, yes, no):
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def _is_matrix(parameter) -> bool:
    return parameter.ndim > 1
