"""Rising factorials: what the likelihoods of bursty and of overdispersed counts are made of."""

import jax
import jax.numpy as jnp

from dlgm_jax.types import Array

SHIFT = 4  # Stirling's series is taken so far above a, where three terms reach float32


@jax.custom_jvp
def rising(log_a: Array, n: Array) -> Array:
    """log Gamma(a + n) - log Gamma(a), which for a whole n is log a (a + 1) .. (a + n - 1).

    Args:
        log_a: logarithms of numbers a above 0, [..].
        n: numbers from 0, [..]; they are data, and no derivative in them is given.

    Returns:
        The logarithms, [..], in nats.

    >>> import jax.numpy as jnp
    >>> round(float(jnp.exp(rising(jnp.log(2.0), 3.0))), 3)  # 2 * 3 * 4
    24.0
    """
    return n * log_a + burst(log_a, n)


@jax.custom_jvp
def burst(log_a: Array, n: Array) -> Array:
    """`rising` without its leading term n log a: for a whole n the sum of log(1 + j / a), j < n. It is 0 at n = 1.

    Arguments and result are those of `rising`. Differences of float32 log Gammas would lose 38 nats at a = 2e7; here
    Stirling's series is that of a + 4, and the terms that are large are never subtracted from each other. What grows
    with a, as n does, is lost to within 1e-7 of n.
    """
    y = jnp.exp(log_a) + SHIFT
    stirling = (y - 0.5) * jnp.log1p(n / y) - n + _series(y + n) - _series(y)
    leading = n * jax.nn.softplus(jnp.log(n + SHIFT) - log_a)  # n log((y + n) / a)
    return stirling + leading - _shifted(log_a, n)


@rising.defjvp
def _rising_jvp(primals, tangents):
    return rising(*primals), _slope(*primals) * tangents[0]


@burst.defjvp
def _burst_jvp(primals, tangents):
    return burst(*primals), (_slope(*primals) - primals[1]) * tangents[0]


def _slope(log_a: Array, n: Array) -> Array:
    """The derivative of `rising` in log a: a (digamma(a + n) - digamma(a)), a sum of a / (a + j), j < n."""
    a = jnp.exp(log_a)
    y, top = a + SHIFT, a + SHIFT + n
    above = jnp.log1p(n / y) + (1 / y - 1 / top) / 2 + (1 / y**2 - 1 / top**2) / 12 - (1 / y**4 - 1 / top**4) / 120
    steps = sum(n / ((a + j) * (a + j + n)) for j in range(1, SHIFT))
    return a * (above + steps) + jax.nn.sigmoid(jnp.log(n) - log_a)


def _series(y: Array) -> Array:
    """Stirling's series: what log Gamma(y) has beyond (y - 1/2) log y - y + log(2 pi) / 2."""
    return (1 / 12 - (1 / 360 - 1 / (1260 * y**2)) / y**2) / y


def _shifted(log_a: Array, n: Array) -> Array:
    """log (a + n) .. (a + n + 3) - log a .. (a + 3)."""
    a = jnp.exp(log_a)
    return jax.nn.softplus(jnp.log(n) - log_a) + sum(jnp.log1p(n / (a + j)) for j in range(1, SHIFT))
