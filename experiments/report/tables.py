"""The tables of a run."""

from typing import Any

import numpy as np

from dlgm_jax.embeddings.neighbours import nearest
from dlgm_jax.evaluation.completion import Completion
from experiments.flags.config import Config

NEIGHBOURS = 6


def refined(config: Config) -> str:
    """The refinement of scores by the name that tables give it, as M=100 or M=13 by fisher."""
    return f"M={config.eval_M}" + ("" if config.eval_refiner == "adam" else f" by {config.eval_refiner}")


def score_table(
    columns: dict[str, dict[str, Any]],
    unigram: dict[str, float],
    config: Config,
    footnote: str,
    baseline: str,
    *,
    bounded: bool = True,
) -> str:
    """A column for each split (the fields of Scores), beside the perplexity of the unigram model, named `baseline`.

    Posteriors that are points are not `bounded`: what is scored is their reconstruction of a document.
    """
    how = refined(config)
    rows = [("documents", "documents", ",")]
    if any(scores["empty_documents"] for scores in columns.values()):
        rows.append(("  of them without words: in no perplexity", "empty_documents", ","))
    rows += [
        (baseline, "unigram", ".1f"),
        ("M=1, at the network's guess", "perplexity", ".1f"),
        (f"{how}, refined", "perplexity_refined", ".1f"),
    ]
    if any(scores["perplexity_importance_weighted"] for scores in columns.values()):
        rows.append(("importance-weighted bound, refined", "perplexity_importance_weighted", ".1f"))
    if any(scores["perplexity_full_covariance"] for scores in columns.values()):
        rows.append(("full covariance, refined", "perplexity_full_covariance", ".1f"))
    rows += [
        ("corpus total, M=1", "corpus_perplexity", ".1f"),
        (f"corpus total, {how}", "corpus_perplexity_refined", ".1f"),
        ("KL, nats a document, M=1", "kl", ".1f"),
        (f"KL, nats a document, {how}", "kl_refined", ".1f"),
        ("active latent units", "active_units", "d"),
    ]
    shown = {split: scores | {"unigram": unigram[split]} for split, scores in columns.items()}
    kind = "upper bounds" if bounded else "of reconstructions"
    lines = [_line(f"Perplexity ({kind}, mean over documents)", list(columns))]
    lines += [_line(title, [scores[name] for scores in shown.values()], form) for title, name, form in rows]
    if not bounded:
        footnote += (
            "\nA code is a point: its perplexity bounds nothing, and does not compare with that of other models."
        )
    worse = [split for split, scores in shown.items() if scores["perplexity_refined"] > scores["unigram"]]
    return "\n".join([*lines, footnote, *([warning(worse, baseline)] if worse and bounded else [])])


def row_table(
    columns: dict[str, dict[str, Any]],
    baseline: dict[str, float],
    config: Config,
    footnote: str,
    *,
    bounded: bool = True,
) -> str:
    """`score_table` of a model of real rows: nats a row, beside those of one Gaussian for all rows."""
    how, kind = refined(config), "lower bounds" if bounded else "of reconstructions"
    rows = [
        ("documents", "documents", ","),
        ("one Gaussian for all rows", "baseline", ".2f"),
        ("M=1, at the network's guess", "bound", ".2f"),
        (f"{how}, refined", "bound_refined", ".2f"),
        ("KL, nats a row, M=1", "kl", ".1f"),
        (f"KL, nats a row, {how}", "kl_refined", ".1f"),
        ("active latent units", "active_units", "d"),
    ]
    shown = {split: scores | {"baseline": baseline[split]} for split, scores in columns.items()}
    lines = [_line(f"log p(x), nats a row ({kind}, mean)", list(columns))]
    lines += [_line(title, [scores[name] for scores in shown.values()], form) for title, name, form in rows]
    if not bounded:
        footnote += "\nA code is a point: these are log p(x|z) at the code, and bound nothing."
    worse = [split for split, scores in shown.items() if scores["bound_refined"] < scores["baseline"]]
    advice = "or rows whose columns lie near 0: subtract the means."
    return "\n".join([*lines, footnote, *([warning(worse, "Gaussian", advice)] if worse and bounded else [])])


def warning(splits: list[str], baseline: str, otherwise: str = "or fewer words, by --min_count of prepare.") -> str:
    """Says what to try where a model knows less of documents than a baseline that looks at none."""
    return (
        f"Warning: on {' and '.join(splits)} documents the {baseline} is better than the refined one.\n"
        "Try a larger --epochs where the last epoch was the best; else smaller steps (--batch_size=32 "
        f"--learning_rate=0.001)\nagainst overfitting (--input_dropout=0.5 --weight_decay=1), {otherwise}"
    )


def completion_table(unigram: dict[str, Completion], baseline: str, models: dict[str, dict[str, Completion]]) -> str:
    """A column for each split: the unigram model, named `baseline`, and posteriors named as by `refined`."""
    lines = [
        _line("Completion perplexity (mean over documents)", list(unigram)),
        _line("documents", [found.documents for found in unigram.values()], ","),
    ]
    if any(found.left_out for found in unigram.values()):
        left_out = [found.left_out for found in unigram.values()]
        lines.append(_line("  of them with fewer than two tokens: left out", left_out, ","))
    rows = [(baseline, unigram, "predictive")]
    for name, found in models.items():
        title = f"{name}, at the network's guess" if name == "M=1" else f"{name}, refined"
        rows += [(f"{title}, predictive", found, "predictive"), (f"{title}, plug-in", found, "plug_in")]
    rows += [("corpus total, unigram model", unigram, "corpus_predictive")]
    rows += [(f"corpus total, {name}, predictive", found, "corpus_predictive") for name, found in models.items()]
    lines += [_line(title, [getattr(one, kind) for one in found.values()], ".1f") for title, found, kind in rows]
    return "\n".join(lines)


def _line(title: str, values: list, form: str = "") -> str:
    return f"{title:<48}" + "".join(f"{value:>12{form}}" for value in values)


def neighbour_table(jacobian: np.ndarray, vocabulary: tuple[str, ...], words: list[int], variant: str = "log") -> str:
    """The nearest words by the cosine of Jacobian vectors [V, K]."""
    order, _ = nearest(jacobian, words, num_neighbours=NEIGHBOURS)
    width = max(len(vocabulary[word]) for word in words) + 2
    lines = [f"Nearest neighbours by the rows of J_mean^{variant}"]
    for word, row in zip(words, order):
        lines.append(f"{vocabulary[word]:<{width}}{', '.join(vocabulary[other] for other in row)}")
    return "\n".join(lines)
