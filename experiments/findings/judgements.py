"""Vectors beside what people say of words: similarity and analogies (Table 3 and Table 7)."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from dlgm_jax.data.word_pairs import RatedPair, read_analogies, read_pairs
from dlgm_jax.embeddings.analogies import Accuracy, accuracy, cos_add, cos_mul, known_questions
from dlgm_jax.embeddings.word_similarity import agreement, known_pairs, read_as_singulars, word_similarity
from dlgm_jax.errors import BadInput
from experiments.findings.contexts import contextual_rows, counted, posteriors
from experiments.findings.model import Learned
from experiments.flags.command import Command
from experiments.report.page import Table
from experiments.workdir.workdir import write_whole

MISSING = "missing_words.txt"
NAMED = 8  # missing words of a file that the note names
Question = tuple[str, str, str, str]


class Files(NamedTuple):
    """What people say, by the names of files, read before anything is computed."""

    pairs: list[tuple[str, list[RatedPair]]]
    analogies: list[tuple[str, dict[str, list[Question]]]]


def read(command: Command) -> Files:
    """The files of --similarity and --analogies. Raises BadInput."""

    def files(flag: str) -> list[Path]:
        return [Path(name.strip()) for name in command.own[flag].split(",") if name.strip()]

    pairs = [(path.name, read_pairs(path)) for path in files("similarity")]
    return Files(pairs, [(path.name, read_analogies(path)) for path in files("analogies")])


def check_known(models: list[Learned], files: Files) -> None:
    """Raises BadInput for a file of which a model knows no pair, or no analogy."""
    for model in models:
        for name, pairs in files.pairs:
            if not len(known_pairs([pair[:3] for pair in pairs], model.find)[0]):
                raise BadInput(f"{name}: expected words of the vocabulary of {model.folder}, found none of its pairs")
        for name, sections in files.analogies:
            questions = (question for section in sections.values() for question in section)
            if not len(known_questions(model.find_spelling, questions)):
                raise BadInput(
                    f"{name}: expected words of the vocabulary of {model.folder}, found none of its analogies"
                )


def parts(models: list[Learned], files: Files, variant: str, output: Path) -> Iterator[Table]:
    """A row for each model and file, and the words that are missing in a file; nothing without files."""
    (output / MISSING).unlink(missing_ok=True)
    if files.pairs:
        missing = missing_words(models, files.pairs)
        if missing:
            lines = (f"{name}\t{word}\n" for name, words in missing.items() for word in words)
            write_whole(output / MISSING, "file\tword\n" + "".join(lines))
        yield similarity_table(models, files.pairs, variant, missing)
    for name, sections in files.analogies:
        yield analogy_table(models, name, sections)


def missing_words(models: list[Learned], files: list[tuple[str, list[RatedPair]]]) -> dict[str, list[str]]:
    """By file, the words that a model does not know, sorted; without the files of which all are known."""
    found = {
        name: sorted({word for model in models for word in known_pairs([pair[:3] for pair in pairs], model.find)[2]})
        for name, pairs in files
    }
    return {name: words for name, words in found.items() if words}


def singulars_note(models: list[Learned], files: list[tuple[str, list[RatedPair]]]) -> str:
    """Says which words of each file a model reads as their singular; empty where there are none."""
    said = []
    for name, pairs in files:
        words = {word for pair in pairs for word in pair[:2]}
        found = sorted({word for m in models for word in read_as_singulars(words, m.find, m.vocabulary)})
        if found:
            said.append(f"{name}: {len(found)} ({some(found)})")
    return f"Words read as their singular: {'; '.join(said)}. " if said else ""


def similarity_table(
    models: list[Learned], files: list[tuple[str, list[RatedPair]]], variant: str, missing: dict[str, list[str]]
) -> Table:
    """Spearman's rank correlation x 100 with people's ratings."""
    rows = []
    for name, pairs in files:
        for model in models:
            found = word_similarity(model.vectors, model.find, [pair[:3] for pair in pairs])
            contextual = 100 * in_context(model, pairs, variant) if pairs[0].first_context else float("nan")
            rows.append((name, model.label, 100 * found.spearman, contextual, found.pairs, found.left_out))
    named = "; ".join(f"{name}: {some(words)}" for name, words in missing.items())
    note = (
        f"Not in the vocabulary: {f'{named}; all of them are in {MISSING}' if named else 'none'}. "
        f"{singulars_note(models, files)}"
        f"Spearman x 100 between cosines of J_mean^{variant} and people's ratings; in context: between the vectors of "
        "each word under the posterior of its own context. "
        "A - stands where there are no contexts, fewer than two pairs, or all ratings or all cosines are the same."
    )
    header = ("file", "model", "Spearman x 100", "in context", "pairs", "left out")
    return Table("Similarity of words", note, header, rows)


def some(words: list[str]) -> str:
    """The first words, and how many more there are."""
    return ", ".join(words[:NAMED]) + (f" and {len(words) - NAMED} more" if len(words) > NAMED else "")


def in_context(model: Learned, pairs: list[RatedPair], variant: str) -> float:
    """Spearman of those pairs whose words are known, each read under the posterior of its context (SCWS)."""
    places, rows, _ = known_pairs([pair[:3] for pair in pairs], model.find)
    if len(places) < 2:
        return float("nan")
    vectors = []
    for side, key in enumerate(jax.random.split(jax.random.fold_in(model.context_key, 1))):
        texts = [pairs[place][3 + side].replace("<b>", " ").replace("</b>", " ") for place in places]
        counts = np.stack([counted(model, text)[0] for text in texts])
        refining, averaging = jax.random.split(key)
        psi = posteriors(model, counts, refining)
        vectors.append(contextual_rows(model, psi, rows[:, side], averaging, variant))
    return agreement(vectors[0], vectors[1], [pairs[place].rating for place in places])


def analogy_table(models: list[Learned], name: str, sections: dict[str, list[Question]]) -> Table:
    """The share of analogies a : b :: c : d whose d is found first, by section and in all."""
    found = {
        (section, model.label): [
            accuracy(model.vectors, model.find_spelling, questions, objective=objective)
            for objective in (cos_add, cos_mul)
        ]
        for section, questions in sections.items()
        for model in models
    }
    if len(sections) > 1:
        for model in models:
            scores = [found[section, model.label] for section in sections]
            found["all sections", model.label] = [total(column) for column in zip(*scores)]
    rows = [
        (section, label, 100 * add.share, 100 * mul.share, add.asked, add.left_out)
        for (section, label), (add, mul) in found.items()
    ]
    note = (
        "Percent found by 3CosAdd and 3CosMul among all words but the question's; left out: a word is not known (in "
        "any case, with or without hyphens), or two are the same row."
    )
    header = ("section", "model", "3CosAdd", "3CosMul", "asked", "left out")
    return Table(f"Analogies of {name}", note, header, rows)


def total(scores: Iterable[Accuracy]) -> Accuracy:
    """Of the questions of all sections together."""
    return Accuracy(*map(sum, zip(*scores)))
