"""One step of Algorithm 1 against the same step written with the public one-document functions."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dlgm_jax import elbo, features, infer, refine, tfidf, token_information
from dlgm_jax.data import batches
from dlgm_jax.inference import batched
from dlgm_jax.learning import steps
from dlgm_jax.models.dlgm import dlgm
from tests.conftest import as_corpus

COUNTS = np.random.default_rng(0).poisson(0.8, (23, 12))
COUNTS[5] = 0
CORPUS = as_corpus(COUNTS)
IDF = features.idf(CORPUS.document_frequencies(), 23)
RATE = 0.01


def make(num_steps=0, optimiser=None, **settings):
    model = dlgm(partial(features.batch_tfidf, idf=IDF), latent_dim=3, generative_widths=(6,), inference_widths=(7,))
    optimiser = optimiser or steps.adam(RATE)
    step = steps.algorithm1(
        model,
        optimiser,
        refinement=batched.adam(num_steps, 0.05, 0.1),
        **settings,
    )
    return step, steps.init_state(model, optimiser, jax.random.key(0), 12)


def batch_of(documents, batch_size, size=1024):
    return jax.tree.map(jnp.asarray, batches.gather(CORPUS, np.asarray(documents), batch_size, (size,)))


def by_hand(params, documents, key, num_steps, beta, weight=lambda d: 1.0):
    """Step 2 to 5 of Algorithm 1, document by document, with plain gradient steps."""
    x = {d: jnp.asarray(COUNTS[d], jnp.float32) for d in documents}
    keys = [{d: jax.random.fold_in(jax.random.fold_in(key, use), d) for d in documents} for use in range(4)]
    _, theta_keys, phi_keys, refine_keys = keys
    theta, phi = params

    def guess(phi, d):
        return infer(phi, tfidf(x[d], IDF))

    def climbed(parameters, gradients):
        return jax.tree.map(lambda p, g: p - RATE * g, parameters, gradients)

    def guessed_loss(phi, theta, keys):
        return -sum(weight(d) * elbo(theta, guess(phi, d), x[d], keys[d], beta=beta) for d in documents)

    if num_steps == 0:
        theta_gradient = jax.grad(lambda t: guessed_loss(phi, t, theta_keys))(theta)
        phi_gradient = jax.grad(lambda p: guessed_loss(p, theta, theta_keys))(phi)
        return climbed(theta, theta_gradient), climbed(phi, phi_gradient)
    settings = {"num_steps": num_steps, "learning_rate": 0.05, "b1": 0.1, "beta": beta}
    psi = {d: refine(theta, guess(phi, d), x[d], refine_keys[d], **settings)[0] for d in documents}
    theta_gradient = jax.grad(
        lambda t: -sum(weight(d) * elbo(t, psi[d], x[d], theta_keys[d], beta=beta) for d in documents)
    )(theta)
    theta = climbed(theta, theta_gradient)
    return theta, climbed(phi, jax.grad(lambda p: guessed_loss(p, theta, phi_keys))(phi))


def assert_close(ours, theirs, atol=1e-6):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


@pytest.mark.parametrize("num_steps", [0, 3])
@pytest.mark.parametrize(("anneal", "weighting"), [(0, 0.0), (4, 0.0), (0, 0.5)])
def test_a_step_is_algorithm_1(num_steps, anneal, weighting):
    step, state = make(num_steps, optax.sgd(RATE), kl_anneal_steps=anneal, length_weighting=weighting)
    key, documents = jax.random.key(7), [2, 5, 11, 20]
    theta, phi = by_hand(
        state.params,
        documents,
        key,
        num_steps,
        beta=0.25 if anneal else 1.0,
        weight=lambda d: max(COUNTS[d].sum(), 1) ** -weighting,
    )
    moved, _ = step(state, batch_of(documents, 6), key)
    assert_close(moved.params.theta, theta)
    assert_close(moved.params.phi, phi)
    assert int(moved.step) == 1


def test_info_is_the_elbo_without_annealing():
    step, state = make(0, kl_anneal_steps=10)
    key, documents = jax.random.key(7), [2, 11, 20]
    theta, phi = jax.tree.map(jnp.copy, state.params)
    _, info = step(state, batch_of(documents, 4), key)
    expected = sum(
        elbo(
            theta,
            infer(phi, tfidf(jnp.asarray(COUNTS[d], jnp.float32), IDF)),
            jnp.asarray(COUNTS[d], jnp.float32),
            jax.random.fold_in(jax.random.fold_in(key, 1), d),
        )
        for d in documents
    )
    np.testing.assert_allclose(info.elbo, expected, rtol=1e-5)
    assert info.words == COUNTS[documents].sum()


@pytest.mark.parametrize("num_steps", [0, 2])
def test_neither_padding_nor_order_changes_a_step(num_steps):
    documents = [1, 4, 5, 9, 22]
    ends = []
    for order, batch_size, size in ((documents, 5, 1024), (documents[::-1], 9, 2048)):
        step, state = make(num_steps, optax.sgd(RATE), input_dropout=0.3)
        ends.append(step(state, batch_of(order, batch_size, size), jax.random.key(3))[0].params)
    assert_close(*ends)


def test_adam_is_the_published_rule_with_decay_of_matrices_only():
    parameters = {"matrix": jnp.array([[1.0, -2.0]]), "bias": jnp.array([3.0])}
    optimiser = steps.adam(0.1, weight_decay=0.5)
    state, first, second = optimiser.init(parameters), 0.0, 0.0
    expected = np.array([1.0, -2.0, 3.0])
    for step, gradient in enumerate((np.array([0.3, -1.0, 2.0]), np.array([0.1, 4.0, -1.0])), 1):
        tree = {"matrix": jnp.asarray(gradient[None, :2]), "bias": jnp.asarray(gradient[2:])}
        updates, state = optimiser.update(tree, state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        adam = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        expected = expected - 0.1 * (adam + 0.5 * expected * [1, 1, 0])
    np.testing.assert_allclose(parameters["matrix"][0], expected[:2], rtol=1e-5)
    np.testing.assert_allclose(parameters["bias"], expected[2:], rtol=1e-5)


@pytest.mark.parametrize("how", [batched.adam(10), batched.preconditioned(5)], ids=["adam", "fisher"])
def test_a_document_s_refinement_does_not_depend_on_its_batch(how):
    step, state = make()
    del step
    model = dlgm(lambda counts: counts, latent_dim=3, generative_widths=(6,), inference_widths=(7,))
    params = state.params

    def refined(documents, batch_size):
        batch = batch_of(documents, batch_size)
        return batched.refine_batch(
            how,
            model,
            params,
            model.encode(params, batch.counts),
            model.evidence(params, batch),
            batched.document_keys(jax.random.key(1), batch),
            jax.random.key(2),
        )

    alone, together = refined([11], 1), refined([4, 11, 2], 7)
    assert np.abs(alone.mean - model.encode(params, batch_of([11], 1).counts).mean).max() > 0.01
    np.testing.assert_allclose(alone.mean[0], together.mean[1], atol=1e-5)
    np.testing.assert_allclose(alone.log_var[0], together.log_var[1], atol=1e-5)


@pytest.mark.parametrize("count", [0, 3])
def test_the_fisher_refiner_in_a_step_is_the_public_one(count):
    """theta of one step with plain gradients: at the psi that `refine` gives with the information of that step."""
    optimiser = optax.sgd(RATE)
    model = dlgm(partial(features.batch_tfidf, idf=IDF), latent_dim=3, generative_widths=(6,), inference_widths=(7,))
    step = steps.algorithm1(model, optimiser, refinement=batched.preconditioned(4), kl_anneal_steps=5)
    state = steps.init_state(model, optimiser, jax.random.key(0), 12)
    theta, phi = jax.tree.map(jnp.copy, state.params)
    key, beta = jax.random.key(3), (count + 1) / 5
    information = token_information(theta, jax.random.fold_in(jax.random.fold_in(key, 4), count))
    refine_key, theta_key = jax.random.fold_in(key, 3), jax.random.fold_in(key, 1)

    def loss(theta_now):
        total = 0.0
        for d in (4, 9):
            x = jnp.asarray(COUNTS[d], jnp.float32)
            guess = infer(phi, tfidf(x, IDF))
            keys = jax.random.fold_in(refine_key, d), jax.random.fold_in(theta_key, d)
            psi, _ = refine(theta, guess, x, keys[0], num_steps=4, information=information, beta=beta)
            total -= elbo(theta_now, psi, x, keys[1], beta=beta)
        return total

    expected = jax.tree.map(lambda p, g: p - RATE * g, theta, jax.grad(loss)(theta))
    state, _ = step(state._replace(step=jnp.asarray(count)), batch_of([4, 9], 3), key)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), state.params.theta, expected)


def test_an_empty_document_moves_towards_the_prior():
    step, state = make()
    for _ in range(300):
        state, info = step(state, batch_of([5], 2), jax.random.key(0))
    psi = infer(state.params.phi, jnp.zeros(12))
    assert float(info.elbo) > -0.1
    np.testing.assert_allclose(psi.mean, 0, atol=0.1)
    np.testing.assert_allclose(psi.log_var, 0, atol=0.2)


def test_at_most_three_compilations():
    rng = np.random.default_rng(2)
    lengths = np.minimum(np.exp(rng.normal(5, 1.5, 400)), 3000).astype(int)
    counts = np.zeros((400, 3000), int)
    for row, n in enumerate(lengths):
        counts[row, rng.choice(3000, n, replace=False)] = 1
    corpus = as_corpus(counts)
    model = dlgm(lambda counts: counts, latent_dim=2, generative_widths=(), inference_widths=(3,))
    optimiser = steps.adam(1e-3)
    step = steps.algorithm1(model, optimiser, refinement=batched.adam(1))
    state = steps.init_state(model, optimiser, jax.random.key(0), 3000)
    sizes = batches.padded_sizes(16, corpus)
    seen = set()
    for epoch in range(8):
        for batch in batches.epoch_batches(corpus, 16, seed=0, epoch=epoch, sizes=sizes):
            seen.add(batch.counts.values.size)
            state, _ = step(state, batch, jax.random.key(epoch))
    longest = batches.gather(corpus, np.argsort(-lengths)[:16], 16, sizes)
    state, _ = step(state, longest, jax.random.key(0))
    assert len(seen) >= 2
    assert step._cache_size() <= 3


def test_the_state_is_donated():
    step, state = make()
    weights = state.params.theta.output.weights
    step(state, batch_of([1], 2), jax.random.key(0))
    assert weights.is_deleted()
