"""Flat CSR batches of a corpus, a pure function of (seed, epoch, step).

The host never holds a dense [B, V]. Every batch of a run has B rows and one of at most three numbers of
entries, so that a step function compiles at most three times.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import scipy.sparse

from dlgm_jax.data.corpus import Corpus, Documents
from dlgm_jax.types import Batch, Csr


class Blocks(NamedTuple):
    """How a batch is split for a mesh: into equal parts of its rows, and these into equal blocks of columns."""

    data: int  # parts of rows
    vocab: int  # blocks of columns
    parts: tuple[int, ...]  # which of the `data` parts are read here; other processes read the others


def padded_sizes(batch_size: int, *corpora: Documents) -> tuple[int, ...]:
    """Up to three numbers of entries, one of which holds any `batch_size` documents of any of the corpora.

    The first holds all but about one random batch in a thousand, the last the longest documents together.
    """
    typical, longest = 1, 1
    for corpus in corpora:
        entries = corpus.entries()
        taken = min(batch_size, len(entries))
        typical = max(typical, entries.mean() * taken + 3.1 * entries.std() * np.sqrt(taken))
        longest = max(longest, np.sort(entries)[-taken:].sum())
    typical, longest = _round_up(min(typical, longest)), _round_up(longest)
    return tuple(sorted({typical, _round_up(np.sqrt(typical * longest)), longest}))


def num_batches(corpus: Documents, batch_size: int) -> int:
    """Batches of an epoch, the last one partial."""
    return -(-corpus.num_documents // batch_size)


def epoch_order(num_documents: int, seed: int, epoch: int) -> np.ndarray:
    """The order of the documents in an epoch."""
    return np.random.default_rng([seed, epoch]).permutation(num_documents)


def epoch_batches(
    corpus: Documents,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    sizes: tuple[int, ...],
    first: int = 0,
    blocks: Blocks | None = None,
) -> Iterator[Batch]:
    """The batches of a training epoch, shuffled, without the `first` ones; step s is always the s-th."""
    order = epoch_order(corpus.num_documents, seed, epoch)[first * batch_size :]
    yield from _in_turn(corpus, order, batch_size, sizes, blocks)


def ordered_batches(
    corpus: Documents, batch_size: int, *, sizes: tuple[int, ...], blocks: Blocks | None = None
) -> Iterator[Batch]:
    """All documents once, in corpus order."""
    yield from _in_turn(corpus, np.arange(corpus.num_documents), batch_size, sizes, blocks)


def marked_batches(corpus: Corpus, batch_size: int, *, sizes: tuple[int, ...]) -> Iterator[Batch]:
    """As `ordered_batches`, where a number made of its words and counts stands for the index of a document.

    Noise that belongs to the document is then the same wherever these words and counts occur.
    """
    counts = corpus.counts
    words, values = counts.indices.astype("<i4"), counts.data.astype("<f4")
    marks = [crc32(values[start:end], crc32(words[start:end])) >> 1 for start, end in pairwise(counts.indptr)]
    marks = np.array(marks, np.int32)
    for batch in ordered_batches(corpus, batch_size, sizes=sizes):
        yield batch._replace(document=marks[batch.document])


def powers_of_two(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes rounded up, so that corpora that are alike have the same."""
    return tuple(sorted({1 << (size - 1).bit_length() for size in sizes}))


def ahead(batches: Iterable[Batch], number: int = 2) -> Iterator[Batch]:
    """The same batches; up to `number` of them are made by a thread while the one before is used."""
    coming = iter(batches)
    with ThreadPoolExecutor(1) as worker:
        waiting = deque(worker.submit(next, coming, None) for _ in range(number))
        while (batch := waiting.popleft().result()) is not None:
            waiting.append(worker.submit(next, coming, None))
            yield batch


def gather(corpus: Documents, documents: np.ndarray, batch_size: int, sizes: tuple[int, ...]) -> Batch:
    """The batch of some documents (at most `batch_size`), padded to the smallest of `sizes` that holds it."""
    counts = corpus.rows(documents)
    padded = next(size for size in sizes if size >= counts.nnz)
    return Batch(
        counts=_csr(counts, batch_size, padded),
        length=_pad(np.asarray(counts.sum(axis=1)).ravel(), batch_size, np.float32),
        document=_pad(documents, batch_size, np.int32),
        mask=_pad(np.ones(len(documents)), batch_size, np.float32),
    )


def gather_blocks(
    corpus: Documents,
    documents: np.ndarray,
    batch_size: int,
    sizes: tuple[int, ...],
    *,
    blocks: Blocks,
    entries: np.ndarray,
) -> Batch:
    """As `gather`, in blocks: the arrays of `counts` are [parts, vocab, ..], each block with columns from 0.

    Only the rows of `blocks.parts` are read. Blocks are padded to the smallest of `sizes`, those of `batch_size / data`
    documents, that holds every part, which all processes find from `entries` [D], as the corpus has them.
    """
    rows = batch_size // blocks.data
    split = [documents[start : start + rows] for start in range(0, batch_size, rows)]
    most = max(entries[part].sum() for part in split)
    padded = next(size for size in sizes if size >= most)
    edges = np.arange(blocks.vocab + 1) * (corpus.vocab_size // blocks.vocab)
    read = (corpus.rows(split[part]) for part in blocks.parts)
    filled = [[_csr(counts[:, start:end], rows, padded) for start, end in pairwise(edges)] for counts in read]
    stacked = (np.stack([[block[leaf] for block in part] for part in filled]) for leaf in range(len(Csr._fields)))
    return Batch(
        counts=Csr(*stacked),
        length=_pad(corpus.lengths[documents], batch_size, np.float32),
        document=_pad(documents, batch_size, np.int32),
        mask=_pad(np.ones(len(documents)), batch_size, np.float32),
    )


def _csr(counts: Any, num_rows: int, padded: int) -> Csr:
    entries, documents = counts.nnz, counts.shape[0]
    row_ptr = np.full(num_rows + 1, entries, np.int32)
    row_ptr[: documents + 1] = counts.indptr
    # A transposition is the stable sort by word at a fifteenth of its time: it counts instead of comparing.
    transposed = scipy.sparse.csr_matrix((np.arange(entries), counts.indices, counts.indptr), counts.shape).tocsc()
    rows = np.repeat(np.arange(documents), np.diff(counts.indptr))
    return Csr(
        values=_pad(counts.data, padded, np.float32),
        words=_pad(counts.indices, padded, np.int32),
        rows=_pad(rows, padded, np.int32),
        row_ptr=row_ptr,
        by_word=np.concatenate([transposed.data, np.arange(entries, padded)]).astype(np.int32),
        word_ptr=transposed.indptr.astype(np.int32),
    )


def _pad(array: np.ndarray, size: int, dtype) -> np.ndarray:
    return np.concatenate([array, np.zeros(size - len(array), array.dtype)]).astype(dtype)


def _in_turn(corpus, order, batch_size, sizes, blocks):
    collect = gather if blocks is None else partial(gather_blocks, blocks=blocks, entries=corpus.entries())
    for start in range(0, len(order), batch_size):
        yield collect(corpus, order[start : start + batch_size], batch_size, sizes)


def _round_up(entries: float) -> int:
    return max(1024, 1024 * int(np.ceil(entries / 1024)))
