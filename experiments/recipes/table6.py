"""Table 6: neighbours of films by Jacobian vectors, beside the paper's baseline of mean ratings.

python -m experiments.prepare --input=ml-latest-small --output=films --min_count=10 --test_size=60
python -m experiments.train --dataset=films --M=13 --refiner=fisher --valid_size=50 --batch_size=100 --epochs=100
python -m experiments.recipes.table6 --workdir=RUN --input=ml-latest-small

The paper (Netflix): neighbours by the model are of the same kind, those of the baseline are popular films.
"""

from pathlib import Path

import numpy as np

from dlgm_jax.data.formats import tables
from dlgm_jax.embeddings.neighbours import nearest
from dlgm_jax.embeddings.ratings import mean_rating_neighbours, popularity_percentile, shared_share
from dlgm_jax.types import BadInput
from experiments.assembly import prepare_runtime
from experiments.command import parse, run_main
from experiments.findings.model import models_of
from experiments.page import Table, plain

OWN_FLAGS = {
    "workdir": (None, "the folder of a run on the films"),
    "input": (None, "the folder of MovieLens's tables"),
    "films": ("", "titles, by semicolons; unset: ten well-known ones"),
    "variant": ("log", "of the Jacobian vectors: pot, log or prob"),
    "samples": (100, "draws from the prior for the mean Jacobian, 100 as in the paper"),
    "neighbours": (5, "neighbours of a film"),
}
WELL_KNOWN = (
    "Toy Story (1995); Star Wars: Episode IV - A New Hope (1977); Silence of the Lambs, The (1991); "
    "Casablanca (1942); Matrix, The (1999); Princess Bride, The (1987); Godfather, The (1972); "
    "Alien (1979); Pretty Woman (1990); Lion King, The (1994)"
)
LIKED = 6  # half stars: rated above three stars, as under Table 6 (the text says three or above)
FANS = 5  # films that fewer people liked are left out of the averages


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["seed"])
    prepare_runtime()
    model, folder = models_of(command)[0], Path(command.text("input"))
    genres, everything = tables.read_genres(folder), tables.read(folder)
    column = {title: place for place, title in enumerate(everything.vocabulary)}
    absent = [title for title in model.vocabulary if title not in column]
    if absent:
        raise BadInput(f"--input: expected the films of the run, found no {absent[0]!r} in {folder}")
    ratings = everything.counts[:, [column[title] for title in model.vocabulary]]
    number = command.number("neighbours")
    if command.own["films"]:
        queries = model.rows("films", command.own["films"])
    else:
        queries = [row for title in WELL_KNOWN.split("; ") if (row := model.find(title)) is not None]
    liked = np.asarray((ratings > LIKED).sum(axis=0)).ravel()
    if not queries or (liked[queries] == 0).any():
        raise BadInput("--films: expected films of the run that somebody liked, found none or one that nobody did")
    kinds = [genres.get(title.rpartition(" #")[0] or title, genres.get(title, set())) for title in model.vocabulary]
    popularity = np.asarray(ratings.getnnz(axis=0))
    everyone = np.flatnonzero(liked >= FANS).tolist()
    rows, summary = [], []
    for name, find in {
        "Jacobian vectors": lambda films: nearest(model.vectors, films, num_neighbours=number)[0],
        "mean ratings": lambda films: mean_rating_neighbours(ratings, films, liked=LIKED, num_neighbours=number),
    }.items():
        for query, row in zip(queries, find(queries)):
            rows.append((model.vocabulary[query], name, "; ".join(model.vocabulary[film] for film in row)))
        for scope, films in ((f"{len(queries)} films", queries), (f"{len(everyone):,} films", everyone)):
            order = find(films)
            shares = shared_share(order, films, kinds), popularity_percentile(order, popularity)
            summary.append((name, scope, 100 * shares[0], shares[1]))
    chance = shared_share(np.random.default_rng(0).integers(len(kinds), size=(len(everyone), number)), everyone, kinds)
    summary.append(("chance", f"{len(everyone):,} films", 100 * chance, 50.0))
    rows.sort(key=lambda row: [model.vocabulary[query] for query in queries].index(row[0]))
    print(plain(Table("Neighbours of films", "", ("film", "by", "nearest"), rows)))
    header = ("by", "of", "% sharing a genre", "percentile of popularity (50 is no bias)")
    print(f"\n{plain(Table('Genres and popularity of neighbours', '', header, summary))}")


if __name__ == "__main__":
    run_main(main)
