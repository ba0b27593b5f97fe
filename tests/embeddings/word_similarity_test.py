import numpy as np
import pytest

from dlgm_jax.embeddings.word_similarity import agreement, finder, read_as_singulars, spellings, word_similarity


def slow_spearman(x, y):
    """Pearson's correlation of ranks; equal values share the mean of their ranks."""

    def ranks(values):
        return [np.mean([place for place, v in enumerate(sorted(values)) if v == value]) for value in values]

    return np.corrcoef(ranks(x), ranks(y))[0, 1]


def test_agreement_is_spearman_of_cosines():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 12, 4))
    second[3:5] = second[3]
    first[3:5] = first[3]
    ratings = rng.integers(5, size=12).astype(float)
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(first, second)]
    cosines[4] = cosines[3]
    np.testing.assert_allclose(agreement(first, second, ratings), slow_spearman(cosines, ratings), rtol=1e-12)


def test_words_are_found_in_other_forms():
    find = finder(["cell", "Tuesday", "jerusalem", "coop", "story"])
    assert [find(w) for w in ("cell", "cells", "Tuesday", "Jerusalem", "co-op", "stories", "zebra")] == [
        0,
        0,
        1,
        2,
        3,
        4,
        None,
    ]


def test_missing_words_are_counted_and_named():
    rows = np.array([[1.0, 0], [1, 0.1], [0, 1], [0.5, 0.5]])
    pairs = [("a", "b", 9.0), ("a", "c", 1.0), ("a", "d", 5.0), ("a", "Zebra", 3.0), ("yak", "Zebra", 2.0)]
    found = word_similarity(rows, finder("abcd"), pairs)
    assert found.spearman == pytest.approx(1)
    assert (found.pairs, found.left_out, found.missing) == (3, 2, ("Zebra", "yak"))


def test_too_few_pairs_have_no_correlation():
    found = word_similarity(np.eye(2), finder("ab"), [("a", "b", 1.0), ("x", "b", 2.0)])
    assert np.isnan(found.spearman)
    assert found.pairs == 1


def test_a_word_as_it_is_comes_before_other_forms():
    words = ["apple", "Apple", "apples", "co-op", "coop", "wa"]
    for find in (finder(words), spellings(words)):
        assert [words[find(word)] for word in words] == words
        assert find("APPLES") == 2
        assert find("Coo-p") == 3
    assert spellings(words)("was") is None
    assert spellings(["bank"])("banks") is None
    assert spellings(["Fever", "COVID-19", "Covid19"])("covid-19") == 1
    assert finder(["woman", "leaf"])("leaves") == 1


def test_what_does_not_vary_has_no_correlation():
    rows = np.random.default_rng(0).normal(size=(4, 2))
    assert np.isnan(agreement(rows, rows[::-1], [2.0, 2.0, 2.0, 2.0]))
    assert np.isnan(agreement(np.zeros((3, 2)), rows[:3], [1.0, 2.0, 3.0]))


def test_what_is_read_as_its_singular_is_told_from_another_spelling():
    words = ["cell", "Tuesday", "coop", "leaf", "news"]
    asked = ["cells", "Cell", "tuesday", "co-op", "co-ops", "leaves", "news", "zebras"]
    assert read_as_singulars(asked, finder(words), words) == ("cells", "co-ops", "leaves")
    assert read_as_singulars(asked, spellings(words), words) == ()
