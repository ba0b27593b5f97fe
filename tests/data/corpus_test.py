import numpy as np
import pytest
import scipy.sparse

from dlgm_jax import BadInput, Corpus
from dlgm_jax.data.corpus import split_validation
from dlgm_jax.errors import listed, shown
from tests.conftest import as_corpus

COUNTS = np.random.default_rng(0).poisson(0.7, (20, 6))
COUNTS[2] = 0


def build(counts, vocabulary="abcdef", ids=None, labels=None):
    rows = counts.shape[0]
    return Corpus(scipy.sparse.csr_matrix(counts), vocabulary, ids or [f"d{d}" for d in range(rows)], labels)


def test_frequencies_and_lengths():
    corpus = as_corpus(COUNTS)
    np.testing.assert_array_equal(corpus.document_frequencies(), (COUNTS > 0).sum(0))
    np.testing.assert_array_equal(corpus.word_frequencies(), COUNTS.sum(0))
    np.testing.assert_array_equal(corpus.lengths, COUNTS.sum(1))
    assert (corpus.num_documents, corpus.vocab_size) == COUNTS.shape
    assert corpus.lengths[2] == 0


def test_duplicates_are_summed_and_zeros_dropped():
    matrix = scipy.sparse.csr_matrix(([1, 2, 0], [4, 4, 1], [0, 3]), (1, 6))
    corpus = Corpus(matrix, tuple("abcdef"), ("d",))
    assert corpus.counts.nnz == 1
    assert corpus.counts[0, 4] == 3
    assert corpus.document_frequencies().tolist() == [0, 0, 0, 0, 1, 0]


def test_the_callers_matrix_is_not_changed():
    matrix = scipy.sparse.csr_matrix((np.array([1, 2, 0]), np.array([4, 4, 1]), np.array([0, 3])), (1, 6))
    Corpus(matrix, tuple("abcdef"), ("d",))
    assert matrix.nnz == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: build(np.array([[0, -1, 0, 0, 0, 0]])), r"counts: .*-1.*document 0, word 1"),
        (lambda: build(np.array([[0, 0, 0.5, 0, 0, 0]])), r"counts: .*0\.5.*document 0, word 2"),
        (lambda: build(np.array([[0, 0, np.nan, 0, 0, 0]])), r"counts: .*nan"),
        (lambda: build(np.array([[0, 0, np.inf, 0, 0, 0]])), r"counts: .*inf"),
        (lambda: build(np.array([[0, 0, 2.0**40, 0, 0, 0]])), r"counts: .*2147483647"),
        (lambda: build(np.zeros((0, 6))), "at least one document"),
        (lambda: build(COUNTS, "abc"), "vocabulary: expected 6 words.*found 3"),
        (lambda: build(COUNTS, "abcdea"), "vocabulary: .*'a' as word 1 and 6"),
        (lambda: build(COUNTS, ids=["x"]), "ids: expected 20.*found 1"),
        (lambda: build(COUNTS, labels=["x"]), "labels: expected 20.*found 1"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(BadInput, match=message):
        make()


def test_select_keeps_ids_and_labels():
    corpus = build(COUNTS, labels=[str(d % 3) for d in range(20)]).select(np.array([5, 1]))
    assert corpus.ids == ("d5", "d1")
    assert corpus.labels == ("2", "1")
    np.testing.assert_array_equal(corpus.counts.toarray(), COUNTS[[5, 1]])


def test_the_split_is_a_partition_decided_by_the_seed():
    corpus = as_corpus(COUNTS)
    train, valid = split_validation(corpus, 6, seed=3)
    assert sorted(train.ids + valid.ids) == sorted(corpus.ids)
    assert valid.num_documents == 6
    assert split_validation(corpus, 6, seed=3)[1].ids == valid.ids
    assert split_validation(corpus, 6, seed=4)[1].ids != valid.ids
    for size in (0, 20):
        with pytest.raises(BadInput, match="--valid_size: expected 1 to 19"):
            split_validation(corpus, size, seed=0)


def test_the_fingerprint_sees_counts_and_words():
    corpus = build(COUNTS)
    other = COUNTS.copy()
    other[0, 0] += 1
    assert corpus.fingerprint() == build(COUNTS.astype(float)).fingerprint()
    assert len({corpus.fingerprint(), build(other).fingerprint(), build(COUNTS, "abcdeg").fingerprint()}) == 3


@pytest.mark.parametrize("letter", ["a", "\0", "\U000e0001", "é"])
def test_what_was_found_fits_a_line_whatever_it_is_made_of(letter):
    assert len(shown(letter * 1000)) <= 110
    assert len(listed([letter * 1000] * 50)) < 900
    assert shown("a\tb") == r"'a\tb'"
