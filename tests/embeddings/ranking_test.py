import numpy as np
import pytest
import scipy.sparse
from sklearn.metrics import ndcg_score

from dlgm_jax.embeddings.ranking import ndcg_at, popularity_scores, ranked, recall_at, svd_scores

RNG = np.random.default_rng(0)
USERS, ITEMS = 30, 25
HAS = RNG.random((USERS, ITEMS)) < 0.4
HELD_OUT = HAS & (RNG.random((USERS, ITEMS)) < 0.4)
HELD_OUT[3] = False
OBSERVED = HAS & ~HELD_OUT
SCORES = RNG.normal(size=(USERS, ITEMS))


def found(scores=SCORES, observed=OBSERVED, held_out=HELD_OUT, depth=20, block=7):
    blocks = (scores[start : start + block] for start in range(0, len(scores), block))
    observed, held_out = (scipy.sparse.csr_matrix(np.asarray(part, int)) for part in (observed, held_out))
    return ranked(blocks, observed, held_out, depth=depth)


def by_hand(user, k):
    """The first k unobserved items, and the held-out ones."""
    order = sorted((item for item in range(ITEMS) if not OBSERVED[user, item]), key=lambda item: -SCORES[user, item])
    return order[:k], set(np.flatnonzero(HELD_OUT[user]))


@pytest.mark.parametrize("k", [1, 3, 20])
def test_recall_and_gain_are_loops(k):
    tops = found()
    liang, classical, gain = [], [], []
    for user in range(USERS):
        order, wanted = by_hand(user, k)
        if wanted:
            hits = [item in wanted for item in order]
            liang.append(sum(hits) / min(k, len(wanted)))
            classical.append(sum(hits) / len(wanted))
            best = sum(1 / np.log2(rank + 2) for rank in range(min(k, len(wanted))))
            gain.append(sum(hit / np.log2(rank + 2) for rank, hit in enumerate(hits)) / best)
    np.testing.assert_allclose(recall_at(tops, k, definition="liang"), liang)
    np.testing.assert_allclose(recall_at(tops, k, definition="classical"), classical)
    np.testing.assert_allclose(ndcg_at(tops, k), gain)
    assert tops.left_out == sum(not wanted.any() for wanted in HELD_OUT) > 0


@pytest.mark.parametrize("k", [2, 10])
def test_gain_is_that_of_scikit_learn(k):
    kept = HELD_OUT.any(1)
    nobody = np.zeros_like(OBSERVED)
    expected = ndcg_score(HELD_OUT[kept].astype(int), SCORES[kept], k=k)
    np.testing.assert_allclose(ndcg_at(found(observed=nobody), k).mean(), expected)


def test_blocks_do_not_change_the_ranking():
    one, other = found(block=1), found(block=100)
    np.testing.assert_array_equal(one.hits, other.hits)


def test_a_perfect_ranking_is_one_and_classical_recall_is_capped():
    tops = found(scores=HELD_OUT.astype(float))
    many = tops.held_out > 2
    np.testing.assert_allclose(ndcg_at(tops, 2), 1)
    np.testing.assert_allclose(recall_at(tops, 2, definition="liang"), 1)
    np.testing.assert_allclose(recall_at(tops, 2, definition="classical")[many], 2 / tops.held_out[many])


def test_equal_scores_do_not_favour_columns():
    first, last = (np.zeros((1, 400), bool) for _ in range(2))
    first[0, :100], last[0, -100:] = True, True
    nothing, scores = np.zeros((1, 400), bool), np.ones((1, 400))
    for held_out in (first, last):
        tops = found(scores=scores, observed=nothing, held_out=held_out, depth=200)
        assert 0.35 < recall_at(tops, 200, definition="classical")[0] < 0.65
        again = found(scores=scores, observed=nothing, held_out=held_out, depth=200)
        np.testing.assert_array_equal(tops.hits, again.hits)


def test_a_depth_beyond_the_items_is_all_items():
    tops = found(depth=1000)
    np.testing.assert_allclose(recall_at(tops, 1000, definition="liang"), 1)
    assert (ndcg_at(tops, 1000) <= 1).all()


def test_popularity_and_svd_rank():
    popularity = np.arange(ITEMS, dtype=float)
    np.testing.assert_array_equal(np.concatenate([*popularity_scores(popularity, 3)]), np.tile(popularity, (3, 1)))
    components = np.linalg.svd(OBSERVED.astype(float))[2][:4]
    scores = np.concatenate([*svd_scores(components, scipy.sparse.csr_matrix(OBSERVED.astype(int)))])
    np.testing.assert_allclose(scores, OBSERVED @ components.T @ components, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: found(scores=SCORES[:-1]), "expected those of 30 users, found 29"),
        (lambda: found(scores=np.vstack([SCORES, SCORES])), "expected those of 30 users, found 60"),
        (lambda: found(scores=SCORES * np.nan), "found NaN for 25 of 25 items"),
        (lambda: recall_at(found(), 21, definition="liang"), "expected 1 to 20, the ranked depth, found 21"),
        (lambda: recall_at(found(), 5, definition="other"), "expected one of liang, classical, found 'other'"),
    ],
)
def test_what_cannot_be_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
