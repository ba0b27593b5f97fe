"""What a reader of a format gives: a corpus that can be read, some documents at a time, as often as is needed."""

import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse

from dlgm_jax.data.corpus import BLOCK, Corpus, check_distinct
from dlgm_jax.data.lines import OPENED, lines
from dlgm_jax.errors import BadInput

EVERYTHING = "everything"  # the split of an input that has none
SPLITS = {"train": "train", "training": "train", "test": "test", "val": "validation", "valid": "validation"}
SPLITS |= {"validation": "validation", "dev": "validation"}


def split_of(name: str) -> str | None:
    """The split that a name stands for, in any case; None for another name."""
    return SPLITS.get(name.strip().lower())


@dataclass(frozen=True)
class Reading:
    """How an input is to be read, where it does not say so itself."""

    vocab: Path | None = None  # a file of words, one a line
    index_base: int | None = None  # of the word ids of SVMlight
    columns: tuple[str, ...] = ()  # document, word and, if there is one, count, of a table of triplets
    transposed: bool = False  # words are rows
    label: str = ""  # the field or column of labels
    words: str = ""  # what names the columns: `symbol` of 10x, a column of var of AnnData; empty: ids
    feature_type: str = ""  # the features of 10x that are read; empty: genes where there are several types
    layer: str = ""  # of AnnData, or `raw`; empty: X
    names: Path | None = None  # a table of ids and names of words
    notes: list[str] = field(default_factory=list, compare=False)

    def note(self, text: str) -> None:
        """Keeps, once, a line that the user should read: what was taken for what, and what was left out."""
        if text not in self.notes:
            self.notes.append(text)


class Document(NamedTuple):
    """One document as a reader meets it; a word may come twice."""

    name: str
    label: str  # empty when there is none
    words: list[int]  # columns
    counts: list[int]
    split: str = EVERYTHING


class Part(NamedTuple):
    """Some documents of a split."""

    split: str
    corpus: Corpus


@dataclass(frozen=True)
class Source:
    """A corpus by parts; the split of an input that has none is `everything`."""

    form: str
    vocabulary: tuple[str, ...]
    read: Callable[[], Iterator[Part]]  # anew at each call, in the order of the input


def whole(form: str, corpora: dict[str, Corpus]) -> Source:
    """A source of corpora that are in memory."""
    vocabulary = next(iter(corpora.values())).vocabulary
    return Source(form, vocabulary, lambda: (Part(split, corpus) for split, corpus in corpora.items()))


@contextmanager
def named(path: Path) -> Iterator[None]:
    """What is wrong with a corpus inside is said of `path`."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def parts(documents: Iterable[Document], vocabulary: tuple[str, ...]) -> Iterator[Part]:
    """Documents as corpora of up to 20,000 each; those without a label have an empty one where others have some."""
    waiting: dict[str, Gathering] = {}
    for document in documents:
        gathering = waiting.setdefault(document.split, Gathering())
        gathering.add(document)
        if len(gathering.names) == BLOCK:
            yield Part(document.split, waiting.pop(document.split).corpus(vocabulary))
    for split, gathering in waiting.items():
        yield Part(split, gathering.corpus(vocabulary))


class Gathering:
    """Documents that will be a corpus."""

    def __init__(self):
        self.names: list[str] = []
        self._labels: list[str] = []
        self._starts, self._words, self._counts = [0], array("q"), array("q")

    def add(self, document: Document) -> None:
        """Takes one more."""
        self.names.append(document.name)
        self._labels.append(document.label)
        self._words.extend(document.words)
        self._counts.extend(document.counts)
        self._starts.append(len(self._words))

    def corpus(self, vocabulary: tuple[str, ...]) -> Corpus:
        """All of them."""
        words, counts = (np.array(values, np.int64) for values in (self._words, self._counts))
        matrix = scipy.sparse.csr_matrix((counts, words, self._starts), (len(self.names), len(vocabulary)))
        return Corpus(matrix, vocabulary, self.names, self._labels if any(self._labels) else None)


def in_memory(source: Source) -> dict[str, Corpus]:
    """Everything of a source, by splits."""
    corpora: dict[str, list[Corpus]] = {}
    for split, corpus in source.read():
        corpora.setdefault(split, []).append(corpus)
    return {split: _joined(found) for split, found in corpora.items()}


def _joined(corpora: list[Corpus]) -> Corpus:
    labels = [label for corpus in corpora for label in corpus.labels or [""] * corpus.num_documents]
    ids = [name for corpus in corpora for name in corpus.ids]
    counts = scipy.sparse.vstack([corpus.counts for corpus in corpora], "csr")
    return Corpus(counts, corpora[0].vocabulary, ids, labels if any(labels) else None)


def read_words(path: Path) -> tuple[str, ...]:
    """The words of a file, one a line, as this project writes them. Raises BadInput with file and line."""
    words = []
    for number, line in enumerate(lines(path), 1):
        word = line.strip()
        if not word:
            raise BadInput(f"{path}:{number}: expected a word, found an empty line")
        words.append(word)
    if not words:
        raise BadInput(f"{path}: expected words, found an empty file")
    check_distinct(words, str(path))
    return tuple(words)


def beside(folder: Path, *names: str) -> Path | None:
    """The first of some files, plain or compressed, that a folder holds; their case matters only where both are."""
    wanted = [name + end for name in names for end in ("", *OPENED)]
    exact = next((folder / name for name in wanted if os.path.isfile(folder / name)), None)
    if exact:
        return exact
    there = {path.name.lower(): path for path in reversed(files_of(folder))}
    return next((there[name.lower()] for name in wanted if name.lower() in there), None)


def files_of(folder: Path) -> list[Path]:
    """The files of a folder, in order; none of one that cannot be read."""
    try:
        names = sorted(os.listdir(folder))
    except (OSError, ValueError):
        return []
    return [folder / name for name in names if os.path.isfile(folder / name)]


def found(folder: Path, *names: str) -> Path:
    """As `beside`; raises BadInput when there is none."""
    path = beside(folder, *names)
    if path is None:
        raise BadInput(f"{folder}: expected a file {' or '.join(names)} (or .gz, .xz, .bz2), found none")
    return path
