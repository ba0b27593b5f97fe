import json
import pickle
import warnings
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import check_estimator

from dlgm_jax import DLGM, BadInput, NonFinite, infer, jacobian_mean, refine, tfidf, token_information
from dlgm_jax.estimators.base import AUTO, INFER, INTROSPECT
from dlgm_jax.estimators.rows import ROWS
from dlgm_jax.evaluation.perplexity import unigram_perplexity
from dlgm_jax.sizes import by_size
from tests import oracles
from tests.conftest import as_corpus, log_linear_corpus

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # toys learn little
SMALL = {"n_components": 3, "generative_widths": (6,), "inference_widths": (7,), "M": 3, "eval_M": 5, "max_iter": 2}
UNREFINED = {**SMALL, "M": 1, "eval_M": 1}  # compiles quickly
X = np.random.default_rng(0).poisson(0.7, (70, 12))
X[5] = 0


@pytest.fixture(scope="module", autouse=True)
def quick_compilation():
    """Compilation is most of the time here."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def fitted():
    return DLGM(**SMALL, random_state=0).fit(X)


def noise_key(estimator, row, use):
    """The key of a row for one use: made of the seed and of what the row holds."""
    words = np.flatnonzero(row)
    mark = crc32(row[words].astype("<f4").tobytes(), crc32(words.astype("<i4").tobytes())) >> 1
    root = jax.random.fold_in(jax.random.key(estimator.seed_), INFER)
    return jax.random.fold_in(jax.random.fold_in(root, use), mark), root


def refined(estimator, row, *, uses):
    """The posterior of a row by the public functions; `uses` of the key are for the row and for the information."""
    theta, phi = estimator.params_
    key, root = noise_key(estimator, row, uses[0])
    information = token_information(theta, jax.random.fold_in(root, uses[1]))
    x = jnp.asarray(row, jnp.float32)
    return refine(theta, infer(phi, tfidf(x, estimator.idf_)), x, key, num_steps=2, information=information)[0]


def test_passes_the_checks_of_scikit_learn():
    sizes = {"n_components": 1, "generative_widths": (4,), "inference_widths": (4,)}
    checks = check_estimator(DLGM(**sizes, M=1, eval_M=3, max_iter=2), on_skip=None)
    assert {check["check_name"] for check in checks if check["status"] != "passed"} <= {"check_array_api_input"}
    assert len(checks) > 40


def test_transform_is_what_the_public_functions_give(fitted):
    found = fitted.transform(X)
    assert found.dtype == np.float32
    assert found.shape == (70, 3)
    for d in (0, 5, 69):
        np.testing.assert_allclose(found[d], refined(fitted, X[d], uses=(0, 1)).mean, atol=1e-5)


def test_idf_is_of_the_rows_that_were_fitted(fitted):
    np.testing.assert_allclose(fitted.idf_, oracles.idf((X > 0).sum(0), 70), rtol=1e-6)


def test_scores_are_bounds_at_the_refined_posterior_also_of_weights(fitted):
    rows = np.array([X[0], 0.5 * X[1], X[5], 0.3 * X[7]])
    expected = []
    for row in rows:
        psi = refined(fitted, row, uses=(1, 4))
        key = jax.random.fold_in(noise_key(fitted, row, 2)[0], 0)
        eps = np.asarray(jax.random.normal(key, (3,)))
        expected.append(oracles.elbo(fitted.params_.theta, psi.mean, psi.log_var, row, eps))
    np.testing.assert_allclose(fitted.score_samples(rows), expected, rtol=1e-4)
    assert fitted.score(rows) == pytest.approx(np.mean(expected), rel=1e-4)
    per_word = [bound / row.sum() for bound, row in zip(expected, rows) if row.any()]
    assert fitted.perplexity(rows) == pytest.approx(np.exp(-np.mean(per_word)), rel=1e-4)
    with pytest.raises(BadInput, match="row with words"):
        fitted.perplexity(0 * rows)


@pytest.mark.parametrize("refiner", ["fisher", "adam"])
def test_a_row_depends_on_itself_alone(fitted, refiner):
    """Bit for bit, with compilation as it is for users."""
    estimator = pickle.loads(pickle.dumps(fitted)).set_params(refiner=refiner, eval_M=7)
    jax.config.update("jax_disable_most_optimizations", False)
    many = np.tile(X, (2, 1))[: 2 * ROWS + 3]
    order = np.random.default_rng(1).permutation(len(many))
    latents = estimator.transform(many)
    np.testing.assert_array_equal(estimator.transform(many[order]), latents[order])
    np.testing.assert_array_equal(estimator.transform(many[60:71]), latents[60:71])
    np.testing.assert_array_equal(latents[70:], latents[: len(many) - 70])
    for d in (3, 5, 130):
        np.testing.assert_array_equal(estimator.transform(many[d : d + 1]), latents[d : d + 1])
    jax.config.update("jax_disable_most_optimizations", True)
    assert np.unique(latents[:70], axis=0).shape[0] > 60


def test_every_form_of_the_same_counts_gives_the_same(fitted):
    expected = fitted.transform(X)
    csr = scipy.sparse.csr_matrix(X)
    wide = csr.copy()
    wide.indices, wide.indptr = csr.indices.astype(np.int64), csr.indptr.astype(np.int64)
    forms = [getattr(csr, f"to{name}")() for name in ("csc", "coo", "lil", "dok", "bsr", "dia")]
    forms += [csr, wide, scipy.sparse.csr_array(csr), scipy.sparse.coo_array(csr), X.astype(np.float32), X.tolist()]
    for form in [*forms, csr.astype(np.uint8), csr.astype(float)]:
        np.testing.assert_array_equal(fitted.transform(form), expected)


def test_frames_keep_their_names(tmp_path):
    frame = pd.DataFrame(X, columns=[f"word {v}" for v in range(12)])
    estimator = DLGM(**UNREFINED, random_state=0).set_output(transform="pandas").fit(frame)
    latents = estimator.transform(frame)
    assert list(latents.columns) == ["dlgm0", "dlgm1", "dlgm2"]
    assert list(estimator.get_feature_names_out()) == ["dlgm0", "dlgm1", "dlgm2"]
    estimator.save(tmp_path / "saved")
    loaded = DLGM.load(tmp_path / "saved")
    assert list(loaded.feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        loaded.transform(frame[frame.columns[::-1]])


def test_a_saved_estimator_is_the_same_and_goes_on_the_same(fitted, tmp_path):
    before = fitted.transform(X)
    fitted.save(tmp_path / "saved")
    loaded = DLGM.load(tmp_path / "saved")
    assert loaded.get_params() == fitted.get_params()
    np.testing.assert_array_equal(loaded.transform(X), before)
    np.testing.assert_array_equal(loaded.score_samples(X), fitted.score_samples(X))
    again = pickle.loads(pickle.dumps(fitted)).partial_fit(X[:40])
    np.testing.assert_array_equal(loaded.partial_fit(X[:40]).transform(X), again.transform(X))
    assert loaded.n_iter_ == 3
    assert loaded.n_samples_seen_ == 110
    np.testing.assert_array_equal(fitted.transform(X), before)
    with pytest.raises(BadInput, match="empty folder"):
        fitted.save(tmp_path / "saved")
    with pytest.raises(BadInput, match="expected what was saved"):
        DLGM.load(tmp_path)


def test_passes_one_by_one_are_a_fit_and_a_fit_begins_anew():
    whole = DLGM(**UNREFINED, random_state=np.random.RandomState(3)).fit(X)
    parts = DLGM(**UNREFINED, random_state=np.random.RandomState(3)).partial_fit(X).partial_fit(X)
    assert parts.bound_curve_ == whole.bound_curve_
    np.testing.assert_array_equal(parts.transform(X), whole.transform(X))
    other = clone(parts).set_params(random_state=4).fit(X)
    assert not np.array_equal(other.transform(X), whole.transform(X))
    anew = other.transform(X)
    np.testing.assert_array_equal(other.partial_fit(X[:9]).fit(X).transform(X), anew)


def test_training_raises_the_bound_and_the_latents_tell_more_than_word_frequencies():
    random = np.random.default_rng(3)
    counts, _ = log_linear_corpus(70, random.normal(0, 2, (3, 12)), np.zeros(12), seed=4)
    estimator = DLGM(**{**SMALL, "max_iter": 60}, random_state=0, learning_rate=0.03).fit(counts)
    assert len(estimator.bound_curve_) == estimator.n_iter_ == 60
    assert estimator.bound_curve_[-1] > estimator.bound_curve_[0] + 0.3
    assert estimator.perplexity(counts) < 0.8 * unigram_perplexity(as_corpus(counts), as_corpus(counts))


def test_what_fails_leaves_the_estimator_as_it_was():
    estimator = DLGM(**UNREFINED, random_state=0).fit(X)
    before = estimator.transform(X)
    with pytest.raises(NonFinite):
        estimator.set_params(learning_rate=1e30, batch_size=16).partial_fit(X[:50])
    assert estimator.n_samples_seen_ == 70
    np.testing.assert_array_equal(estimator.transform(X), before)


def test_samples_have_the_frequencies_of_the_model(fitted):
    drawn = fitted.sample(3000, length=20, random_state=1)
    assert scipy.sparse.issparse(drawn)
    assert drawn.shape == (3000, 12)
    np.testing.assert_array_equal(drawn.sum(axis=1), 20)
    z = np.random.default_rng(2).standard_normal((3000, 3))
    expected = np.mean([oracles.probabilities(fitted.params_.theta, one) for one in z], axis=0)
    np.testing.assert_allclose(np.asarray(drawn.mean(axis=0)).ravel() / 20, expected, atol=0.006)
    lengths = np.arange(5)
    some = fitted.sample(5, length=lengths, random_state=1)
    np.testing.assert_array_equal(np.asarray(some.sum(axis=1)).ravel(), lengths)
    assert (some != fitted.sample(5, length=lengths, random_state=1)).nnz == 0
    with pytest.raises(ValueError, match="n_samples: expected a whole number"):
        fitted.sample(0)


def test_components_are_the_mean_jacobian_vectors(fitted):
    expected = jacobian_mean(fitted.params_, jax.random.fold_in(jax.random.key(fitted.seed_), INTROSPECT))
    assert fitted.components_.shape == (3, 12)
    np.testing.assert_array_equal(fitted.components_, np.asarray(expected).T)
    with pytest.raises(NotFittedError):
        DLGM().components_  # noqa: B018


def test_in_a_pipeline_under_a_grid_search():
    texts = [f"{a} {b} {a}" for a in ("red", "green", "blue") for b in ("cat", "dog", "bird", "fish")]
    steps = [("counts", CountVectorizer()), ("dlgm", DLGM(**UNREFINED, random_state=0))]
    search = GridSearchCV(Pipeline(steps), {"dlgm__n_components": [1, 2]}, cv=2).fit(texts)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.transform(["a blue cat", "nothing known"]).shape == (2, search.best_params_["dlgm__n_components"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_components": 0}, "n_components: expected a whole number from 1 to 100,000, found 0"),
        ({"n_components": 2.5}, "n_components: expected a whole number"),
        ({"generative_widths": (4, 0)}, "generative_widths: expected whole numbers"),
        ({"inference_widths": 400}, "inference_widths: expected whole numbers"),
        ({"activation": "sine"}, "activation: expected one of relu"),
        ({"features": "bm25"}, "features: expected one of tfidf, tfidf_smooth, norm, counts, found 'bm25'"),
        ({"M": 4}, "M: expected an odd number as 13"),
        ({"eval_M": 2}, "eval_M: expected an odd number as 13"),
        ({"refiner": None}, "refiner: expected one of adam, fisher, found None"),
        ({"learning_rate": 0}, "learning_rate: expected auto or a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate: expected auto or a number above 0"),
        ({"input_dropout": 1}, "input_dropout: expected auto or a number from 0 to below 1"),
        ({"max_iter": True}, "max_iter: expected auto or a whole number"),
        ({"max_iter": "all"}, "max_iter: expected auto or a whole number from 1 to 2147483647, found 'all'"),
        ({"weight_decay": "Auto"}, "weight_decay: expected auto or a number from 0"),
        ({"M": "auto"}, "M: expected a whole number"),
    ],
)
def test_parameters_are_refused_at_fit(wrong, message):
    with pytest.raises(ValueError, match=message):
        DLGM(**wrong).fit(X)


@pytest.mark.parametrize("features", ["tfidf_smooth", "norm", "counts"])
def test_other_features(features):
    estimator = DLGM(**UNREFINED, features=features, random_state=0).fit(X)
    x = jnp.asarray(X[3], jnp.float32)
    read = {"tfidf_smooth": tfidf(x, estimator.idf_), "norm": x / x.sum(), "counts": x}[features]
    np.testing.assert_allclose(estimator.transform(X)[3], infer(estimator.params_.phi, read).mean, atol=1e-5)
    smooth = features == "tfidf_smooth"
    np.testing.assert_allclose(estimator.idf_, oracles.idf((X > 0).sum(0), 70, smooth=smooth), rtol=1e-6)


def test_negative_numbers_are_refused(fitted):
    with pytest.raises(ValueError, match="Negative values in data passed to"):
        fitted.transform(-X)


def test_what_is_auto_fits_the_number_of_rows(tmp_path):
    """The same bits as with these numbers given; a fit of other rows chooses anew, one that goes on does not."""
    sizes = {name: value for name, value in UNREFINED.items() if name != "max_iter"}
    sized = by_size(70, 12, X.sum(1).mean())
    numbers = {name: getattr(sized, field) for name, field in AUTO.items()}
    auto = DLGM(**sizes, random_state=0).fit(X)
    assert auto.settings_ == numbers
    assert auto.n_iter_ == numbers["max_iter"] == 32
    given = DLGM(**sizes, **numbers, random_state=0).fit(X)
    np.testing.assert_array_equal(auto.transform(X), given.transform(X))
    assert DLGM(**sizes, max_iter=2, batch_size=7, random_state=0).fit(X).n_iter_ == 2

    auto.save(tmp_path / "model")
    facts = json.loads((tmp_path / "model" / "facts.json").read_text())
    assert facts["parameters"]["batch_size"] == "auto"
    again = DLGM.load(tmp_path / "model")
    assert again.settings_ == numbers
    del facts["fitted"]["settings_"]  # as before there was any
    (tmp_path / "model" / "facts.json").write_text(json.dumps(facts))
    assert DLGM.load(tmp_path / "model").settings_ == numbers
    again.partial_fit(X[:9])
    assert (again.settings_, again.n_iter_) == (numbers, numbers["max_iter"] + 1)
    assert again.fit(X[:5]).settings_["max_iter"] == by_size(5, 12, 1.0).epochs


def test_a_bound_below_that_of_the_words_frequencies_is_a_warning():
    frequent = np.zeros((40, 12), int)
    frequent[:, 3] = 30  # one word alone: its frequency says all, and two passes say less
    with pytest.warns(ConvergenceWarning, match="nats a word, is below 0.000, the log-likelihood of the rows"):
        DLGM(**UNREFINED, random_state=0).fit(frequent)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DLGM(**UNREFINED, random_state=0).partial_fit(frequent)
        two_kinds = np.kron([[5] * 6 + [0] * 6, [0] * 6 + [5] * 6], np.ones((20, 1), int))
        DLGM(**UNREFINED, random_state=0).set_params(max_iter=60, learning_rate=0.03).fit(two_kinds)
