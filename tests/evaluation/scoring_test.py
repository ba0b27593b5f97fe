from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import (
    NonFinite,
    elbo,
    evidence,
    features,
    infer,
    init_params,
    log_likelihood,
    normalised_counts,
    refine,
    token_information,
)
from dlgm_jax.data import batches
from dlgm_jax.evaluation import perplexity, scoring
from dlgm_jax.inference import full_covariance
from dlgm_jax.inference.batched import adam, preconditioned
from dlgm_jax.models.dlgm import curvature, dlgm
from tests import oracles
from tests.conftest import as_corpus

COUNTS = np.random.default_rng(0).poisson(0.9, (21, 10))
COUNTS[4] = 0
CORPUS = as_corpus(COUNTS)
SIZES = {"latent_dim": 3, "generative_widths": (6,), "inference_widths": (5,)}
MODEL = dlgm(features.batch_normalised_counts, **SIZES)
PARAMS = init_params(jax.random.key(0), 10, **SIZES)


ADAM = adam(5, 0.02)


def score(batch_size=8, params=PARAMS, refinement=ADAM, **settings):
    scorer = scoring.scorer(MODEL, refinement=refinement, **settings)
    ordered = batches.ordered_batches(CORPUS, batch_size, sizes=batches.padded_sizes(batch_size, CORPUS))
    return scoring.score_corpus(scorer, params, ordered, jax.random.key(5))


def by_hand(num_samples, **settings):
    """Guess, refinement and both bounds of every document by the public functions."""
    guess_key, refine_key, refined_key = (jax.random.fold_in(jax.random.key(5), use) for use in range(3))
    theta, phi = PARAMS
    bounds, refined_bounds, kls, refined_kls, means = [], [], [], [], []
    for d, row in enumerate(COUNTS):
        x = jnp.asarray(row, jnp.float32)

        def bound(psi, key, x=x, d=d):
            key = jax.random.fold_in(key, d)
            draws = [elbo(theta, psi, x, jax.random.fold_in(key, s)) for s in range(num_samples)]
            return float(np.mean(draws))

        psi = infer(phi, normalised_counts(x))
        better, _ = refine(theta, psi, x, jax.random.fold_in(refine_key, d), **settings)
        bounds.append(bound(psi, guess_key))
        refined_bounds.append(bound(better, refined_key))
        kls.append(oracles.kl(*psi))
        refined_kls.append(oracles.kl(*better))
        means.append(better.mean)
    return map(np.asarray, (bounds, refined_bounds, kls, refined_kls, means))


@pytest.mark.parametrize(("num_samples", "refiner"), [(1, "adam"), (3, "adam"), (1, "fisher")])
def test_scores_are_the_definitions(num_samples, refiner):
    information = token_information(PARAMS.theta, jax.random.fold_in(jax.random.key(5), 4))
    refinement, settings = {
        "adam": (ADAM, {"num_steps": 5, "learning_rate": 0.02}),
        "fisher": (preconditioned(3), {"num_steps": 3, "information": information}),
    }[refiner]
    scores = score(num_samples=num_samples, refinement=refinement)
    bounds, refined, kls, refined_kls, means = by_hand(num_samples, **settings)
    lengths = COUNTS.sum(1)
    kept = lengths > 0
    for found, values in ((scores.perplexity, bounds), (scores.perplexity_refined, refined)):
        per_word = [b / n for b, n in zip(values, lengths) if n > 0]
        np.testing.assert_allclose(found, np.exp(-sum(per_word) / len(per_word)), rtol=1e-4)
    for found, values in ((scores.corpus_perplexity, bounds), (scores.corpus_perplexity_refined, refined)):
        np.testing.assert_allclose(found, np.exp(-values[kept].sum() / lengths.sum()), rtol=1e-4)
    np.testing.assert_allclose((scores.kl, scores.kl_refined), (kls.mean(), refined_kls.mean()), rtol=1e-3)
    assert scores.active_units == int((means.var(0) > 0.01).sum())
    assert (scores.documents, scores.empty_documents) == (21, 1)
    assert scores.perplexity_importance_weighted is None
    assert scores.perplexity_full_covariance is None


def test_the_importance_weighted_bound_is_tighter():
    scores = score(iwae_samples=200)
    assert scores.perplexity_importance_weighted is not None
    assert scores.perplexity_importance_weighted < scores.perplexity_refined


def test_the_bound_with_full_covariance_is_the_definition():
    """Document by document by the public functions, with the draws that the scorer takes."""
    refine_key, full_key = (jax.random.fold_in(jax.random.key(5), use) for use in (1, 5))
    theta, phi = jax.tree.map(lambda leaf: 5 * leaf, PARAMS)
    per_word = []
    for d, row in enumerate(COUNTS):
        known = evidence(theta, row)
        psi = infer(phi, normalised_counts(jnp.asarray(row, jnp.float32)))
        keys = [jax.random.fold_in(key, d) for key in (refine_key, full_key)]
        psi, _ = refine(theta, psi, row, keys[0], num_steps=5, learning_rate=0.02)
        fit_key, bound_key = jax.random.split(keys[1])

        def of_z(z, known=known):
            return log_likelihood(theta, z, known)

        q = full_covariance.fit(of_z, lambda z, known=known: curvature(theta, z, known), psi, fit_key, num_steps=4)
        draws = [full_covariance.bound(of_z, q, jax.random.fold_in(bound_key, s)) for s in range(3)]
        if row.sum():
            per_word.append(np.mean(draws) / row.sum())
    scores = score(params=jax.tree.map(lambda leaf: 5 * leaf, PARAMS), full_steps=4, num_samples=3)
    np.testing.assert_allclose(scores.perplexity_full_covariance, np.exp(-np.mean(per_word)), rtol=1e-4)


def test_full_covariance_expects_the_standard_normal_prior():
    other = replace(MODEL, linear=None)
    with pytest.raises(ValueError, match="standard normal prior"):
        scoring.scorer(other, refinement=ADAM, full_steps=2)


def test_batches_do_not_change_the_scores():
    one, other = score(batch_size=4), score(batch_size=21)
    np.testing.assert_allclose(one.perplexity_refined, other.perplexity_refined, rtol=1e-5)
    np.testing.assert_allclose(one.kl, other.kl, rtol=1e-5)


def test_a_bound_that_is_not_finite_stops():
    theta = PARAMS.theta._replace(output=jax.tree.map(lambda leaf: leaf * jnp.nan, PARAMS.theta.output))
    with pytest.raises(NonFinite, match="of 21 documents is not finite"):
        score(params=PARAMS._replace(theta=theta))


def test_unigram_is_a_loop():
    train, test = as_corpus(COUNTS[:15] + 1), as_corpus(COUNTS[15:])
    frequencies = (COUNTS[:15] + 1).sum(0)
    per_word = []
    for row in COUNTS[15:]:
        if row.sum():
            per_word.append(sum(n * np.log(f / frequencies.sum()) for n, f in zip(row, frequencies)) / row.sum())
    np.testing.assert_allclose(perplexity.unigram_perplexity(train, test), np.exp(-np.mean(per_word)), rtol=1e-10)


def test_a_word_that_training_never_saw_makes_the_unigram_infinite():
    assert perplexity.unigram_perplexity(as_corpus([[1, 0]]), as_corpus([[1, 1]])) == np.inf
    assert np.isfinite(perplexity.unigram_perplexity(as_corpus([[1, 0]]), as_corpus([[1, 0]])))


def smoothed_by_loops(counts, others, added):
    """Perplexity, a mean over documents, under the frequencies of `counts` with `added` to each."""
    frequencies = [sum(row[v] for row in counts) + added for v in range(counts.shape[1])]
    per_word = []
    for row in others:
        if sum(row):
            total = sum(n * np.log(f / sum(frequencies)) for n, f in zip(row, frequencies) if n)
            per_word.append(total / sum(row))
    return np.exp(-sum(per_word) / len(per_word))


def test_a_baseline_that_would_be_infinite_is_smoothed_for_all_splits():
    train, validation, test = COUNTS[:10].copy(), COUNTS[10:15].copy(), COUNTS[15:].copy()
    train[:, 3] = test[:, 3] = 0
    validation[1, 3] = 2
    others = {"validation": validation, "test": test}
    baseline = perplexity.unigram_baseline(as_corpus(train), {name: as_corpus(one) for name, one in others.items()})
    assert (baseline.added, baseline.name) == (0.01, "unigram model, 0.01 added to each word's count")
    for name, counts in others.items():
        found = perplexity.perplexity(baseline.log_likelihoods[name], counts.sum(1))
        np.testing.assert_allclose(found, smoothed_by_loops(train, counts, 0.01), rtol=1e-10)


def test_no_document_with_words_has_no_perplexity():
    for mean in (perplexity.perplexity, perplexity.corpus_perplexity):
        assert np.isnan(mean(np.zeros(2), np.zeros(2)))  # and without a warning


def test_a_baseline_that_is_finite_is_plain():
    train, test = as_corpus(COUNTS[:15] + 1), as_corpus(COUNTS[15:])
    baseline = perplexity.unigram_baseline(train, {"test": test})
    assert (baseline.added, baseline.name) == (0.0, "unigram model")
    found = perplexity.perplexity(baseline.log_likelihoods["test"], test.lengths)
    assert found == perplexity.unigram_perplexity(train, test)


def test_nothing_that_is_not_finite_passes():
    fine = scoring.DocumentScores(
        *(np.full(3, -5.0) for _ in range(4)),
        *(np.zeros((3, 2)) for _ in range(2)),
        *(np.full(3, -5.0) for _ in range(2)),
    )
    lengths = np.ones(3)
    assert np.isfinite(scoring._summary(fine, lengths).perplexity_importance_weighted)
    for name in scoring.DocumentScores._fields:
        values = getattr(fine, name).copy()
        values[1] = np.nan
        with pytest.raises(NonFinite, match=f"{name} of 1 of 3 documents"):
            scoring._summary(fine._replace(**{name: values}), lengths)


def test_the_loss_weighs_the_kl_as_training_did_and_bounds_do_not():
    rng = np.random.default_rng(0)
    elbo, kl, lengths = -rng.uniform(50, 90, 7), rng.uniform(1, 9, 7), rng.integers(5, 20, 7).astype(float)
    of = scoring.DocumentScores(elbo, elbo + 1, kl, kl + 1, rng.normal(size=(7, 2)), np.zeros((7, 2)), None, None)
    for beta in (0.0, 0.25, 1.0, 4.0):
        found = scoring._summary(of, lengths, True, beta)
        expected = np.mean([(bound + 1 + k + 1 - beta * (k + 1)) / n for bound, k, n in zip(elbo, kl, lengths)])
        np.testing.assert_allclose(np.log(found.loss), -expected)
        np.testing.assert_allclose(np.log(found.perplexity_refined), -np.mean((elbo + 1) / lengths))
        rows = scoring._summary(of, lengths, False, beta)
        np.testing.assert_allclose(rows.loss, -np.mean(elbo + 1 + (1 - beta) * (kl + 1)))
        assert np.isnan(rows.perplexity)
        assert rows.bound_refined == np.mean(elbo + 1)
    assert scoring._summary(of, lengths).loss == scoring._summary(of, lengths).perplexity_refined
