"""Autoencoders against what is known in closed form: principal components, probabilistic PCA, SciPy's densities."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from scipy import stats
from scipy.linalg import subspace_angles
from sklearn.exceptions import ConvergenceWarning

from dlgm_jax import DLGM, BadInput, LatentModel, NonFinite, infer, jacobian_mean, jacobian_posterior, sample
from dlgm_jax.data import batches
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.evaluation import real_rows
from dlgm_jax.features import reader
from dlgm_jax.inference.elbo import elbo, importance_weighted_bound
from dlgm_jax.models import dlgm, registry
from dlgm_jax.types import Gaussian, Params
from tests.conftest import as_corpus

LINEAR = {"likelihood": "gaussian", "generative_widths": (), "inference_widths": ()}
TRAINED = {"features": "counts", "batch_size": 64, "input_dropout": 0.0, "weight_decay": 0.0, "random_state": 0}
V, K = 6, 2


@pytest.fixture(scope="module")
def rows():
    """Rows around a plane in 6 dimensions, far from 0 in some columns."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(V, K)))[0] * [3.0, 1.5]
    return rng.normal(size=(512, K)) @ directions.T + 0.3 * rng.normal(size=(512, V)) + np.arange(V)


def model_of(name, read=lambda counts: counts, **settings):
    entry = registry.entry(name)
    small = {"K": 3, "generative_widths": (5,), "inference_widths": (4,), "likelihood": "gaussian"}
    return entry.build(entry.made(small | settings), read)


@pytest.mark.parametrize("widths", [(), (5,), (5, 4)])
def test_the_gaussian_likelihood_is_that_of_scipy(x64, widths):
    counts = np.random.default_rng(1).poisson(0.8, (7, 9))
    idf = np.linspace(0.5, 2, 9)
    model = model_of("vae", reader("tfidf", idf), generative_widths=widths)
    params = model.init(jax.random.key(0), 9)
    theta = params.theta._replace(log_var=jnp.array(-1.3), scale=jnp.array(0.2))
    params = Params(jax.tree.map(lambda leaf: jnp.asarray(3 * leaf, jnp.float64), theta), params.phi)
    (batch,) = batches.ordered_batches(as_corpus(counts), 7, sizes=batches.padded_sizes(7, as_corpus(counts)))
    z = np.random.default_rng(2).normal(size=(7, 3))
    found = model.log_likelihood(params, jnp.asarray(z), model.evidence(params, batch))
    weighted = counts * idf
    x = weighted / np.linalg.norm(weighted, axis=1, keepdims=True)
    h = z
    for layer in params.theta.hidden.layers:
        h = np.maximum(h @ np.asarray(layer.weights) + np.asarray(layer.bias), 0)
    mean = h @ np.asarray(params.theta.output.weights) + np.asarray(params.theta.output.bias)
    expected = [stats.multivariate_normal(0.6 * m, 0.36 * np.exp(-3.9)).logpdf(row) for m, row in zip(mean, x)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # counts and features are float32


def test_the_network_reads_rows_whose_length_is_about_1():
    """So that guesses of untrained weights, from U(-0.1, 0.1), grow neither with the columns nor with their unit."""
    rows = np.random.default_rng(0).normal(size=(20, 5000))
    for unit in (1, 1e6):
        own = scipy.sparse.csr_matrix(unit * rows)
        words, names = tuple(map(str, range(5000))), tuple(map(str, range(20)))
        corpus = Corpus(own, words, names, whole=False, signed=True)
        (batch,) = batches.ordered_batches(corpus, 20, sizes=batches.padded_sizes(20, corpus))
        model = model_of("ae", inference_widths=())
        params = model.init(jax.random.key(0), 5000)
        params = model.adapted(params, real_rows.statistics(lambda own=own: [own]))
        guesses = np.asarray(model.encode(params, batch.counts).mean) - np.asarray(params.phi.mean.bias)
        assert np.std(guesses) == pytest.approx(0.1 / 3**0.5, rel=0.4)


def test_bounds_of_a_real_row_stay_below_its_likelihood_by_quadrature():
    """One latent dimension and a decoder with a hidden layer: p(x) is an integral over a line."""
    model = model_of("vae", K=1, generative_widths=(3,), inference_widths=(3,))
    params = jax.tree.map(lambda leaf: 5 * leaf, model.init(jax.random.key(0), 2))
    params = params._replace(theta=params.theta._replace(log_var=jnp.array(-0.5), scale=jnp.array(2.0)))
    x = np.array([[1.5, -0.7]])
    corpus = Corpus(scipy.sparse.csr_matrix(x), ("a", "b"), ("d",), whole=False, signed=True)
    (batch,) = batches.ordered_batches(corpus, 1, sizes=batches.padded_sizes(1, corpus))
    evidence = jax.tree.map(lambda leaf: leaf[0], model.evidence(params, batch))
    line = np.linspace(-8, 8, 801)
    means = np.asarray(jax.vmap(lambda z: model.potentials(params, z[None]))(jnp.asarray(line)))
    joint = stats.norm.pdf(x, means, 2 * np.exp(-0.25)).prod(axis=1) * stats.norm.pdf(line)
    expected = np.log(np.trapezoid(joint, line))

    def log_likelihood(z):
        return model.log_likelihood(params, z, evidence)

    psi, how = Gaussian(jnp.array([0.2]), jnp.array([-0.3])), {"family": model.family}
    tight = importance_weighted_bound(log_likelihood, psi, jax.random.key(1), num_samples=20_000, **how)
    keys = jax.random.split(jax.random.key(2), 2000)
    plain = jax.vmap(lambda key: elbo(log_likelihood, psi, key, kl=partial(model.kl, params), **how))(keys).mean()
    np.testing.assert_allclose(tight, expected, atol=0.01)
    assert expected - 0.2 < plain < expected


def test_a_linear_vae_reaches_the_likelihood_of_probabilistic_pca(rows):
    """Tipping & Bishop (1999, eq. 8): the variance is the mean of the eigenvalues that are left out."""
    eigenvalues = np.sort(np.linalg.eigvalsh(np.cov(rows.T, bias=True)))[::-1]
    variance = eigenvalues[K:].mean()
    logs = np.log(eigenvalues[:K]).sum() + (V - K) * np.log(variance)
    expected = -0.5 * (V * np.log(2 * np.pi) + logs + V)
    one_gaussian = -0.5 * V * (np.log(2 * np.pi * eigenvalues.mean()) + 1)
    how = TRAINED | {"max_iter": 300, "learning_rate": 0.02, "eval_samples": 200}
    fitted = LatentModel("vae", K, settings=LINEAR, **how).fit(rows).set_params(learning_rate=0.001)
    for _ in range(200):
        fitted.partial_fit(rows)
    bound = fitted.score(rows)
    assert one_gaussian + 1 < expected - 0.03 < bound < expected + 0.01  # of 512 rows, 200 draws each
    theta = fitted.params_.theta
    np.testing.assert_allclose(theta.scale**2 * np.exp(theta.log_var), variance, rtol=0.1)


def test_a_linear_autoencoder_spans_the_principal_components_and_its_jacobian_is_its_weights(rows):
    fitted = LatentModel("ae", K, settings=LINEAR, max_iter=300, learning_rate=0.02, **TRAINED).fit(rows)
    _, _, right = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    weights, bias = (fitted.params_.theta.scale * leaf for leaf in fitted.params_.theta.output)
    assert subspace_angles(weights.T, right[:K].T).max() < 0.05
    np.testing.assert_allclose(fitted.components_, weights, rtol=1e-5)
    codes = fitted.transform(rows)
    rebuilt = codes @ weights + bias
    best = (rows - rows.mean(axis=0)) @ right[:K].T @ right[:K] + rows.mean(axis=0)
    error, least = ((rows - rebuilt) ** 2).sum(), ((rows - best) ** 2).sum()
    assert least * 0.999 < error < 1.05 * least


def test_codes_are_points_without_kl_and_a_vae_of_counts_is_the_dlgm():
    model = model_of("ae")
    params = model.init(jax.random.key(0), 9)
    code = model.family.start(3)._replace(mean=jnp.array([1.0, -2, 3]))
    assert model.family.sample(code, jax.random.key(1)).tolist() == [1, -2, 3]
    assert model.kl(params, code, code.mean) == 0
    assert model.family.log_prob is None
    counts, named = registry.entry("3"), registry.entry("vae")
    made = named.made({"K": 3, "generative_widths": (5,), "inference_widths": (4,)})
    ours, theirs = (one.build(made, reader("norm", None)).init(jax.random.key(2), 9) for one in (counts, named))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), ours, theirs))


def test_one_gaussian_for_all_rows_is_that_of_scipy(rows):
    held = rows[:100]

    def blocks(part):
        return lambda: [scipy.sparse.csr_matrix(part[:60]), scipy.sparse.csr_matrix(part[60:])]

    found = real_rows.one_gaussian(blocks(rows), {"all": blocks(rows), "held": blocks(held)})
    variance = ((rows - rows.mean(axis=0)) ** 2).mean()
    one = stats.multivariate_normal(rows.mean(axis=0), variance)
    for name, part in (("all", rows), ("held", held)):
        np.testing.assert_allclose(found[name], one.logpdf(part).mean(), rtol=1e-5)


def test_a_model_of_real_rows_begins_at_their_mean_and_spread(rows):
    known = real_rows.statistics(lambda: [scipy.sparse.csr_matrix(rows)])
    model = model_of("vae")
    params = model.adapted(model.init(jax.random.key(0), V), known)
    np.testing.assert_allclose(params.theta.scale * params.theta.output.bias, rows.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(params.theta.scale**2, ((rows - rows.mean(axis=0)) ** 2).mean(), rtol=1e-4)


def test_training_does_not_depend_on_the_unit_of_the_rows(rows):
    """In another unit the log density of a row moves by V log scale, and nothing else does."""
    how = TRAINED | {"max_iter": 40, "learning_rate": 0.005, "eval_samples": 50}
    shape = LINEAR | {"generative_widths": (8,), "inference_widths": (8,)}
    scores, scales = [], (0.001, 1.0, 1000.0)
    for scale in scales:
        fitted = LatentModel("vae", K, settings=shape, **how).fit(scale * rows)
        scores.append(fitted.score(scale * rows) + V * np.log(scale))
    np.testing.assert_allclose(scores, scores[1], atol=0.1)  # rounding takes 320 steps apart; a unit would by nats
    assert scores[1] > -0.5 * V * (np.log(2 * np.pi * ((rows - rows.mean(axis=0)) ** 2).mean()) + 1) + 0.5


def test_samples_of_real_rows_have_their_mean_and_spread(rows):
    fitted = LatentModel("vae", K, settings=LINEAR, max_iter=150, learning_rate=0.02, **TRAINED).fit(rows)
    drawn = fitted.sample(4000, random_state=1)
    assert drawn.shape == (4000, V)
    np.testing.assert_allclose(drawn.mean(axis=0), rows.mean(axis=0), atol=0.25)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(rows.T), atol=0.9)
    assert np.linalg.norm(np.cov(drawn.T) - np.cov(rows.T)) < 0.2 * np.linalg.norm(np.cov(rows.T))
    off_the_plane = np.linalg.svd(np.cov(rows.T))[0][:, K:]
    spreads = [(found - found.mean(axis=0)) @ off_the_plane for found in (drawn, rows)]
    assert np.std(spreads[0]) == pytest.approx(np.std(spreads[1]), rel=0.1)  # the noise alone, 0.3


def test_functions_of_counts_refuse_parameters_of_real_rows(rows):
    params = LatentModel("vae", K, settings=LINEAR, max_iter=1, **TRAINED).fit(rows).params_
    key, counts = jax.random.key(0), jnp.ones(V)
    refused = "theta: expected that of a model of counts, found GaussianTheta"
    for call in (
        lambda: jacobian_mean(params, key),
        lambda: jacobian_posterior(params, Gaussian(jnp.zeros(K), jnp.zeros(K)), key),
        lambda: sample(params, key, 50),
        lambda: dlgm.elbo(params.theta, Gaussian(jnp.zeros(K), jnp.zeros(K)), counts, key),
    ):
        with pytest.raises(ValueError, match=refused):
            call()
    codes = LatentModel("ae", K, settings=LINEAR, max_iter=1, **TRAINED).fit(rows).params_
    with pytest.raises(ValueError, match="phi: expected a network that guesses mean and log-variance, found Encoder"):
        infer(codes.phi, counts)


def test_the_estimator_s_beta_weighs_the_kl_of_its_training(rows):
    how = TRAINED | {"max_iter": 60, "learning_rate": 0.02}
    free, costly = (LatentModel("vae", K, settings=LINEAR, beta=beta, **how).fit(rows) for beta in (0.1, 10.0))
    assert np.std(costly.transform(rows)) < 0.8 * np.std(free.transform(rows))
    assert costly.bound_curve_[-1] == pytest.approx(costly.score(rows), abs=0.5)  # nats a row


def test_what_cannot_be_is_one_line(rows):
    with pytest.raises(ValueError, match=r"settings: expected some of .*likelihood, found 'width'"):
        LatentModel("vae", settings={"width": 3}).fit(rows)
    with pytest.raises(ValueError, match=r"settings: likelihood: expected one of .*, gaussian, found 'normal'"):
        LatentModel("vae", settings={"likelihood": "normal"}).fit(rows)
    with pytest.raises(ValueError, match="model: expected 1, 3, ae, dae, vae, found 'vea'"):
        LatentModel("vea").fit(rows)
    with pytest.raises(ValueError, match="refiner: expected adam, found fisher"):
        LatentModel("vae", settings=LINEAR, refiner="fisher", M=13, eval_M=13).fit(rows)
    with pytest.raises(ValueError, match="Negative values"):
        LatentModel("vae").fit(-rows)
    with pytest.raises(ValueError, match="features: expected counts, since X has numbers below 0, found norm"):
        LatentModel("vae", K, settings=LINEAR, features="norm").fit(rows)
    with pytest.raises(
        ValueError, match=r"rows: expected a number that is not 0, found none .tf-idf gives the weight 0"
    ):
        LatentModel("vae", K, settings=LINEAR).fit(1 + np.abs(rows))
    with pytest.raises(ValueError, match=r"length_weighting: expected 0, since real rows have no length, found 0.5"):
        LatentModel("vae", K, settings=LINEAR, length_weighting=0.5, **TRAINED).fit(rows)
    with pytest.raises(ValueError, match=r"settings: expected some of .*, found 1"):
        LatentModel("vae", settings={1: 2, "a": 3}).fit(rows)
    fitted = LatentModel("ae", K, settings=LINEAR, max_iter=1, **TRAINED).fit(rows)
    with pytest.raises(ValueError, match="perplexity: expected a model of counts, found one of real rows"):
        fitted.perplexity(rows)
    with pytest.raises(ValueError, match=r"beta: expected a model that reads it \(1, 3, vae\), found --model=ae"):
        LatentModel("ae", K, settings=LINEAR, beta=2.0).fit(rows)
    with pytest.raises(ValueError, match="input_dropout: expected a model that reads it"):
        LatentModel("ae", K, settings=LINEAR, input_dropout=0.5).fit(rows)
    with pytest.raises(ValueError, match="settings: expected a dict of the model's own flags, found"):
        LatentModel("ae", K, settings=["likelihood"]).fit(rows)
    with pytest.raises(ValueError, match="rows: expected columns whose means are within 200 times the spread"):
        LatentModel("ae", K, settings=LINEAR, **TRAINED).fit(rows + 1e4)
    with pytest.raises(ValueError, match="beta: expected a weight above 0, which fisher divides by"):
        LatentModel("vae", K, beta=0.0, M=3, refiner="fisher").fit(np.abs(rows))


def test_a_fitted_model_stays_what_it_was_until_it_is_fitted_anew(rows):
    how = {"max_iter": 1, "features": "counts", "random_state": 0}
    fitted = LatentModel("vae", K, settings=LINEAR, **how).fit(rows)
    codes = fitted.transform(rows)
    fitted.set_params(settings=LINEAR | {"likelihood": "multinomial"}, features="tfidf")
    np.testing.assert_array_equal(fitted.transform(rows), codes)
    with pytest.raises(ValueError, match="perplexity: expected a model of counts"):
        fitted.perplexity(np.abs(rows))
    with pytest.raises(ValueError, match=r"partial_fit: expected the settings of before, .*; fit begins anew"):
        fitted.partial_fit(np.abs(rows))
    with pytest.raises(ValueError, match="partial_fit: expected the model of before, vae, found ae; fit begins anew"):
        fitted.set_params(model="ae", settings=LINEAR, features="counts").partial_fit(rows)
    counts = np.random.default_rng(0).integers(0, 4, (30, 6))
    with pytest.raises(ValueError, match="partial_fit: expected the settings of before"):
        DLGM(3, max_iter=1).fit(counts).set_params(n_components=4).partial_fit(counts)


def test_rows_worse_explained_than_by_one_gaussian_are_warned_of(rows):
    with pytest.warns(ConvergenceWarning, match=r"nats a row, is below .* log-likelihood of the rows by one Gaussian"):
        LatentModel("vae", K, settings=LINEAR, max_iter=1, **TRAINED).fit(rows + 190)


def test_what_is_no_number_is_not_given_back(rows):
    fitted = LatentModel("vae", K, settings=LINEAR, max_iter=1, **TRAINED).fit(rows)
    with pytest.raises(NonFinite, match=r"X: elbo of \d+ of \d+ documents is not finite"):
        fitted.score(rows * 1e30)
    with pytest.raises(NonFinite, match=r"X: the posterior mean of \d+ of 512 rows is not finite"):
        fitted.set_params(eval_M=5).transform(rows * 1e30)


def test_what_auto_means_is_the_model_s_own(rows):
    """An autoencoder misses nothing of its rows, a denoising one what its line says, others by the number of rows."""
    for name, share in (("ae", 0.0), ("dae", 0.3)):
        fitted = LatentModel(name, K, settings=LINEAR, max_iter=1, features="counts", random_state=0).fit(rows[:60])
        assert fitted._chosen("input_dropout") == share
        assert fitted.settings_["input_dropout"] == 0.5


@pytest.mark.parametrize("unit", [1e-30, 1e30])
def test_rows_of_any_unit_train(rows, unit):
    fitted = LatentModel("vae", K, settings=LINEAR, max_iter=2, **TRAINED).fit(unit * rows)
    plain = LatentModel("vae", K, settings=LINEAR, max_iter=2, **TRAINED).fit(rows)
    np.testing.assert_allclose(fitted.score(unit * rows) + V * np.log(unit), plain.score(rows), atol=0.05)


def test_rows_that_are_all_equal_train():
    for equal in (np.ones((40, 3)), np.ones((1, 3)), np.eye(1, 20_000).repeat(3, axis=0)):
        assert np.isfinite(LatentModel("vae", 1, settings=LINEAR, max_iter=2, **TRAINED).fit(equal).score(equal))


def test_columns_as_far_from_0_as_is_allowed_keep_their_digits(rows):
    """Beside the same rows about 0, whose training differs by rounding only."""
    how = TRAINED | {"max_iter": 30, "learning_rate": 0.005, "eval_samples": 50}
    centred = rows - rows.mean(axis=0)
    far = centred + 190 * centred.std()
    scores = [
        LatentModel("ae", K, settings=LINEAR | {"inference_widths": (8,)}, **how).fit(x).score(x)
        for x in (centred, far)
    ]
    one = -0.5 * V * (np.log(2 * np.pi * centred.var()) + 1)
    assert scores[0] > one + 2
    assert scores[1] > one - 0.1


def test_what_another_estimator_saved_is_one_line(rows, tmp_path):
    fitted = LatentModel("ae", K, settings=LINEAR, max_iter=1, **TRAINED).fit(rows)
    fitted.save(tmp_path / "saved")
    again = LatentModel.load(tmp_path / "saved")
    np.testing.assert_array_equal(again.transform(rows), fitted.transform(rows))
    np.testing.assert_array_equal(again.partial_fit(rows).transform(rows), fitted.partial_fit(rows).transform(rows))
    with pytest.raises(BadInput, match="expected what a DLGM saved, found another estimator's beta"):
        DLGM.load(tmp_path / "saved")
