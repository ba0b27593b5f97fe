"""A corpus drawn from a known log-linear model: its true perplexity is a two-dimensional integral."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import features
from dlgm_jax.data import batches
from dlgm_jax.evaluation import perplexity, scoring
from dlgm_jax.inference.batched import adam
from dlgm_jax.learning import steps
from dlgm_jax.models.dlgm import Theta, dlgm
from dlgm_jax.types import Dense, Mlp, Params
from tests.conftest import as_corpus, log_linear_corpus

RNG = np.random.default_rng(0)
WEIGHTS, BIAS = RNG.normal(0, 1, (2, 40)), RNG.normal(0, 0.7, 40)
TRAIN = as_corpus(log_linear_corpus(3000, WEIGHTS, BIAS, seed=1)[0])
TEST = as_corpus(log_linear_corpus(1500, WEIGHTS, BIAS, seed=2)[0])
SIZES = {"latent_dim": 2, "generative_widths": (), "inference_widths": (64,)}
MODEL = dlgm(features.batch_normalised_counts, **SIZES)
BATCH = 100
PADDED = batches.padded_sizes(BATCH, TRAIN, TEST)


def true_log_evidence(counts):
    """log p(x) of every document by a grid over z in [-6, 6]^2."""
    axis = np.linspace(-6, 6, 241)
    z = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    log_mu = z @ WEIGHTS + BIAS
    log_mu -= np.log(np.exp(log_mu).sum(1, keepdims=True))
    log_prior = -0.5 * (z**2).sum(1) - np.log(2 * np.pi)
    cell = (axis[1] - axis[0]) ** 2
    out = []
    for row in counts.toarray():
        joint = log_mu @ row + log_prior
        out.append(np.log(np.exp(joint - joint.max()).sum() * cell) + joint.max())
    return np.array(out)


@pytest.fixture(scope="module")
def true_perplexity():
    return perplexity.perplexity(true_log_evidence(TEST.counts), TEST.lengths.astype(float))


def score(params, num_steps=199):
    scorer = scoring.scorer(MODEL, refinement=adam(num_steps, 0.02), num_samples=16, iwae_samples=100, full_steps=8)
    return scoring.score_corpus(scorer, params, batches.ordered_batches(TEST, BATCH, sizes=PADDED), jax.random.key(9))


def trained(num_steps, epochs):
    optimiser = steps.adam(0.01)
    step = steps.algorithm1(MODEL, optimiser, refinement=adam(num_steps, 0.05))
    state = steps.init_state(MODEL, optimiser, jax.random.key(0), 40)
    for epoch in range(epochs):
        key = jax.random.fold_in(jax.random.key(1), epoch)
        for batch in batches.epoch_batches(TRAIN, BATCH, seed=0, epoch=epoch, sizes=PADDED):
            state, _ = step(state, batch, key)
    return state.params


def test_no_bound_of_the_true_model_beats_its_perplexity(true_perplexity):
    theta = Theta(Mlp((), "relu"), Dense(jnp.asarray(WEIGHTS, jnp.float32), jnp.asarray(BIAS, jnp.float32)))
    phi = jax.tree.map(jnp.zeros_like, MODEL.init(jax.random.key(0), 40).phi)
    scores = score(Params(theta, phi), num_steps=1500)
    assert true_perplexity < scores.perplexity_refined < scores.perplexity
    assert scores.perplexity_refined < 1.05 * true_perplexity
    assert true_perplexity * 0.999 < scores.perplexity_importance_weighted < scores.perplexity_refined
    assert true_perplexity * 0.999 < scores.perplexity_full_covariance < scores.perplexity_refined


@pytest.mark.parametrize(("num_steps", "epochs"), [(0, 25), (10, 12)])
def test_training_comes_within_five_percent_and_no_bound_beats_the_truth(true_perplexity, num_steps, epochs):
    scores = score(trained(num_steps, epochs))
    unigram = perplexity.unigram_perplexity(TRAIN, TEST)
    assert true_perplexity < scores.perplexity_refined < 1.05 * true_perplexity < unigram
    assert true_perplexity < scores.perplexity_importance_weighted
    assert true_perplexity * 0.999 < scores.perplexity_full_covariance < scores.perplexity_refined
