"""Embeddings for other tools: word2vec text, TensorBoard's projector, CSV, npz."""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np

SPACE = re.compile(r"[%\s]")


def write_word2vec(path: str | Path, vocabulary: Sequence[str], vectors: np.ndarray) -> None:
    """The text form of word2vec: `V K`, then a word and its K numbers a line; keys are escaped by `escape`.

    Raises ValueError for a word that stands twice, which readers would take for one.
    """
    vectors = _checked(vocabulary, vectors)
    if len(set(vocabulary)) < len(vectors):
        raise ValueError(f"expected distinct words, found {len(vectors) - len(set(vocabulary))} again")
    with Path(path).open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{len(vectors)} {vectors.shape[1]}\n")
        for word, row in zip(vocabulary, vectors):
            file.write(f"{escape(word)} {' '.join(map(_shortest, row))}\n")


def escape(word: str) -> str:
    """A word without white space: that and % become percent codes, which `unescape` turns back."""
    return SPACE.sub(lambda found: quote(found[0], safe=""), word)


def unescape(key: str) -> str:
    """The word that `escape` was given."""
    return unquote(key)


def write_projector(
    folder: str | Path, vocabulary: Sequence[str], vectors: np.ndarray, **columns: Iterable[object]
) -> None:
    """vectors.tsv and metadata.tsv for TensorBoard's projector; `columns` stand beside the words.

    White space in cells becomes percent codes, as in `escape`.
    """
    vectors, folder = _checked(vocabulary, vectors), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "vectors.tsv").open("w", encoding="utf-8", newline="\n") as file:
        file.writelines("\t".join(map(_shortest, row)) + "\n" for row in vectors)
    with (folder / "metadata.tsv").open("w", encoding="utf-8", newline="\n") as file:
        lines = [("word", *columns)] if columns else []
        lines += zip(vocabulary, *columns.values(), strict=True)
        file.writelines("\t".join(escape(str(cell)) for cell in line) + "\n" for line in lines)


def write_csv(path: str | Path, vocabulary: Sequence[str], vectors: np.ndarray) -> None:
    """A row for each word: the word, then z1 to zK."""
    vectors = _checked(vocabulary, vectors)
    header = ["word", *(f"z{k + 1}" for k in range(vectors.shape[1]))]
    write_rows(path, header, ([word, *map(_shortest, row)] for word, row in zip(vocabulary, vectors)))


def write_rows(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table as CSV, in UTF-8."""
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def write_npz(path: str | Path, vocabulary: Sequence[str], vectors: np.ndarray) -> None:
    """Arrays `vocabulary` [V] and `vectors` [V, K]; loads without pickle.

    NumPy drops NUL characters at the end of a word.
    """
    np.savez_compressed(path, vocabulary=np.asarray(vocabulary, str), vectors=_checked(vocabulary, vectors))


def _checked(vocabulary: Sequence[str], vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or len(vectors) != len(vocabulary):
        raise ValueError(f"vectors have shape {vectors.shape}, expected ({len(vocabulary)}, K), a row for each word")
    if "" in vocabulary:
        raise ValueError("expected words, found an empty one")
    return vectors


def _shortest(value) -> str:
    """The shortest decimal that reads back as the same number of its own precision."""
    return np.format_float_positional(value, trim="0") if 1e-4 <= abs(value) < 1e6 else f"{value!s}"
