"""What the Jacobian vectors of the words say: spectrum, neighbours, clusters, map."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dlgm_jax import export
from dlgm_jax.embeddings.clusters import spectral_clusters
from dlgm_jax.embeddings.neighbours import nearest, without_plurals
from dlgm_jax.errors import quantity
from dlgm_jax.introspection.spectrum import active_directions, directions, log_singular_values, near_duplicates
from experiments.findings.model import Learned
from experiments.flags.command import Command
from experiments.report import plots
from experiments.report.page import Figure, Table

SHOWN_DIRECTIONS, SHOWN_CLUSTERS, SHOWN_PAIRS = 12, 25, 6
NAMED = 250  # words of the map that are written out


def parts(
    model: Learned, models: list[Learned], queries: list[int], command: Command, output: Path
) -> Iterator[Table | Figure]:
    """Tables and pictures of the first model, beside the spectra of all."""
    own = command.own
    yield from spectra(models, output)
    yield direction_table(model)
    asked = queries + [int(row) for row in model.frequent[: own["words"]] if row not in queries]
    yield neighbour_table(model, asked, own["neighbours"], plurals=own["plurals"])
    clusters = spectral_clusters(model.vectors, min(own["clusters"], len(model.vocabulary)), affinity=own["affinity"])
    yield cluster_table(model, clusters)
    yield from map_of_words(model, own["map_words"], clusters, output)


def map_of_words(model: Learned, number: int, clusters: np.ndarray, output: Path) -> Iterator[Figure]:
    """The map of the most frequent words, where they have one and any are asked for."""
    path, words = output / "map.png", model.frequent[:number]
    path.unlink(missing_ok=True)
    reason = plots.unmappable(model.vectors[words])
    if number and reason:
        print(f"\nNote: there is no map of words: {reason}", flush=True)
    elif number:
        plots.plot_map(
            path, model.vectors[words], [model.vocabulary[row] for row in words], clusters[words], named=NAMED
        )
        note = f"The {len(words):,} most frequent words by t-SNE of their cosines; colours are clusters."
        yield Figure("Map of words", note, path)


def spectra(models: list[Learned], output: Path) -> list[Table | Figure]:
    """Log singular values and the directions that are used (figures 2d and 2e)."""
    names = {True: "", False: " (J^pot of real rows)"}
    values = [(model.label + names[model.model.of_words], log_singular_values(model.log_vectors)) for model in models]
    rows = [
        (label, active_directions(found), len(found), float(found[0]), duplicates(model))
        for (label, found), model in zip(values, models)
    ]
    header = ("model", "used", "of", "largest", "near-duplicates")
    note = (
        "Log singular values of the mean log-Jacobian; a direction is used when its value is above 0. "
        "Near-duplicates are pairs of latent dimensions whose columns have a cosine beyond 0.95 either way."
    )
    plots.plot_spectra(output / "spectrum.png", values)
    lines = [(label, place, value) for label, found in values for place, value in enumerate(found, 1)]
    export.write_rows(output / "spectrum.csv", ("run", "place", "log singular value"), lines)
    return [
        Table("Directions of the latent space in use", note, header, rows),
        Figure("Spectrum", "Sorted log singular values of J_mean^log, also in spectrum.csv.", output / "spectrum.png"),
    ]


def duplicates(model: Learned) -> str:
    """The first pairs of latent dimensions that do nearly the same, and how many there are."""
    pairs = near_duplicates(model.log_vectors)
    named = ", ".join(f"z{i + 1}~z{j + 1} ({cosine:.2f})" for i, j, cosine in pairs[:SHOWN_PAIRS])
    return f"{named} and {len(pairs) - SHOWN_PAIRS} more" if len(pairs) > SHOWN_PAIRS else named or "none"


def direction_table(model: Learned) -> Table:
    """The words at both ends of the leading singular directions."""
    rows = [
        (place, found.log_singular_value, listed(model, found.top), listed(model, found.bottom))
        for place, found in enumerate(directions(model.log_vectors, num_directions=SHOWN_DIRECTIONS, num_words=6), 1)
    ]
    note = "Words whose log-probability rises and falls most along each leading singular direction."
    return Table("Singular directions", note, ("direction", "log value", "rise", "fall"), rows)


def neighbour_table(model: Learned, queries: list[int], number: int, *, plurals: bool) -> Table:
    """Nearest words by cosine."""
    note = "" if plurals else " Plurals of the query and of nearer words are left out."
    order = neighbours(model, model.vectors, queries, number, plurals=plurals)
    rows = [(model.vocabulary[query], listed(model, row)) for query, row in zip(queries, order)]
    return Table(
        "Nearest neighbours",
        f"By the cosine of Jacobian vectors.{note}",
        ("word", "nearest words, nearest first"),
        rows,
    )


def neighbours(
    model: Learned, embeddings: np.ndarray, queries: list[int], number: int, *, plurals: bool
) -> list[list[int]]:
    """The nearest rows of each query, with or without plurals."""
    order, _ = nearest(embeddings, queries, num_neighbours=number if plurals else 3 * number + 5)
    if plurals:
        return [row.tolist() for row in order]
    names = [[model.vocabulary[other] for other in row] for row in order]
    kept = [without_plurals(model.vocabulary[query], words) for query, words in zip(queries, names)]
    return [row[places[:number]].tolist() for row, places in zip(order, kept)]


def cluster_table(model: Learned, clusters: np.ndarray) -> Table:
    """The largest clusters by their most frequent words."""
    sizes = np.bincount(clusters)
    ordered = clusters[model.frequent]
    rows = [
        (cluster + 1, int(sizes[cluster]), listed(model, model.frequent[ordered == cluster][:10]))
        for cluster in range(min(len(sizes), SHOWN_CLUSTERS))
    ]
    note = f"{quantity(len(sizes), 'spectral cluster')} by cosine; the largest, each by its most frequent words."
    return Table("Clusters", note, ("cluster", "words", "most frequent"), rows)


def listed(model: Learned, rows, separator: str = ", ") -> str:
    """Words by commas, or by what else stands between them."""
    return separator.join(model.vocabulary[row] for row in rows)
