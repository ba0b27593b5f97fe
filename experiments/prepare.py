"""Turns texts or tables into a corpus that --dataset takes.

python -m experiments.prepare --input=reviews.jsonl.xz --output=reviews --vocab_size=10000
python -m experiments.prepare --input=wiki.jsonl.xz --output=wiki --vocab_size=20000 --keep=EN-WS-353-ALL.txt
python -m experiments.prepare --input=ml-latest-small --output=films --min_count=5
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.formats import nvdm, tables
from dlgm_jax.data.text import WORD, Text, count_words, read_texts
from dlgm_jax.data.word_pairs import read_pairs
from dlgm_jax.types import BadInput
from experiments.command import Command, parse, run_main

OWN_FLAGS = {
    "input": (None, "JSONL with a field text, or one document a line; or a folder of MovieLens, Synthea or MIMIC-III"),
    "output": (None, "the new folder"),
    "test": ("", "a file of test documents; unset: --test_size documents of the input, drawn by --seed"),
    "test_size": (1000, "test documents when --test is unset; at most a fifth of all"),
    "vocab_size": (10000, "the most frequent words that stay, stop words not counted"),
    "min_count": (10, "times that a word must occur (documents that must hold it, of a table)"),
    "keep": ("", "files of rated word pairs, by commas, whose words stay however rare"),
}


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["seed"])
    source, output = Path(command.text("input")), Path(command.text("output"))
    if output.exists():
        raise BadInput(f"--output: expected a new folder, found {output}, which is there already")
    if not source.exists():
        raise BadInput(f"--input: expected a file or a folder, found no {source}")
    print(f"Reads {source}; the corpus goes to {output}/.", flush=True)
    check(command, source)
    build = from_tables if source.is_dir() else from_texts
    train, test = build(command, source)
    nvdm.write(output, train, test)
    print(summary({"train": train, "test": test}))
    print(f"The corpus is in {output}/. Next: python -m experiments.train --dataset={output} --M=13 --refiner=fisher")


def check(command: Command, source: Path) -> None:
    """Raises BadInput, before anything is read, for flags that cannot be."""
    for flag in ("test_size", "vocab_size", "min_count"):
        command.number(flag)
    for flag in ("test", "keep"):
        if source.is_dir() and command.own[flag]:
            raise BadInput(f"--{flag}: expected to go with a file of texts, found {source}, a folder of tables")
    if command.own["test"] and not Path(command.own["test"]).is_file():
        raise BadInput(f"--test: expected a file, found no {command.own['test']}")


def from_texts(command: Command, source: Path) -> tuple[Corpus, Corpus]:
    """Counts of the words of a file of documents."""
    kept = kept_words(filter(None, map(str.strip, command.own["keep"].split(","))))
    texts = _read(source)
    if command.own["test"]:
        train, test = texts, _read(Path(command.own["test"]))
    else:
        train_rows, test_rows = _split(len(texts), command)
        train, test = ([texts[row] for row in rows] for rows in (train_rows, test_rows))
    return count_words(
        [text.text for text in train],
        [text.text for text in test],
        vocab_size=command.number("vocab_size"),
        min_count=command.number("min_count"),
        token_pattern=WORD,
        kept=kept,
        train_labels=_labels(train),
        test_labels=_labels(test),
        train_ids=[text.name for text in train],
        test_ids=[text.name for text in test],
    )


def from_tables(command: Command, source: Path) -> tuple[Corpus, Corpus]:
    """Users' films or patients' codes."""
    corpus = tables.read(source)
    frequent = np.flatnonzero(corpus.document_frequencies() >= command.number("min_count"))
    frequent = frequent[: command.number("vocab_size")]
    if not len(frequent):
        raise BadInput(f"--min_count: expected one that leaves words, found {command.number('min_count')}")
    words = tuple(corpus.vocabulary[word] for word in frequent)
    kept = Corpus(corpus.counts[:, frequent], words, corpus.ids)
    train_rows, test_rows = _split(kept.num_documents, command)
    return kept.select(train_rows), kept.select(test_rows)


def kept_words(paths: Iterable[str]) -> set[str]:
    """The words of rated pairs, as a vocabulary of lower-cased letters would hold them."""
    words = {word for path in paths for pair in read_pairs(path) for word in pair[:2]}
    return {form for word in words for form in (word.lower(), word.lower().replace("-", ""))}


def summary(splits: dict[str, Corpus]) -> str:
    """What the corpus holds."""
    lines = []
    for name, corpus in splits.items():
        lengths = corpus.lengths
        density = corpus.counts.nnz / (corpus.num_documents * corpus.vocab_size)
        lines.append(
            f"{name:<6}{corpus.num_documents:>9,} documents, {corpus.vocab_size:,} words, {lengths.sum():,} tokens, "
            f"{100 * density:.2f}% of entries filled, longest document {lengths.max():,}, empty {np.sum(lengths == 0)}"
        )
    return "\n".join(lines)


def _read(path: Path) -> list[Text]:
    texts = list(tqdm(read_texts(path), desc=f"reading {path.name}", unit="doc", unit_scale=True, dynamic_ncols=True))
    if not texts:
        raise BadInput(f"{path}: expected documents, found none")
    return texts


def _labels(texts: list[Text]) -> list[str] | None:
    labels = [text.label for text in texts]
    if any(labels) and not all(labels):
        print(f"Note: labels are left out, since {labels.count('')} of {len(labels)} documents have none.")
    return labels if all(labels) else None


def _split(number: int, command: Command) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows, each in order."""
    if number < 2:
        raise BadInput(f"--input: expected at least two documents, found {number}")
    test_size = min(command.number("test_size"), max(1, number // 5))
    is_test = np.zeros(number, bool)
    is_test[np.random.default_rng(command.given.get("seed", 0)).permutation(number)[:test_size]] = True
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


if __name__ == "__main__":
    run_main(main)
