"""The tables of a run."""

from typing import Any

import numpy as np

from dlgm_jax.embeddings.neighbours import nearest
from experiments.config import Config

NEIGHBOURS = 6


def score_table(
    columns: dict[str, dict[str, Any]], unigram: dict[str, float], config: Config, footnote: str, baseline: str
) -> str:
    """A column for each split (the fields of Scores), beside the perplexity of the unigram model, named `baseline`."""
    refined = f"M={config.eval_M}" + ("" if config.eval_refiner == "adam" else f" by {config.eval_refiner}")
    rows = [("documents", "documents", ",")]
    if any(scores["empty_documents"] for scores in columns.values()):
        rows.append(("  of them without words: in no perplexity", "empty_documents", ","))
    rows += [
        (baseline, "unigram", ".1f"),
        ("M=1, at the network's guess", "perplexity", ".1f"),
        (f"{refined}, refined", "perplexity_refined", ".1f"),
    ]
    if any(scores["perplexity_importance_weighted"] for scores in columns.values()):
        rows.append(("importance-weighted bound, refined", "perplexity_importance_weighted", ".1f"))
    if any(scores["perplexity_full_covariance"] for scores in columns.values()):
        rows.append(("full covariance, refined", "perplexity_full_covariance", ".1f"))
    rows += [
        ("corpus total, M=1", "corpus_perplexity", ".1f"),
        (f"corpus total, {refined}", "corpus_perplexity_refined", ".1f"),
        ("KL, nats a document, M=1", "kl", ".1f"),
        (f"KL, nats a document, {refined}", "kl_refined", ".1f"),
        ("active latent units", "active_units", "d"),
    ]
    lines = [f"{'Perplexity (upper bounds, mean over documents)':<48}" + "".join(f"{split:>12}" for split in columns)]
    for title, name, form in rows:
        values = [(scores | {"unigram": unigram[split]})[name] for split, scores in columns.items()]
        lines.append(f"{title:<48}" + "".join(f"{value:>12{form}}" for value in values))
    return "\n".join([*lines, footnote])


def neighbour_table(jacobian: np.ndarray, vocabulary: tuple[str, ...], words: list[int]) -> str:
    """The nearest words by the cosine of Jacobian vectors [V, K]."""
    order, _ = nearest(jacobian, words, num_neighbours=NEIGHBOURS)
    width = max(len(vocabulary[word]) for word in words) + 2
    lines = ["Nearest neighbours by the rows of J_mean^log"]
    for word, row in zip(words, order):
        lines.append(f"{vocabulary[word]:<{width}}{', '.join(vocabulary[other] for other in row)}")
    return "\n".join(lines)
