"""A corpus: sparse counts, the words of the columns, the names of the rows."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from dlgm_jax.errors import BadInput, shown

BLOCK = 20_000  # documents that are looked at together where not all are
MAX_COUNT = np.iinfo(np.int32).max


class Documents(ABC):
    """D documents over V words, in memory or not: what training, scoring and transforming read of a corpus.

    vocabulary: V distinct words; ids: D document names; labels: D names of classes, each
    empty where a document has none, or None.
    """

    vocabulary: tuple[str, ...]
    ids: Sequence[str]
    labels: Sequence[str] | None

    @property
    @abstractmethod
    def num_documents(self) -> int:
        """D."""

    @abstractmethod
    def entries(self) -> np.ndarray:
        """How many different words each document has: int64 [D]."""

    @abstractmethod
    def rows(self, documents: np.ndarray) -> Any:
        """The counts of some documents, in that order: CSR [len(documents), V]."""

    @abstractmethod
    def select(self, rows: Sequence[int] | np.ndarray) -> "Documents":
        """The documents at `rows`, in that order."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A sha256 of counts and vocabulary, the same for the same corpus on every machine."""

    @property
    def vocab_size(self) -> int:
        return len(self.vocabulary)

    def blocks(self) -> Iterator[Any]:
        """The counts of all documents in order, some at a time: CSR [.., V]."""
        for start in range(0, self.num_documents, BLOCK):
            yield self.rows(np.arange(start, min(start + BLOCK, self.num_documents)))

    @cached_property
    def lengths(self) -> np.ndarray:
        """Words of each document, N: [D], int64 (float64 of weights that are not whole)."""
        return np.concatenate([_sums(block, axis=1) for block in self.blocks()])

    def document_frequencies(self) -> np.ndarray:
        """In how many documents each word occurs: int64 [V]."""
        return np.sum([np.bincount(block.indices, minlength=self.vocab_size) for block in self.blocks()], axis=0)

    def word_frequencies(self) -> np.ndarray:
        """How often each word occurs: [V]."""
        return np.sum([_sums(block, axis=0) for block in self.blocks()], axis=0)

    def in_memory(self) -> "Corpus":
        """The same documents, all in memory."""
        return Corpus(scipy.sparse.vstack(list(self.blocks()), "csr"), self.vocabulary, self.ids, self.labels)


@dataclass(frozen=True)
class Corpus(Documents):
    """Documents in memory, validated once, here.

    counts: CSR [D, V] of whole numbers from 0 (any finite number from 0 when not `whole`, and also below 0 when
    `signed`), duplicates summed, zeros dropped, stored as int32 (float32); vocabulary: V distinct words; ids: D
    document names; labels: D names of classes, each empty where a document has none, or None. Raises BadInput when
    any of that does not hold.
    """

    counts: Any
    vocabulary: tuple[str, ...]
    ids: Sequence[str]
    labels: Sequence[str] | None = None
    whole: bool = True
    signed: bool = False

    def __post_init__(self):
        counts = _checked(self.counts, self.whole, self.signed)
        vocabulary, ids = tuple(self.vocabulary), tuple(self.ids)
        documents, words = counts.shape
        if documents == 0:
            raise BadInput("counts: expected at least one document, found none")
        if len(vocabulary) != words:
            raise BadInput(f"vocabulary: expected {words} words, one for each column, found {len(vocabulary)}")
        check_distinct(vocabulary, "vocabulary")
        if len(ids) != documents:
            raise BadInput(f"ids: expected {documents}, one for each document, found {len(ids)}")
        if self.labels is not None and len(self.labels) != documents:
            raise BadInput(f"labels: expected {documents}, one for each document, found {len(self.labels)}")
        for what, names in (("vocabulary", vocabulary), ("ids", ids), ("labels", self.labels or ())):
            _check_text(names, what)
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "vocabulary", vocabulary)
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "labels", None if self.labels is None else tuple(self.labels))

    @property
    def num_documents(self) -> int:
        return self.counts.shape[0]

    def entries(self) -> np.ndarray:
        return np.diff(self.counts.indptr).astype(np.int64)

    def rows(self, documents: np.ndarray) -> Any:
        return self.counts[documents]

    def blocks(self) -> Iterator[Any]:
        yield self.counts

    def in_memory(self) -> "Corpus":
        return self

    def select(self, rows: Sequence[int] | np.ndarray) -> "Corpus":
        names = None if self.labels is None else tuple(self.labels[row] for row in rows)
        ids = tuple(self.ids[row] for row in rows)
        return Corpus(self.counts[rows], self.vocabulary, ids, names, self.whole, self.signed)

    def fingerprint(self) -> str:
        digest = hashlib.sha256("\n".join(self.vocabulary).encode())
        for part in (self.counts.indptr, self.counts.indices, self.counts.data):
            digest.update(np.ascontiguousarray(part, "<i8" if self.whole else "<f8").tobytes())
        return digest.hexdigest()


def check_words(vocabulary: Sequence[str]) -> None:
    """Raises BadInput for words that would not come back from a file with a word a line."""
    for word in vocabulary:
        if word != word.strip() or not word or "\n" in word or "\r" in word:
            raise BadInput(f"vocabulary: expected words without white space around them, found {shown(word)}")
    if vocabulary and vocabulary[0].startswith("\ufeff"):
        raise BadInput(f"vocabulary: expected no byte-order mark in the first word, found {shown(vocabulary[0])}")


def check_distinct(vocabulary: Sequence[str], where: str) -> None:
    """Raises BadInput, beginning with `where`, when a word stands twice."""
    seen: dict[str, int] = {}
    for position, word in enumerate(vocabulary, 1):
        if word in seen:
            raise BadInput(f"{where}: expected distinct words, found {shown(word)} as word {seen[word]} and {position}")
        seen[word] = position


def split_validation(corpus: Documents, valid_size: int, seed: int) -> tuple[Documents, Documents]:
    """Training and validation documents, `valid_size` of them drawn by `seed`; each keeps corpus order."""
    if corpus.num_documents < 2:
        raise BadInput("expected at least two training documents, one of them for validation, found 1")
    if not 0 < valid_size < corpus.num_documents:
        raise BadInput(
            f"--valid_size: expected 1 to {corpus.num_documents - 1} (the training documents are "
            f"{corpus.num_documents}), found {valid_size}"
        )
    chosen = np.zeros(corpus.num_documents, bool)
    chosen[np.random.default_rng(seed).permutation(corpus.num_documents)[:valid_size]] = True
    return corpus.select(np.flatnonzero(~chosen)), corpus.select(np.flatnonzero(chosen))


def _sums(block, axis: int) -> np.ndarray:
    kind = np.int64 if block.dtype.kind in "iu" else np.float64
    return np.asarray(block.sum(axis=axis, dtype=kind)).ravel()


def _check_text(names: Sequence[str], what: str) -> None:
    try:
        "".join(map(str, names)).encode()
    except UnicodeEncodeError as error:
        found = shown(str(error.object)[error.start : error.end])
        raise BadInput(f"{what}: expected Unicode text, found the lone surrogate {found}") from error


def _checked(matrix, whole: bool, signed: bool) -> Any:
    counts: Any = scipy.sparse.csr_matrix(matrix)
    values = counts.data
    most = MAX_COUNT if whole else float(np.finfo(np.float32).max)
    least = -most if signed else 0
    bad = ~np.isfinite(values) | (values < least) | (values > most)
    if whole:
        bad |= values != np.floor(values)
    if bad.any():
        entry = int(np.flatnonzero(bad)[0])
        row = int(np.searchsorted(counts.indptr, entry, side="right")) - 1
        raise BadInput(
            f"counts: expected {'whole ' if whole else ''}numbers from {least} to {most}, found {values[entry]} "
            f"in document {row}, word {counts.indices[entry]}"
        )
    counts = counts.astype(np.int64 if whole else np.float64)
    counts.sum_duplicates()
    if counts.nnz and counts.data.max() > most:
        raise BadInput(f"counts: expected at most {most} in all, found {counts.data.max()}")
    counts.sort_indices()
    counts = counts.astype(np.int32 if whole else np.float32)
    counts.eliminate_zeros()
    return counts
