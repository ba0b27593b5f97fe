"""Turns texts, counts or tables into a corpus that --dataset takes. The format is seen by what the input holds.

python -m experiments.prepare --input=reviews.jsonl.xz --output=reviews --vocab_size=10000
python -m experiments.prepare --input=wiki.jsonl.xz --output=wiki --vocab_size=20000 --keep=EN-WS-353-ALL.txt
python -m experiments.prepare --input=ml-latest-small --output=films --min_count=5
python -m experiments.prepare --input=RCV1_DIR --output=rcv1 --vocab_size=10000 --test_size=10000
python -m experiments.prepare --input=counts.svmlight --index_base=1 --output=counts
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dlgm_jax.data import compact
from dlgm_jax.data.alignment import align
from dlgm_jax.data.corpus import shown
from dlgm_jax.data.inputs import (
    OF_WORDS,
    TEXT,
    divided,
    divided_texts,
    drawn,
    looks_like,
    narrowed,
    one_split,
    open_input,
)
from dlgm_jax.data.source import Part, Reading, Source
from dlgm_jax.data.text import Analyser, Text, Texts, chosen_words, encoded, without_header, word_frequencies
from dlgm_jax.data.vocabularies import read_vocabulary
from dlgm_jax.data.word_pairs import read_pairs
from dlgm_jax.data.words import ENGLISH, WORD, kept_stop_words, stop_words, words_by
from dlgm_jax.types import BadInput
from experiments.command import Command, parse, run_main
from experiments.contents import Dropped, Summary, summary
from experiments.inputs import INPUT_FLAGS, check_reading, opened_with_labels, progress, reading, telling
from experiments.locks import held

OWN_FLAGS = {
    "input": (None, "a file or a folder"),
    "output": (None, "the new folder"),
    "test": ("", "an input of test documents; unset: the input's own, or --test_size of it, drawn by --seed"),
    "test_size": (1000, "test documents when the input has none; at most a fifth of all"),
    "vocab_size": (0, "the most frequent words that stay; 0: 10,000 of texts (stop words not counted), else all"),
    "min_count": (0, "times that a word must occur (in a text; else documents that hold it); 0: 10 of texts, else 1"),
    "keep": ("", "of texts: files of rated word pairs, by commas, whose words stay however rare"),
    "token_pattern": (
        WORD,
        "of texts: a word, after lower-casing, of two letters of any alphabet; \\p{..} as in regex",
    ),
    "stop_words": (ENGLISH, "of texts: words that are left out: a language, a file with one a line, or none"),
    "drop_headers": (False, "of texts: leave out what stands before the first empty line"),
} | INPUT_FLAGS
OF_TEXTS = {"keep": OF_WORDS} | dict.fromkeys(
    ("token_pattern", "drop_headers", "stop_words"), (TEXT,)
)  # who reads a flag


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["seed"])
    path, output = Path(command.text("input")), Path(command.text("output"))
    if output.exists():
        raise BadInput(f"--output: expected a new folder, found {output}, which is there already")
    if not path.exists():
        raise BadInput(f"--input: expected a file or a folder, found no {path}")
    how = reading(command)
    form = command.own["format"] or looks_like(path, how)
    check(command, form)
    print(f"Reads {path} as {form}; the corpus goes to {output}/.", flush=True)
    with telling(how):
        splits, vocab_size, dropped = prepared(command, path, output, form, how)
    print(summary(splits, vocab_size, dropped))
    print(f"The corpus is in {output}/. Next: python -m experiments.train --dataset={output} --M=13 --refiner=fisher")


def prepared(
    command: Command, path: Path, output: Path, form: str, how: Reading
) -> tuple[dict[str, Summary], int, Dropped]:
    """Writes the corpus of an input: what each split holds, the number of words, and what was left out."""
    dropped = Dropped()
    opened = opened_with_labels(command, path, form, how)
    if isinstance(opened, Texts):
        analyse = opened.analyse or words_by(command.own["token_pattern"])
        if form == TEXT:
            opened = opened._replace(stop_words=stop_words(command.own["stop_words"]))
        source = from_texts(command, opened, analyse, form, how, dropped)
    else:
        source = from_counts(command, opened, how, dropped)
    origin = {"input": str(path.resolve()), "format": opened.form}
    if form == TEXT:
        origin |= {"token_pattern": command.own["token_pattern"], "drop_headers": str(command.own["drop_headers"])}
        origin |= {"normal_form": words_by(command.own["token_pattern"]).normal_form}
        origin |= {"stop_words": kept_stop_words(command.own["stop_words"])}
    splits = write(output, source, origin, command.own["label"])
    for remark in dropped.letters.remarks():
        how.note(remark)
    if isinstance(opened, Texts):
        dropped.documents -= sum(found.documents for found in splits.values())
    return splits, len(source.vocabulary), dropped


def write(output: Path, source: Source, origin: dict[str, str], label: str) -> dict[str, Summary]:
    """Writes the corpus, whole or not at all, and says what it holds. Raises BadInput for a `label` of no document."""
    output.parent.mkdir(parents=True, exist_ok=True)
    lock = output.parent / f".{output.name}.lock"
    with held(lock, str(output)):
        try:
            for abandoned in compact.scratches(output):
                shutil.rmtree(abandoned)
            with compact.Writer(output, source.vocabulary, origin) as writer:
                return written(writer, source, label)
        finally:
            lock.unlink(missing_ok=True)


def written(writer: compact.Writer, source: Source, label: str) -> dict[str, Summary]:
    """Gives all documents to a writer."""
    splits: dict[str, Summary] = {}
    for split, corpus in progress(source.read(), "writing"):
        writer.add(split, corpus)
        splits.setdefault(split, Summary()).add(corpus)
    if not {"train", "test"} <= splits.keys():
        raise BadInput(f"--input: expected training and test documents, found only {', '.join(splits) or 'none'}")
    if label and not any(found.labelled for found in splits.values()):
        raise BadInput(f"--label: expected a field that documents have, found {label!r} in none")
    return splits


def check(command: Command, form: str) -> None:
    """Raises BadInput, before anything is read, for flags that cannot be."""
    own, seed = command.own, command.given.get("seed", 0)
    command.number("test_size")
    check_reading(command, form)
    if not 0 <= seed < 2**31:
        raise BadInput(f"--seed: expected a whole number from 0 to {2**31 - 1}, found {seed}")
    for flag in ("vocab_size", "min_count"):
        if not 0 <= own[flag] <= 10_000_000:
            raise BadInput(f"--{flag}: expected a whole number from 0, found {own[flag]}")
    for flag, forms in OF_TEXTS.items():
        if form not in forms and own[flag] != OWN_FLAGS[flag][0]:
            raise BadInput(f"--{flag}: expected to go with texts, found an input that is read as {form}")
    if form in OF_WORDS and own["vocab"] and (own["vocab_size"] or own["min_count"] or own["keep"]):
        raise BadInput("--vocab: expected to go without --vocab_size, --min_count and --keep, found one of them too")
    for flag in ("test", "vocab", "labels", "names"):
        if own[flag] and not Path(own[flag]).exists():
            raise BadInput(f"--{flag}: expected a file, found no {own[flag]}")


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
        source = with_test_counts(source, Path(own["test"]), how, dropped)
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


def with_test_counts(source: Source, path: Path, how: Reading, dropped: Dropped) -> Source:
    """Training documents, and test documents of another input over the same words."""
    other = open_input(path, "", how)
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


if __name__ == "__main__":
    run_main(main)
