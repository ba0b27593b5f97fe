"""Raw text to counts; words are found by scikit-learn."""

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from dlgm_jax.data.corpus import Corpus, shown
from dlgm_jax.data.lines import OPENED, SURROGATE, lines, stem
from dlgm_jax.data.source import EVERYTHING, SPLITS, Document, Source, in_memory, parts
from dlgm_jax.types import BadInput

WORD = r"\b[a-z][a-z]+\b"
OTHERS = "\n"  # no word is written so
EMPTY_LINE = re.compile(r"\r?\n\r?\n")
BREAK = re.compile(r"<br ?/?>")
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
    stop_words: Collection[str] = ENGLISH_STOP_WORDS


def read_texts(path: str | Path, *, label: str = "label") -> Iterator[Text]:
    """Documents of a file, compressed or not: JSONL or NDJSON with a field `text` (and `id`, `split` and the field of
    labels), else one a line; or of a folder of `.txt` files, by the names of the folders they are in.

    HTML line breaks become spaces. Raises BadInput with file and line.
    """
    path = Path(path)
    found = _folder(path) if path.is_dir() else _json_lines(path, label) if is_json(path) else _plain_lines(path)
    for text in found:
        yield text._replace(text=BREAK.sub(" ", text.text))


def text_files(folder: Path) -> Iterator[Path]:
    """The `.txt` files of a folder and the folders in it, compressed or not."""
    ends = tuple(".txt" + end for end in ("", *OPENED))
    return (path for path in folder.rglob("*") if path.name.endswith(ends) and path.is_file())


def is_json(path: Path) -> bool:
    """Tells by its name, in any case, a file of lines of JSON."""
    return not JSON.isdisjoint(suffix.lower() for suffix in path.suffixes)


def without_header(text: Text) -> Text:
    """What stands behind the first empty line of a message."""
    return text._replace(text=[*EMPTY_LINE.split(text.text, maxsplit=1), ""][1])


def analyser(token_pattern: str) -> Analyser:
    """Lower-cased words by a regular expression. Raises BadInput for one that is none."""
    try:
        return CountVectorizer(token_pattern=token_pattern).build_analyzer()
    except (ValueError, re.error) as error:
        raise BadInput(f"--token_pattern: expected a regular expression of a word, found {token_pattern!r}") from error


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
    stop_words: Collection[str] = ENGLISH_STOP_WORDS,
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
    stop_words: Collection[str] = ENGLISH_STOP_WORDS,
) -> Source:
    """Counts of the words of a vocabulary and, as one more word, of all others but stop words; all documents stay."""
    columns = {word: column for column, word in enumerate(vocabulary)}
    other = len(vocabulary)

    def documents() -> Iterator[Document]:
        for name, label, text, split in read():
            known = [word for word in analyse(text) if word in columns or word not in stop_words]
            counts = Counter(columns.get(word, other) for word in known)
            yield Document(name, label, list(counts), list(counts.values()), split)

    return Source("texts", vocabulary, lambda: parts(documents(), (*vocabulary, OTHERS)))


def count_words(
    train: Sequence[Text], test: Sequence[Text], *, vocab_size: int, token_pattern: str
) -> tuple[Corpus, Corpus]:
    """Texts in memory as two corpora over the words of the training texts, chosen as by `chosen_words`."""
    analyse = analyser(token_pattern)
    vocabulary = chosen_words(word_frequencies(train, analyse), vocab_size=vocab_size)

    def corpus(texts: Sequence[Text]) -> Corpus:
        return in_memory(encoded(lambda: texts, analyse, vocabulary))[EVERYTHING]

    return corpus(train), corpus(test)


def _plain_lines(path: Path) -> Iterator[Text]:
    for number, line in enumerate(lines(path), 1):
        if line.strip():
            yield Text(f"{stem(path)}/{number}", "", line)


def _json_lines(path: Path, label: str) -> Iterator[Text]:
    for number, line in enumerate(lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        row = _record(line, where)
        given = {field: str(row[field]) for field in ("id", label, "split") if row.get(field) is not None}
        split = given.get("split", "")
        if split and split not in SPLITS:
            raise BadInput(f"{where}: expected a split train, validation or test, found {shown(split)}")
        if SURROGATE.search("".join((row["text"], *given.values()))):
            raise BadInput(f"{where}: expected Unicode text, found a lone surrogate in {shown(line)}")
        name = given.get("id", f"{stem(path)}/{number}")
        yield Text(name, given.get(label, ""), row["text"], SPLITS.get(split, EVERYTHING))


def _folder(folder: Path) -> Iterator[Text]:
    """Files in order; the folder of a file is its label, a folder above named as a split is its split."""
    for path in sorted(text_files(folder)):
        place = path.relative_to(folder)
        if SURROGATE.search(str(place)):
            raise BadInput(f"{folder}: expected names of files in UTF-8, found {shown(str(place))}")
        above = place.parts[:-1]
        split = SPLITS.get(above[0], EVERYTHING) if above else EVERYTHING
        labels = above[1:] if split != EVERYTHING else above
        yield Text(str(place.parent / stem(place)), "/".join(labels), "\n".join(lines(path)), split)


def _record(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: expected a JSON object, found {shown(line)}") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise BadInput(f"{where}: expected a JSON object with a text, found {shown(line)}")
    return row
