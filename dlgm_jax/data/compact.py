"""The project's own form of a corpus: a folder of CSR shards that are mapped into memory.

corpus.json            splits, shards, names of labels, where it came from; written last
vocab.txt              a word a line
SPLIT-00000.starts     int64 [D + 1], where each document's entries begin; all numbers are little-endian
SPLIT-00000.words      int32 [entries], columns
SPLIT-00000.counts     int32 [entries]
SPLIT-00000.labels     int32 [D], places in the names of labels; -1 for none
SPLIT-00000.ids        a name a line
"""

import hashlib
import json
import mmap
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from dlgm_jax.data.corpus import BLOCK, Corpus, Documents, check_words
from dlgm_jax.data.source import Part, Reading, Source, read_words
from dlgm_jax.errors import BadInput, reason, shown

FORM = "dlgm-jax corpus 1"
SHARD = 2**26  # entries after which a new shard begins
KINDS = {"starts": "<i8", "words": "<i4", "counts": "<i4", "labels": "<i4"}


class Writer:
    """Writes a corpus to a folder that is not there yet, some documents at a time, whole or not at all.

    with Writer(folder, vocabulary, origin) as writer:
        writer.add("train", corpus)

    Raises BadInput when the folder is there, and for words that are empty or hold the end of a line.
    """

    def __init__(self, folder: str | Path, vocabulary: tuple[str, ...], origin: dict[str, str]):
        self.folder = Path(folder)
        if self.folder.exists():
            raise BadInput(f"{folder}: expected a new folder, found one that is there already")
        check_words(vocabulary)
        self._vocabulary, self._origin = vocabulary, origin
        self._splits: dict[str, dict[str, Any]] = {}
        self._digests: dict[str, Any] = {}
        self._labels: dict[str, int] = {}

    def __enter__(self) -> "Writer":
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self._scratch = Path(tempfile.mkdtemp(prefix=f".{self.folder.name}-", dir=self.folder.parent))
        return self

    def __exit__(self, kind, error, trace) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def add(self, split: str, corpus: Corpus) -> None:
        """Documents behind those that the split has so far."""
        shards = self._splits.setdefault(split, {"shards": []})["shards"]
        if not shards or shards[-1]["entries"] >= SHARD:
            shards.append({"documents": 0, "entries": 0})
            self._append(split, shards, "starts", np.zeros(1))
        counts = corpus.counts
        self._append(split, shards, "starts", counts.indptr[1:].astype(np.int64) + shards[-1]["entries"])
        self._append(split, shards, "words", counts.indices)
        self._append(split, shards, "counts", counts.data)
        labels = corpus.labels or [""] * corpus.num_documents
        codes = [self._labels.setdefault(label, len(self._labels)) if label else -1 for label in labels]
        self._append(split, shards, "labels", np.asarray(codes))
        names = "".join(" ".join(name.split()) + "\n" for name in corpus.ids)
        with (self._scratch / f"{_shard_name(split, len(shards) - 1)}.ids").open("a", encoding="utf-8") as file:
            file.write(names)
        shards[-1]["documents"] += corpus.num_documents
        shards[-1]["entries"] += counts.nnz

    def _append(self, split: str, shards: list, kind: str, values: np.ndarray) -> None:
        data = np.ascontiguousarray(values, KINDS[kind]).tobytes()
        self._digests.setdefault(split, hashlib.sha256()).update(data)
        with (self._scratch / f"{_shard_name(split, len(shards) - 1)}.{kind}").open("ab") as file:
            file.write(data)

    def _finish(self) -> None:
        words = "".join(f"{word}\n" for word in self._vocabulary)
        (self._scratch / "vocab.txt").write_text(words, encoding="utf-8")
        whole = hashlib.sha256(words.encode())
        for split, digest in self._digests.items():
            self._splits[split]["sha256"] = hashlib.sha256(whole.digest() + digest.digest()).hexdigest()
        facts = {"form": FORM, "splits": self._splits, "labels": list(self._labels), "origin": self._origin}
        scratch = self._scratch / "corpus.json.new"
        scratch.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(scratch, self._scratch / "corpus.json")
        self._scratch.chmod(0o755)
        os.rename(self._scratch, self.folder)


def scratches(folder: Path) -> list[Path]:
    """What builders of a folder left that did not end, or are not done: folders with names and files like theirs."""
    name = re.compile(re.escape(f".{folder.name}-") + "[a-z0-9_]{8}")
    ours = re.compile(rf"[a-z]+-[0-9]{{5}}\.({'|'.join(KINDS)}|ids)|vocab\.txt|corpus\.json(\.new)?")
    found = (path for path in folder.parent.iterdir() if name.fullmatch(path.name) and path.is_dir())
    return [path for path in found if all(ours.fullmatch(file.name) for file in path.iterdir())]


@dataclass(frozen=True)
class Shard:
    """Mapped arrays."""

    starts: np.ndarray  # [D + 1]
    words: np.ndarray  # [entries]
    counts: np.ndarray  # [entries]
    labels: np.ndarray  # [D]
    ids: Path


@dataclass(frozen=True)
class Stored(Documents):
    """A split of a stored corpus, or some documents of it."""

    folder: Path
    vocabulary: tuple[str, ...]
    sha256: str
    shards: tuple[Shard, ...]
    label_names: tuple[str, ...]
    chosen: np.ndarray | None = field(default=None)  # documents of the split; None: all

    @cached_property
    def _first(self) -> np.ndarray:
        """The number of the first document of each shard, and of all documents."""
        return np.cumsum([0, *(len(shard.starts) - 1 for shard in self.shards)])

    @property
    def num_documents(self) -> int:
        return int(self._first[-1]) if self.chosen is None else len(self.chosen)

    def entries(self) -> np.ndarray:
        every = np.concatenate([np.diff(shard.starts) for shard in self.shards])
        return every if self.chosen is None else every[self.chosen]

    def rows(self, documents: np.ndarray) -> Any:
        documents = np.asarray(documents) if self.chosen is None else self.chosen[documents]
        home = np.searchsorted(self._first, documents, side="right") - 1
        begins, ends = np.empty((2, len(documents)), np.int64)
        for number in np.unique(home):
            mine = home == number
            inside = documents[mine] - self._first[number]
            begins[mine], ends[mine] = (self.shards[number].starts[inside + more] for more in (0, 1))
        starts = np.concatenate([[0], np.cumsum(ends - begins)])
        place = np.arange(starts[-1]) + np.repeat(begins - starts[:-1], ends - begins)
        words, counts = np.empty((2, starts[-1]), np.int32)
        of_entry = np.repeat(home, ends - begins)
        for number in np.unique(home):
            mine = of_entry == number
            words[mine] = self.shards[number].words[place[mine]]
            counts[mine] = self.shards[number].counts[place[mine]]
        if words.size and not (words.min() >= 0 and words.max() < self.vocab_size and counts.min() > 0):
            raise BadInput(f"{self.folder}: expected counts from 1 of words that it has, found it damaged")
        return scipy.sparse.csr_matrix((counts, words, starts), (len(documents), self.vocab_size))

    def blocks(self) -> Iterator[Any]:
        for block in super().blocks():
            yield block
            self._let_go()

    def select(self, rows: Sequence[int] | np.ndarray) -> "Stored":
        rows = np.asarray(rows)
        return replace(self, chosen=rows if self.chosen is None else self.chosen[rows])

    def fingerprint(self) -> str:
        digest = hashlib.sha256(self.sha256.encode())
        if self.chosen is not None:
            digest.update(np.ascontiguousarray(self.chosen, "<i8").tobytes())
        return digest.hexdigest()

    @cached_property
    def ids(self) -> Sequence[str]:  # type: ignore[override]
        every = [name for shard in self.shards for name in _ids(shard)]
        return every if self.chosen is None else [every[row] for row in self.chosen]

    @cached_property
    def labels(self) -> Sequence[str] | None:  # type: ignore[override]
        codes = np.concatenate([shard.labels for shard in self.shards])
        codes = codes if self.chosen is None else codes[self.chosen]
        names = [*self.label_names, ""]  # -1 is the last
        return None if (codes < 0).all() else [names[code] for code in codes]

    def _let_go(self) -> None:
        """Tells the system that pages which were read are not needed now."""
        for shard in self.shards:
            for array in (shard.words, shard.counts):
                if isinstance(array.base, memoryview) and hasattr(mmap, "MADV_DONTNEED"):
                    array.base.obj.madvise(mmap.MADV_DONTNEED)


def holds(folder: str | Path) -> bool:
    """Tells whether a folder is of this form."""
    return os.path.isfile(Path(folder) / "corpus.json")


def source(folder: Path, how: Reading) -> Source:
    """A stored corpus as an input."""
    splits, _ = load(folder)

    def read() -> Iterator[Part]:
        for split, stored in splits.items():
            ids, labels = stored.ids, stored.labels
            for start in range(0, stored.num_documents, BLOCK):
                rows = slice(start, start + BLOCK)
                counts = stored.rows(np.arange(stored.num_documents)[rows])
                yield Part(split, Corpus(counts, stored.vocabulary, ids[rows], labels and labels[rows]))

    return Source("compact", next(iter(splits.values())).vocabulary, read)


def load(folder: str | Path) -> tuple[dict[str, Stored], dict[str, str]]:
    """The splits of a stored corpus and where it came from; nothing but starts and labels is read.

    Raises BadInput when a file is missing or not as long as it was.
    """
    folder = Path(folder)
    path = folder / "corpus.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["form"] != FORM:
            raise ValueError(f"the form {shown(str(facts['form']))}")
        vocabulary, names = read_words(folder / "vocab.txt"), tuple(map(str, facts["labels"]))
        splits = {}
        for split, held in facts["splits"].items():
            if Path(split).name != split:
                raise ValueError(f"a split {shown(split)}")
            shards = [_mapped(folder, split, place, size, names) for place, size in enumerate(held["shards"])]
            if not sum(len(shard.labels) for shard in shards):
                raise ValueError(f"no documents in {shown(split)}")
            splits[split] = Stored(folder, vocabulary, str(held["sha256"]), tuple(shards), names)
        return splits, {str(key): str(value) for key, value in facts["origin"].items()}
    except BadInput:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise BadInput(f"{path}: expected a corpus that prepare wrote, found: {reason(error)}") from error


def _mapped(folder: Path, split: str, place: int, size: dict[str, int], names: tuple[str, ...]) -> Shard:
    documents, entries = int(size["documents"]), int(size["entries"])
    if min(documents, entries) < 0:
        raise ValueError(f"{documents} documents and {entries} entries in {shown(split)}")
    lengths = {"starts": documents + 1, "words": entries, "counts": entries, "labels": documents}
    arrays = {kind: _map(folder / f"{_shard_name(split, place)}.{kind}", kind, lengths[kind]) for kind in KINDS}
    shard = Shard(**arrays, ids=folder / f"{_shard_name(split, place)}.ids")
    if shard.starts[0] != 0 or shard.starts[-1] != entries or (shard.starts[1:] < shard.starts[:-1]).any():
        raise BadInput(f"{folder}: expected the starts of {documents} documents in {split}, found them damaged")
    if documents and not -1 <= shard.labels.min() <= shard.labels.max() < len(names):
        raise BadInput(f"{folder}: expected labels from -1 to {len(names) - 1} in {split}, found others")
    return shard


def _map(path: Path, kind: str, length: int) -> np.ndarray:
    size = length * np.dtype(KINDS[kind]).itemsize
    if not path.is_file() or path.stat().st_size != size:
        there = f"one of {path.stat().st_size}" if path.is_file() else "none"
        raise BadInput(f"{path}: expected a file of {size} bytes, found {there}")
    if not length:
        return np.zeros(0, KINDS[kind])
    if kind in ("starts", "labels"):
        return np.fromfile(path, KINDS[kind])
    with path.open("rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), KINDS[kind])


def _ids(shard: Shard) -> list[str]:
    try:
        names = shard.ids.read_bytes().decode().split("\n")[:-1]
    except (OSError, ValueError) as error:
        raise BadInput(f"{shard.ids}: expected a name a line, found: {reason(error)}") from error
    if len(names) != len(shard.labels):
        raise BadInput(f"{shard.ids}: expected {len(shard.labels)} names, one a line, found {len(names)}")
    return names


def _shard_name(split: str, place: int) -> str:
    return f"{split}-{place:05d}"
