"""Raw text to counts, by scikit-learn."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from dlgm_jax.data.corpus import Corpus, shown
from dlgm_jax.data.lines import lines
from dlgm_jax.types import BadInput

WORD = r"\b[a-z][a-z]+\b"
BREAK = re.compile(r"<br ?/?>")


class Text(NamedTuple):
    """A document as it was written."""

    name: str
    label: str  # empty when there is none
    text: str


def read_texts(path: str | Path) -> Iterator[Text]:
    """Documents of a file, compressed or not: JSONL or NDJSON with a field `text` (and `id`, `label`), else one a line.

    HTML line breaks become spaces. Raises BadInput with file and line.
    """
    path = Path(path)
    as_json = not {".jsonl", ".json", ".ndjson"}.isdisjoint(path.suffixes)
    for number, line in enumerate(lines(path), 1):
        where = f"{path}:{number}"
        name = f"{path.name.split('.')[0]}/{number}"
        if not line.strip():
            continue
        row = _record(line, where) if as_json else {"text": line}
        given = {field: str(row[field]) for field in ("id", "label") if row.get(field) is not None}
        yield Text(given.get("id", name), given.get("label", ""), BREAK.sub(" ", row["text"]))


def count_words(
    train: Sequence[str],
    test: Sequence[str],
    *,
    vocab_size: int,
    token_pattern: str,
    train_labels: Sequence[str] | None,
    test_labels: Sequence[str] | None,
    train_ids: Sequence[str],
    test_ids: Sequence[str],
    min_count: int = 1,
    kept: Collection[str] = (),
) -> tuple[Corpus, Corpus]:
    """Lower-cased words without English stop words, the `vocab_size` most frequent of the training texts.

    Words that occur less than `min_count` times are left out. Those of `kept` that occur at all are in the vocabulary
    besides. Columns go from the most frequent word down. Documents that are left without a word are dropped.
    """
    vectoriser = CountVectorizer(token_pattern=token_pattern)
    try:
        counts: Any = vectoriser.fit_transform(train)
    except ValueError as error:
        raise BadInput(f"texts: expected words, found none ({error})") from error
    words = vectoriser.get_feature_names_out()
    frequencies = np.asarray(counts.sum(axis=0)).ravel()
    chosen = _columns(words, frequencies, vocab_size, min_count, frozenset(kept))
    if not len(chosen):
        raise BadInput(f"texts: expected words seen {min_count} times that are not stop words, found none")

    def corpus(counts, ids, labels):
        counts = counts[:, chosen]
        rows = np.flatnonzero(np.diff(counts.indptr))
        names = None if labels is None else tuple(labels[row] for row in rows)
        return Corpus(counts[rows], tuple(words[chosen].tolist()), tuple(ids[row] for row in rows), names)

    return (
        corpus(counts, train_ids, train_labels),
        corpus(vectoriser.transform(test), test_ids, test_labels),
    )


def _columns(words, frequencies, vocab_size: int, min_count: int, kept: frozenset[str]) -> np.ndarray:
    """The columns that stay, by frequency; equal ones by the alphabet."""
    is_kept = np.array([word in kept for word in words])
    eligible = np.array([word not in ENGLISH_STOP_WORDS for word in words]) & (frequencies >= min_count)
    by_frequency = np.argsort(-frequencies, kind="stable")
    top = by_frequency[eligible[by_frequency]][:vocab_size]
    is_kept[top] = True
    return by_frequency[is_kept[by_frequency]]


def _record(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: expected a JSON object, found {shown(line)}") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise BadInput(f"{where}: expected a JSON object with a text, found {shown(line)}")
    return row
