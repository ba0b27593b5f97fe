import numpy as np
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from dlgm_jax.data import batches
from dlgm_jax.data.corpus import Corpus
from tests.conftest import as_corpus

COUNTS = np.random.default_rng(0).poisson(0.5, (53, 11))
COUNTS[9] = 0
CORPUS = as_corpus(COUNTS)


def dense(batch, vocab_size=11):
    """By the row pointers, and by the transposed order: two independent readings."""
    csr, rows = batch.counts, len(batch.mask)
    forward = scipy.sparse.csr_matrix((csr.values, csr.words, csr.row_ptr), (rows, vocab_size)).toarray()
    backward = scipy.sparse.csc_matrix(
        (csr.values[csr.by_word], csr.rows[csr.by_word], csr.word_ptr), (rows, vocab_size)
    ).toarray()
    np.testing.assert_array_equal(forward, backward)
    return forward


def epoch(batch_size=10, seed=1, number=2):
    sizes = batches.padded_sizes(batch_size, CORPUS)
    return list(batches.epoch_batches(CORPUS, batch_size, seed=seed, epoch=number, sizes=sizes))


def test_an_epoch_holds_every_document_once_and_the_last_batch_is_masked():
    found = epoch()
    assert len(found) == batches.num_batches(CORPUS, 10) == 6
    documents = np.concatenate([batch.document[batch.mask > 0] for batch in found])
    assert sorted(documents) == list(range(53))
    assert found[-1].mask.tolist() == [1, 1, 1] + [0] * 7
    for batch in found:
        kept = batch.mask > 0
        np.testing.assert_array_equal(dense(batch)[kept], COUNTS[batch.document[kept]])
        np.testing.assert_array_equal(batch.length[kept], COUNTS[batch.document[kept]].sum(1))
        assert not dense(batch)[~kept].any()
        assert not batch.length[~kept].any()


def test_a_batch_is_a_function_of_seed_epoch_and_step():
    again = epoch()
    for ours, theirs in zip(epoch(), again):
        np.testing.assert_array_equal(ours.document, theirs.document)
    for other in (epoch(seed=2), epoch(number=3)):
        assert any(np.any(a.document != b.document) for a, b in zip(again, other))


def test_ordered_batches_keep_the_order():
    found = batches.ordered_batches(CORPUS, 10, sizes=batches.padded_sizes(10, CORPUS))
    assert np.concatenate([b.document[b.mask > 0] for b in found]).tolist() == list(range(53))


@settings(max_examples=60)
@given(st.integers(0, 2**31), st.integers(1, 60), st.floats(0, 3))
def test_any_batch_fits_one_of_three_sizes(seed, batch_size, spread):
    rng = np.random.default_rng(seed)
    lengths = np.minimum(np.exp(rng.normal(2, spread, 40)), 3000).astype(int)
    counts = scipy.sparse.csr_matrix(
        (np.ones(lengths.sum(), int), np.concatenate([np.arange(n) for n in lengths]), np.r_[0, lengths.cumsum()]),
        (40, 3000),
    )
    corpus = Corpus(counts, tuple(map(str, range(3000))), tuple(map(str, range(40))))
    sizes = batches.padded_sizes(batch_size, corpus)
    assert 1 <= len(sizes) <= 3
    worst = np.argsort(-lengths)[:batch_size]
    assert batches.gather(corpus, worst, batch_size, sizes).counts.values.size in sizes


def test_an_empty_batch_of_empty_documents():
    batch = batches.gather(as_corpus(np.zeros((3, 4), int)), np.arange(3), 4, (1024,))
    assert not dense(batch, 4).any()
    assert batch.mask.tolist() == [1, 1, 1, 0]


def test_blocks_hold_what_the_batch_holds():
    """Every part and block, put side by side; parts of no documents, and blocks of no words, among them."""
    sparse = COUNTS.copy()
    sparse[:, 5:10] = 0
    corpus = as_corpus(sparse[:, :10])
    sizes, whole = batches.padded_sizes(3, corpus), batches.padded_sizes(12, corpus)
    for blocks in (batches.Blocks(4, 1, (0, 1, 2, 3)), batches.Blocks(4, 2, (0, 1, 2, 3))):
        split = list(batches.epoch_batches(corpus, 12, seed=1, epoch=2, sizes=sizes, blocks=blocks))
        plain = list(batches.epoch_batches(corpus, 12, seed=1, epoch=2, sizes=whole))
        assert len(split) == len(plain) == 5
        for ours, theirs in zip(split, plain):
            width = 10 // blocks.vocab
            parts = [
                np.hstack([dense(block_of(ours, part, column), width) for column in range(blocks.vocab)])
                for part in range(4)
            ]
            np.testing.assert_array_equal(np.vstack(parts), dense(theirs, 10))
            for name in ("length", "document", "mask"):
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
            assert ours.counts.values.shape[:2] == (4, blocks.vocab)
            assert ours.counts.values.shape[2] in sizes


def block_of(batch, part, column):
    """One block as a batch of its own."""
    rows = slice(part * 3, part * 3 + 3)
    counts = type(batch.counts)(*(leaf[part, column] for leaf in batch.counts))
    return batch._replace(counts=counts, mask=batch.mask[rows], document=batch.document[rows])


def test_a_process_reads_its_own_parts_and_pads_as_the_others(monkeypatch):
    rng = np.random.default_rng(3)
    counts = np.zeros((40, 3000), int)
    for row, number in enumerate(rng.integers(1, 1500, 40)):
        counts[row, rng.choice(3000, number, replace=False)] = 1
    corpus = as_corpus(counts)
    sizes, read = batches.padded_sizes(4, corpus), []
    rows = Corpus.rows
    monkeypatch.setattr(Corpus, "rows", lambda corpus, documents: read.append(documents) or rows(corpus, documents))

    def epoch_of(*parts):
        read.clear()
        blocks = batches.Blocks(4, 2, parts)
        return list(batches.epoch_batches(corpus, 16, seed=0, epoch=0, sizes=sizes, blocks=blocks)), np.hstack(read)

    together, everything = epoch_of(0, 1, 2, 3)
    assert sorted(everything) == list(range(40))
    for parts in ((0, 1), (2,), (3, 1)):
        own, some = epoch_of(*parts)
        wanted = [b.document.reshape(4, 4)[part][b.mask.reshape(4, 4)[part] > 0] for b in together for part in parts]
        assert sorted(some) == sorted(np.hstack(wanted))
        for ours, all_of_it in zip(own, together):
            for mine, theirs in zip(ours.counts, all_of_it.counts):
                np.testing.assert_array_equal(mine, theirs[list(parts)])
            np.testing.assert_array_equal(ours.length, all_of_it.length)
