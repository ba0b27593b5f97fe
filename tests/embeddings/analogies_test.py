import numpy as np
import pytest

from dlgm_jax.embeddings.analogies import accuracy, complete, cos_add, cos_mul

WORDS = ["king", "queen", "man", "woman", "apple", "pear"]


def royal():
    """king - man + woman = queen, and fruit elsewhere."""
    royal, male, female, fruit = np.eye(4)
    return np.array([royal + male, royal + female, male, female, fruit + 0.1 * male, fruit + 0.1 * female])


def test_the_known_analogy_is_completed():
    for objective in (cos_add, cos_mul):
        answers = complete(royal(), np.array([[2, 0, 3], [0, 1, 2]]), objective=objective)
        assert [WORDS[answer] for answer in answers[:, 0]] == ["queen", "woman"]


@pytest.mark.parametrize(("objective", "power"), [(cos_add, None), (cos_mul, 1)])
def test_answers_are_a_loop_over_all_words(objective, power):
    rows = np.random.default_rng(0).normal(size=(25, 4))
    questions = np.random.default_rng(1).permuted(np.tile(np.arange(25), (300, 1)), axis=1)[:, :3]
    found = complete(rows, questions, num_answers=3, objective=objective)

    def cos(i, j):
        return rows[i] @ rows[j] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[j])

    def score(d, a, b, c):
        if power is None:
            return cos(d, b) - cos(d, a) + cos(d, c)
        return (1 + cos(d, b)) / 2 * (1 + cos(d, c)) / 2 / ((1 + cos(d, a)) / 2 + 0.001)

    for place in (0, 7, 299):
        a, b, c = questions[place]
        others = [d for d in range(25) if d not in (a, b, c)]
        assert found[place].tolist() == sorted(others, key=lambda d, q=(a, b, c): -score(d, *q))[:3]


def test_accuracy_counts_and_leaves_out_unknown_words():
    rows = {word: row for row, word in enumerate(WORDS)}
    questions = [("man", "king", "woman", "queen"), ("man", "king", "woman", "pear"), ("man", "king", "woman", "duke")]
    found = accuracy(royal(), rows.get, questions)
    assert (found.correct, found.asked, found.left_out, found.share) == (1, 2, 1, 0.5)
    assert np.isnan(accuracy(royal(), rows.get, questions[2:]).share)


def test_questions_of_fewer_than_four_words_are_left_out():
    rows = {word: row for row, word in enumerate(WORDS)}
    found = accuracy(royal(), rows.get, [("man", "king", "man", "king"), ("man", "king", "woman", "queen")])
    assert (found.correct, found.asked, found.left_out) == (1, 1, 1)
