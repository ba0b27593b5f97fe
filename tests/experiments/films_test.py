"""The recipes of films, by one command on toy ratings."""

import csv
import json
import math

import numpy as np
import pytest

from dlgm_jax import load_run
from experiments.recipes import ratings, table6
from tests.experiments.toys import cosines, rows, vectors_of, write_csv


@pytest.fixture
def films(tmp_path):
    """Users of two tastes over twelve films, those of the paper among them."""
    titles = ["Casablanca (1942)", "Princess Bride, The (1987)", *(f"Film {number} (1990)" for number in range(10))]
    folder, rng = tmp_path / "films", np.random.default_rng(0)
    folder.mkdir()
    lines = [(number, title, "Drama" if number % 2 else "War") for number, title in enumerate(titles)]
    write_csv(folder / "movies.csv", ["movieId", "title", "genres"], lines)
    lines = [(user, film, rng.integers(1, 11) / 2) for user in range(80) for film in rng.choice(12, 6, replace=False)]
    write_csv(folder / "ratings.csv", ["userId", "movieId", "rating"], lines)
    return folder


def favourites(films, query):
    """The films of highest mean rating among those who rated the query above three stars, by loops: {title: mean}."""
    titles = {row["movieId"]: row["title"] for row in csv.DictReader((films / "movies.csv").open())}
    given: dict[str, dict[str, float]] = {}
    for row in csv.DictReader((films / "ratings.csv").open()):
        given.setdefault(row["userId"], {})[titles[row["movieId"]]] = float(row["rating"])
    fans = [rated for rated in given.values() if rated.get(query, 0) > 3]
    means = {title: [rated[title] for rated in fans if title in rated] for title in titles.values() if title != query}
    return {title: sum(found) / len(found) for title, found in means.items() if len(found) >= 0.1 * len(fans)}


def test_table6_shows_both_neighbours_and_their_bias(quick, films, folder, tmp_path):
    flags = [f"--input={films}", "--neighbours=2", "--clusters=3"]
    _, tables = quick(table6, *flags)
    assert len(tables["(a) Clusters of films"].rows) == 3
    found = {(row["film"], row["by"]): row for row in rows(tables["(b, c) Neighbours of films"])}
    assert len(found) == 4
    assert "Citizen Kane" in found["Casablanca (1942)", "Jacobian vectors"]["paper (Netflix)"]
    assert "Usual Suspects" in found["Casablanca (1942)", "mean ratings"]["paper (Netflix)"]
    assert all(len(row["nearest"].split("; ")) == 2 for row in found.values())
    (run,) = json.loads((tmp_path / "table6.json").read_text())["runs"]
    workdir = next(folder.glob(f"*-{run['key']}"))
    vocabulary, near = load_run(workdir).vocabulary, cosines(vectors_of(workdir, "log"))
    for title in ("Casablanca (1942)", "Princess Bride, The (1987)"):
        order = [vocabulary[row] for row in np.argsort(-near[vocabulary.index(title)]) if vocabulary[row] != title]
        assert found[title, "Jacobian vectors"]["nearest"].split("; ") == order[:2]
        means = favourites(films, title)
        best = sorted(means.values(), reverse=True)[:2]
        assert [means[other] for other in found[title, "mean ratings"]["nearest"].split("; ")] == best
    summary = rows(tables["Genres and popularity of neighbours"])
    assert [(row["by"], row["films"]) for row in summary] == [
        *(("Jacobian vectors", number) for number in (2, 12)),
        *(("mean ratings", number) for number in (2, 12)),
        ("chance", 12),
    ]
    out, again = quick(ratings, f"--input={films}", "--k=3", "--factors=2", "--samples=5")
    assert "epochs in" not in out
    assert {row["by"] for row in rows(again["Held-out items among the first k"])} == {
        "3-M100-tfidf, refined",
        "3-M100-tfidf, network's guess",
        "truncated SVD, 2 components",
        "popularity",
    }
    completed = {row["by"]: row for row in rows(again["Completion perplexity of the tokens that are not observed"])}
    assert math.isnan(completed["truncated SVD"]["predictive"])
    assert quick(table6, *flags)[1] == tables
