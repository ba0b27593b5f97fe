import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfTransformer

from dlgm_jax import features, idf, normalised_counts, tfidf
from dlgm_jax.data.batches import gather
from dlgm_jax.sparse import to_dense
from tests import oracles
from tests.conftest import as_corpus

COUNTS = np.random.default_rng(0).poisson(0.4, (40, 17))
COUNTS[3] = 0
FREQUENCIES = (COUNTS > 0).sum(0)
FREQUENCIES[5] = 0


@pytest.mark.parametrize("smooth", [False, True])
def test_idf_is_the_definition(x64, smooth):
    np.testing.assert_allclose(
        idf(FREQUENCIES, 40, smooth=smooth), oracles.idf(FREQUENCIES, 40, smooth=smooth), rtol=1e-12
    )


def test_a_word_of_no_document_has_idf_zero():
    assert idf(np.array([0, 1]), 10)[0] == 0


def test_smoothed_tfidf_is_scikit_learns():
    theirs = TfidfTransformer(smooth_idf=True).fit_transform(COUNTS).toarray()
    weights = idf((COUNTS > 0).sum(0), len(COUNTS), smooth=True)
    ours = jax.vmap(tfidf, (0, None))(jnp.asarray(COUNTS, jnp.float32), weights)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("row", [0, 1, 3])
def test_features_are_the_definitions(x64, row):
    weights = oracles.idf(FREQUENCIES, 40)
    np.testing.assert_allclose(tfidf(COUNTS[row], weights), oracles.tfidf(COUNTS[row], weights), rtol=1e-12)
    np.testing.assert_allclose(normalised_counts(COUNTS[row]), oracles.normalised(COUNTS[row]), rtol=1e-12)


def test_an_empty_document_gives_zeros_and_finite_gradients():
    weights = jnp.ones(4)
    for function in (lambda x: tfidf(x, weights), normalised_counts):
        assert not np.any(function(jnp.zeros(4)))
        assert np.all(np.isfinite(jax.jacobian(function)(jnp.zeros(4))))


def test_a_document_of_uninformative_words_gives_zeros():
    assert not np.any(tfidf(jnp.ones(3), jnp.zeros(3)))


def test_batch_features_are_those_of_each_document():
    batch = gather(as_corpus(COUNTS), np.arange(40), 48, (1024,)).counts
    weights = jnp.asarray(oracles.idf(FREQUENCIES, 40), jnp.float32)
    dense = jnp.asarray(COUNTS, jnp.float32)
    tf = to_dense(jax.jit(features.batch_tfidf)(jax.tree.map(jnp.asarray, batch), weights))
    norm = to_dense(features.batch_normalised_counts(jax.tree.map(jnp.asarray, batch)))
    np.testing.assert_allclose(tf[:40], jax.vmap(tfidf, (0, None))(dense, weights), atol=1e-6)
    np.testing.assert_allclose(norm[:40], jax.vmap(normalised_counts)(dense), atol=1e-6)
    assert not np.any(tf[40:])
    assert not np.any(norm[40:])


@pytest.mark.parametrize("name", features.FEATURES)
def test_a_document_is_read_as_in_a_batch(name):
    batch = jax.tree.map(jnp.asarray, gather(as_corpus(COUNTS), np.arange(40), 48, (1024,)).counts)
    read = features.reader(name, features.idf_for(name, FREQUENCIES, 40))
    expected = {"norm": oracles.normalised, "counts": np.asarray}.get(
        name, lambda row: oracles.tfidf(row, oracles.idf(FREQUENCIES, 40, smooth=name == "tfidf_smooth"))
    )
    whole = to_dense(read(batch))
    for row in range(40):
        np.testing.assert_allclose(read(COUNTS[row]), expected(COUNTS[row]), atol=1e-6)
        np.testing.assert_allclose(whole[row], expected(COUNTS[row]), atol=1e-6)


def test_bare_counts_are_read_as_they_are():
    batch = jax.tree.map(jnp.asarray, gather(as_corpus(COUNTS), np.arange(40), 48, (1024,)).counts)
    read = features.reader("counts", np.ones(17))(batch)
    np.testing.assert_array_equal(to_dense(read)[:40], COUNTS)
    assert read.values.dtype == jnp.float32


def test_input_dropout_belongs_to_the_document_and_the_word():
    corpus = as_corpus(np.ones((50, 40), int))
    keys = jax.random.split(jax.random.key(0), 50)

    def dropped(documents, batch_size, size):
        batch = jax.tree.map(jnp.asarray, gather(corpus, np.asarray(documents), batch_size, (size,)))
        padded = keys[batch.document]
        return np.asarray(to_dense(features.drop_words(batch.counts, padded, 0.3)))

    whole = dropped(range(50), 50, 2048)
    part = dropped([7, 3, 40], 5, 1024)
    np.testing.assert_array_equal(part[:3], whole[[7, 3, 40]])
    assert np.all((whole == 0) | np.isclose(whole, 1 / 0.7))
    assert abs(np.mean(whole == 0) - 0.3) < 4 * np.sqrt(0.3 * 0.7 / whole.size)


def test_large_whole_numbers_do_not_overflow():
    counts = np.array([70_000, 2, 3], np.int32)
    np.testing.assert_allclose(tfidf(counts, np.array([70_000, 1, 1], np.int32)), [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(normalised_counts([1, 2, 1]), [0.25, 0.5, 0.25])
