"""Rising factorials in float32 against float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import digamma, gammaln

from dlgm_jax.distributions.rising import burst, rising

LOG_A = np.log([1e-13, 1e-6, 1e-3, 0.1, 0.5, 1, 3, 30, 200, 1e4, 1e6]).astype(np.float32)
WHOLE = (0, 1, 2, 3, 10, 100, 4000, 5000)


def slow(log_a, n):
    """Of a whole n: the ordered sequence, factor by factor, and the derivative in log a."""
    a, j = np.exp(np.float64(log_a)), np.arange(n)
    return np.log(a + j).sum(), (a / (a + j)).sum()


@pytest.mark.parametrize("n", WHOLE)
def test_whole_counts_are_ordered_sequences(n):
    values, slopes = np.transpose([slow(log_a, n) for log_a in LOG_A])
    found = rising(LOG_A, jnp.float32(n))
    assert (np.abs(found - values) <= 1e-3 + 1e-6 * np.abs(values)).all()
    gradients = jax.vmap(jax.grad(rising), (0, None))(LOG_A, jnp.float32(n))
    np.testing.assert_allclose(gradients, slopes, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", [0.3, 1.5, 2.7, 812.25])
def test_fractional_counts_are_log_gammas(n):
    a = np.exp(LOG_A.astype(np.float64))
    values, slopes = gammaln(a + n) - gammaln(a), a * (digamma(a + n) - digamma(a))
    assert (np.abs(rising(LOG_A, jnp.float32(n)) - values) <= 1e-3 + 1e-6 * np.abs(values)).all()
    gradients = jax.vmap(jax.grad(rising), (0, None))(LOG_A, jnp.float32(n))
    np.testing.assert_allclose(gradients, slopes, rtol=1e-5, atol=1e-5)


def test_bursts_vanish_for_words_seen_once_and_for_great_concentrations():
    log_a = np.linspace(-120, 25, 200).astype(np.float32)
    np.testing.assert_allclose(burst(log_a, jnp.ones(200)), 0, atol=2e-5)
    np.testing.assert_array_equal(burst(log_a, jnp.zeros(200)), 0)
    np.testing.assert_allclose(jax.vmap(jax.grad(burst), (0, None))(log_a, jnp.float32(0)), 0, atol=1e-6)
    counts = np.array(WHOLE, np.float32)
    for log_great in np.log([2e7, 2e9]):  # n (n - 1) / 2a is left
        np.testing.assert_allclose(
            burst(jnp.float32(log_great), counts), counts * (counts - 1) / 2 / np.exp(log_great), atol=2e-3
        )


def test_the_burst_is_the_sum_of_its_steps():
    for log_a in LOG_A:
        for n in WHOLE[:6]:
            expected = np.log1p(np.arange(n) / np.exp(np.float64(log_a))).sum()
            assert float(burst(jnp.float32(log_a), jnp.float32(n))) == pytest.approx(expected, rel=1e-5, abs=1e-3)
