import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from dlgm_jax.embeddings import neighbours
from dlgm_jax.embeddings.neighbours import nearest, nearest_to, singulars, without_plurals

ROWS = np.random.default_rng(0).normal(size=(30, 5))
ROWS[7] = 0


def test_nearest_is_a_sorted_loop_over_cosines():
    order, cosines = nearest(ROWS, [0, 12], num_neighbours=4)
    table = cosine_similarity(ROWS)
    for row, query in enumerate([0, 12]):
        others = sorted((v for v in range(30) if v != query), key=lambda v, q=query: -table[q, v])[:4]
        assert order[row].tolist() == others
        np.testing.assert_allclose(cosines[row], table[query, others], rtol=1e-12)


def test_no_more_neighbours_than_words():
    order, _ = nearest(ROWS[:3], [1], num_neighbours=10)
    assert sorted(order[0].tolist()) == [0, 2]


def test_a_row_of_zeros_is_near_to_nothing():
    _, cosines = nearest(ROWS, [7], num_neighbours=3)
    assert not np.any(cosines)


def test_any_number_of_queries_and_equal_cosines_in_the_order_of_rows(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    rows = np.repeat(ROWS, 2, axis=0)
    order, cosines = nearest(rows, range(60), num_neighbours=5)
    table = cosine_similarity(ROWS).round(12)
    for query in range(60):
        others = sorted((v for v in range(60) if v != query), key=lambda v, q=query: (-table[q // 2, v // 2], v))[:5]
        np.testing.assert_allclose(cosines[query], [table[query // 2, v // 2] for v in others], atol=1e-9)
        if query // 2 != 7:
            assert order[query, 0] == query ^ 1


def test_nearest_to_a_vector_omits_what_it_is_told():
    order, cosines = nearest_to(ROWS, ROWS[[3]] * 2, num_neighbours=2, omitted=np.array([[3, 5]]))
    table = cosine_similarity(ROWS)[3]
    others = sorted((v for v in range(30) if v not in (3, 5)), key=lambda v: -table[v])[:2]
    assert order[0].tolist() == others
    np.testing.assert_allclose(cosines[0], table[others])


@pytest.mark.parametrize(
    ("one", "many"),
    [
        *[("story", "stories"), ("box", "boxes"), ("army", "armys"), ("class", "classes"), ("church", "churches")],
        *[("cache", "caches"), ("headache", "headaches"), ("bus", "buses"), ("hero", "heroes"), ("gas", "gases")],
        *[("virus", "viruses"), ("lens", "lenses"), ("leaf", "leaves"), ("wife", "wives"), ("woman", "women")],
        *[("movie", "movies"), ("house", "houses"), ("armies", "armys"), ("dog", "dog's"), ("wave", "waves")],
    ],
)
def test_forms_of_one_word_are_met(one, many):
    assert without_plurals(one, [many, "other"]) == without_plurals(many, [one, "other"]) == [1]


@pytest.mark.parametrize("word", ["gas", "bus", "less", "analysis", "is", "s", "news", "me"])
def test_words_that_only_look_like_plurals_stay(word):
    assert singulars(word) == (word,)


@pytest.mark.parametrize(("one", "other"), [("new", "news"), ("len", "lens"), ("leave", "leaf"), ("pas", "pass")])
def test_other_words_are_kept(one, other):
    assert without_plurals(one, [other]) == [0]


def test_plurals_of_the_query_and_of_nearer_words_are_left_out():
    assert without_plurals("army", ["armies", "soldier", "navy", "soldiers", "navies", "war"]) == [1, 2, 5]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_refused(value):
    rows = ROWS.copy()
    rows[[3, 5], 1] = value
    with pytest.raises(ValueError, match="expected finite rows, found 2 of 30 that are not"):
        nearest(rows, [0], num_neighbours=1)
