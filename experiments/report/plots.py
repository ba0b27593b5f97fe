"""Pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from dlgm_jax.embeddings.neighbours import unit_rows
from dlgm_jax.errors import quantity
from dlgm_jax.introspection.spectrum import active_directions

FEWEST = 4  # words of a map
FEW = 300  # words over which threads would rather wait for each other than work


def plot_curves(
    path: Path,
    validation: list[dict[str, Any]],
    log_singular_values: np.ndarray,
    best_epoch: int,
    title: str,
    *,
    of_words: bool = True,
    variant: str = "log",
) -> None:
    """curves.png: perplexity (of real rows nats a row) by epoch, guessed and refined; log singular values of J_mean."""
    name, label = ("perplexity", "validation perplexity") if of_words else ("bound", "validation nats a row")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    epochs = [line["epoch"] for line in validation]
    left.plot(
        epochs,
        [line[name] for line in validation],
        label="at the network's guess",
        color="tab:orange",
    )
    left.plot(epochs, [line[f"{name}_refined"] for line in validation], label="refined", color="tab:blue")
    left.axvline(best_epoch, color="grey", linewidth=0.8, linestyle=":", label=f"best epoch, {best_epoch}")
    left.set(xlabel="epoch", ylabel=label, title="Perplexity" if of_words else "Nats a row")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend(frameon=False)
    right.plot(np.arange(1, len(log_singular_values) + 1), log_singular_values, color="tab:blue")
    right.axhline(0, color="grey", linewidth=0.8, linestyle=":")
    active = active_directions(log_singular_values)
    right.set(xlabel="singular value", ylabel="log", title=f"Spectrum of J_mean^{variant}: {active} above 0")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, parse_math=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_lines(path: Path, lines: dict[str, list[tuple[float, float]]], *, labels: tuple[str, str], title: str) -> None:
    """Points (x, y) by name, joined; names that differ in M=1 and M100 alone share a colour (solid and dotted)."""
    figure, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
    kinds = list(dict.fromkeys(name.replace("M100", "M1") for name in lines))
    for name, points in lines.items():
        x, y = zip(*points)
        colour, line = f"C{kinds.index(name.replace('M100', 'M1'))}", ":" if "M100" in name else "-"
        axes.plot(x, y, line, color=colour, label=name, marker="o" if len(points) < 30 else None, markersize=3)
    axes.set(xlabel=labels[0], ylabel=labels[1], title=title)
    axes.spines[["top", "right"]].set_visible(False)
    for text in (axes.title, *axes.legend(frameon=False).get_texts()):
        text.set_parse_math(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_spectra(path: Path, spectra: list[tuple[str, np.ndarray]]) -> None:
    """Log singular values of J_mean^log of one or several models (figures 2d and 2e)."""
    figure, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
    for (name, values), style in zip(spectra, ("-", "--", "-.", ":") * len(spectra)):
        label = f"{name}: {active_directions(values)} above 0"
        axes.plot(np.arange(1, len(values) + 1), values, style, label=label)
    axes.axhline(0, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlabel="singular value", ylabel="log", title="Spectrum of J_mean^log")
    axes.spines[["top", "right"]].set_visible(False)
    for text in axes.legend(frameon=False).get_texts():
        text.set_parse_math(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_words(path: Path, columns: dict[str, list[list[tuple[str, float]]]], *, title: str) -> None:
    """Distributions over words below each other for every name, each by its likeliest words and their probabilities."""
    rows = max(map(len, columns.values()))
    shape = {"squeeze": False, "sharex": True, "figsize": (4.6 * len(columns), 1.9 * rows), "layout": "constrained"}
    figure, axes = plt.subplots(rows, len(columns), **shape)
    for place, (name, distributions) in enumerate(columns.items()):
        axes[0, place].set_title(name, parse_math=False)
        for panel, words in zip(axes[:, place], distributions):
            labels, values = zip(*reversed(words))
            panel.barh(range(len(values)), values, color=f"C{place}")
            panel.set_yticks(range(len(values)), labels, fontsize=8, parse_math=False)
            panel.spines[["top", "right"]].set_visible(False)
        axes[-1, place].set_xlabel("probability")
    figure.suptitle(title, parse_math=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def unmappable(embeddings: np.ndarray) -> str:
    """Why vectors [n, K] have no map; empty when they have one."""
    if len(embeddings) < FEWEST:
        return f"the vocabulary has {quantity(len(embeddings), 'word')}, and a map takes {FEWEST}"
    if embeddings.shape[1] < 2:
        return "there is one latent dimension, and a map has two"
    units = unit_rows(embeddings)
    directions = len(np.unique(units[units.any(axis=1)].round(6), axis=0))
    return f"the vectors point in {quantity(directions, 'direction')}, and a map takes 3" if directions < 3 else ""


def plot_map(path: Path, embeddings: np.ndarray, words: Sequence[str], clusters: np.ndarray, *, named: int) -> None:
    """A t-SNE map of words by the cosines of their vectors [n, K], coloured by cluster; the first `named` by name.

    The vectors must not be `unmappable`: scikit-learn would crash.
    """
    perplexity = min(30.0, (len(words) - 1) / 3)
    with threadpool_limits(1 if len(words) < FEW else None, user_api="openmp"):
        places = TSNE(init="pca", perplexity=perplexity, random_state=0).fit_transform(unit_rows(embeddings))
    figure, axes = plt.subplots(figsize=(12, 12), layout="constrained")
    axes.scatter(*places.T, c=clusters % 20, cmap="tab20", s=9, alpha=0.6, linewidths=0)
    for word, (x, y) in zip(words[:named], places):
        axes.annotate(word, (x, y), fontsize=7, ha="center", va="bottom", parse_math=False)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
