import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, stats

from dlgm_jax.distributions import gaussian
from dlgm_jax.types import Gaussian

PSI = Gaussian(np.array([0.3, -1.2, 2.0]), np.array([0.1, -3.0, 1.5]))


def test_kl_is_the_integral(x64):
    total = 0.0
    for mean, log_var in zip(*PSI):
        q, p = stats.norm(mean, np.exp(log_var / 2)), stats.norm()
        total += integrate.quad(lambda z, q=q, p=p: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -20, 20)[0]
    np.testing.assert_allclose(gaussian.kl_to_standard(PSI), total, rtol=1e-8)


def test_densities_are_scipys(x64):
    z = np.array([0.5, -1.0, 4.0])
    expected = stats.norm(PSI.mean, np.exp(PSI.log_var / 2)).logpdf(z).sum()
    np.testing.assert_allclose(gaussian.log_density(PSI, z), expected, rtol=1e-12)
    np.testing.assert_allclose(gaussian.standard_log_density(z), stats.norm().logpdf(z).sum(), rtol=1e-12)


def test_samples_have_the_moments():
    keys = jax.random.split(jax.random.key(0), 20_000)
    psi = jax.tree.map(jnp.float32, PSI)
    draws = np.asarray(jax.vmap(lambda key: gaussian.sample(psi, key))(keys))
    sigma = np.exp(PSI.log_var / 2)
    assert np.all(abs(draws.mean(0) - PSI.mean) < 5 * sigma / np.sqrt(20_000))
    np.testing.assert_allclose(draws.std(0), sigma, rtol=0.05)
