"""UCI bag of words: `docword.NAME.txt` (D, V and the number of lines, then `document word count`, from 1) and
`vocab.NAME.txt`."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from dlgm_jax.data.corpus import MAX_COUNT, shown
from dlgm_jax.data.formats.pairs import number
from dlgm_jax.data.lines import lines
from dlgm_jax.data.source import Document, Reading, Source, found, parts, read_words
from dlgm_jax.types import BadInput

HEADER = ("the number of documents", "the number of words", "the number of lines that follow")
MOST_EMPTY = 100_000  # documents without words that a file may claim


def holds(path: Path) -> bool:
    """Whether a file is named so, or a folder holds such files."""
    return len(_docwords(path)) > 0


def source(path: Path, how: Reading) -> Source:
    """A docword file or its folder. Lines of a document stand together. Raises BadInput with file and line."""
    named = _docwords(path)
    if len(named) != 1:
        raise BadInput(f"{path}: expected one file docword.NAME.txt, found {len(named)}")
    docword = named[0]
    name = docword.name.removeprefix("docword.").split(".txt")[0]
    vocabulary = read_words(how.vocab or found(docword.parent, f"vocab.{name}.txt"))
    return Source("UCI", vocabulary, lambda: parts(_documents(docword, name, vocabulary), vocabulary))


def _docwords(path: Path) -> list[Path]:
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file for file in paths if file.is_file() and file.name.startswith("docword.") and ".txt" in file.name]


def _documents(path: Path, name: str, vocabulary: tuple[str, ...]) -> Iterator[Document]:
    text = enumerate(lines(path), 1)
    sizes = [
        number(line.strip(), expected, f"{path}:{place}", most=2**53) for expected, (place, line) in zip(HEADER, text)
    ]
    if len(sizes) < len(HEADER):
        raise BadInput(f"{path}: expected three lines of sizes first, found {len(sizes)}")
    documents, words, entries = sizes
    if words != len(vocabulary):
        raise BadInput(f"{path}:2: expected {len(vocabulary)} words, those of the vocabulary, found {words}")
    if documents > entries + MOST_EMPTY:
        raise BadInput(f"{path}:1: expected at most {MOST_EMPTY} documents without words, found {documents} in all")
    last, seen = 0, 0
    for document, rows in groupby(_rows(path, text, documents, words), key=lambda row: row[0]):
        if document <= last:
            raise BadInput(f"{path}: expected documents in order, each in one piece, found {document} after {last}")
        if document > seen + MOST_EMPTY:
            raise BadInput(f"{path}: expected at most {MOST_EMPTY} documents without words, found document {document}")
        yield from (Document(f"{name}/{empty}", "", [], []) for empty in range(last + 1, document))
        counts: dict[int, int] = {}
        for _, word, count in rows:
            counts[word] = counts.get(word, 0) + count
            seen += 1
        if max(counts.values()) > MAX_COUNT:
            raise BadInput(f"{path}: expected counts up to {MAX_COUNT}, found more of a word in document {document}")
        yield Document(f"{name}/{document}", "", list(counts), list(counts.values()))
        last = document
    if seen != entries:
        raise BadInput(f"{path}: expected {entries} lines of counts, as its third line says, found {seen}")
    yield from (Document(f"{name}/{empty}", "", [], []) for empty in range(last + 1, documents + 1))


def _rows(path: Path, text: Iterator[tuple[int, str]], documents: int, words: int) -> Iterator[tuple[int, int, int]]:
    for place, line in text:
        fields, where = line.split(), f"{path}:{place}"
        if len(fields) != 3:
            raise BadInput(f"{where}: expected document, word and count, found {shown(line)}")
        document = number(fields[0], "a document", where, least=1, most=documents)
        word = number(fields[1], "a word", where, least=1, most=words)
        yield document, word - 1, number(fields[2], "a count", where)
