import numpy as np

from dlgm_jax.introspection.spectrum import directions, near_duplicates, units
from tests import oracles


def test_directions_name_the_words_at_both_ends():
    left = np.zeros((6, 2))
    left[[0, 1], 0] = 0.8, -0.6
    left[[4, 5, 2], 1] = -0.9, 0.3, 0.3
    left[:, 1] /= np.linalg.norm(left[:, 1])
    jacobian = left @ np.diag([5.0, 0.5]) @ np.linalg.qr(np.random.default_rng(0).normal(size=(2, 2)))[0]
    first, second = directions(jacobian, num_directions=2, num_words=1)
    np.testing.assert_allclose([first.log_singular_value, second.log_singular_value], np.log([5.0, 0.5]))
    assert (first.top, first.bottom) == ((0,), (1,))
    assert second.top == (4,)  # the largest entry points up
    assert second.bottom[0] in (2, 5)


def test_units_are_their_definitions():
    rng = np.random.default_rng(0)
    means, log_vars = rng.normal(size=(30, 3)) * [1, 0.01, 0.3], rng.normal(size=(30, 3)) * [0.5, 0.001, 0.5]
    found = units(means, (means**2 + np.exp(log_vars) - 1 - log_vars) / 2)
    for k in range(3):
        one = [oracles.kl(means[d, [k]], log_vars[d, [k]]) for d in range(30)]
        np.testing.assert_allclose(found.kl[k], np.mean(one))
        np.testing.assert_allclose(found.variance[k], np.var(means[:, k]))
    assert found.active == 2
    assert found.dead == [1]


def test_near_duplicates_are_parallel_columns_up_to_a_constant():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(200, 4))
    columns[:, 3] = -2 * columns[:, 1] + 7 + 0.01 * rng.normal(size=200)
    ((first, second, cosine),) = near_duplicates(columns)
    assert (first, second) == (1, 3)
    assert -1 <= cosine < -0.99
    assert near_duplicates(np.ones((5, 2))) == []


def test_no_word_stands_at_both_ends_and_empty_directions_are_left_out():
    jacobian = np.random.default_rng(0).normal(size=(5, 2))
    for found in directions(jacobian, num_directions=2, num_words=6):
        assert len(found.top) == len(found.bottom) == 2
        assert not set(found.top) & set(found.bottom)
    one = np.outer(jacobian[:, 0], [1.0, 1 / 3, 0.1]).astype(np.float32)
    assert len(directions(one, num_directions=3, num_words=1)) == 1
    assert directions(np.zeros((5, 3)), num_directions=3, num_words=1) == []


def test_a_unit_is_active_from_a_variance_of_a_hundredth():
    means = np.sqrt([0.02, 0.009]) * np.array([[1.0, 1.0], [-1.0, -1.0]])
    assert units(means, np.zeros((2, 2))).active == 1
    assert units(means).active == 1
    assert units(means).dead == [1]
