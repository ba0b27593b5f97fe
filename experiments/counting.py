"""From what was opened to counts over a vocabulary, divided into training and test documents."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dlgm_jax.data.alignment import align
from dlgm_jax.data.inputs import divided, divided_texts, drawn, narrowed, one_split, open_input
from dlgm_jax.data.source import Part, Reading, Source
from dlgm_jax.data.text import Analyser, Text, Texts, chosen_words, encoded, without_header, word_frequencies
from dlgm_jax.data.vocabularies import read_vocabulary
from dlgm_jax.data.word_pairs import read_pairs
from dlgm_jax.data.words import WORD, words_by
from dlgm_jax.errors import BadInput, shown
from experiments.flags.command import Command
from experiments.flags.inputs import progress
from experiments.report.contents import Dropped


def from_texts(command: Command, texts: Texts, analyse: Analyser, form: str, how: Reading, dropped: Dropped) -> Source:
    """Counts of the words of texts; they are read once to draw test documents, once to count, once to encode."""
    own = command.own
    kept = kept_words(filter(None, map(str.strip, own["keep"].split(","))))
    number = one_split(progress(texts.read(), "reading"))
    if own["test"]:
        check_undivided(number)
        texts = with_test_texts(texts, Path(own["test"]), form, how)
    elif number is not None:
        texts = divided_texts(texts, drawn(number, command.number("test_size"), command.given.get("seed", 0)))
    texts = watched(texts, dropped)
    if own["drop_headers"]:
        texts = texts._replace(read=lambda read=texts.read: map(without_header, read()))
    if how.vocab:
        vocabulary = read_vocabulary(how.vocab, how)
        note_unmatched(vocabulary, analyse, how)
        return encoded(texts.read, counted(lettered(analyse, dropped), dropped), vocabulary)
    training = (text for text in progress(texts.read(), "counting words") if text.split == "train")
    found = word_frequencies(training, lettered(analyse, dropped))
    for remark in dropped.letters.remarks():
        how.note(remark)
    size, least = own["vocab_size"] or 10_000, own["min_count"] or 10
    vocabulary = chosen_words(found, vocab_size=size, min_count=least, kept=kept, stop_words=texts.stop_words)
    dropped.words, dropped.tokens = len(found) - len(vocabulary), found.total() - sum(found[w] for w in vocabulary)
    return encoded(texts.read, analyse, vocabulary)


def from_counts(command: Command, source: Source, how: Reading, dropped: Dropped) -> Source:
    """Counts as they are, but for words that are too rare."""
    own = command.own
    number = one_split(progress(source.read(), "reading"))
    if own["test"]:
        check_undivided(number)
        source = with_test_counts(source, Path(own["test"]), own["format"], how, dropped)
    elif number is not None:
        source = divided(source, drawn(number, command.number("test_size"), command.given.get("seed", 0)))
    narrow = narrowed(source, own["vocab_size"] or None, own["min_count"])
    dropped.words = len(source.vocabulary) - len(narrow.vocabulary)
    return narrow


def check_undivided(number: int | None) -> None:
    """Raises BadInput for test documents beside an input that has its own."""
    if number is None:
        raise BadInput("--test: expected an input that is not divided, found one with training and test documents")


def watched(texts: Texts, dropped: Dropped) -> Texts:
    """The same texts, counted as they are read."""

    def read() -> Iterator[Text]:
        dropped.documents = 0
        for text in texts.read():
            dropped.documents += 1
            yield text

    return texts._replace(read=read)


def counted(analyse: Analyser, dropped: Dropped) -> Analyser:
    """The same words of a text, counted."""

    def words(text: str) -> list[str]:
        found = analyse(text)
        dropped.analysed += len(found)
        return found

    return words


def lettered(analyse: Analyser, dropped: Dropped) -> Analyser:
    """The same words of a text, and its letters counted."""
    dropped.letters.by_default = analyse == words_by(WORD)

    def words(text: str) -> list[str]:
        found = analyse(text)
        dropped.letters.add(text, found)
        return found

    return words


def note_unmatched(vocabulary: Sequence[str], analyse: Analyser, how: Reading) -> None:
    """Notes the words of --vocab that no text can hold, since they are not cut so: of capitals, of two words."""
    never = [word for word in vocabulary if analyse(word) != [word]]
    if never:
        named = ", ".join(map(shown, never[:3]))
        how.note(
            f"{len(never):,} of {len(vocabulary):,} words of --vocab can stand in no text as it is cut, as {named}."
        )


def with_test_texts(texts: Texts, path: Path, form: str, how: Reading) -> Texts:
    """Training texts, and test texts of another input of the same form."""
    other = open_input(path, form, how)
    assert isinstance(other, Texts)

    def read() -> Iterator[Text]:
        yield from (text._replace(split="train") for text in texts.read())
        yield from (text._replace(split="test") for text in other.read())

    return texts._replace(read=read)


def with_test_counts(source: Source, path: Path, form: str, how: Reading, dropped: Dropped) -> Source:
    """Training documents, and test documents of another input over the same words."""
    other = open_input(path, form, how)
    if isinstance(other, Texts):
        raise BadInput(f"--test: expected counts as in --input, found texts in {path}")

    def read() -> Iterator[Part]:
        yield from (Part("train", part.corpus) for part in source.read())
        dropped.unknown = 0
        for part in other.read():
            aligned = align(part.corpus, source.vocabulary)
            dropped.unknown += int(aligned.unknown.sum())
            yield Part("test", aligned.corpus)

    return Source(source.form, source.vocabulary, read)


def kept_words(paths: Iterable[str]) -> set[str]:
    """The words of rated pairs, as a vocabulary of lower-cased letters would hold them."""
    words = {word for path in paths for pair in read_pairs(path) for word in pair[:2]}
    return {form for word in words for form in (word.lower(), word.lower().replace("-", ""))}
