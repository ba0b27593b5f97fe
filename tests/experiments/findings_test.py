"""Contexts and judgements against the public functions, one document at a time."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from dlgm_jax import infer, init_params, jacobian_posterior, refine, tfidf, token_information
from dlgm_jax.data.word_pairs import RatedPair
from dlgm_jax.embeddings.word_similarity import finder
from dlgm_jax.types import BadInput
from experiments.findings import contexts, judgements

WORDS = ("river", "bank", "money", "loan", "fish", "new york")
KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def model():
    params = init_params(KEY, 6, latent_dim=3, generative_widths=(5,), inference_widths=(4,))
    params = jax.tree.map(lambda leaf: 6 * leaf, params)
    run = SimpleNamespace(params=params, idf=np.linspace(1, 2, 6))
    config = SimpleNamespace(features="tfidf")
    return SimpleNamespace(run=run, config=config, vocabulary=WORDS, find=finder(WORDS), key=KEY)


def posterior(model, counts, key, place, number):
    theta, phi = model.run.params
    information = token_information(theta, jax.random.fold_in(key, number))
    x = jnp.asarray(counts, jnp.float32)
    own = jax.random.split(key, number)[place]
    return refine(theta, infer(phi, tfidf(x, model.run.idf)), x, own, num_steps=6, information=information)[0]


def test_posteriors_are_refined_one_by_one(model):
    counts = np.array([[1.0, 0, 2, 0, 0, 0], [0, 1, 0, 0, 0, 3]], np.float32)
    found = contexts.posteriors(model, counts, KEY)
    for place in range(2):
        expected = posterior(model, counts[place], KEY, place, 2)
        np.testing.assert_allclose(found.mean[place], expected.mean, atol=1e-5)
        np.testing.assert_allclose(found.log_var[place], expected.log_var, atol=1e-5)


def test_each_word_of_a_pair_is_read_in_its_own_context(model):
    pairs = [
        RatedPair("river", "bank", 3.0, "the <b> river </b> Fish", "<b> bank </b> loan, loan"),
        RatedPair("zebra", "bank", 9.0, "<b> zebra </b>", "<b> bank </b>"),
        RatedPair("money", "fish", 5.0, "<b> money </b> bank", "<b> fish </b> river fish"),
        RatedPair("loan", "bank", 1.0, "<b> loan </b> money", "<b> bank </b> river"),
    ]
    texts = [["river fish", "bank loan loan"], ["money bank", "fish river fish"], ["loan money", "bank river"]]
    words = [("river", "bank"), ("money", "fish"), ("loan", "bank")]
    vectors = np.empty((3, 2, 3))
    for side in range(2):
        key = jax.random.fold_in(KEY, side)
        keys = jax.random.split(jax.random.fold_in(key, 1), 3)
        for place in range(3):
            counts = np.zeros(6)
            for word in texts[place][side].split():
                counts[WORDS.index(word)] += 1
            psi = posterior(model, counts, key, place, 3)
            row = np.array([WORDS.index(words[place][side])])
            vectors[place, side] = jacobian_posterior(model.run.params, psi, keys[place], ids=row)[0]
    units = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    cosines = np.sum(units[:, 0] * units[:, 1], axis=1)
    expected = stats.spearmanr(cosines, [3.0, 5.0, 1.0]).statistic
    assert judgements.in_context(model, pairs, "log") == pytest.approx(expected)
    assert np.isnan(judgements.in_context(model, pairs[1:3], "log"))


def test_contexts_are_words_or_whole_entries(model):
    counts, missing = contexts.document(model, "River, banks! zebra, new york, fish fish")
    assert counts.tolist() == [1, 1, 0, 0, 2, 1]
    assert missing == ["zebra"]
    with pytest.raises(BadInput, match="--context: expected words of the vocabulary, found 'zebra'"):
        contexts.document(model, "zebra")
