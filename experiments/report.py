"""What a person sees: tables and curves."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from dlgm_jax.embeddings.neighbours import nearest

NEIGHBOURS = 6


def perplexity_table(rows: dict[str, dict[str, Any]], unigram: dict[str, float], eval_M: int) -> str:
    """One row for each split (the fields of Scores), beside the unigram model's perplexity."""
    refined = f"M={eval_M}"
    weighted = any(row["perplexity_importance_weighted"] for row in rows.values())
    titles = (
        "documents",
        "unigram",
        "M=1",
        refined,
        "corpus M=1",
        f"corpus {refined}",
        "KL",
        f"KL {refined}",
        "active",
    )
    lines = [
        "Perplexity (upper bounds): mean over documents; corpus: over all words together",
        " " * 10 + "".join(f"{title:>13}" for title in titles) + ("   importance-weighted" if weighted else ""),
    ]
    for split, row in rows.items():
        perplexities = (
            unigram[split],
            row["perplexity"],
            row["perplexity_refined"],
            row["corpus_perplexity"],
            row["corpus_perplexity_refined"],
            row["kl"],
            row["kl_refined"],
        )
        lines.append(
            f"{split:<10}{row['documents']:>13,}"
            + "".join(f"{value:>13.1f}" for value in perplexities)
            + f"{row['active_units']:>13}"
            + (f"{row['perplexity_importance_weighted']:>22.1f}" if weighted else "")
        )
    empty = sum(row["empty_documents"] for row in rows.values())
    if empty:
        lines.append(f"{empty} documents without words are kept and counted, but have no perplexity.")
    return "\n".join(lines)


def neighbour_table(jacobian: np.ndarray, vocabulary: tuple[str, ...], words: list[int]) -> str:
    """The nearest words by the cosine of Jacobian vectors [V, K]."""
    order, _ = nearest(jacobian, words, num_neighbours=NEIGHBOURS)
    width = max(len(vocabulary[word]) for word in words) + 2
    lines = ["Nearest neighbours by the rows of J_mean^log"]
    for word, row in zip(words, order):
        lines.append(f"{vocabulary[word]:<{width}}{', '.join(vocabulary[other] for other in row)}")
    return "\n".join(lines)


def plot_curves(
    path: Path, validation: list[dict[str, Any]], log_singular_values: np.ndarray, best_epoch: int, title: str
) -> None:
    """curves.png: perplexity by epoch, unrefined and refined; log singular values of J_mean^log."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    epochs = [line["epoch"] for line in validation]
    left.plot(
        epochs,
        [line["perplexity"] for line in validation],
        label="at the network's guess",
        color="tab:orange",
    )
    left.plot(epochs, [line["perplexity_refined"] for line in validation], label="refined", color="tab:blue")
    left.axvline(best_epoch, color="grey", linewidth=0.8, linestyle=":", label=f"best epoch, {best_epoch}")
    left.set(xlabel="epoch", ylabel="validation perplexity (bound)", title="Perplexity")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend(frameon=False)
    right.plot(np.arange(1, len(log_singular_values) + 1), log_singular_values, color="tab:blue")
    right.axhline(0, color="grey", linewidth=0.8, linestyle=":")
    active = int(np.sum(log_singular_values > 0))
    right.set(xlabel="singular value", ylabel="log", title=f"Spectrum of J_mean^log: {active} above 0")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
    plt.close(figure)
