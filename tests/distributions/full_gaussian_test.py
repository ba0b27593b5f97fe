import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax.distributions import full_gaussian, gaussian
from dlgm_jax.types import FullGaussian, Gaussian

MEAN = np.array([0.3, -1.2, 2.0])
PRECISION = np.array([[2.0, 0.5, -0.3], [0.5, 1.5, 0.4], [-0.3, 0.4, 5.0]])
COVARIANCE = np.linalg.inv(PRECISION)


def test_the_covariance_is_the_inverse(x64):
    mean, factor = full_gaussian.from_precision(jnp.asarray(MEAN), jnp.asarray(PRECISION))
    np.testing.assert_allclose(factor @ factor.T, COVARIANCE, rtol=1e-12)
    np.testing.assert_array_equal(mean, MEAN)


def test_kl_is_the_textbooks(x64):
    q = full_gaussian.from_precision(jnp.asarray(MEAN), jnp.asarray(PRECISION))
    expected = 0.5 * (np.trace(COVARIANCE) + MEAN @ MEAN - 3 - np.linalg.slogdet(COVARIANCE)[1])
    np.testing.assert_allclose(full_gaussian.kl_to_standard(q), expected, rtol=1e-12)


def test_kl_of_a_diagonal_covariance_is_that_of_the_diagonal_gaussian(x64):
    log_var = np.array([0.1, -3.0, 1.5])
    q = FullGaussian(jnp.asarray(MEAN), jnp.diag(jnp.exp(log_var / 2)))
    expected = gaussian.kl_to_standard(Gaussian(MEAN, log_var))
    np.testing.assert_allclose(full_gaussian.kl_to_standard(q), expected, rtol=1e-12)


def test_samples_have_the_moments():
    q = full_gaussian.from_precision(jnp.float32(MEAN), jnp.float32(PRECISION))
    draws = np.asarray(jax.vmap(lambda key: full_gaussian.sample(q, key))(jax.random.split(jax.random.key(0), 40_000)))
    assert draws.mean(0) == pytest.approx(MEAN, abs=0.02)
    np.testing.assert_allclose(np.cov(draws.T), COVARIANCE, atol=0.02)
