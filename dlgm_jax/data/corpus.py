"""A corpus: sparse counts, the words of the columns, the names of the rows."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from dlgm_jax.types import BadInput


@dataclass(frozen=True)
class Corpus:
    """D documents over V words, validated once, here.

    counts: CSR [D, V] of non-negative whole numbers, duplicates summed, zeros dropped, stored as int32;
    vocabulary: V distinct words; ids: D document names; labels: D names of classes, or None.
    Raises BadInput when any of that does not hold.
    """

    counts: Any
    vocabulary: tuple[str, ...]
    ids: tuple[str, ...]
    labels: tuple[str, ...] | None = None

    def __post_init__(self):
        counts = _whole_numbers(self.counts)
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
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "vocabulary", vocabulary)
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "labels", None if self.labels is None else tuple(self.labels))

    @property
    def num_documents(self) -> int:
        return self.counts.shape[0]

    @property
    def vocab_size(self) -> int:
        return self.counts.shape[1]

    @property
    def lengths(self) -> np.ndarray:
        """Words of each document, N: int64 [D]."""
        return np.asarray(self.counts.sum(axis=1, dtype=np.int64)).ravel()

    def document_frequencies(self) -> np.ndarray:
        """In how many documents each word occurs: int64 [V]."""
        return np.bincount(self.counts.indices, minlength=self.vocab_size)

    def word_frequencies(self) -> np.ndarray:
        """How often each word occurs: int64 [V]."""
        return np.asarray(self.counts.sum(axis=0, dtype=np.int64)).ravel()

    def select(self, rows: Sequence[int] | np.ndarray) -> "Corpus":
        """The documents at `rows`, in that order."""
        names = None if self.labels is None else tuple(self.labels[row] for row in rows)
        return Corpus(self.counts[rows], self.vocabulary, tuple(self.ids[row] for row in rows), names)

    def fingerprint(self) -> str:
        """A sha256 of counts and vocabulary, the same for the same corpus on every machine."""
        digest = hashlib.sha256("\n".join(self.vocabulary).encode())
        for part in (self.counts.indptr, self.counts.indices, self.counts.data):
            digest.update(np.ascontiguousarray(part, "<i8").tobytes())
        return digest.hexdigest()


def shown(text: str) -> str:
    """What was found, short enough for one line."""
    return repr(text if len(text) <= 40 else text[:40] + "...")


def check_distinct(vocabulary: Sequence[str], where: str) -> None:
    """Raises BadInput, beginning with `where`, when a word stands twice."""
    seen: dict[str, int] = {}
    for position, word in enumerate(vocabulary, 1):
        if word in seen:
            raise BadInput(f"{where}: expected distinct words, found {shown(word)} as word {seen[word]} and {position}")
        seen[word] = position


def split_validation(corpus: Corpus, valid_size: int, seed: int) -> tuple[Corpus, Corpus]:
    """Training and validation documents, `valid_size` of them drawn by `seed`; each keeps corpus order."""
    if not 0 < valid_size < corpus.num_documents:
        raise BadInput(
            f"--valid_size: expected 1 to {corpus.num_documents - 1} (the training documents are "
            f"{corpus.num_documents}), found {valid_size}"
        )
    chosen = np.zeros(corpus.num_documents, bool)
    chosen[np.random.default_rng(seed).permutation(corpus.num_documents)[:valid_size]] = True
    return corpus.select(np.flatnonzero(~chosen)), corpus.select(np.flatnonzero(chosen))


def _whole_numbers(matrix) -> Any:
    counts: Any = scipy.sparse.csr_matrix(matrix)
    values = counts.data
    bad = ~np.isfinite(values) | (values < 0) | (values != np.floor(values)) | (values > np.iinfo(np.int32).max)
    if bad.any():
        entry = int(np.flatnonzero(bad)[0])
        row = int(np.searchsorted(counts.indptr, entry, side="right")) - 1
        raise BadInput(
            f"counts: expected whole numbers from 0 to {np.iinfo(np.int32).max}, found {values[entry]} "
            f"in document {row}, word {counts.indices[entry]}"
        )
    counts = counts.astype(np.int64)
    counts.sum_duplicates()
    counts.eliminate_zeros()
    if counts.nnz and counts.data.max() > np.iinfo(np.int32).max:
        raise BadInput(f"counts: expected at most {np.iinfo(np.int32).max} in all, found {counts.data.max()}")
    counts.sort_indices()
    return counts.astype(np.int32)
