"""UCI bag of words: `docword.NAME.txt` (D, V and the number of lines, then `document word count`, from 1) and
`vocab.NAME.txt`. gensim writes the first under any name, its first three numbers padded with blanks."""

import os
import re
from collections.abc import Iterator
from functools import partial
from itertools import groupby, islice
from pathlib import Path

from dlgm_jax.data.corpus import MAX_COUNT
from dlgm_jax.data.formats import pairs
from dlgm_jax.data.lines import OPENED, lines, stem
from dlgm_jax.data.source import Document, Reading, Source, files_of, parts
from dlgm_jax.data.vocabularies import vocabulary_of
from dlgm_jax.errors import BadInput, shown

NAME = re.compile(rf"(?i)docword(?:\.(.+))?\.txt(?:{'|'.join(map(re.escape, OPENED))})?")
HEADER = ("the number of documents", "the number of words", "the number of lines that follow")
MOST_EMPTY = 100_000  # documents without words that a file may claim
Line = tuple[int, str]  # and its number


def holds(path: Path) -> bool:
    """Tells whether a folder holds a file of that name, or a file has that name or begins with such numbers."""
    if os.path.isdir(path):
        return bool(_docwords(path))
    rows, _ = pairs.told_by(path)
    sizes, entries = rows[:3], rows[3:]
    numbers = all(pairs.decimal(field) is not None for row in sizes + [row[:2] for row in entries] for field in row)
    by_content = len(entries) > 0 and numbers and {*map(len, sizes)} == {1} and {*map(len, entries)} == {3}
    return by_content or (os.path.isfile(path) and NAME.fullmatch(path.name) is not None)


def source(path: Path, how: Reading) -> Source:
    """A file or its folder. Lines of a document stand together. Raises BadInput with file and line."""
    docwords = _docwords(path) if path.is_dir() else [path]
    if len(docwords) != 1:
        raise BadInput(f"{path}: expected one file docword.NAME.txt, found {len(docwords)}")
    name = _name(docwords[0])
    vocabulary = _vocabulary(docwords[0], name, how)
    documents = partial(_documents, docwords[0], name, vocabulary, how)
    return Source("UCI", vocabulary, lambda: parts(documents(), vocabulary))


def _vocabulary(docword: Path, name: str, how: Reading) -> tuple[str, ...]:
    words = vocabulary_of(docword, how, *([f"vocab.{name}.txt"] if name else []))
    if words is None:
        raise BadInput(f"{docword}: expected its words in --vocab or vocab.{name}.txt beside it, found none")
    return words


def _docwords(folder: Path) -> list[Path]:
    return [path for path in files_of(folder) if NAME.fullmatch(path.name)]


def _name(docword: Path) -> str:
    """NAME, which the vocabulary is called by too; of a file of another name, what stands before its first dot."""
    named = NAME.fullmatch(docword.name)
    return (named[1] or "") if named else stem(docword)


def _documents(path: Path, name: str, vocabulary: tuple[str, ...], how: Reading) -> Iterator[Document]:
    text = ((place, line) for place, line in enumerate(lines(path), 1) if line.strip())
    documents, words, entries = _sizes(path, text, len(vocabulary))
    last, seen, repeated = 0, 0, 0
    for document, rows in groupby(_rows(path, text, documents, words), key=lambda row: row[0]):
        if document <= last:
            raise BadInput(f"{path}: expected documents in order, each in one piece, found {document} after {last}")
        if document > seen + MOST_EMPTY:
            raise BadInput(f"{path}: expected at most {MOST_EMPTY} documents without words, found document {document}")
        yield from (Document(f"{name}/{empty}", "", [], []) for empty in range(last + 1, document))
        counts: dict[int, int] = {}
        for _, word, count in rows:
            repeated += word in counts
            counts[word] = counts.get(word, 0) + count
            seen += 1
        if max(counts.values()) > MAX_COUNT:
            raise BadInput(f"{path}: expected counts up to {MAX_COUNT}, found more of a word in document {document}")
        yield Document(f"{name}/{document}", "", list(counts), list(counts.values()))
        last = document
    if seen != entries:
        raise BadInput(f"{path}: expected {entries} lines of counts, as its third line says, found {seen}")
    yield from (Document(f"{name}/{empty}", "", [], []) for empty in range(last + 1, documents + 1))
    pairs.note_repeated(how, path, repeated)


def _sizes(path: Path, text: Iterator[Line], vocab_size: int) -> tuple[int, int, int]:
    """The three numbers at the beginning."""
    header = [(f"{path}:{place}", line.strip()) for place, line in islice(text, len(HEADER))]
    sizes = [pairs.number(line, expected, where, most=2**53) for expected, (where, line) in zip(HEADER, header)]
    if len(sizes) < len(HEADER):
        raise BadInput(f"{path}: expected three lines of sizes first, found {len(sizes)}")
    documents, words, entries = sizes
    if words != vocab_size:
        raise BadInput(f"{header[1][0]}: expected {vocab_size} words, those of the vocabulary, found {words}")
    if documents > entries + MOST_EMPTY:
        where = header[0][0]
        raise BadInput(f"{where}: expected at most {MOST_EMPTY} documents without words, found {documents} in all")
    return documents, words, entries


def _rows(path: Path, text: Iterator[Line], documents: int, words: int) -> Iterator[tuple[int, int, int]]:
    for place, line in text:
        fields, where = line.split(), f"{path}:{place}"
        if len(fields) != 3:
            raise BadInput(f"{where}: expected document, word and count, found {shown(line)}")
        document = pairs.number(fields[0], "a document", where, least=1, most=documents)
        word = pairs.number(fields[1], "a word", where, least=1, most=words)
        yield document, word - 1, pairs.count(fields[2], where)
