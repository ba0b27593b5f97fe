"""The token information against its definition, and the refiner on posteriors that are known or hard."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import elbo, evidence, init_params, refine, token_information
from dlgm_jax.inference.fisher import Information, fisher
from dlgm_jax.inference.refine import refine as climb
from dlgm_jax.models.dlgm import token_scores
from dlgm_jax.types import Dense, Gaussian
from tests import oracles

K, V = 20, 300


def information_by_definition(theta, z):
    """E_w[s s^T] at z, s = d log mu_w / dz by central differences, summed over all words."""
    scores = oracles.jacobian(lambda x: np.log(oracles.probabilities(theta, x)), z)
    return np.einsum("v,vk,vl->kl", oracles.probabilities(theta, z), scores, scores)


def test_scores_have_mean_zero_and_the_token_information_as_covariance(params64):
    theta, z = params64.theta, jnp.array([0.3, -1.0, 0.5])
    scores = np.asarray(token_scores(theta, z, jax.random.key(0), num_words=200_000))
    exact = information_by_definition(theta, z)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(scores.T @ scores / len(scores), exact, atol=1e-3 * np.abs(exact).max())


def test_token_information_averages_over_the_prior(params64):
    theta = params64.theta
    draws = np.random.default_rng(0).standard_normal((300, 3))
    exact = np.mean([information_by_definition(theta, z) for z in draws], axis=0)
    found = [token_information(theta, jax.random.key(seed)) for seed in range(20)]
    mean = np.mean([(q * scale) @ q.T for q, scale in found], axis=0)
    np.testing.assert_allclose(mean, exact, atol=0.05 * np.abs(exact).max())
    assert found[0].scale.dtype == np.float64
    assert min(information.scale.min() for information in found) >= 0


def gaussian_posterior(length=30.0):
    """log p(x|z) = b.z - N/2 z F z, whose best psi is known: mean (I + N F)^-1 b, variances 1 / (1 + N F_kk)."""
    rng = np.random.default_rng(3)
    q, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    scale = np.array([0.01, 0.1, 0.3, 1.0, 3.0])
    f, b = (q * scale) @ q.T, rng.standard_normal(5) * 10
    known = Gaussian(np.linalg.solve(np.eye(5) + length * f, b), -np.log1p(length * np.diag(f)))
    return lambda z: b @ z - length / 2 * z @ f @ z, Information(jnp.asarray(q), jnp.asarray(scale)), known


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_the_optimum_of_a_gaussian_posterior_is_found_also_with_a_wrong_scale(x64, factor):
    log_likelihood, (directions, scale), known = gaussian_posterior()
    refiner = fisher(Information(directions, scale / factor), jnp.asarray(30.0))
    start = Gaussian(jnp.ones(5), jnp.zeros(5))
    psi, _ = climb(log_likelihood, start, jax.random.key(0), refiner=refiner, num_steps=400)
    np.testing.assert_allclose(psi.mean, known.mean, atol=0.03)
    np.testing.assert_allclose(psi.log_var, known.log_var, atol=0.05)


def test_beta_weighs_the_prior(x64):
    log_likelihood, information, _ = gaussian_posterior()
    f = (information.directions * information.scale) @ information.directions.T
    refiner = fisher(information, jnp.asarray(30.0), beta=0.1)
    start = Gaussian(jnp.ones(5), jnp.zeros(5))
    psi, _ = climb(log_likelihood, start, jax.random.key(0), refiner=refiner, num_steps=400)
    mean = np.linalg.solve(0.1 * np.eye(5) + 30 * f, jax.grad(log_likelihood)(jnp.zeros(5)))
    np.testing.assert_allclose(psi.mean, mean, rtol=5e-3, atol=1e-2)
    np.testing.assert_allclose(psi.log_var, -np.log1p(30 * np.diag(f) / 0.1), atol=0.05)


def random_model(widths, scale, seed=0):
    theta = init_params(jax.random.key(seed), V, latent_dim=K, generative_widths=widths).theta
    weights, bias = theta.output
    layers = jax.tree.map(lambda a: a * 10 / jnp.sqrt(a.shape[0] / 6) if a.ndim == 2 else a, theta.hidden)
    spread = scale * jnp.sqrt(3 * K / weights.shape[0]) * 10
    return theta._replace(hidden=layers, output=Dense(weights * spread, bias))


@partial(jax.jit, static_argnames="num_samples")
def bound(theta, psi, counts, num_samples=200):
    """[], nats, with little noise."""
    keys = jax.random.split(jax.random.key(99), num_samples)
    return jnp.mean(jax.lax.map(lambda key: elbo(theta, psi, counts, key), keys))


def documents(theta, length, seed=1, number=12):
    """Drawn from the model itself, and their z."""
    keys = jax.random.split(jax.random.key(seed), number)
    z = jax.random.normal(jax.random.key(seed + 1), (number, K))
    mu = jnp.stack([jnp.asarray(oracles.probabilities(theta, row), jnp.float32) for row in z])
    return z, jax.vmap(lambda key, p: jax.random.multinomial(key, float(length), p))(keys, mu)


@jax.jit
def spread(theta, psi, counts):
    """[B], nats: the standard deviation of one estimate of the bound."""
    keys = jax.random.split(jax.random.key(98), 50)
    one = jax.vmap(elbo, (None, 0, 0, None))
    return jnp.std(jax.lax.map(lambda key: one(theta, psi, counts, key), keys), axis=0)


@jax.jit
def bounds(theta, psi, counts):
    """[B], nats."""
    return jax.vmap(bound, (None, 0, 0))(theta, psi, counts)


@partial(jax.jit, static_argnames="num_steps")
def refined(theta, psi, counts, keys, information=None, *, num_steps):
    """`refine` of several documents."""
    one = partial(refine, num_steps=num_steps, information=information)
    return jax.vmap(one, (None, 0, 0, 0))(theta, psi, counts, keys)


@pytest.mark.parametrize("length", [0, 1, 10, 100, 10_000])
@pytest.mark.parametrize("start", ["prior", "random", "refined"])
@pytest.mark.parametrize(("widths", "scale"), [((), 0.5), ((30, 30), 0.5)])
def test_never_worse_than_its_start_by_more_than_noise(widths, scale, start, length):
    theta = random_model(widths, scale)
    z, counts = documents(theta, length)
    keys = jax.random.split(jax.random.key(5), len(z))
    if start == "prior":
        psi = Gaussian(jnp.zeros_like(z), jnp.zeros_like(z))
    elif start == "random":
        psi = Gaussian(jax.random.normal(keys[0], z.shape), jax.random.normal(keys[1], z.shape) / 2)
    else:
        psi = Gaussian(z, jnp.full_like(z, -jnp.log1p(length * scale**2)))
        psi, _ = refined(theta, psi, counts, keys, num_steps=300)
    information = token_information(theta, jax.random.key(7))
    noise = jnp.minimum(6 * np.sqrt(K) + 0.3 * spread(theta, psi, counts), 2 * length + 1)
    for num_steps in (1, 5):
        better, info = refined(theta, psi, counts, keys, information, num_steps=num_steps)
        gain = bounds(theta, better, counts) - bounds(theta, psi, counts)
        assert np.isfinite(info.elbo).all()
        assert (gain > -noise).all()
        assert gain.mean() > -0.05 * jnp.abs(bounds(theta, psi, counts)).mean() - 0.5
        if start != "refined" and length:
            assert np.median(gain) > 0


def one_step(bound=-np.inf, radius=1.0, slope=1.0, done=0.0):
    """One step on the Gaussian posterior from a state that says so."""
    log_likelihood, information, _ = gaussian_posterior()
    refiner = fisher(information, jnp.asarray(30.0))
    psi, kept = Gaussian(jnp.ones(5), jnp.zeros(5)), Gaussian(2 * jnp.ones(5), -jnp.ones(5))
    state = refiner.init(kept)._replace(floor=jnp.asarray(bound), radius=jnp.asarray(radius), step=jnp.asarray(done))
    psi_after, after, _ = refiner.step(lambda z: slope * log_likelihood(z), psi, state, jax.random.key(0))
    return psi, kept, psi_after, after, information


def test_a_step_that_made_things_worse_is_taken_back_and_judged_anew(x64):
    _, kept, psi, state, _ = one_step(bound=1e6)
    for found in (psi, state.psi):
        jax.tree.map(np.testing.assert_array_equal, found, kept)
    assert (state.radius, state.floor, state.step) == (0.25, -np.inf, 0)
    assert state.observed == state.expected == 2.5


@pytest.mark.parametrize("radius", [1.0, 0.25])
def test_a_step_stays_in_its_region(x64, radius):
    """A gradient a thousand times too steep moves by the radius, in the posterior's norm or the tokens'."""
    start, _, psi, state, (directions, scale) = one_step(radius=radius, slope=1000.0)
    move = (psi.mean - start.mean) @ directions / 0.7
    tokens = 30 * state.observed / state.expected
    token_norm, posterior_norm = np.sqrt(scale @ move**2), np.sqrt((1 + tokens * scale) @ move**2)
    assert 0 < state.step < 1
    inside = min(token_norm / (0.5 * radius), posterior_norm / (np.sqrt(5) * radius))
    np.testing.assert_allclose(inside, 1, rtol=1e-3)


def test_steps_grow_shorter(x64):
    """Step i goes 0.7 * 1.5 / (1.5 + i) of the way."""
    start, _, first, _, _ = one_step(slope=1e-3)
    _, _, fourth, _, _ = one_step(slope=1e-3, done=3.0)
    np.testing.assert_allclose((fourth.mean - start.mean) / (first.mean - start.mean), 1 / 3)


def test_information_and_another_refiner_exclude_each_other(params64):
    theta = params64.theta
    information = token_information(theta, jax.random.key(1))
    settings = {"information": information, "refiner": lambda known: fisher(information, known.length)}
    with pytest.raises(ValueError, match="expected information or refiner, found both"):
        refine(theta, Gaussian(jnp.zeros(3), jnp.zeros(3)), jnp.ones(9), jax.random.key(0), num_steps=1, **settings)


def test_a_bound_that_is_not_finite_changes_nothing(x64):
    for bad in (jnp.nan, -jnp.inf):
        _, kept, psi, state, _ = one_step(slope=bad)
        jax.tree.map(np.testing.assert_array_equal, psi, kept)
        assert np.isfinite(state.observed)


def test_a_lucky_first_draw_does_not_hold_a_document_back():
    theta = random_model((30, 30), 0.3)
    _, counts = documents(theta, 1000, number=4)
    counts = jnp.repeat(counts, 60, axis=0)
    psi = Gaussian(jnp.zeros((240, K)), jnp.zeros((240, K)))
    keys = jax.random.split(jax.random.key(5), 240)
    moved, _ = refined(theta, psi, counts, keys, token_information(theta, jax.random.key(7)), num_steps=5)
    assert np.abs(moved.mean).max(axis=1).min() > 0


def test_ten_evaluations_beat_a_hundred_of_adam():
    """On documents of a model of known scale: the mean bound, from the same start."""
    theta = random_model((), 0.3)
    z, counts = documents(theta, 100, number=40)
    keys = jax.random.split(jax.random.key(5), len(z))
    psi = Gaussian(jnp.zeros_like(z), jnp.zeros_like(z))
    information = token_information(theta, jax.random.key(7))
    fast, _ = refined(theta, psi, counts, keys, information, num_steps=5)
    slow, _ = refined(theta, psi, counts, keys, num_steps=99)
    assert jnp.mean(bounds(theta, fast, counts)) > jnp.mean(bounds(theta, slow, counts))


def test_a_document_without_words_goes_to_the_prior():
    theta = random_model((), 0.5)
    psi = Gaussian(3 * jnp.ones(K), jnp.ones(K))
    information = token_information(theta, jax.random.key(7))
    settings = {"num_steps": 10, "information": information}
    psi, info = refine(theta, psi, jnp.zeros(V), jax.random.key(0), **settings)
    np.testing.assert_allclose(psi.mean, 0, atol=0.3)
    np.testing.assert_array_equal(psi.log_var, 0)
    assert info.elbo[-1] > info.elbo[0]


def test_two_evaluations_a_step_and_gradients_through_refinement(x64):
    log_likelihood, information, _ = gaussian_posterior()
    refiner = fisher(information, jnp.asarray(30.0))
    calls = []

    def counted(z):
        jax.debug.callback(lambda _: calls.append(1), z)
        return log_likelihood(z)

    start = Gaussian(jnp.zeros(5), jnp.zeros(5))
    jax.block_until_ready(climb(counted, start, jax.random.key(0), refiner=refiner, num_steps=6))
    jax.effects_barrier()
    assert len(calls) == 14  # the last two without gradients

    def end(shift):
        refined, _ = climb(lambda z: log_likelihood(z + shift), start, jax.random.key(0), refiner=refiner, num_steps=4)
        return refined.mean.sum()

    step = 1e-5
    slope = (end(0.3 + step) - end(0.3 - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(end)(0.3), slope, rtol=1e-4)


def test_evidence_alone_suffices(params64):
    """The public refine with `information` is the fisher refiner on the evidence of the counts."""
    theta = params64.theta
    counts = jnp.array([3.0, 0, 1, 0, 2, 0, 0, 1, 5])
    information = token_information(theta, jax.random.key(1))
    start = Gaussian(jnp.ones(3), jnp.zeros(3))
    public, _ = refine(theta, start, counts, jax.random.key(2), num_steps=3, information=information)
    known = evidence(theta, counts)
    by_hand, _ = climb(
        lambda z: sum(counts[v] * jax.nn.log_softmax(_gamma(theta, z))[v] for v in range(9)),
        start,
        jax.random.key(2),
        refiner=fisher(information, known.length),
        num_steps=3,
    )
    np.testing.assert_allclose(public.mean, by_hand.mean, atol=1e-9)
    np.testing.assert_allclose(public.log_var, by_hand.log_var, atol=1e-9)


def _gamma(theta, z):
    for weights, bias in theta.hidden.layers:
        z = jax.nn.relu(z @ weights + bias)
    return z @ theta.output.weights + theta.output.bias
