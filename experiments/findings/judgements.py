"""Jacobian vectors beside what people say of words: similarity and analogies (Table 3 and Table 7)."""

from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from dlgm_jax.data.word_pairs import RatedPair, read_analogies, read_pairs
from dlgm_jax.embeddings.analogies import accuracy, cos_add, cos_mul
from dlgm_jax.embeddings.word_similarity import agreement, known_pairs, word_similarity
from dlgm_jax.types import BadInput
from experiments.command import Command
from experiments.findings.contexts import contextual_rows, counted, posteriors, words_of
from experiments.findings.model import Learned
from experiments.page import Figure, Table


class Files(NamedTuple):
    """What people say, read before anything is computed."""

    pairs: list[tuple[str, list[RatedPair]]]
    analogies: dict[str, list[tuple[str, str, str, str]]]


def read(command: Command) -> Files:
    """The files of --similarity and --analogies. Raises BadInput."""
    own = command.own
    names = [Path(name.strip()) for name in own["similarity"].split(",") if name.strip()]
    return Files(
        [(name.name, read_pairs(name)) for name in names],
        read_analogies(own["analogies"]) if own["analogies"] else {},
    )


def check_known(models: list[Learned], files: Files) -> None:
    """Raises BadInput for a file of pairs of which a model knows none."""
    for name, pairs in files.pairs:
        for model in models:
            if not len(known_pairs([pair[:3] for pair in pairs], model.find)[0]):
                raise BadInput(f"{name}: expected words of the vocabulary of {model.folder}, found none of its pairs")


def parts(models: list[Learned], files: Files, variant: str) -> list[Table | Figure]:
    """A row for each model and file; nothing without files."""
    found: list[Table | Figure] = []
    if files.pairs:
        found.append(similarity_table(models, files.pairs, variant))
    if files.analogies:
        found.append(analogy_table(models, files.analogies))
    return found


def similarity_table(models: list[Learned], files: list[tuple[str, list[RatedPair]]], variant: str) -> Table:
    """Spearman's rank correlation x 100 with people's ratings."""
    rows, missing = [], set()
    for name, pairs in files:
        for model in models:
            found = word_similarity(model.vectors, model.find, [pair[:3] for pair in pairs])
            missing.update(found.missing)
            contextual = 100 * in_context(model, pairs, variant) if pairs[0].first_context else float("nan")
            rows.append((name, model.label, 100 * found.spearman, contextual, found.pairs, found.left_out))
    shown = ", ".join(sorted(missing)[:40]) + (f" and {len(missing) - 40} more" if len(missing) > 40 else "")
    note = (
        f"Spearman x 100 between cosines of J_mean^{variant} and people's ratings; in context: between the vectors of "
        f"each word under the posterior of its own context. Not in the vocabulary: {shown or 'none'}."
    )
    header = ("file", "model", "Spearman x 100", "in context", "pairs", "left out")
    return Table("Similarity of words", note, header, rows)


def in_context(model: Learned, pairs: list[RatedPair], variant: str) -> float:
    """Spearman of those pairs whose words are known, each read under the posterior of its context (SCWS)."""
    places, rows, _ = known_pairs([pair[:3] for pair in pairs], model.find)
    if len(places) < 2:
        return float("nan")
    vectors = []
    for side in range(2):
        texts = [pairs[place][3 + side].replace("<b>", " ").replace("</b>", " ") for place in places]
        counts = np.stack([counted(model, words_of(model, text))[0] for text in texts])
        key = jax.random.fold_in(model.key, side)
        psi = posteriors(model, counts, key)
        vectors.append(contextual_rows(model, psi, rows[:, side], jax.random.fold_in(key, 1), variant))
    return agreement(vectors[0], vectors[1], [pairs[place].rating for place in places])


def analogy_table(models: list[Learned], sections: dict[str, list[tuple[str, str, str, str]]]) -> Table:
    """The share of analogies a : b :: c : d whose d is found first, by section."""
    rows = []
    for section, questions in sections.items():
        for model in models:
            add, mul = (
                accuracy(model.vectors, model.find, questions, objective=objective) for objective in (cos_add, cos_mul)
            )
            rows.append((section, model.label, 100 * add.share, 100 * mul.share, add.asked, add.left_out))
    note = (
        "Percent found by 3CosAdd and 3CosMul among all words but the question's; left out: a word is not known, or "
        "two are the same row."
    )
    return Table("Analogies", note, ("section", "model", "3CosAdd", "3CosMul", "asked", "left out"), rows)
