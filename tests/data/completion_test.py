import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlgm_jax import BadInput, Corpus
from dlgm_jax.data.completion import halves, items, tokens
from tests.conftest import as_corpus

COUNTS = arrays(np.int64, st.tuples(st.integers(1, 8), st.integers(1, 7)), elements=st.integers(0, 6))
SEEDS = st.integers(0, 2**31)


def dense(parts):
    return parts.observed.counts.toarray(), parts.scored.counts.toarray()


@settings(max_examples=60, deadline=None)
@given(COUNTS, SEEDS)
def test_tokens_are_halved(counts, seed):
    parts = halves(as_corpus(counts), tokens, share=0.5, seed=seed)
    observed, scored = dense(parts)
    np.testing.assert_array_equal(observed + scored, counts)
    assert (np.abs(observed.sum(1) - scored.sum(1)) <= 1).all()
    assert parts.left_out == np.sum(counts.sum(1) < 2)


@settings(max_examples=60, deadline=None)
@given(COUNTS, SEEDS)
def test_items_are_halved_whole(counts, seed):
    parts = halves(as_corpus(counts), items, share=0.5, seed=seed)
    observed, scored = dense(parts)
    np.testing.assert_array_equal(observed + scored, counts)
    assert not ((observed > 0) & (scored > 0)).any()
    assert (np.abs((observed > 0).sum(1) - (scored > 0).sum(1)) <= 1).all()
    assert parts.left_out == np.sum((counts > 0).sum(1) < 2)


@settings(max_examples=60, deadline=None)
@given(COUNTS, SEEDS, st.floats(0.01, 0.99), st.sampled_from([tokens, items]))
def test_any_share_leaves_something_on_both_sides(counts, seed, share, split):
    observed, scored = dense(halves(as_corpus(counts), split, share=share, seed=seed))
    sizes = [(part.sum(1) if split is tokens else (part > 0).sum(1)) for part in (observed, scored)]
    number = sizes[0] + sizes[1]
    assert (sizes[0][number > 0] >= 1).all()
    assert (sizes[1][number > 1] >= 1).all()
    np.testing.assert_array_less(np.abs(sizes[0] - share * number), 1 + 1e-9)


@pytest.mark.parametrize("split", [tokens, items])
def test_a_documents_parts_do_not_depend_on_the_others(split):
    rng = np.random.default_rng(0)
    first, second = rng.poisson(2, (2, 9, 12))
    second[4] = first[4]
    ours, theirs = (halves(as_corpus(counts), split, share=0.5, seed=3) for counts in (first, second[:5]))
    np.testing.assert_array_equal(dense(ours)[0][4], dense(theirs)[0][4])
    other = halves(as_corpus(first), split, share=0.5, seed=4)
    assert (dense(ours)[0] != dense(other)[0]).any()


def test_every_token_is_as_likely_to_be_observed():
    counts = np.tile([1, 2, 3, 0, 4], (4000, 1))
    observed, _ = dense(halves(as_corpus(counts), tokens, share=0.5, seed=0))
    np.testing.assert_allclose(observed.mean(0), counts[0] / 2, atol=0.05)


def test_weights_have_items_but_no_tokens():
    corpus = Corpus(np.array([[0.5, 1.5, 2.0]]), ("a", "b", "c"), ("d",), whole=False)
    observed, scored = dense(halves(corpus, items, share=0.5, seed=0))
    np.testing.assert_array_equal(observed + scored, [[0.5, 1.5, 2.0]])
    with pytest.raises(BadInput, match="expected whole numbers"):
        halves(corpus, tokens, share=0.5, seed=0)


def test_more_tokens_than_can_be_drawn_from_are_one_line():
    with pytest.raises(BadInput, match="expected fewer than 1,000,000,000 tokens a document"):
        halves(as_corpus([[700_000_000, 700_000_000]]), tokens, share=0.5, seed=0)
    assert halves(as_corpus([[700_000_000, 700_000_000]]), items, share=0.5, seed=0).left_out == 0
