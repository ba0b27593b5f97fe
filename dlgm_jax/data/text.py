"""Raw text to counts."""

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.folders import Survey, name_of, survey
from dlgm_jax.data.labels import label_of
from dlgm_jax.data.lines import OPENED, SURROGATE, lines, stem
from dlgm_jax.data.source import EVERYTHING, Document, Reading, Source, in_memory, parts, split_of
from dlgm_jax.data.words import ENGLISH, stop_words
from dlgm_jax.errors import BadInput, listed, shown

OTHERS = "\n"  # no word is written so
EMPTY_LINE = re.compile(r"\r?\n\r?\n")
BREAK = re.compile(r"<br ?/?>")
MARKUP = re.compile(r"\s*<[!?/]?[A-Za-z]")  # SGML, XML, HTML
JSON = frozenset((".jsonl", ".json", ".ndjson"))
Analyser = Callable[[str], list[str]]


class Text(NamedTuple):
    """A document as it was written."""

    name: str
    label: str  # empty when there is none
    text: str
    split: str = EVERYTHING


class Texts(NamedTuple):
    """Texts, read anew at each call."""

    read: Callable[[], Iterator[Text]]
    form: str = "texts"
    analyse: Analyser | None = None  # the words of a text, where the input itself says which they are
    stop_words: Collection[str] = stop_words(ENGLISH)


def read_texts(path: str | Path, how: Reading | None = None, found: Survey | None = None) -> Iterator[Text]:
    """Documents of a file, compressed or not: JSONL or NDJSON with a field `text` (and `id`, `split` and the field of
    labels), else one a line; or of a folder of text files, by the names of the folders they are in.

    HTML line breaks become spaces. Notes in `how` what was taken for a document; `found` is what a folder holds, where
    it was looked through before. Raises BadInput with file and line.
    """
    path, how = Path(path), how or Reading()
    if path.is_dir():
        texts = _folder(path, how, found or survey(path))
    else:
        texts = (_json_lines if is_json(path) else _plain_lines)(path, how)
    first = next(texts, None)
    if first and MARKUP.match(first.text):
        unit = "file" if path.is_dir() else "line"
        how.note(
            f"{path} looks like markup (SGML, HTML or XML): each {unit} is a document, its tags words like others."
        )
    for text in chain([first] if first else [], texts):
        yield text._replace(text=BREAK.sub(" ", text.text))


def is_json(path: Path) -> bool:
    """Tells by its name, in any case, a file of lines of JSON, compressed or not."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in OPENED]
    return bool(suffixes) and suffixes[-1] in JSON


def without_header(text: Text) -> Text:
    """What stands behind the first empty line of a message."""
    return text._replace(text=[*EMPTY_LINE.split(text.text, maxsplit=1), ""][1])


def word_frequencies(texts: Iterable[Text], analyse: Analyser) -> Counter[str]:
    """How often each word occurs."""
    counter: Counter[str] = Counter()
    for text in texts:
        counter.update(analyse(text.text))
    return counter


def chosen_words(
    frequencies: Counter[str],
    *,
    vocab_size: int,
    min_count: int = 1,
    kept: Collection[str] = (),
    stop_words: Collection[str] = stop_words(ENGLISH),
) -> tuple[str, ...]:
    """The `vocab_size` most frequent words without stop words, equal ones by the alphabet.

    Words that occur less than `min_count` times are left out. Those of `kept` that occur at all are in besides.
    Raises BadInput when none is left.
    """
    ordered = sorted(frequencies, key=lambda word: (-frequencies[word], word))
    top = [word for word in ordered if word not in stop_words and frequencies[word] >= min_count][:vocab_size]
    chosen = set(top).union(kept)
    if not frequencies:
        raise BadInput("texts: expected words, found none")
    if not chosen.intersection(ordered):
        raise BadInput(f"texts: expected words seen {min_count} times that are not stop words, found none")
    return tuple(word for word in ordered if word in chosen)


def encoded(read: Callable[[], Iterable[Text]], analyse: Analyser, vocabulary: tuple[str, ...]) -> Source:
    """Counts of the words of a vocabulary. Documents that have none of them are dropped."""
    columns = {word: column for column, word in enumerate(vocabulary)}

    def documents() -> Iterator[Document]:
        for name, label, text, split in read():
            counts = Counter(word for word in analyse(text) if word in columns)
            if counts:
                yield Document(name, label, [columns[word] for word in counts], list(counts.values()), split)

    return Source("texts", vocabulary, lambda: parts(documents(), vocabulary))


def encoded_with_others(
    read: Callable[[], Iterable[Text]],
    analyse: Analyser,
    vocabulary: tuple[str, ...],
    stop_words: Collection[str] = stop_words(ENGLISH),
    left_out: Analyser = lambda text: [],
) -> Source:
    """Counts of the words of a vocabulary and, as one more word, of all others but stop words; all documents stay.

    Among the others are the words that `analyse` does not see, which `left_out` finds.
    """
    columns = {word: column for column, word in enumerate(vocabulary)}
    other = len(vocabulary)

    def documents() -> Iterator[Document]:
        for name, label, text, split in read():
            words = [*analyse(text), *left_out(text)]
            known = [word for word in words if word in columns or word not in stop_words]
            counts = Counter(columns.get(word, other) for word in known)
            yield Document(name, label, list(counts), list(counts.values()), split)

    return Source("texts", vocabulary, lambda: parts(documents(), (*vocabulary, OTHERS)))


def count_words(
    train: Sequence[Text], test: Sequence[Text], *, vocab_size: int, analyse: Analyser
) -> tuple[Corpus, Corpus]:
    """Texts in memory as two corpora over the words of the training texts, chosen as by `chosen_words`."""
    vocabulary = chosen_words(word_frequencies(train, analyse), vocab_size=vocab_size)

    def corpus(texts: Sequence[Text]) -> Corpus:
        return in_memory(encoded(lambda: texts, analyse, vocabulary))[EVERYTHING]

    return corpus(train), corpus(test)


def _plain_lines(path: Path, how: Reading) -> Iterator[Text]:
    how.note(f"A document is a line of {path.name}.")
    for number, line in enumerate(lines(path), 1):
        if line.strip():
            yield Text(f"{stem(path)}/{number}", "", line)


def _json_lines(path: Path, how: Reading) -> Iterator[Text]:
    field = how.label or "label"
    for number, line in enumerate(lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        row = _record(line, where)
        name, label, split = (label_of(row.get(key), f"{where}: {key}") for key in ("id", field, "split"))
        if split and not split_of(split):
            raise BadInput(f"{where}: expected a split train, validation or test, found {shown(split)}")
        if SURROGATE.search("".join((row["text"], name, label))):
            raise BadInput(f"{where}: expected Unicode text, found a lone surrogate in {shown(line)}")
        yield Text(name or f"{stem(path)}/{number}", label, row["text"], split_of(split) or EVERYTHING)


def _folder(folder: Path, how: Reading, found: Survey) -> Iterator[Text]:
    """Files in order; the folder of a file is its label, a folder above named as a split is its split."""
    for remark in found.remarks():
        how.note(remark)
    for path in found.documents:
        name = name_of(path, folder)
        above = path.relative_to(folder).parts[:-1]
        split = split_of(above[0]) if above else None
        yield Text(name, "/".join(above[1:] if split else above), "\n".join(lines(path)), split or EVERYTHING)


def _record(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: expected a JSON object, found {shown(line)}") from error
    if not isinstance(row, dict):
        raise BadInput(f"{where}: expected a JSON object with a text, found {shown(line)}")
    if not isinstance(row.get("text"), str):
        raise BadInput(f"{where}: expected a JSON object with a text in its field text, found {listed(row) or 'none'}")
    return row


def _distinct(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises ValueError for a field that stands twice, of which one would be lost."""
    found = dict(fields)
    if len(found) < len(fields):
        raise ValueError("a field that stands twice")
    return found
