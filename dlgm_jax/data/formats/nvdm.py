"""The NVDM form (Miao et al. 2016): a folder of `train.feat`, `test.feat` and a vocabulary.

A line of a `.feat` file is one document: a label, then `id:count` pairs, ids from 1. Either all lines with pairs have a
label or none has; an empty line is an empty document without one. The vocabulary is `vocab.new`
(the first field of each line is the word) or `vocab.txt` (the whole line is). Any of the files may be compressed, with
`.gz`, `.xz` or `.bz2` behind its name.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dlgm_jax.data.corpus import Corpus, check_words
from dlgm_jax.data.formats import pairs
from dlgm_jax.data.lines import lines, stem
from dlgm_jax.data.source import Document, Reading, Source, beside, found, in_memory, parts, read_words
from dlgm_jax.data.vocabularies import read_vocabulary
from dlgm_jax.errors import BadInput, shown

LABEL = re.compile(r"[\w.+/&-]+")
NAMES = {"train": "train.feat", "validation": "valid.feat", "test": "test.feat"}


def holds(path: Path) -> bool:
    """Tells whether a folder looks like this form."""
    return os.path.isdir(path) and beside(path, "train.feat") is not None


def source(folder: Path, how: Reading) -> Source:
    """A folder; `valid.feat` is read if it is there. Raises BadInput with file and line."""
    if not folder.is_dir():
        raise BadInput(f"{folder}: expected a folder with train.feat, test.feat and vocab.new or vocab.txt; not found")
    vocabulary = read_vocabulary(how.vocab, how) if how.vocab else own_vocabulary(folder)
    files = {split: found(folder, NAMES[split]) for split in ("train", "test")}
    if validation := beside(folder, NAMES["validation"]):
        files["validation"] = validation

    def documents() -> Iterator[Document]:
        for split, path in files.items():
            yield from _documents(path, len(vocabulary), split, how)

    return Source("NVDM", vocabulary, lambda: parts(documents(), vocabulary))


def read(folder: str | Path) -> tuple[Corpus, Corpus]:
    """The training and the test corpus of a folder. Raises BadInput with file and line."""
    corpora = in_memory(source(Path(folder), Reading()))
    return corpora["train"], corpora["test"]


def own_vocabulary(folder: Path) -> tuple[str, ...]:
    """The words of a folder's vocabulary file, in the order of their ids."""
    path = found(folder, "vocab.new", "vocab.txt")
    # A word of vocab.txt may end in a number, as `write` writes it: its lines are taken whole.
    return read_words(path) if path.name.startswith("vocab.txt") else read_vocabulary(path, Reading())


def write(folder: str | Path, train: Corpus, test: Corpus) -> None:
    """Writes the two corpora to a folder that is not there yet, whole or not at all.

    Raises BadInput when the folder is there already, and for what would not come back: words that are empty or begin or
    end with white space or hold the end of a line, labels of other characters than letters, digits and `_.+/&-`, and
    documents with words that have no label where others have one.
    """
    folder = Path(folder)
    check_words(train.vocabulary)
    _check_labels(train)
    _check_labels(test)
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


def _check_labels(corpus: Corpus) -> None:
    labels = corpus.labels if corpus.labels and any(corpus.labels) else ()
    for row, (label, length) in enumerate(zip(labels, corpus.lengths)):
        if not label and length:
            raise BadInput(f"labels: expected one of every document or of none, found none of document {row}")
        if label and not LABEL.fullmatch(label):
            raise BadInput(f"labels: expected letters, digits and _.+/&-, found {shown(label)}")


def _written(corpus: Corpus) -> Iterator[str]:
    counts = corpus.counts
    for row, (start, end) in enumerate(zip(counts.indptr[:-1], counts.indptr[1:])):
        found = [f"{word + 1}:{count}" for word, count in zip(counts.indices[start:end], counts.data[start:end])]
        label = [corpus.labels[row]] if corpus.labels and corpus.labels[row] else []
        yield " ".join([*label, *found]) + "\n"


def _documents(path: Path, vocab_size: int, split: str, how: Reading) -> Iterator[Document]:
    """Duplicate ids in a line are summed; documents without words are kept."""
    labelled, place, empty, repeated = None, 0, 0, 0
    for place, line in enumerate(lines(path), 1):
        where = f"{path}:{place}"
        label, found = _split_label(line, where)
        if label or found:
            labelled = bool(label) if labelled is None else labelled
            if labelled != bool(label):
                raise BadInput(
                    f"{where}: expected {'a label first' if labelled else 'no label'}, as in the lines before, "
                    f"found {shown(line.split()[0])}"
                )
        words, counts = pairs.parse(found, where, base=1, vocab_size=vocab_size)
        repeated += len(found) - len(words)
        empty += not (label or found)
        yield Document(f"{stem(path)}/{place}", label, words, counts, split)
    if not place:
        raise BadInput(f"{path}: expected one document a line, found an empty file")
    pairs.note_repeated(how, path, repeated)
    if labelled and empty:
        how.note(f"{path}: empty lines, documents without words and without a label: {empty:,}.")


def _split_label(line: str, where: str) -> tuple[str, list[str]]:
    fields = line.split()
    if not fields or ":" in fields[0]:
        return "", fields
    if not LABEL.fullmatch(fields[0]):
        raise BadInput(f"{where}: expected a label or id:count, found {shown(fields[0])}")
    return fields[0], fields[1:]
