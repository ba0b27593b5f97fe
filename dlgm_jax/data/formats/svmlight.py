"""SVMlight: a line is `label id:count ... # remark`. Its ids begin at 0 or 1: only a remark may say where."""

import re
from collections.abc import Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path

from dlgm_jax.data.formats import pairs
from dlgm_jax.data.labels import class_of
from dlgm_jax.data.lines import lines, stem
from dlgm_jax.data.source import Document, Reading, Source, parts
from dlgm_jax.data.vocabularies import note_numbered, vocabulary_of
from dlgm_jax.errors import BadInput, shown

BASED = re.compile(r"\b(zero|one|0|1)[- ]based\b", re.IGNORECASE)  # scikit-learn's dump_svmlight_file writes it
BASES = {"zero": 0, "0": 0, "one": 1, "1": 1}


def holds(path: Path) -> bool:
    """Tells whether the first lines of a file look like this form; some line has a pair, else it may be any words."""
    rows, _ = pairs.told_by(path, mark="#")
    labelled = all(":" not in row[0] and all(map(pairs.PAIR.fullmatch, row[1:])) for row in rows)
    return labelled and any(len(row) > 1 for row in rows)


def source(path: Path, how: Reading) -> Source:
    """A file, its words from `vocab` or a file beside it, else the ids that occur, from 0. Raises BadInput without an
    index base, which the file may say itself.
    """
    base = _base(path, how)
    words = vocabulary_of(path, how)
    if words is None:
        note_numbered(path, how)
    ids = None if words else pairs.ids_that_occur(path, skipped=1)
    vocabulary = words or tuple(str(word - base) for word in ids or ())
    if not vocabulary:
        raise BadInput(f"{path}: expected documents with words, found none")
    columns = None if ids is None else {word: column for column, word in enumerate(ids)}
    size = len(vocabulary) if columns is None else None
    documents = partial(_documents, path, base, columns, size, how)
    return Source("SVMlight", vocabulary, lambda: parts(documents(), vocabulary))


def _base(path: Path, how: Reading) -> int:
    """The number at which ids begin, by --index_base or the first remarks. Raises BadInput where these differ."""
    found = {BASES[said.lower()]: remark for remark in _remarks(path) for said in BASED.findall(remark)}
    if how.index_base is None and len(found) == 1:
        base, remark = found.popitem()
        how.note(f"The ids of {path} begin at {base}, as its remark says: {shown(remark)}.")
        return base
    if how.index_base not in (0, 1):
        raise BadInput(f"--index_base: expected 0 or 1, where the ids of {path.name} begin, found {how.index_base}")
    if found and how.index_base not in found:
        (remark,) = found.values()
        raise BadInput(f"{path}: expected ids from {how.index_base}, as --index_base says, found {shown(remark)}")
    return how.index_base


def _remarks(path: Path) -> Iterator[str]:
    """The remarks before the first document."""
    for line in takewhile(lambda line: not line.partition("#")[0].strip(), lines(path)):
        yield line.strip()


def _documents(
    path: Path, base: int, columns: dict[int, int] | None, vocab_size: int | None, how: Reading
) -> Iterator[Document]:
    shift = 0 if columns is None else base  # the ids of `columns` are as they are written
    repeated, queries, missing = 0, 0, 0
    for place, line in enumerate(lines(path), 1):
        fields = line.partition("#")[0].split()
        where = f"{path}:{place}"
        if not fields:
            continue
        if ":" in fields[0]:
            raise BadInput(f"{where}: expected a label first, found {shown(fields[0])}")
        found = [field for field in fields[1:] if not pairs.QUERY.fullmatch(field)]
        words, counts = pairs.parse(found, where, base=base, vocab_size=vocab_size)
        label = class_of(fields[0])
        repeated += len(found) - len(words)
        queries += len(fields) - 1 - len(found)
        missing += not label
        yield Document(f"{stem(path)}/{place}", label, pairs.renumbered([w + shift for w in words], columns), counts)
    pairs.note_repeated(how, path, repeated)
    if queries:
        how.note(f"{path}: numbers of queries (qid) that are left out: {queries:,}.")
    if missing:
        how.note(f"{path}: labels nan, whose documents are of no class: {missing:,}.")
