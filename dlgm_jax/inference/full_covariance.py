"""A posterior with full covariance, fitted from a refined one with diagonal covariance.

The bound of N(m, S) is stationary where m = E_q[grad log p(x|z)] and S^-1 = I - E_q[hessian log p(x|z)] (Opper &
Archambeau 2009, eqs. 2.7 and 2.8). For a document of N tokens minus the Hessian is N F(z), F(z) the Fisher information
of one token at z, where potentials are linear in z. Below hidden layers N F(z) is its Gauss-Newton part, positive
semidefinite: the fit ends elsewhere then, and the bound stays a bound.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from dlgm_jax.distributions import full_gaussian
from dlgm_jax.inference.elbo import LogLikelihood
from dlgm_jax.types import Array, FullGaussian, Gaussian


def fit(
    log_likelihood: LogLikelihood,
    curvature: Callable[[Array], Array],
    psi: Gaussian,
    key: Array,
    *,
    num_steps: int,
) -> FullGaussian:
    """The q of one document under the standard normal prior after `num_steps` Newton steps from psi.

    Step i = 0, 1, ... moves the precision by 1/(2+i) of the way to I + curvature(z) [K, K], z ~ q, and the mean by as
    much of the Newton step along the gradient of an antithetic pair (variational online Newton, Khan et al. 2018, with
    step sizes that average psi's precision and all curvatures; whole first steps diverge under deep models).
    """

    def step(carry, i):
        mean, precision = carry
        q = full_gaussian.from_precision(mean, precision)
        d = full_gaussian.sample(q, jax.random.fold_in(key, i)) - mean
        gradient = (jax.grad(log_likelihood)(mean + d) + jax.grad(log_likelihood)(mean - d)) / 2 - mean
        target = jnp.eye(mean.size, dtype=mean.dtype) + curvature(mean + d)
        precision += (target - precision) / (2 + i)
        factor = full_gaussian.from_precision(mean, precision).factor
        return (mean + factor @ (gradient @ factor) / (2 + i), precision), None

    start = psi.mean, jnp.diag(jnp.exp(-psi.log_var))
    (mean, precision), _ = jax.lax.scan(step, start, jnp.arange(num_steps))
    return full_gaussian.from_precision(mean, precision)


def bound(log_likelihood: LogLikelihood, q: FullGaussian, key: Array) -> Array:
    """Estimate of E_q[log p(x|z)] - KL(q || N(0, I)) in nats, by an antithetic pair of draws."""
    above = full_gaussian.sample(q, key)
    below = 2 * q.mean - above
    return (log_likelihood(above) + log_likelihood(below)) / 2 - full_gaussian.kl_to_standard(q)
