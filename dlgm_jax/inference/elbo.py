"""The evidence lower bound of one document."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from dlgm_jax.distributions.gaussian import kl_to_standard, log_density, sample, standard_log_density
from dlgm_jax.types import Array, Gaussian

LogLikelihood = Callable[[Array], Array]  # z [K] -> log p(x|z) in nats


def elbo(
    log_likelihood: LogLikelihood,
    psi: Gaussian,
    key: Array,
    *,
    prior: Callable[[Gaussian], Array] = kl_to_standard,
    beta: float | Array = 1.0,
) -> Array:
    """One-sample estimate of E_q[log p(x|z)] - beta KL(q || p) in nats (eq. 2; beta as in beta-VAE)."""
    return log_likelihood(sample(psi, key)) - beta * prior(psi)


def importance_weighted_bound(log_likelihood: LogLikelihood, psi: Gaussian, key: Array, *, num_samples: int) -> Array:
    """log (1/S) sum_s p(x, z_s) / q(z_s) in nats, z_s ~ q, prior N(0, I) (Burda et al. 2015, eq. 8)."""

    def log_weight(m):
        z = sample(psi, jax.random.fold_in(key, m))
        return log_likelihood(z) + standard_log_density(z) - log_density(psi, z)

    log_weights = jax.lax.map(log_weight, jnp.arange(num_samples))
    return jax.nn.logsumexp(log_weights) - jnp.log(num_samples)
