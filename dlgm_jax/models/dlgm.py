"""The deep latent Gaussian model of counts (eq. 1): z ~ N(0, I), x ~ Multinomial(softmax(MLP(z)), N).

Public functions take one document with dense counts [V]; `vmap` them for more. `dlgm` bundles the same
functions for flat batches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

from dlgm_jax import networks, sparse
from dlgm_jax.devices.collectives import logsumexp_across, shared, summed
from dlgm_jax.distributions import gaussian
from dlgm_jax.inference import elbo as bounds
from dlgm_jax.inference import fisher
from dlgm_jax.inference import refine as refinement
from dlgm_jax.inference.fisher import WORDS_A_DRAW, Information
from dlgm_jax.inference.refine import RefineInfo, Refiner, adam
from dlgm_jax.inference.softmax import logsumexp_linear
from dlgm_jax.networks import check_of_counts, latent_dim, potentials, vocab_size
from dlgm_jax.settings import setting
from dlgm_jax.types import Array, Batch, Csr, Dense, Gaussian, LinearSoftmax, Mlp, Model, Params

LIKELIHOOD = (
    "of the counts: multinomial, or dirichlet_multinomial, whose words come in bursts; of ae, dae and vae also "
    "gaussian, of the row that --features gives"
)


@dataclass(frozen=True)
class Settings:
    """Sizes, nonlinearity and likelihood of the model; each field is a flag."""

    generative_widths: tuple[int, ...] = setting(
        (400, 400), "hidden widths of the generative model, as 400,400; empty: log-linear", "widths"
    )
    inference_widths: tuple[int, ...] = setting((400, 400), "hidden widths of the inference network", "widths")
    activation: str = setting(
        "relu", f"nonlinearity of the hidden layers: {', '.join(networks.ACTIVATIONS)}", "activation"
    )
    K: int = setting(100, "latent dimensions", "size")
    likelihood: str = setting(
        "multinomial",
        LIKELIHOOD,
        "likelihood",
    )

    @property
    def sizes(self) -> dict[str, Any]:
        """The keyword arguments of `init_params`."""
        return {
            "latent_dim": self.K,
            "generative_widths": self.generative_widths,
            "inference_widths": self.inference_widths,
            "activation": self.activation,
        }


class Theta(NamedTuple):
    """The generative model: gamma(z) = output(hidden(z))."""

    hidden: Mlp
    output: Dense  # weights [H, V]


class Phi(NamedTuple):
    """The inference network: features -> mean and log-variance of q(z|x)."""

    hidden: Mlp
    mean: Dense
    log_var: Dense


class Evidence(NamedTuple):
    """All that refinement needs to know of one document's counts x under p(x|z)."""

    xw: Array  # [H], W x
    xb: Array  # [], b.x
    length: Array  # [], N


def init_params(
    key: Array,
    vocab_size: int,
    *,
    latent_dim: int = 100,
    generative_widths: Sequence[int] = (400, 400),
    inference_widths: Sequence[int] = (400, 400),
    activation: str = "relu",
    dtype=jnp.float32,
) -> Params:
    """Random parameters, weights and biases from U(-0.1, 0.1) as in the authors' code.

    `generative_widths=()` is the log-linear model gamma(z) = z W + b. Raises ValueError for an unknown
    activation or a size below 1.
    """
    sizes = (vocab_size, latent_dim, *generative_widths, *inference_widths)
    if min(sizes) < 1:
        raise ValueError(f"vocab_size, latent_dim and widths are at least 1; found {sizes}")
    theta_key, output_key, phi_key, mean_key, log_var_key = jax.random.split(key, 5)
    theta = Theta(
        networks.init_mlp(theta_key, latent_dim, generative_widths, activation, dtype=dtype),
        networks.init_dense(output_key, (latent_dim, *generative_widths)[-1], vocab_size, dtype=dtype),
    )
    top = (vocab_size, *inference_widths)[-1]
    phi = Phi(
        networks.init_mlp(phi_key, vocab_size, inference_widths, activation, dtype=dtype),
        networks.init_dense(mean_key, top, latent_dim, dtype=dtype),
        networks.init_dense(log_var_key, top, latent_dim, dtype=dtype),
    )
    return Params(theta, phi)


def infer(phi: Phi, features: Array) -> Gaussian:
    """q(z|x) as the inference network guesses it, from features [V]: mean [K], log-variance [K]."""
    if not hasattr(phi, "log_var"):
        raise ValueError(f"phi: expected a network that guesses mean and log-variance, found {type(phi).__name__}")
    inputs = (*phi.hidden.layers, phi.mean)[0].weights.shape[0]
    _check_shape("features", features, (inputs,))
    return _infer(phi, features, product=jnp.matmul)


def _infer(phi: Phi, features, *, product) -> Gaussian:
    hidden = networks.mlp(phi.hidden, features, product=product)
    head = networks.affine if phi.hidden.layers else partial(networks.affine, product=product)
    return Gaussian(head(phi.mean, hidden), head(phi.log_var, hidden))


def log_probs(theta: Theta, z: Array) -> Array:
    """log mu(z): [K] -> [V] in nats."""
    return jax.nn.log_softmax(potentials(theta, z))


def evidence(theta: Theta, counts: Array) -> Evidence:
    """What log p(x|z) needs of the counts [V]: W x, b.x and N, computed once per document."""
    check_of_counts(theta)
    _check_shape("counts", counts, (vocab_size(theta),))
    weights, bias = theta.output
    x = jnp.asarray(counts, weights.dtype)
    return Evidence(weights @ x, bias @ x, jnp.sum(x))


def batch_evidence(theta: Theta, batch: Batch, *, vocab_axis: str | None = None) -> Evidence:
    """`evidence` of every document of a batch, by one sparse product."""
    weights, bias = theta.output
    xw = summed(sparse.product(batch.counts, jnp.concatenate([weights, bias[None]]).T), vocab_axis)
    return Evidence(xw[:, :-1], xw[:, -1], batch.length)


def log_likelihood(theta: Theta, z: Array, evidence: Evidence, *, vocab_axis: str | None = None) -> Array:
    """log p(x|z) = h.(W x) + b.x - N logsumexp(h W + b) in nats, h = MLP(z); base measure dropped.

    z [..., K] and evidence with the same leading axes -> [...], for reverse-mode differentiation. A batch given so
    has one gradient in theta, where `vmap` would first make one for each document.
    """
    h = networks.mlp(theta.hidden, z)
    normaliser = logsumexp_across(logsumexp_linear(shared(h, vocab_axis), *theta.output), vocab_axis)
    return jnp.sum(h * evidence.xw, axis=-1) + evidence.xb - evidence.length * normaliser


def token_scores(
    theta: Theta, z: Array, key: Array, *, num_words: int = WORDS_A_DRAW, vocab_axis: str | None = None
) -> Array:
    """grad_z log mu_w(z) for `num_words` words w drawn from mu(z), one from each of as many strata: [num_words, K]."""
    h, pull_back = jax.vjp(partial(networks.mlp, theta.hidden), z)
    logits = networks.affine(theta.output, h)
    mu = jnp.exp(logits - logsumexp_across(logsumexp(logits), vocab_axis)) if vocab_axis else jax.nn.softmax(logits)
    below = jnp.cumsum(mu)
    strata = (jnp.arange(num_words) + jax.random.uniform(key, (num_words,), mu.dtype)) / num_words
    weights = theta.output.weights
    drawn = _drawn_columns(weights, below, strata, vocab_axis)
    return jax.vmap(lambda score: pull_back(score)[0])(drawn.T - summed(weights @ mu, vocab_axis))


def curvature(theta: Theta, z: Array, evidence: Evidence, *, vocab_axis: str | None = None) -> Array:
    """N F(z), F(z) = E[s s^T] of the scores s = grad_z log mu_w(z), w ~ mu(z): [K, K], positive semidefinite.

    Minus the Hessian of log p(x|z), or with hidden layers its Gauss-Newton part, which is all of it off relu's kinks.
    """
    logits, slopes = potentials(theta, z), jax.jacfwd(partial(potentials, theta))(z)
    mu = jnp.exp(logits - logsumexp_across(logsumexp(logits), vocab_axis))
    scores = slopes - summed(mu @ slopes, vocab_axis)
    return evidence.length * summed((scores.T * mu) @ scores, vocab_axis)


def _drawn_columns(weights: Array, below: Array, strata: Array, vocab_axis: str | None) -> Array:
    if vocab_axis is None:
        words = jnp.minimum(jnp.searchsorted(below, strata * below[-1]), below.size - 1)
        return weights[:, words]
    here, ends = jax.lax.axis_index(vocab_axis), jnp.cumsum(jax.lax.all_gather(below[-1], vocab_axis))
    strata = strata * ends[-1]
    owner = jnp.minimum(jnp.searchsorted(ends, strata), ends.size - 1)
    start = jnp.where(here > 0, ends[here - 1], 0)
    words = jnp.minimum(jnp.searchsorted(below, strata - start), below.size - 1)
    return summed(jnp.where(owner == here, weights[:, words], 0), vocab_axis)


@partial(jax.jit, static_argnames="vocab_axis")
def token_information(theta: Theta, key: Array, *, vocab_axis: str | None = None) -> Information:
    """The Fisher information of one token under the model, [K, K], for the `fisher` refiner."""
    return fisher.token_information(
        partial(token_scores, theta, vocab_axis=vocab_axis),
        key,
        latent_dim=latent_dim(theta),
        dtype=theta.output.weights.dtype,
    )


def elbo(theta: Theta, psi: Gaussian, counts: Array, key: Array, *, beta: float | Array = 1.0) -> Array:
    """One-sample ELBO of one document in nats (eq. 2), from counts [V] and psi ([K], [K])."""
    psi = _checked(psi, theta)
    return bounds.elbo(partial(_log_likelihood, theta, evidence(theta, counts)), psi, key, beta=beta)


@partial(jax.jit, static_argnames=("num_steps", "refiner"))
def refine(
    theta: Theta,
    psi: Gaussian,
    counts: Array,
    key: Array,
    *,
    num_steps: int,
    information: Information | None = None,
    learning_rate: float = 0.01,
    b1: float = 0.1,
    beta: float | Array = 1.0,
    refiner: Callable[[Evidence], Refiner] | None = None,
) -> tuple[Gaussian, RefineInfo]:
    """psi of one document after `num_steps` refinement steps, and the bound before each.

    Adam as in the paper, one gradient evaluation a step; with the `token_information` of theta the `fisher` refiner,
    two a step and far fewer of them; or what `refiner` builds from the document's evidence. The settings of Adam apply
    to Adam only; fisher needs a beta above 0. `num_steps=0` returns psi. Raises ValueError for other shapes, negative
    steps, and for `information` beside `refiner`.
    """
    if num_steps < 0:
        raise ValueError(f"num_steps is at least 0; found {num_steps}")
    if refiner and information:
        raise ValueError("expected information or refiner, found both: information means the fisher refiner")
    psi = _checked(psi, theta)
    known = evidence(theta, counts)
    if refiner:
        chosen = refiner(known)
    elif information:
        _check_shape("information.directions", information.directions, (latent_dim(theta),) * 2)
        chosen = fisher.fisher(information, known.length, beta=beta)
    else:
        chosen = adam(learning_rate, b1, beta=beta)
    return refinement.refine(partial(_log_likelihood, theta, known), psi, key, refiner=chosen, num_steps=num_steps)


@jax.jit
def sample(params: Params, key: Array, length) -> Array:
    """Draws a document of `length` words, a whole number from 0: counts [V] (eq. 1)."""
    check_of_counts(params.theta)
    z_key, words_key = jax.random.split(key)
    return jax.random.multinomial(words_key, length, jnp.exp(log_probs(params.theta, prior(params, z_key))))


def prior(params: Params, key: Array) -> Array:
    """Draws z ~ N(0, I): [K]."""
    return jax.random.normal(key, (latent_dim(params.theta),), params.theta.output.weights.dtype)


def decoder(params: Params) -> Theta:
    """The generative model, as the Jacobians read it."""
    return params.theta


def dlgm(features: Callable[[Csr], Csr], *, vocab_axis: str | None = None, **sizes) -> Model:
    """Algorithm 1's model for flat batches; `sizes` are the keyword arguments of `init_params`.

    With a `vocab_axis`, each of its devices has a block of the columns of theta's output, of the rows of phi's first
    layer and of the batch, and `features` are of that block; what is not of words is the same on all.
    """

    def product(matrix: Csr, weights: Array) -> Array:
        return summed(sparse.product(matrix, weights), vocab_axis)

    def of_theta(function: Callable) -> Callable:
        return lambda params, *rest: function(params.theta, *rest, vocab_axis=vocab_axis)

    return Model(
        init=partial(init_params, **sizes),
        features=features,
        encode=lambda params, features: _infer(params.phi, features, product=product),
        family=gaussian.DIAGONAL,
        prior=prior,
        log_prior=lambda params, z: gaussian.standard_log_density(z),
        kl=lambda params, psi, z: bounds.to_standard_normal(psi, z),
        evidence=of_theta(batch_evidence),
        log_likelihood=of_theta(log_likelihood),
        potentials=lambda params, z: potentials(params.theta, z),
        log_probs=lambda params, z: log_probs(params.theta, z),
        word_axis=partial(_word_axis, deep=bool(sizes.get("inference_widths", True))),
        linear=LinearSoftmax(of_theta(token_information), of_theta(curvature), partial(_hidden_share, **sizes)),
        unit_kl=lambda params, psi: gaussian.unit_kl(psi),
        decoder=decoder,
    )


def _word_axis(path: tuple[str, ...], *, deep: bool) -> int | None:
    """The axis of words of theta's output and of phi's first layer, which is the heads without hidden layers."""
    if "theta" in path and path[-2:] == ("output", "weights"):
        return 1
    if "theta" in path and path[-2:] == ("output", "bias"):
        return 0
    firsts = [("0", "weights")] if deep else [("mean", "weights"), ("log_var", "weights")]
    return 0 if "phi" in path and path[-2:] in firsts else None


def _hidden_share(
    vocab_size: int, *, latent_dim: int = 100, generative_widths: Sequence[int] = (400, 400), **_
) -> float:
    """The share of the hidden layers in the products of log p(x|z)."""
    sizes = (latent_dim, *generative_widths)
    hidden = sum(a * b for a, b in pairwise(sizes))
    return hidden / (hidden + sizes[-1] * vocab_size)


def _log_likelihood(theta, evidence, z):
    return log_likelihood(theta, z, evidence)


def _checked(psi: Gaussian, theta: Theta) -> Gaussian:
    for name, leaf in zip(("psi.mean", "psi.log_var"), psi):
        _check_shape(name, leaf, (latent_dim(theta),))
    return Gaussian(*(jnp.asarray(leaf, theta.output.weights.dtype) for leaf in psi))


def _check_shape(name: str, array, expected: tuple[int, ...]) -> None:
    if jnp.shape(array) != expected:
        raise ValueError(f"{name} has shape {jnp.shape(array)}, expected {expected}: one document; vmap for more")
