"""Table 6: clusters and neighbours of films by Jacobian vectors, beside the paper's baseline of mean ratings.

python -m experiments.recipes.table6 --input=ml-latest-small

The input is a folder of MovieLens's tables (ratings.csv, movies.csv; grouplens.org). The paper's Netflix ratings are
not to be had any more.

Expected: neighbours by the model are of the same kind, those of the baseline are popular films: of all that five people
liked 79% of the neighbours share a genre, at the 38th percentile of popularity (baseline 58% at the 59th; chance 52%);
of ten well-known films 74% (baseline 54%).
Time on 2 cores: 7 minutes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlgm_jax.data.formats import tables
from dlgm_jax.embeddings.clusters import spectral_clusters
from dlgm_jax.embeddings.neighbours import nearest
from dlgm_jax.embeddings.ratings import mean_rating_neighbours, popularity_percentile, shared_share
from dlgm_jax.errors import BadInput, quantity
from experiments.findings.model import Learned
from experiments.findings.vectors import cluster_table, listed
from experiments.flags.command import Command, parse, run_main
from experiments.recipes import runs
from experiments.recipes.sweep import JUDGED, Sweep
from experiments.report.page import Table

OWN_FLAGS = JUDGED | {
    "input": (None, "the folder of MovieLens's tables"),
    "films": ("", "titles, by semicolons; unset: ten well-known ones and those of the paper"),
    "variant": ("log", "of the Jacobian vectors: pot, log or prob"),
    "samples": (100, "draws from the prior for the mean Jacobian, 100 as in the paper"),
    "neighbours": (5, "neighbours of a film"),
    "clusters": (100, "clusters of films; no more than films"),
}
WELL_KNOWN = (
    "Toy Story (1995); Star Wars: Episode IV - A New Hope (1977); Silence of the Lambs, The (1991); "
    "Casablanca (1942); Matrix, The (1999); Princess Bride, The (1987); Godfather, The (1972); "
    "Alien (1979); Pretty Woman (1990); Lion King, The (1994)"
)
PAPER = {  # Tables 6b and 6c: neighbours by the model, and by mean ratings
    "Superman II (1980)": (
        "Superman: The Movie; Superman III; Superman IV: The Quest for Peace; RoboCop; Batman Returns",
        "LOTR: The Two Towers; PotC: The Curse of the Black Pearl; Raiders of the Lost Ark; LOTR: The Fellowship of "
        "the Ring",
    ),
    "Casablanca (1942)": (
        "Citizen Kane; The Treasure of the Sierra Madre; Working with Orson Welles; The Millionairess; Indiscretion of "
        "an American Wife; Doctor Zhivago",
        "To Kill a Mockingbird; The Usual Suspects; The Shawshank Redemption; Citizen Kane; The Wizard of Oz",
    ),
    "Bride of Chucky (Child's Play 4) (1998)": (
        "Bride of Chucky; Leprechaun 3; Leprechaun; Wes Craven's New Nightmare; Child's Play 2: Chucky's Back",
        "The Matrix; Independence Day; The Silence of the Lambs; PotC: The Curse of the Black Pearl; The Sixth Sense",
    ),
    "Princess Bride, The (1987)": (
        "The Breakfast Club; Sixteen Candles; Groundhog Day; Beetlejuice; Stand by Me; Pretty in Pink",
        "The Shawshank Redemption; Forrest Gump; LOTR: The Two Towers; LOTR: The Fellowship of the Ring; PotC: The "
        "Curse of the Black Pearl",
    ),
    "12 Angry Men (1957)": (
        "To Kill a Mockingbird; Rear Window; Mr. Smith Goes to Washington; Inherit the Wind; Vertigo; The Maltese "
        "Falcon",
        "LOTR: The Fellowship of the Ring; PotC: The Curse of the Black Pearl; The Godfather; Forrest Gump; The "
        "Shawshank Redemption",
    ),
}
LIKED = 6  # half stars: rated above three stars, as under Table 6 (the text says three or above)
FANS = 5  # films that fewer people liked are left out of the averages
Finders = dict[str, Callable[[Sequence[int]], np.ndarray]]


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["seed"])
    folder, number = command.text("input"), command.number("neighbours")
    command.number("clusters")
    sweep = Sweep("table6", command)
    for model in runs.models(command, sweep, lambda: runs.films(sweep, folder)):
        ratings, genres = of_the_films(model, Path(folder))
        liked = np.bincount(ratings.indices[ratings.data > LIKED], minlength=ratings.shape[1])
        finders = {
            "Jacobian vectors": lambda films, model=model: nearest(model.vectors, films, num_neighbours=number)[0],
            "mean ratings": lambda films, ratings=ratings: mean_rating_neighbours(
                ratings, films, liked=LIKED, num_neighbours=number
            ),
        }
        clusters = spectral_clusters(model.vectors, min(command.own["clusters"], len(model.vocabulary)))
        sweep.show(cluster_table(model, clusters)._replace(title="(a) Clusters of films"))
        asked = [] if command.own["films"] else [film for film in map(model.find, PAPER) if film is not None]
        chosen = queries(model, command, liked)
        sweep.show(neighbour_table(model, finders, list(dict.fromkeys(chosen + [f for f in asked if liked[f]]))))
        popularity = np.asarray(ratings.getnnz(axis=0))
        groups = {quantity(len(chosen), "film"): chosen, "all that were liked": np.flatnonzero(liked >= FANS).tolist()}
        sweep.show(summary_table(finders, groups, genres, popularity, number))


def of_the_films(model: Learned, folder: Path) -> tuple[Any, list[set[str]]]:
    """The ratings, CSR [users, V], and genres of the run's films. Raises BadInput."""
    genres, everything = tables.read_genres(folder), tables.read(folder)
    column = {title: place for place, title in enumerate(everything.vocabulary)}
    absent = [title for title in model.vocabulary if title not in column]
    if absent:
        raise BadInput(f"--input: expected the films of the run, found no {absent[0]!r} in {folder}")
    kinds = [genres.get(title, set()) for title in model.vocabulary]
    return everything.counts[:, [column[title] for title in model.vocabulary]], kinds


def queries(model: Learned, command: Command, liked: np.ndarray) -> list[int]:
    """The films that are asked for, or the well-known ones. Raises BadInput when nobody liked one."""
    if command.own["films"]:
        chosen = model.rows("films", command.own["films"])
    else:
        chosen = [row for title in WELL_KNOWN.split("; ") if (row := model.find(title)) is not None]
    if not chosen or (liked[chosen] == 0).any():
        raise BadInput("--films: expected films of the run that somebody liked, found none or one that nobody did")
    return chosen


def neighbour_table(model: Learned, finders: Finders, films: list[int]) -> Table:
    """Tables 6b and 6c."""
    found = {name: find(films) for name, find in finders.items()}
    rows = []
    for place, film in enumerate(films):
        title = model.vocabulary[film]
        for name, paper in zip(finders, PAPER.get(title, ("-", "-"))):
            rows.append((title, name, listed(model, found[name][place], "; "), paper))
    missing = [title for title in PAPER if model.find(title) is None]
    note = f"Of the paper's films these are not rated often enough: {'; '.join(missing) or 'none'}."
    return Table("(b, c) Neighbours of films", note, ("film", "by", "nearest", "paper (Netflix)"), rows)


def summary_table(
    finders: Finders, groups: dict[str, list[int]], genres: list[set[str]], popularity: np.ndarray, number: int
) -> Table:
    """How many neighbours are of the same genre, and how popular they are."""
    rows = []
    for name, find in finders.items():
        for scope, films in groups.items():
            order = find(films)
            share = shared_share(order, films, genres)
            rows.append((name, scope, len(films), 100 * share, popularity_percentile(order, popularity)))
    scope, everyone = list(groups.items())[-1]
    order = np.random.default_rng(0).integers(len(genres), size=(len(everyone), number))
    rows.append(("chance", scope, len(everyone), 100 * shared_share(order, everyone, genres), 50.0))
    header = ("by", "of", "films", "% sharing a genre", "percentile of popularity")
    return Table("Genres and popularity of neighbours", "A percentile of 50 is no bias.", header, rows)


if __name__ == "__main__":
    run_main(main)
