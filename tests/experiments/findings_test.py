"""Contexts and judgements against the public functions, one document at a time."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from dlgm_jax import infer, jacobian_posterior, normalised_counts, refine, tfidf, token_information
from dlgm_jax.data.word_pairs import RatedPair
from dlgm_jax.embeddings.analogies import accuracy, cos_add, cos_mul
from dlgm_jax.embeddings.neighbours import nearest
from dlgm_jax.errors import BadInput
from dlgm_jax.features import FEATURES
from experiments.findings import contexts, judgements
from experiments.findings.judgements import Files
from tests.experiments.toys import KEY, WORDS, asked, learned

CONTEXTS = jax.random.fold_in(KEY, 1)


@pytest.fixture(scope="module")
def model():
    return learned()


@partial(jax.jit, static_argnames="features")
def refined(params, idf, x, informing, own, features):
    information = token_information(params.theta, informing)
    read = {"tfidf": tfidf(x, idf), "tfidf_smooth": tfidf(x, idf), "norm": normalised_counts(x), "counts": x}
    guess = infer(params.phi, read[features])
    return refine(params.theta, guess, x, own, num_steps=6, information=information)[0]


def posterior(model, counts, key, place, number):
    informing, refining = jax.random.split(key)
    own = jax.random.split(refining, number)[place]
    x = jnp.asarray(counts, jnp.float32)
    return refined(model.run.params, model.run.idf, x, informing, own, model.config.features)


def counts_of(text):
    counts = np.zeros(6)
    for word in text.split():
        counts[WORDS.index(word)] += 1
    return counts


@pytest.mark.parametrize("features", FEATURES)
def test_posteriors_are_refined_one_by_one(features):
    counts = np.array([[1.0, 0, 2, 0, 0, 0], [0, 1, 0, 0, 0, 3], [1, 1, 1, 0, 0, 0]], np.float32)
    model = learned(features=features)
    found = contexts.posteriors(model, counts, KEY)
    for place in range(3):
        expected = posterior(model, counts[place], KEY, place, 3)
        np.testing.assert_allclose(found.mean[place], expected.mean, atol=1e-4)
        np.testing.assert_allclose(found.log_var[place], expected.log_var, atol=1e-4)


def test_queries_are_read_under_the_posterior_of_each_context(model):
    texts = ["river fish", "money loan loan, zebra"]
    orders = {}
    for variant in ("log", "prob"):
        (table,) = contexts.parts(model, [*range(6)], asked(context="; ".join(texts), variant=variant, neighbours=5))
        assert table.header == ("word", "no context", *texts)
        assert "'money loan loan, zebra': zebra." in table.note
        expected = [model.vectors]
        for text, key in zip(("river fish", "money loan loan"), jax.random.split(jax.random.fold_in(CONTEXTS, 0), 2)):
            refining, averaging = jax.random.split(key)
            psi = posterior(model, counts_of(text), refining, 0, 1)
            expected.append(np.asarray(jacobian_posterior(model.run.params, psi, averaging, variant=variant)))
        order = [nearest(vectors, range(6), num_neighbours=5)[0] for vectors in expected]
        for place, row in enumerate(table.rows):
            assert row == (WORDS[place], *(", ".join(WORDS[other] for other in rows[place]) for rows in order))
        orders[variant] = [rows.tolist() for rows in order]
    plain, *others = orders["log"]
    assert plain not in others
    assert others != orders["prob"][1:]


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
    for side, key in enumerate(jax.random.split(jax.random.fold_in(CONTEXTS, 1))):
        refining, averaging = jax.random.split(key)
        keys = jax.random.split(averaging, 3)
        for place in range(3):
            psi = posterior(model, counts_of(texts[place][side]), refining, place, 3)
            row = np.array([WORDS.index(words[place][side])])
            vectors[place, side] = jacobian_posterior(model.run.params, psi, keys[place], ids=row)[0]
    units = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    cosines = np.sum(units[:, 0] * units[:, 1], axis=1)
    expected = stats.spearmanr(cosines, [3.0, 5.0, 1.0]).statistic
    assert judgements.in_context(model, pairs, "log") == pytest.approx(expected)
    (row,) = judgements.similarity_table([model], [("scws.txt", pairs)], "log", {}).rows
    assert row[3] == pytest.approx(100 * expected)
    assert np.isnan(judgements.in_context(model, pairs[1:3], "log"))


def test_contexts_are_words_or_whole_entries_as_they_are(model):
    counts, missing = contexts.document(model, "River, banks! zebra, new york, fish fish")
    assert counts.tolist() == [1, 0, 0, 0, 2, 1]
    assert missing == ["banks", "zebra"]
    with pytest.raises(BadInput, match="--context: expected words of the vocabulary, found 'zebra'"):
        contexts.document(model, "zebra")


def test_a_text_s_words_are_not_read_as_others():
    codes = learned(("wa", "ha", "Alien (1979)", "e11.9", "bank"))
    assert list(contexts.words_of(codes, "It was Alien (1979), Alien (1979), E11.9 e11.9 BANK")) == [
        *("it", "was", "alien", "Alien (1979)", "e11.9", "bank"),
    ]
    counts, missing = contexts.counted(codes, "he was and has e11.9")
    assert counts.tolist() == [0, 0, 0, 1, 0]
    assert missing == ["he", "was", "and", "has"]


def test_similarity_is_of_the_chosen_vectors_and_names_what_is_missing(model, tmp_path):
    rows = np.array([[1, 0, 0], [1, 0.1, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1.0]])
    pairs = [RatedPair("river", other, rating) for other, rating in (("bank", 9), ("money", 6), ("loan", 1))]
    pairs += [RatedPair("river", f"z{number:02}", 2.0) for number in range(20)]
    one = learned(vectors=rows, log_vectors=rows[[0, 3, 2, 1, 4, 5]])
    alike = [RatedPair("river", "bank", 2.0), RatedPair("money", "fish", 2.0)]
    files = Files([("ws.txt", pairs), ("flat.txt", alike)], [])
    (table,) = judgements.parts([one, model], files, "log", tmp_path)
    assert table.rows[0][:3] == ("ws.txt", "toy", pytest.approx(100))
    assert table.rows[0][4:] == (3, 20)
    assert np.isnan(table.rows[2][2])
    assert "ws.txt: z00, z01, z02, z03, z04, z05, z06, z07 and 12 more; all of them are in missing_words" in table.note
    lines = (tmp_path / "missing_words.txt").read_text().splitlines()
    assert lines == ["file\tword", *(f"ws.txt\tz{number:02}" for number in range(20))]
    (table,) = judgements.parts([one], Files([("flat.txt", alike)], []), "log", tmp_path)
    assert "Not in the vocabulary: none." in table.note
    assert not (tmp_path / "missing_words.txt").exists()


def test_analogies_are_counted_by_section_and_in_all(tmp_path):
    words = tuple("abcdefgh")
    models = [learned(words, label="one", seed=0), learned(words, label="two", seed=1)]
    rng = np.random.default_rng(1)
    questions = [tuple(words[row] for row in rng.permutation(8)[:4]) for _ in range(120)]
    sections = {"first": [*questions[:50], ("a", "b", "c", "zebra")], "second": questions[50:]}
    (table,) = judgements.parts(models, Files([], [("questions.txt", sections)]), "log", tmp_path)
    everything = {**sections, "all sections": [*sections["first"], *sections["second"]]}
    expected = []
    for section, asked_of in everything.items():
        for model in models:
            add, mul = (accuracy(model.vectors, model.row.get, asked_of, objective=o) for o in (cos_add, cos_mul))
            expected.append((section, model.label, 100 * add.share, 100 * mul.share, add.asked, add.left_out))
    assert table.rows == expected
    assert all(row[2] != row[3] for row in expected[-2:])
    assert expected[-1][4:] == (120, 1)


def test_analogies_ask_no_singulars_in_place_of_words(tmp_path):
    words = ("save", "saves", "Play", "plays", "vanish", "co-op")
    model = learned(words)
    asked_of = [("save", "saves", "play", "plays"), ("SAVE", "saves", "coop", "plays")]
    other = [("play", "plays", "vanish", "vanishes"), ("save", "saves", "vanish", "vanishes")]
    (table,) = judgements.parts([model], Files([], [("questions.txt", {"": [*asked_of, *other]})]), "log", tmp_path)
    assert table.rows[0][4:] == (2, 2)
    with pytest.raises(BadInput, match="found none of its analogies"):
        judgements.check_known([model], Files([], [("a.txt", {"": other})]))


def test_rated_words_that_are_read_as_their_singular_are_named(model, tmp_path):
    pairs = [RatedPair("rivers", "Bank", 3.0), RatedPair("money", "loans", 1.0), RatedPair("fish", "zebras", 2.0)]
    plain = [RatedPair("river", "bank", 3.0), RatedPair("Money", "new-york", 1.0)]
    (table,) = judgements.parts([model], Files([("ws.txt", pairs), ("rg.txt", plain)], []), "log", tmp_path)
    assert "Words read as their singular: ws.txt: 2 (loans, rivers). Spearman" in table.note
    assert [row[4] for row in table.rows] == [2, 1]
    (table,) = judgements.parts([model], Files([("rg.txt", plain)], []), "log", tmp_path)
    assert "singular" not in table.note


def test_files_of_which_nothing_is_known_are_refused(model):
    for files in (
        Files([("a.txt", [RatedPair("river", "zebra", 1.0)])], []),
        Files([], [("a.txt", {"": [("river", "bank", "money", "zebra"), ("river", "bank", "river", "bank")]})]),
    ):
        with pytest.raises(BadInput, match=r"a\.txt: expected words of the vocabulary of toy, found none of its"):
            judgements.check_known([model], files)
