"""The evidence lower bound of one document."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from dlgm_jax.distributions import gaussian
from dlgm_jax.types import Array, Family

LogLikelihood = Callable[[Array], Array]  # z [K] -> log p(x|z) in nats
KL = Callable[[Any, Array], Array]  # psi, z ~ q -> KL(q || p) in nats


def to_standard_normal(psi: Any, z: Array) -> Array:
    """KL(q || N(0, I)) of a Gaussian q, in closed form: z is not looked at."""
    return gaussian.kl_to_standard(psi)


def elbo(
    log_likelihood: LogLikelihood,
    psi: Any,
    key: Array,
    *,
    family: Family = gaussian.DIAGONAL,
    kl: KL = to_standard_normal,
    beta: float | Array = 1.0,
) -> Array:
    """One-sample estimate of E_q[log p(x|z)] - beta KL(q || p) in nats (eq. 2; beta as in beta-VAE)."""
    z = family.sample(psi, key)
    return log_likelihood(z) - beta * kl(psi, z)


def importance_weighted_bound(
    log_likelihood: LogLikelihood,
    psi: Any,
    key: Array,
    *,
    num_samples: int,
    family: Family = gaussian.DIAGONAL,
    log_prior: LogLikelihood = gaussian.standard_log_density,
) -> Array:
    """log (1/S) sum_s p(x, z_s) / q(z_s) in nats, z_s ~ q, which has a density (Burda et al. 2015, eq. 8)."""
    log_density = family.log_prob
    assert log_density is not None

    def log_weight(m):
        z = family.sample(psi, jax.random.fold_in(key, m))
        return log_likelihood(z) + log_prior(z) - log_density(psi, z)

    log_weights = jax.lax.map(log_weight, jnp.arange(num_samples))
    return jax.nn.logsumexp(log_weights) - jnp.log(num_samples)
