"""The NVDM form (Miao et al. 2016): a folder of `train.feat`, `test.feat` and a vocabulary.

A line of a `.feat` file is one document: an optional label, then `id:count` pairs, ids from 1. The vocabulary
is `vocab.new` (the first field of each line is the word) or `vocab.txt` (the whole line is). Any of the files
may be gzipped, with `.gz` behind its name.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.sparse

from dlgm_jax.data.corpus import Corpus, check_distinct, shown
from dlgm_jax.data.lines import lines
from dlgm_jax.types import BadInput

MAX_COUNT = np.iinfo(np.int32).max
DIGITS = 19  # longer numbers are out of every range
LABEL = re.compile(r"[\w.+/&-]+")
NO_LABEL = re.compile(r"[^\w.+/&-]")


def read(folder: str | Path) -> tuple[Corpus, Corpus]:
    """The training and the test corpus of a folder. Raises BadInput with file and line."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"{folder}: expected a folder with train.feat, test.feat and vocab.new or vocab.txt; not found")
    vocabulary = read_vocabulary(folder)
    return read_feat(_find(folder, "train.feat"), vocabulary), read_feat(_find(folder, "test.feat"), vocabulary)


def write(folder: str | Path, train: Corpus, test: Corpus) -> None:
    """Writes the two corpora to a folder that is not there yet, whole or not at all.

    What a label cannot hold becomes an underscore. Raises BadInput when the folder is there already, and for words that
    are empty or begin or end with white space or hold the end of a line.
    """
    folder = Path(folder)
    for word in train.vocabulary:
        if word != word.strip() or not word or "\n" in word or "\r" in word:
            raise BadInput(f"vocabulary: expected words without white space around them, found {shown(word)}")
    if folder.exists():
        raise BadInput(f"{folder}: expected a new folder, found one that is there already")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        (new / "vocab.txt").write_text("".join(f"{word}\n" for word in train.vocabulary), encoding="utf-8")
        for name, corpus in (("train", train), ("test", test)):
            with (new / f"{name}.feat").open("w", encoding="utf-8") as file:
                file.writelines(_written(corpus))
        new.rename(folder)


def _written(corpus: Corpus) -> Iterator[str]:
    counts = corpus.counts
    for row, (start, end) in enumerate(zip(counts.indptr[:-1], counts.indptr[1:])):
        pairs = [f"{word + 1}:{count}" for word, count in zip(counts.indices[start:end], counts.data[start:end])]
        label = [NO_LABEL.sub("_", corpus.labels[row]) or "_"] if corpus.labels else []
        yield " ".join([*label, *pairs]) + "\n"


def read_vocabulary(folder: Path) -> tuple[str, ...]:
    """The words of a folder's vocabulary file, in the order of their ids."""
    path = _find(folder, "vocab.new", "vocab.txt")
    first_field = path.name.startswith("vocab.new")
    words = []
    for number, line in enumerate(lines(path), 1):
        word = line.strip()
        if not word:
            raise BadInput(f"{path}:{number}: expected a word, found an empty line")
        words.append(word.split()[0] if first_field else word)
    if not words:
        raise BadInput(f"{path}: expected words, found an empty file")
    check_distinct(words, str(path))
    return tuple(words)


def read_feat(path: Path, vocabulary: tuple[str, ...]) -> Corpus:
    """One `.feat` file. Duplicate ids in a line are summed; documents without words are kept."""
    indptr, ids, counts, labels = [0], [], [], []
    labelled = None
    for number, line in enumerate(lines(path), 1):
        where = f"{path}:{number}"
        label, pairs = _split_label(line, where)
        if label or pairs:
            labelled = bool(label) if labelled is None else labelled
            if labelled != bool(label):
                raise BadInput(
                    f"{where}: expected {'a label first' if labelled else 'no label'}, as in the lines before, "
                    f"found {shown(line.split()[0])}"
                )
        document: dict[int, int] = {}
        for pair in pairs:
            word, count = _parse_pair(pair, len(vocabulary), where)
            document[word] = document.get(word, 0) + count
            if document[word] > MAX_COUNT:
                raise BadInput(f"{where}: expected counts up to {MAX_COUNT}, found {document[word]} of id {word + 1}")
        ids.extend(document.keys())
        counts.extend(document.values())
        labels.append(label)
        indptr.append(len(ids))
    if len(indptr) == 1:
        raise BadInput(f"{path}: expected one document a line, found an empty file")
    matrix = scipy.sparse.csr_matrix(
        (np.asarray(counts, np.int64), np.asarray(ids, np.int64), indptr), (len(labels), len(vocabulary))
    )
    names = tuple(f"{path.name.split('.')[0]}/{number}" for number in range(1, len(labels) + 1))
    return Corpus(matrix, vocabulary, names, tuple(labels) if labelled else None)


def _split_label(line: str, where: str) -> tuple[str, list[str]]:
    fields = line.split()
    if not fields or ":" in fields[0]:
        return "", fields
    if not LABEL.fullmatch(fields[0]):
        raise BadInput(f"{where}: expected a label or id:count, found {shown(fields[0])}")
    return fields[0], fields[1:]


def _parse_pair(pair: str, vocab_size: int, where: str) -> tuple[int, int]:
    """Column from 0 and count of an `id:count` pair."""
    word, colon, count = pair.partition(":")
    if not colon or not (word.isascii() and word.isdigit()):
        raise BadInput(f"{where}: expected pairs id:count of whole numbers, found {shown(pair)}")
    if not (count.isascii() and count.isdigit()):
        raise BadInput(f"{where}: expected a count that is a whole number from 0, found {shown(pair)}")
    if not word.strip("0"):
        raise BadInput(f"{where}: expected ids from 1, found {shown(pair)}; are the ids of this file 0-based?")
    if len(word) > DIGITS or int(word) > vocab_size:
        raise BadInput(
            f"{where}: expected an id from 1 to {vocab_size} (the words of the vocabulary), found {shown(pair)}"
        )
    if len(count) > DIGITS or int(count) > MAX_COUNT:
        raise BadInput(f"{where}: expected a count up to {MAX_COUNT}, found {shown(pair)}")
    return int(word) - 1, int(count)


def _find(folder: Path, *names: str) -> Path:
    for name in names:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.exists():
                return path
    raise BadInput(f"{folder}: expected a file {' or '.join(names)} (or .gz), found none")
