"""What a user's input is, and what is made of it before it is written: splits and a vocabulary."""

import codecs
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from dlgm_jax.data import compact, delimited
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.folders import survey
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
from dlgm_jax.data.lines import beginning, first_bytes, lines, packing
from dlgm_jax.data.signatures import no_text, signature
from dlgm_jax.data.source import EVERYTHING, Part, Reading, Source
from dlgm_jax.data.text import Texts, is_json, read_texts
from dlgm_jax.errors import BadInput, shown

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
KNOWN_FOLDERS = (
    "NVDM (train.feat), TopMost (train_bow.npz), OCTIS (corpus.tsv), UCI (docword.NAME.txt), 10x (matrix.mtx), "
    "RCV1-v2 (lyrl2004_tokens_NAME.dat), MovieLens, Synthea, MIMIC-III"
)
OF_FOLDERS = ("compact", "npz", "nvdm", "octis", "uci", "mtx", "tables", "lyrl2004")
OF_FILES = ("hdf5", "npz", "uci", "mtx", "lyrl2004", "triplets", "ldac", "svmlight", "dense")
UNPACKED = ("HDF5", "Parquet", "a zip archive")  # are not read inside an archive
JSON_TEXT = re.compile(rb"(\xef\xbb\xbf)?\s*[\[{]\s*[{\"]")
OF_BYTES = ("hdf5", "npz", "triplets")  # told by their first bytes; triplets where they are Parquet


def open_input(path: Path, form: str, how: Reading) -> Source | Texts:
    """An input in a format of this name, or in the one that it looks like when the name is empty. Raises BadInput."""
    form = form or looks_like(path, how)
    check_format(form)
    _check_kind(path, form)
    if form == TEXT:
        found = survey(path) if path.is_dir() else None
        return Texts(lambda: read_texts(path, how, found))
    return FORMATS[form].source(path, how)


def check_format(form: str) -> None:
    """Raises BadInput for a name that is of no format."""
    if form != TEXT and form not in FORMATS:
        raise BadInput(f"--format: expected one of {', '.join([*FORMATS, TEXT])}, found {form!r}")


def looks_like(path: Path, how: Reading) -> str:
    """The name of the format that an input seems to have, by what it holds. Raises BadInput for one of none."""
    if not os.path.exists(path):
        raise BadInput(f"--input: expected a file or a folder, found no {path}")
    if os.path.isdir(path):
        return _folder_like(path)
    _check_kind(path, TEXT)
    data = first_bytes(path)
    if signature(data) or hdf5.holds(path):  # before any detector reads it as text
        return next((name for name in OF_BYTES if FORMATS[name].holds(path)), "") or _refuse(path, data)
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        _check_not_blank(path)
    if how.columns:
        return "triplets"
    if how.index_base is not None:
        return "svmlight"
    if is_json(path):
        return TEXT
    return next((name for name in OF_FILES if FORMATS[name].holds(path)), "") or _text_like(path, data, how)


def _folder_like(path: Path) -> str:
    form = next((name for name in OF_FOLDERS if FORMATS[name].holds(path)), None)
    if form or survey(path).documents:
        return form or TEXT
    names = sorted(os.listdir(path))
    few = shown(", ".join(names[:3]))
    found = f"{len(names):,} {'other' if len(names) == 1 else 'others'}, as {few}" if names else "an empty folder"
    raise BadInput(f"{path}: expected a folder of {KNOWN_FOLDERS} or texts; found {found}")


def _text_like(path: Path, data: bytes, how: Reading) -> str:
    """Text, a document a line, is what is left. Raises BadInput for what is no text, and for tables."""
    if no_text(data):
        _refuse(path, data)
    if b"\r" in data and b"\n" not in data:
        raise BadInput(f"{path}: expected lines that end with a line feed, found carriage returns alone (old Mac)")
    if TABLES.intersection(map(str.lower, path.suffixes)):
        raise BadInput(
            f"{path}: expected a table with the columns document, word and, if there is one, count, or --columns that "
            "name them (by numbers, where there is no header), or --format=dense for one of documents x words; "
            "--format=text would read its lines as texts"
        )
    if JSON_TEXT.match(data):
        how.note(f"{path} looks like JSON and is read as plain text, since its name does not end in .json or .jsonl.")
    elif table := _table_like(path):
        how.note(
            f"{path} looks like a table with {table}s between its fields, and each of its lines is read as a text; "
            "--columns=1,2 or 1,2,3 would read columns of documents, words and counts, --format=dense a dense table."
        )
    return TEXT


def _table_like(path: Path) -> str:
    """The delimiter that divides each of five lines and more at the beginning in as many fields; empty for none."""
    rows = [line for line in beginning(path).lines if line.strip()][:50]
    for delimiter, name in reversed(delimited.DELIMITERS.items()):  # a comma may stand in any text
        numbers = {line.count(delimiter) for line in rows}
        if len(rows) > 4 and len(numbers) == 1 and numbers != {0}:
            return name
    return ""


def _refuse(path: Path, data: bytes) -> NoReturn:
    """Raises BadInput for a file that no format takes, saying what its first bytes look like."""
    found = f"unpacked, its first bytes {no_text(data)}" if packing(path) else f"its first bytes {no_text(data)}"
    hint = "; unpack it first" if packing(path) and signature(data) in UNPACKED else ""
    raise BadInput(f"{path}: expected one of {', '.join(OF_FILES)} or text; {found}{hint}")


def _check_not_blank(path: Path) -> None:
    """Raises BadInput for a file without any text, and for one of which nothing can be read."""
    found = "an empty file"
    for line in lines(path):
        if line.strip():
            return
        found = "nothing but white space"
    raise BadInput(f"{path}: expected documents, found {found}")


def _check_kind(path: Path, form: str) -> None:
    """Raises BadInput for a folder where the format is of files, or the other way; and for pipes and devices."""
    if os.path.isdir(path):
        if form in FORMATS and form not in OF_FOLDERS:
            raise BadInput(f"{path}: expected a file, since the format is {form}, found a folder")
    elif os.path.isfile(path):
        if form in FORMATS and form not in OF_FILES:
            raise BadInput(f"{path}: expected a folder, since the format is {form}, found a file")
    elif os.path.exists(path):  # would be read more than once
        raise BadInput(f"{path}: expected a regular file or a folder, found a pipe or a device; save it first")


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
