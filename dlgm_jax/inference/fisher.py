"""Refinement preconditioned by what one token tells about z.

Let s = grad_z log mu_w(z) be the score of one word, z ~ p(z), w ~ mu(z). Its covariance F = E[s s^T] is the Fisher
information of a token and a property of theta alone; the posterior precision of a document of N tokens is close to
I + N F. One [K, K] matrix so preconditions every document.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from dlgm_jax.distributions.gaussian import kl_to_standard
from dlgm_jax.inference.elbo import LogLikelihood
from dlgm_jax.inference.refine import Refiner
from dlgm_jax.types import Array, Gaussian

EVALUATIONS_PER_STEP = 2
DRAWS = 100  # of z, for the token information
WORDS_A_DRAW = 16  # words whose scores are taken at each draw of z, for the token information
FIRST_STEP, DECAY = 0.7, 1.5  # step i moves by 0.7 * 1.5 / (1.5 + i) of the way
TOKEN_RADIUS = 0.5  # a step may change the log-probabilities of tokens by so many nats (root mean square)
NOISE = 3.0  # standard deviations of a pair: a bound that falls by more, and by half its difference, is worse
SHRINK = 0.25  # of the radius of a document whose step made it worse
TINY = 1e-6


class Information(NamedTuple):
    """The Fisher information of one token, F = Q diag(scale) Q^T."""

    directions: Array  # [K, K], Q
    scale: Array  # [K], in nats


class Trust(NamedTuple):
    """What is known of one document."""

    psi: Gaussian  # the last one whose bound was not worse
    floor: Array  # [], the estimate of the bound at it less its noise; -inf when it has to be judged anew
    radius: Array  # []
    observed: Array  # [], sum of the curvature d.H d met on the way
    expected: Array  # [], the same as N d.F d says
    step: Array  # [], steps so far; one that the region cuts short counts in part


def token_information(
    token_scores: Callable[[Array, Array], Array], key: Array, *, latent_dim: int, num_samples: int = DRAWS, dtype=None
) -> Information:
    """F of a model, estimated from `num_samples` draws of z from the prior.

    `token_scores(z, key)` gives the scores [words, K] of some words drawn at z [K].
    """

    def draw(sample):
        z_key, words_key = jax.random.split(jax.random.fold_in(key, sample))
        return token_scores(jax.random.normal(z_key, (latent_dim,), dtype), words_key)

    scores = jax.vmap(draw)(jnp.arange(num_samples)).reshape(-1, latent_dim)
    scale, directions = jnp.linalg.eigh(scores.T @ scores / len(scores))
    return Information(directions, jnp.maximum(scale, 0))


def fisher(information: Information, length: Array, *, beta: float | Array = 1.0) -> Refiner:
    """Refines a document of `length` tokens under the standard normal prior, by antithetic pairs z = mean +- d.

    mean climbs (beta I + c N F)^-1 grad within a trust region; the variances are beta / (beta + c N diag F). c is the
    document's own curvature as the half differences of the pairs show it, over that of F. A step after which the
    bound is worse by more than noise (what a pair would show of a quadratic bound, and half its difference) is taken
    back, its psi is judged anew, and the region shrinks. A pair of values without gradients judges the last step.
    beta is above 0.
    """
    directions, scale = information
    diagonal = jnp.sum(scale * directions**2, axis=1)

    def init(psi: Gaussian) -> Trust:
        weight = jnp.asarray(psi.mean.size / 2, psi.mean.dtype)
        return Trust(
            psi, jnp.full_like(weight, -jnp.inf), jnp.ones_like(weight), weight, weight, jnp.zeros_like(weight)
        )

    def spread(psi: Gaussian, key: Array) -> Array:
        return jnp.exp(psi.log_var / 2) * jax.random.normal(key, psi.mean.shape, psi.mean.dtype)

    def estimate(psi: Gaussian, above: Array, below: Array) -> Array:
        return (above + below) / 2 - beta * kl_to_standard(psi)

    def step(log_likelihood: LogLikelihood, psi: Gaussian, state: Trust, key: Array) -> tuple[Gaussian, Trust, Array]:
        mean, d = psi.mean, spread(psi, key)
        (above, uphill), (below, downhill) = map(jax.value_and_grad(log_likelihood), (mean + d, mean - d))
        bound = estimate(psi, above, below)

        curvature = jnp.maximum(d @ (downhill - uphill) / 2, 0)
        observed = state.observed + curvature
        expected = state.expected + length * jnp.sum(scale * (d @ directions) ** 2)
        tokens = length * observed / expected

        shares = tokens * scale / (beta + tokens * scale)
        excess = jnp.maximum(curvature / (jnp.sum(shares) + TINY), 1)
        noise = excess * jnp.sqrt(jnp.sum(shares**2) / 2)
        floor = bound - NOISE * noise - jnp.abs(above - below) / 2

        gradient = ((uphill + downhill) / 2 - beta * mean) @ directions
        move = gradient / (beta + tokens * scale)
        posterior_norm, token_norm = jnp.sum(move * gradient), jnp.sum(scale * move**2)
        reach = jnp.maximum(mean.size / (posterior_norm + TINY), TOKEN_RADIUS**2 / (token_norm + TINY))
        share = jnp.minimum(1, state.radius * jnp.sqrt(reach))
        size = share * FIRST_STEP * DECAY / (DECAY + state.step)

        moved = Gaussian(mean + size * (move @ directions.T), -jnp.log1p(tokens * diagonal / beta))
        climbed = Trust(psi, floor, state.radius, observed, expected, state.step + share)
        taken_back = state._replace(floor=jnp.full_like(bound, -jnp.inf), radius=SHRINK * state.radius)
        accepted = (bound > state.floor) & jnp.isfinite(jnp.sum(moved.mean))
        return *_where(accepted, (moved, climbed), (state.psi, taken_back)), bound

    def finish(log_likelihood: LogLikelihood, psi: Gaussian, state: Trust, key: Array) -> Gaussian:
        d = spread(psi, key)
        bound = estimate(psi, log_likelihood(psi.mean + d), log_likelihood(psi.mean - d))
        return _where(bound > state.floor, psi, state.psi)

    return Refiner(init, step, finish)


def _where(condition: Array, yes, no):
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
