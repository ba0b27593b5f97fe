import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, special, stats

from dlgm_jax.inference.elbo import elbo, importance_weighted_bound
from dlgm_jax.types import Gaussian


def log_likelihood(z):
    """Seven heads of ten tosses with log-odds z: its evidence is a one-dimensional integral."""
    return 7 * jax.nn.log_sigmoid(z[0]) + 3 * jax.nn.log_sigmoid(-z[0])


def evidence():
    def joint(z):
        return special.expit(z) ** 7 * special.expit(-z) ** 3 * stats.norm.pdf(z)

    return np.log(integrate.quad(joint, -12, 12)[0])


PSI = Gaussian(jnp.array([0.5]), jnp.array([-1.0]))


def test_the_expected_bound_is_the_integral(x64):
    keys = jax.random.split(jax.random.key(0), 20_000)
    draws = np.asarray(jax.vmap(lambda key: elbo(log_likelihood, PSI, key))(keys))
    q = stats.norm(0.5, np.exp(-0.5))

    def integrand(z):
        inside = 7 * np.log(special.expit(z)) + 3 * np.log(special.expit(-z)) + stats.norm.logpdf(z) - q.logpdf(z)
        return q.pdf(z) * inside

    expected = integrate.quad(integrand, -10, 10)[0]
    assert abs(draws.mean() - expected) < 5 * draws.std() / np.sqrt(len(draws))
    assert expected < evidence()


def test_the_importance_weighted_bound_rises_to_the_evidence(x64):
    def mean_bound(samples, repeats):
        keys = jax.random.split(jax.random.key(samples), repeats)
        return np.asarray(
            jax.vmap(lambda key: importance_weighted_bound(log_likelihood, PSI, key, num_samples=samples))(keys)
        ).mean()

    bounds = [mean_bound(samples, 4000) for samples in (1, 5, 50)]
    assert bounds[0] < bounds[1] < bounds[2]
    assert abs(mean_bound(5000, 20) - evidence()) < 2e-3
    assert bounds[2] < evidence() + 2e-3
