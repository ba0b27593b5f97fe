import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import NonFinite, evidence, features, infer, init_params, log_likelihood, log_probs, normalised_counts
from dlgm_jax.data import batches
from dlgm_jax.data.completion import halves, tokens
from dlgm_jax.distributions.gaussian import sample
from dlgm_jax.evaluation.completion import complete_corpus, completer, corpus_scores, word_scores
from dlgm_jax.evaluation.perplexity import perplexity, unigram_log_likelihoods
from dlgm_jax.inference.batched import adam
from dlgm_jax.models.dlgm import dlgm
from dlgm_jax.models.dlgm import refine as refined
from tests import oracles
from tests.conftest import as_corpus

COUNTS = np.random.default_rng(0).poisson(0.9, (11, 10))
COUNTS[4], COUNTS[5] = 0, np.eye(10)[0]
PARTS = halves(as_corpus(COUNTS), tokens, share=0.5, seed=0)
SIZES = {"latent_dim": 3, "generative_widths": (6,), "inference_widths": (5,)}
MODEL = dlgm(features.batch_normalised_counts, **SIZES)
PARAMS = init_params(jax.random.key(0), 10, **SIZES)
KEY = jax.random.key(5)
STEPS, RATE, SAMPLES = 3, 0.05, 7
COMPLETE = completer(MODEL, refinement=adam(STEPS, RATE), num_samples=SAMPLES)
SCORE = word_scores(MODEL, refinement=adam(STEPS, RATE))


def ordered(corpus, batch_size):
    return batches.ordered_batches(corpus, batch_size, sizes=batches.padded_sizes(batch_size, corpus))


def complete(batch_size=4, params=PARAMS):
    observed, scored = (ordered(part, batch_size) for part in PARTS)
    return complete_corpus(COMPLETE, params, observed, scored, KEY)


def posterior_of(document):
    """The refined posterior of an observed part by the public functions."""
    x = jnp.asarray(PARTS.observed.counts[document].toarray()[0], jnp.float32)
    key = jax.random.fold_in(jax.random.fold_in(KEY, 0), document)
    guess = infer(PARAMS.phi, normalised_counts(x))
    return refined(PARAMS.theta, guess, x, key, num_steps=STEPS, learning_rate=RATE)[0]


def test_completion_is_its_definition():
    plug_in, predictive = [], []
    for document, scored in enumerate(PARTS.scored.counts.toarray()):
        psi = posterior_of(document)
        known = evidence(PARAMS.theta, scored)
        plug_in.append(float(log_likelihood(PARAMS.theta, psi.mean, known)))
        key = jax.random.fold_in(jax.random.fold_in(KEY, 2), document)
        draws = [sample(psi, jax.random.fold_in(key, s)) for s in range(SAMPLES)]
        mu = np.mean([oracles.probabilities(PARAMS.theta, z) for z in draws], axis=0)
        predictive.append(float(np.sum(scored * np.log(mu))))
    lengths = PARTS.scored.counts.toarray().sum(1)
    kept = lengths > 0
    found = complete()
    for values, by_document, in_all in (
        (plug_in, found.plug_in, found.corpus_plug_in),
        (predictive, found.predictive, found.corpus_predictive),
    ):
        per_word = np.array(values)[kept] / lengths[kept]
        np.testing.assert_allclose(by_document, np.exp(-per_word.mean()), rtol=1e-4)
        np.testing.assert_allclose(in_all, np.exp(-np.sum(values) / lengths.sum()), rtol=1e-4)
    assert (found.documents, found.left_out) == (11, PARTS.left_out) == (11, np.sum(~kept))
    assert found.left_out >= 2


def test_batches_do_not_change_completion():
    one, other = complete(), complete(batch_size=11)
    np.testing.assert_allclose((one.plug_in, one.predictive), (other.plug_in, other.predictive), rtol=1e-5)


def test_scores_of_words_are_log_probs_at_the_posterior_mean():
    found = np.concatenate([*corpus_scores(SCORE, PARAMS, ordered(PARTS.observed, 4), KEY)])
    assert found.shape == (11, 10)
    for document in (0, 7, 10):
        expected = log_probs(PARAMS.theta, posterior_of(document).mean)
        np.testing.assert_allclose(found[document], expected, atol=1e-5)


def test_what_is_not_finite_stops():
    theta = PARAMS.theta._replace(output=jax.tree.map(lambda leaf: leaf * jnp.nan, PARAMS.theta.output))
    broken = PARAMS._replace(theta=theta)
    with pytest.raises(NonFinite, match=r"plug_in of .* of 11 documents is not finite"):
        complete(params=broken)
    with pytest.raises(NonFinite, match="scores are not finite"):
        next(corpus_scores(SCORE, broken, ordered(PARTS.observed, 4), KEY))


def test_a_smoothed_unigram_knows_all_words():
    train, test = as_corpus([[3, 0]]), as_corpus([[1, 2]])
    found = unigram_log_likelihoods(train, test, added=1.0)
    np.testing.assert_allclose(found, [np.log(4 / 5) + 2 * np.log(1 / 5)])
    assert np.isfinite(perplexity(found, np.array([3.0])))
