"""What a user's input is, and what is made of it before it is written: splits and a vocabulary."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dlgm_jax.data import compact
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.formats import (
    dense,
    hdf5,
    ldac,
    lyrl2004,
    matrix_market,
    nvdm,
    octis,
    scipy_npz,
    svmlight,
    tables,
    triplets,
    uci,
)
from dlgm_jax.data.source import EVERYTHING, Part, Reading, Source
from dlgm_jax.data.text import Texts, is_json, read_texts, text_files
from dlgm_jax.types import BadInput

FORMATS: dict[str, Any] = {  # in the order in which an input is asked whether it is one
    "compact": compact,
    "hdf5": hdf5,
    "npz": scipy_npz,
    "nvdm": nvdm,
    "octis": octis,
    "uci": uci,
    "mtx": matrix_market,
    "tables": tables,
    "lyrl2004": lyrl2004,
    "triplets": triplets,
    "ldac": ldac,
    "svmlight": svmlight,
    "dense": dense,
}
TEXT = "text"
OF_WORDS = (TEXT, "lyrl2004")  # read as words, others as counts
TABLES = frozenset((".csv", ".tsv"))
OF_FOLDERS = ("compact", "npz", "nvdm", "octis", "uci", "mtx", "tables", "lyrl2004")
OF_FILES = ("hdf5", "npz", "uci", "mtx", "lyrl2004", "triplets", "ldac", "svmlight", "dense")


def open_input(path: Path, form: str, how: Reading) -> Source | Texts:
    """An input in a format of this name, or in the one that it looks like when the name is empty. Raises BadInput."""
    form = form or looks_like(path, how)
    if form == TEXT:
        return Texts(lambda: read_texts(path, **({"label": how.label} if how.label else {})))
    if form not in FORMATS:
        raise BadInput(f"--format: expected one of {', '.join([*FORMATS, TEXT])}, found {form!r}")
    return FORMATS[form].source(path, how)


def looks_like(path: Path, how: Reading) -> str:
    """The name of the format that an input seems to have, by what it holds. Raises BadInput for a folder of none."""
    if not path.exists():
        raise BadInput(f"--input: expected a file or a folder, found no {path}")
    if path.is_dir():
        form = next((name for name in OF_FOLDERS if FORMATS[name].holds(path)), None)
        if form or next(text_files(path), None):
            return form or TEXT
        raise BadInput(
            f"{path}: expected a folder of NVDM (train.feat), TopMost (train_bow.npz), OCTIS (corpus.tsv), UCI "
            "(docword.NAME.txt), 10x (matrix.mtx), RCV1-v2 (lyrl2004_tokens_NAME.dat), MovieLens, Synthea or MIMIC-III "
            "tables, or .txt files; found none"
        )
    if how.columns:
        return "triplets"
    if how.index_base is not None:
        return "svmlight"
    if is_json(path):
        return TEXT
    form = next((name for name in OF_FILES if FORMATS[name].holds(path)), TEXT)
    if form == TEXT and TABLES.intersection(path.suffixes):
        raise BadInput(
            f"{path}: expected a table with the columns document, word and, if there is one, count, or --columns that "
            "name them; --format=text would read its lines as texts"
        )
    return form


def drawn(number: int, test_size: int, seed: int) -> np.ndarray:
    """Which of the documents are test documents, at most a fifth of them: bool [number]. Raises BadInput under two."""
    if number < 2:
        raise BadInput(f"--input: expected at least two documents, found {number}")
    is_test = np.zeros(number, bool)
    size = min(test_size, max(1, number // 5))
    is_test[np.random.default_rng(seed).permutation(number)[:size]] = True
    return is_test


def divided(source: Source, is_test: np.ndarray) -> Source:
    """The same documents, by training and test."""

    def read() -> Iterator[Part]:
        first = 0
        for _, corpus in source.read():
            of_part = is_test[first : first + corpus.num_documents]
            first += corpus.num_documents
            for split, rows in (("train", np.flatnonzero(~of_part)), ("test", np.flatnonzero(of_part))):
                if len(rows):
                    yield Part(split, corpus.select(rows))

    return Source(source.form, source.vocabulary, read)


def divided_texts(texts: Texts, is_test: np.ndarray) -> Texts:
    """The same texts, by training and test."""
    return texts._replace(
        read=lambda: (text._replace(split="test" if drawn else "train") for text, drawn in zip(texts.read(), is_test))
    )


def narrowed(source: Source, vocab_size: int | None, min_count: int) -> Source:
    """The `vocab_size` words (None: all) that occur in most training documents, in `min_count` of them at least, in
    the order in which they were. Raises BadInput when none is left.
    """
    if vocab_size is None and min_count <= 1:
        return source
    frequencies = np.zeros(len(source.vocabulary), np.int64)
    for split, corpus in source.read():
        if split == "train":
            frequencies += corpus.document_frequencies()
    order = np.argsort(-frequencies, kind="stable")
    columns = np.sort(order[frequencies[order] >= min_count][:vocab_size])
    if not len(columns):
        raise BadInput(f"--min_count: expected one that leaves words, found {min_count}")
    words = tuple(source.vocabulary[column] for column in columns)

    def read() -> Iterator[Part]:
        for split, corpus in source.read():
            yield Part(split, Corpus(corpus.counts[:, columns], words, corpus.ids, corpus.labels))

    return Source(source.form, words, read)


def one_split(texts_or_parts: Iterator[Any]) -> int | None:
    """How many documents an input without splits has; None when it has splits. Raises BadInput when only some have."""
    number, splits = 0, set()
    for item in texts_or_parts:
        splits.add(item.split)
        number += item.corpus.num_documents if isinstance(item, Part) else 1
    if EVERYTHING in splits and len(splits) > 1:
        raise BadInput(f"--input: expected a split of every document or of none, found {', '.join(sorted(splits))}")
    return number if splits <= {EVERYTHING} else None
