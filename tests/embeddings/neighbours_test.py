import numpy as np
from sklearn.metrics.pairwise import cosine_similarity

from dlgm_jax.embeddings.neighbours import nearest

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
