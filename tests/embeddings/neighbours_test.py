import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from dlgm_jax.embeddings import neighbours
from dlgm_jax.embeddings.neighbours import nearest, nearest_to, singular, without_plurals

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
    [("story", "stories"), ("box", "boxes"), ("army", "armys"), ("class", "classes"), ("church", "churches")],
)
def test_plurals_have_the_singular_of_their_word(one, many):
    assert singular(one) == singular(many) == one


@pytest.mark.parametrize("word", ["gas", "bus", "less", "analysis", "is", "s", "news"])
def test_words_that_only_look_like_plurals_stay(word):
    assert singular(word) == word


def test_words_in_ie_meet_their_plurals():
    assert singular("movie") == singular("movies")
    assert without_plurals("movie", ["movies", "film"]) == [1]


def test_plurals_of_the_query_and_of_nearer_words_are_left_out():
    assert without_plurals("army", ["armies", "soldier", "navy", "soldiers", "navies", "war"]) == [1, 2, 5]
