"""Turns texts, counts or tables into a corpus that --dataset takes. The format is seen by what the input holds.

python -m experiments.prepare --input=reviews.jsonl.xz --output=reviews --vocab_size=10000
python -m experiments.prepare --input=wiki.jsonl.xz --output=wiki --vocab_size=20000 --keep=EN-WS-353-ALL.txt
python -m experiments.prepare --input=ml-latest-small --output=films --min_count=5
python -m experiments.prepare --input=RCV1_DIR --output=rcv1 --vocab_size=10000 --test_size=10000
python -m experiments.prepare --input=counts.svmlight --index_base=1 --output=counts
"""

import shutil
from pathlib import Path

from dlgm_jax.data import compact
from dlgm_jax.data.inputs import OF_WORDS, TEXT, check_format, looks_like
from dlgm_jax.data.places import check_writable, in_utf8
from dlgm_jax.data.source import Reading, Source
from dlgm_jax.data.text import Texts
from dlgm_jax.data.words import ENGLISH, WORD, kept_stop_words, stop_words, words_by
from dlgm_jax.errors import BadInput
from experiments.counting import from_counts, from_texts
from experiments.flags.command import Command, parse, run_main
from experiments.flags.config import FAST
from experiments.flags.inputs import INPUT_FLAGS, check_reading, opened_with_labels, progress, reading, telling
from experiments.report.contents import Dropped, Summary, summary
from experiments.workdir.locks import held

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
    check_format(form)
    check(command, form)
    check_writable(output, "--output")
    print(f"Reads {path} as {form}; the corpus goes to {output}/.", flush=True)
    with telling(how):
        splits, vocab_size, dropped = prepared(command, path, output, form, how)
    print(summary(splits, vocab_size, dropped))
    print(f"The corpus is in {output}/. Next: python -m experiments.train --dataset={output} {FAST}")


def prepared(
    command: Command, path: Path, output: Path, form: str, how: Reading
) -> tuple[dict[str, Summary], int, Dropped]:
    """Writes the corpus of an input: what each split holds, the number of words, and what was left out."""
    dropped, stopped = Dropped(), command.own["stop_words"]
    opened = opened_with_labels(command, path, form, how)
    if isinstance(opened, Texts):
        analyse = opened.analyse or words_by(command.own["token_pattern"])
        if form == TEXT:
            opened = opened._replace(stop_words=stop_words(stopped))
        source = from_texts(command, opened, analyse, form, how, dropped)
    else:
        source = from_counts(command, opened, how, dropped)
    origin = {"input": in_utf8(path.resolve()), "format": opened.form}
    if form == TEXT:
        words = words_by(command.own["token_pattern"])
        how.note(f"Words are what --token_pattern={words.pattern} matches in lower case; stop words: {stopped}.")
        origin |= {"token_pattern": words.pattern, "normal_form": words.normal_form}
        origin |= {"drop_headers": str(command.own["drop_headers"]), "stop_words": kept_stop_words(stopped)}
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
    others = [flag for flag in ("vocab_size", "min_count", "keep", "stop_words") if own[flag] != OWN_FLAGS[flag][0]]
    if form in OF_WORDS and own["vocab"] and others:
        raise BadInput(
            "--vocab: expected to go without --vocab_size, --min_count, --keep and --stop_words, "
            f"found --{others[0]} too"
        )
    for flag in ("test", "vocab", "labels", "names"):
        if own[flag] and not Path(own[flag]).exists():
            raise BadInput(f"--{flag}: expected a file, found no {own[flag]}")


if __name__ == "__main__":
    run_main(main)
