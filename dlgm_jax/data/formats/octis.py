"""OCTIS (Terragni et al. 2021): a folder of `corpus.tsv` (text, split, label, tab between) and `vocabulary.txt`."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dlgm_jax.data.lines import lines
from dlgm_jax.data.source import EVERYTHING, Document, Reading, Source, beside, found, parts, split_of
from dlgm_jax.data.vocabularies import read_vocabulary
from dlgm_jax.errors import BadInput, shown


def holds(path: Path) -> bool:
    """Tells whether a folder looks like this form."""
    return os.path.isdir(path) and beside(path, "corpus.tsv") is not None


def source(folder: Path, how: Reading) -> Source:
    """A folder. The split and the label of a line may be missing. Raises BadInput with file and line."""
    vocabulary = read_vocabulary(how.vocab or found(folder, "vocabulary.txt", "vocab.txt"), how)
    path = found(folder, "corpus.tsv")
    columns = {word: column for column, word in enumerate(vocabulary)}
    return Source("OCTIS", vocabulary, lambda: parts(_documents(path, columns), vocabulary))


def _documents(path: Path, columns: dict[str, int]) -> Iterator[Document]:
    for place, line in enumerate(lines(path), 1):
        text, *more = line.split("\t")
        if any(map(str.strip, more[2:])) or (more and split_of(more[0]) is None):
            raise BadInput(
                f"{path}:{place}: expected text, split and label with tabs between, found {len(more) + 1} fields: "
                f"{shown(line)}"
            )
        words = Counter(text.split())
        odd = next((word for word in words if word not in columns), None)
        if odd is not None:
            raise BadInput(f"{path}:{place}: expected words of the vocabulary, found {shown(odd)}")
        split = split_of(more[0]) if more else None
        label = more[1].strip() if len(more) > 1 else ""
        yield Document(
            f"corpus/{place}", label, [columns[word] for word in words], list(words.values()), split or EVERYTHING
        )
