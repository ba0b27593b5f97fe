import numpy as np
import scipy.sparse

from dlgm_jax.embeddings.ratings import mean_rating_neighbours, popularity_percentile, shared_share

RATINGS = np.array(
    [
        # film 0 is the query; 1 is liked by its fans, 2 by one fan only, 3 by those who dislike film 0
        [10, 8, 0, 2, 0],
        [8, 10, 10, 0, 2],
        [9, 6, 0, 4, 0],
        [2, 1, 0, 10, 9],
        [0, 0, 0, 10, 9],
    ]
)


def test_the_baseline_is_a_loop_over_fans():
    order = mean_rating_neighbours(scipy.sparse.csr_matrix(RATINGS), [0], liked=6, least=0.5, num_neighbours=3)
    fans = [user for user in range(5) if RATINGS[user, 0] > 6]
    assert fans == [0, 1, 2]
    means = {}
    for film in range(1, 5):
        given = [RATINGS[user, film] for user in fans if RATINGS[user, film]]
        means[film] = np.mean(given) if len(given) >= 0.5 * len(fans) else -np.inf
    assert order[0].tolist() == sorted(means, key=lambda film: -means[film])[:3]
    assert order[0, 0] == 1


def test_a_film_that_few_fans_saw_wins_when_all_count():
    order = mean_rating_neighbours(scipy.sparse.csr_matrix(RATINGS), [0], liked=6, least=0.0, num_neighbours=2)
    assert order[0].tolist() == [2, 1]


def test_shares_and_popularity():
    order = np.array([[1, 2], [0, 2]])
    kinds = [{"war"}, {"war", "love"}, {"love"}]
    assert shared_share(order, [0, 1], kinds) == 0.75
    assert popularity_percentile(order, np.array([5, 50, 500])) == np.mean([50, 100, 0, 100])


def test_liked_is_above_and_a_share_is_enough_when_it_is_reached():
    ratings = np.array([[8, 9, 5], [8, 0, 5], [8, 0, 5], [8, 0, 5], [6, 0, 10]])
    settings = {"liked": 6, "num_neighbours": 2}
    sparse = scipy.sparse.csr_matrix(ratings)
    assert mean_rating_neighbours(sparse, [0], least=0.25, **settings)[0].tolist() == [1, 2]  # one fan of four
    ratings[4, 2] = 40  # by somebody who rated the query 6, which is not above
    ratings[0, 1] = 6
    assert mean_rating_neighbours(scipy.sparse.csr_matrix(ratings), [0], least=0.0, **settings)[0].tolist() == [1, 2]
