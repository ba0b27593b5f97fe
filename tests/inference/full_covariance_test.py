"""The posterior with full covariance where it is known, and the curvature against second derivatives."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import evidence, init_params, log_likelihood, refine
from dlgm_jax.distributions import full_gaussian
from dlgm_jax.distributions.gaussian import kl_to_standard
from dlgm_jax.inference import full_covariance
from dlgm_jax.inference.elbo import elbo
from dlgm_jax.models.dlgm import curvature
from dlgm_jax.types import Gaussian
from tests import oracles

COUNTS = np.array([3, 0, 1, 0, 0, 2, 7, 0, 1])
Z = np.array([0.4, -0.2, 1.1])
PSI = Gaussian(np.zeros(3), np.zeros(3))


def second_differences(function, x, step=1e-4):
    """The Hessian of a scalar function, by loops over central differences of central differences."""
    hessian, axes = np.zeros((x.size, x.size)), np.eye(x.size) * step
    for i in range(x.size):
        for j in range(x.size):
            corners = [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]
            hessian[i, j] = sum(sign * function(x + a * axes[i] + b * axes[j]) for a, b, sign in corners)
    return hessian / (4 * step**2)


@pytest.mark.parametrize("widths", [(), (6, 5)])
def test_curvature_is_minus_the_hessian(x64, widths):
    theta = init_params(jax.random.key(1), 9, latent_dim=3, generative_widths=widths, dtype=jnp.float64).theta
    theta = jax.tree.map(lambda leaf: 8 * leaf, theta)
    expected = -second_differences(lambda z: oracles.log_likelihood(theta, z, COUNTS), Z)
    found = curvature(theta, jnp.asarray(Z), evidence(theta, COUNTS))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max() + 1e-6)


def test_curvature_of_smooth_layers_is_the_tokens_information(x64):
    theta = init_params(
        jax.random.key(1), 9, latent_dim=3, generative_widths=(6,), activation="tanh", dtype=jnp.float64
    ).theta
    theta = jax.tree.map(lambda leaf: 8 * leaf, theta)
    potentials = partial(_potentials, theta)
    mu = np.exp(potentials(Z) - np.logaddexp.reduce(potentials(Z)))
    expected = np.zeros((3, 3))
    for w in range(9):
        score = oracles.gradient(lambda z, w=w: potentials(z)[w] - np.logaddexp.reduce(potentials(z)), Z)
        expected += COUNTS.sum() * mu[w] * np.outer(score, score)
    np.testing.assert_allclose(curvature(theta, jnp.asarray(Z), evidence(theta, COUNTS)), expected, rtol=1e-6)


def _potentials(theta, z):
    (layer,) = theta.hidden.layers
    hidden = np.tanh(z @ np.asarray(layer.weights) + np.asarray(layer.bias))
    return hidden @ np.asarray(theta.output.weights) + np.asarray(theta.output.bias)


def test_a_gaussian_posterior_is_found_and_its_bound_is_the_evidence(x64):
    precision = np.array([[3.0, 1.0, -0.5], [1.0, 2.0, 0.4], [-0.5, 0.4, 6.0]])
    pull = np.array([1.0, -2.0, 0.5])
    posterior = np.linalg.inv(np.eye(3) + precision)

    def log_likelihood(z):
        return pull @ z - z @ precision @ z / 2

    start = jax.tree.map(jnp.asarray, PSI)
    q = full_covariance.fit(log_likelihood, lambda z: jnp.asarray(precision), start, jax.random.key(0), num_steps=3000)
    np.testing.assert_allclose(q.mean, posterior @ pull, atol=1e-3)
    np.testing.assert_allclose(q.factor @ q.factor.T, posterior, atol=1e-3)

    draws = jax.vmap(partial(full_covariance.bound, log_likelihood, q))(jax.random.split(jax.random.key(1), 50_000))
    expected = (pull @ posterior @ pull + np.linalg.slogdet(posterior)[1]) / 2
    assert np.mean(draws) == pytest.approx(expected, abs=float(5 * np.std(draws) / 50_000**0.5))

    straight = full_covariance.bound(lambda z: pull @ z, q, jax.random.key(2))  # pairs cancel: no noise
    np.testing.assert_allclose(straight, pull @ q.mean - full_gaussian.kl_to_standard(q), rtol=1e-12)


@pytest.mark.parametrize("num_steps", [1, 3])
def test_steps_are_those_of_variational_online_newton(x64, num_steps):
    """Written out, with the draws of `fit` and derivatives by differences."""
    theta = init_params(jax.random.key(1), 9, latent_dim=3, generative_widths=(), dtype=jnp.float64).theta
    theta = jax.tree.map(lambda leaf: 3 * leaf, theta)
    known, key = evidence(theta, COUNTS), jax.random.key(7)

    def of_z(z):
        return oracles.log_likelihood(theta, z, COUNTS)

    mean, precision = np.array([0.5, -0.4, 0.1]), np.diag(np.exp([1.0, 0.2, -0.5]))
    start = Gaussian(jnp.asarray(mean), -jnp.log(jnp.diagonal(jnp.asarray(precision))))
    for i in range(num_steps):
        factor = np.linalg.inv(np.linalg.cholesky(precision)).T
        d = factor @ np.asarray(jax.random.normal(jax.random.fold_in(key, i), (3,)))
        gradient = (oracles.gradient(of_z, mean + d) + oracles.gradient(of_z, mean - d)) / 2 - mean
        precision = precision + (np.eye(3) - second_differences(of_z, mean + d) - precision) / (2 + i)
        mean = mean + np.linalg.solve(precision, gradient) / (2 + i)
    q = full_covariance.fit(
        partial(_log_likelihood, theta, known), lambda z: curvature(theta, z, known), start, key, num_steps=num_steps
    )
    np.testing.assert_allclose(q.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(q.factor @ q.factor.T, np.linalg.inv(precision), rtol=1e-5, atol=1e-6)


def test_long_documents_under_a_lively_deep_model_are_not_worse_than_before():
    """Where whole Newton steps leave the valley that refinement found."""
    theta = init_params(jax.random.key(1), 9, latent_dim=3, generative_widths=(6, 5)).theta
    theta = jax.tree.map(lambda leaf: 6 * leaf, theta)
    for document, counts in enumerate(np.random.default_rng(0).poisson(COUNTS, (8, 9)) * 200):
        known = evidence(theta, counts)
        of_z = partial(_log_likelihood, theta, known)
        key = jax.random.key(document)
        psi, _ = refine(theta, PSI, counts, key, num_steps=200, learning_rate=0.02)
        q = full_covariance.fit(of_z, lambda z, known=known: curvature(theta, z, known), psi, key, num_steps=8)
        draws = jax.random.split(jax.random.fold_in(key, 1), 64)
        full = jnp.mean(jax.vmap(partial(full_covariance.bound, of_z, q))(draws))
        diagonal = jnp.mean(jax.vmap(partial(elbo, of_z, psi))(draws))
        assert full > diagonal - 1, document


def test_the_bound_is_tighter_than_the_best_diagonal_one(x64):
    """Two topics that share their words: the posterior of the coordinates is correlated."""
    theta = init_params(jax.random.key(1), 9, latent_dim=3, generative_widths=(), dtype=jnp.float64).theta
    base = np.random.default_rng(0).normal(size=9)
    weights = np.stack([base, base + 0.1 * np.arange(9), -base + 0.2])
    theta = theta._replace(output=theta.output._replace(weights=jnp.asarray(weights)))
    counts = 10 * COUNTS
    known = evidence(theta, counts)
    of_z = partial(_log_likelihood, theta, known)
    diagonal, _ = refine(theta, PSI, counts, jax.random.key(0), num_steps=3000, learning_rate=0.01)
    q = full_covariance.fit(of_z, lambda z: curvature(theta, z, known), diagonal, jax.random.key(1), num_steps=20)

    normal = np.random.default_rng(1).normal(size=(50_000, 3))
    normal = np.concatenate([normal, -normal])
    means = {}
    for name, mean, factor, kl in (
        ("diagonal", diagonal.mean, np.diag(np.exp(diagonal.log_var / 2)), kl_to_standard(diagonal)),
        ("full", q.mean, np.asarray(q.factor), full_gaussian.kl_to_standard(q)),
    ):
        means[name] = float(jnp.mean(jax.vmap(of_z)(jnp.asarray(mean + normal @ factor.T)))) - float(kl)
    truth = log_evidence(theta, counts)
    assert truth - means["diagonal"] > 0.3
    assert -0.02 < truth - means["full"] < 0.1 * (truth - means["diagonal"])


def _log_likelihood(theta, known, z):
    return log_likelihood(theta, z, known)


def log_evidence(theta, counts):
    """log p(x) by a grid around the mode."""
    axis = np.linspace(-5, 5, 161)
    z = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    logits = z @ np.asarray(theta.output.weights) + np.asarray(theta.output.bias)
    joint = logits @ counts - counts.sum() * np.logaddexp.reduce(logits, axis=1)
    joint += -0.5 * (z**2).sum(1) - 1.5 * np.log(2 * np.pi)
    return np.logaddexp.reduce(joint) + 3 * np.log(axis[1] - axis[0])


def test_a_document_without_words_has_the_prior():
    theta = init_params(jax.random.key(1), 9, latent_dim=3, generative_widths=(4,)).theta
    known = evidence(theta, np.zeros(9))
    start = Gaussian(jnp.ones(3), jnp.full(3, -2.0))
    of_z = partial(_log_likelihood, theta, known)
    q = full_covariance.fit(of_z, lambda z: curvature(theta, z, known), start, jax.random.key(1), num_steps=500)
    np.testing.assert_allclose(q.mean, np.zeros(3), atol=3e-2)
    np.testing.assert_allclose(q.factor, np.eye(3), atol=3e-2)
