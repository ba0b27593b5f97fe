"""LDA-C (Blei): a line is `M id:count ...`, M the number of its pairs, ids from 0. Words stand in another file."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dlgm_jax.data.formats import pairs
from dlgm_jax.data.lines import lines, stem
from dlgm_jax.data.source import Document, Reading, Source, parts
from dlgm_jax.data.vocabularies import note_numbered, vocabulary_of
from dlgm_jax.errors import BadInput


def holds(path: Path) -> bool:
    """Tells whether the first lines of a file look like this form."""
    rows, cut = pairs.told_by(path)
    for number, *found in rows:
        claimed = number.lstrip("0") or "0"  # `03` is 3
        whole = claimed == str(len(found)) or (cut and (pairs.decimal(claimed) or 0) > len(found))
        if not whole or not all(map(pairs.PAIR.fullmatch, found)):
            return False
    return bool(rows)


def source(path: Path, how: Reading) -> Source:
    """A file, its words from `vocab` or a file beside it, else the ids that occur. Raises BadInput."""
    words = vocabulary_of(path, how)
    if words is None:
        note_numbered(path, how)
    ids = None if words else pairs.ids_that_occur(path, skipped=1)
    vocabulary = words or tuple(map(str, ids or ()))
    if not vocabulary:
        raise BadInput(f"{path}: expected documents with words, found none")
    columns = None if ids is None else {word: column for column, word in enumerate(ids)}
    size = len(vocabulary) if columns is None else None
    documents = partial(_documents, path, columns, size, how)
    return Source("LDA-C", vocabulary, lambda: parts(documents(), vocabulary))


def _documents(path: Path, columns: dict[int, int] | None, size: int | None, how: Reading) -> Iterator[Document]:
    repeated = 0
    for place, line in enumerate(lines(path), 1):
        number, *found = line.split() or [""]
        where = f"{path}:{place}"
        expected = pairs.number(number, "the number of pairs first,", where)
        if expected != len(found):
            raise BadInput(f"{where}: expected {expected} pairs id:count, as the line says, found {len(found)}")
        words, counts = pairs.parse(found, where, base=0, vocab_size=size)
        repeated += len(found) - len(words)
        yield Document(f"{stem(path)}/{place}", "", pairs.renumbered(words, columns), counts)
    pairs.note_repeated(how, path, repeated)
