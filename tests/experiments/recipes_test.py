"""The recipes on toy files: what their tables hold."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import BadInput, Corpus, Params
from dlgm_jax.data import compact, datasets
from dlgm_jax.data.completion import halves, tokens
from dlgm_jax.storage.checkpoints import Checkpoints
from dlgm_jax.types import Dense
from experiments.flags.config import Config
from experiments.recipes import cells, labels, ratings, sizes, table6
from experiments.workdir.assembly import assemble
from experiments.workdir.workdir import claim
from tests.conftest import write_nvdm


def two_tastes(number, rng):
    """Each user has six films of the first ten (three users in four) or of the last ten: [number, 20]."""
    counts = np.zeros((number, 20), int)
    for user, row in enumerate(counts):
        films = rng.choice(10, 6, replace=False) + (10 if user % 4 == 0 else 0)
        row[films] = rng.integers(1, 11, 6)
    return counts


def knows_tastes(dataset, workdir, log_var=-4.0, scale=2):
    """A run that learned nothing but which ten films belong together: z is 2 or -2, mu is uniform over ten films.

    Its network guesses z at `scale` times the taste.
    """
    sizes: dict = {"K": 1, "generative_widths": (), "inference_widths": (), "features": "norm"}
    config = Config.of(dataset=str(dataset), valid_size=40, batch_size=50, eval_M=5, **sizes)
    assembly = assemble(config)
    taste = jnp.repeat(jnp.array([1.0, -1.0]), 10)
    theta, phi = assembly.init_state().params
    theta = theta._replace(output=Dense(4 * taste[None], jnp.zeros(20)))
    phi = phi._replace(
        mean=Dense(scale * taste[:, None], jnp.zeros(1)), log_var=Dense(jnp.zeros((20, 1)), jnp.full(1, log_var))
    )
    claim(workdir, assembly)
    best = Checkpoints(workdir / "best")
    best.save(1, Params(theta, phi), {})
    best.wait()
    return workdir


def test_ratings_ranks_a_users_own_taste_first(tmp_path, capsys):
    rng = np.random.default_rng(0)
    folder = write_nvdm(tmp_path / "tastes", two_tastes(240, rng), two_tastes(40, rng))
    workdir = knows_tastes(folder, tmp_path / "run", log_var=2.0)
    own = [f"--workdir={workdir}", f"--folder={tmp_path}"]
    ratings.main(["ratings", *own, "--k=7,1", "--factors=2,9", "--observed_items=0.5"])
    ranking, completion = json.loads((tmp_path / "ratings.json").read_text())["tables"].values()
    assert capsys.readouterr().out.splitlines()[-1].endswith("ratings.json")
    found = [dict(zip(ranking["header"], row)) for row in ranking["rows"]]
    assert len(found) == 8
    for row in found:  # of six films three are observed, so that seven of the same taste are left
        if row["k"] == 7:
            taste = 0.75 if row["by"] == "popularity" else 1
            assert row["Recall (Liang)"] == row["Recall (classical)"] == taste, row["by"]
            assert row["NDCG"] <= taste
        else:
            hits = row["NDCG"]
            assert hits == row["Recall (Liang)"] == pytest.approx(3 * row["Recall (classical)"])
            assert row["std. error of NDCG"] == pytest.approx(np.sqrt(hits * (1 - hits) / 39))
    completed = {row[0]: row[1:] for row in completion["rows"]}
    refined, guess, *others = completed
    assert others == ["truncated SVD", "popularity"]
    assert (refined.partition(", ")[2], guess.partition(", ")[2]) == ("refined", "network's guess")
    assert completed["truncated SVD"] == [None] * 4
    for name in (refined, guess):
        predictive, plug_in, corpus_predictive, corpus_plug_in = completed[name]
        np.testing.assert_allclose((plug_in, corpus_plug_in), 10, rtol=1e-2)
        assert min(predictive, corpus_predictive) > 11  # posteriors are so wide that draws are of the other taste too
    scored = halves(datasets.load(str(folder)).test, tokens, share=0.5, seed=0).scored.counts.toarray()
    training = assemble(Config.from_json(json.loads((workdir / "config.json").read_text()))).train.in_memory()
    seen = training.counts.toarray().sum(0) + 1
    log_likelihoods, lengths = scored @ np.log(seen / seen.sum()), scored.sum(1)
    by_document = np.exp(-np.mean(log_likelihoods / lengths))
    by_word = np.exp(-log_likelihoods.sum() / lengths.sum())
    np.testing.assert_allclose(completed["popularity"], [by_document] * 2 + [by_word] * 2, rtol=1e-5)

    single = write_nvdm(tmp_path / "single", two_tastes(240, rng), np.eye(20, dtype=int))
    with pytest.raises(BadInput, match="expected test documents of two items, found none"):
        ratings.main(["ratings", *own, f"--dataset={single}"])


def test_a_network_that_guesses_nothing_is_told_from_refinement(tmp_path):
    rng = np.random.default_rng(0)
    folder = write_nvdm(tmp_path / "tastes", two_tastes(240, rng), two_tastes(40, rng))
    workdir = knows_tastes(folder, tmp_path / "run", scale=0)
    own = [f"--workdir={workdir}", f"--folder={tmp_path}", "--eval_refiner=fisher", "--eval_M=21"]
    ratings.main(["ratings", *own, "--k=7", "--factors=2", "--observed_items=0.5"])
    ranking, completion = json.loads((tmp_path / "ratings.json").read_text())["tables"].values()
    found = {row[1].partition(", ")[2]: row[2] for row in ranking["rows"]}
    assert found["refined"] == 1 > found["network's guess"]
    plug_in = {row[0].partition(", ")[2]: row[2] for row in completion["rows"]}
    assert plug_in["refined"] < 10.5
    assert plug_in["network's guess"] == pytest.approx(20, rel=1e-3)


def test_types_of_cells_are_found_where_they_are_planted(tmp_path):
    rng = np.random.default_rng(0)
    labels = tuple("b" if user % 4 == 0 else "a" for user in range(120))
    words = tuple(f"gene{v}" for v in range(20))
    corpus = Corpus(two_tastes(120, rng), words, tuple(map(str, range(120))), labels)
    with compact.Writer(tmp_path / "corpus", corpus.vocabulary, {}) as writer:
        writer.add("train", corpus.select(range(90)))
        writer.add("test", corpus.select(range(90, 120)))
    workdir = knows_tastes(tmp_path / "corpus", tmp_path / "run")
    cells.main(["cells", f"--workdir={workdir}", "--components=5", f"--folder={tmp_path}"])
    (table,) = json.loads((tmp_path / "cells.json").read_text())["tables"].values()
    assert "30 test and 50 training documents, 2 labels" in table["note"]
    (_, *model), (name, *components) = table["rows"]
    assert model == [100, 100, 1]
    assert name == "log-normalised, 5 components"
    assert components[:2] == [100, 100]


@pytest.mark.parametrize("kinds", [(("a", "a"), ("a", "b")), (("a", "b"), None), (None, ("a", "b"))])
def test_labels_of_one_kind_or_of_one_split_are_refused(kinds):
    counts, words = np.eye(2, dtype=int), ("v", "w")
    corpora = {split: Corpus(counts, words, words, found) for split, found in zip(("train", "test"), kinds)}
    with pytest.raises(BadInput, match="cells: expected documents with labels of two kinds, found none"):
        cells.labels_of(corpora, "cells")


def test_a_linear_probe_and_clusters_do_not_tell_opposite_corners():
    rng = np.random.default_rng(0)
    corners = np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]])
    found = {split: np.repeat(corners, 40, axis=0) + rng.normal(0, 0.1, (160, 2)) for split in ("train", "test")}
    neighbours, probe, index = cells.judged(found, {split: ["a"] * 80 + ["b"] * 80 for split in found})
    assert neighbours == 100
    assert probe < 80
    assert index < 0.1


def test_neighbours_of_films_are_judged_by_genre_and_popularity():
    genres = [{"war"}, {"war"}, {"war", "love"}, {"love"}, {"crime"}]
    finders = {"one": lambda films: np.array([[1, 2], [4, 0]])[: len(films)], "other": lambda films: films[:, None]}
    groups = {"two": np.array([0, 3]), "all": np.array([0])}
    table = table6.summary_table(finders, groups, genres, np.array([10, 50, 20, 30, 40]), 2)
    assert table.rows[:4] == [
        ("one", "two", 2, 50.0, 100 * np.mean([1, 0.25, 0.75, 0])),
        ("one", "all", 1, 100.0, 100 * np.mean([1, 0.25])),
        ("other", "two", 2, 100.0, 25.0),
        ("other", "all", 1, 100.0, 0.0),
    ]
    by, of, films, _, percentile = table.rows[4]
    assert (by, of, films, percentile) == ("chance", "all", 1, 50.0)
    assert table.header == ("by", "of", "films", "% sharing a genre", "percentile of popularity")


def test_drawn_documents_have_the_words_that_prepare_would_choose():
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.linspace(0.01, 0.5, 30), (90, 30))
    labels = tuple("ab"[document % 2] for document in range(90))
    corpus = Corpus(counts, tuple(f"w{v}" for v in range(30)), tuple("same" for _ in labels), labels)
    for asked, least in ((10, 10), (0, 1)):
        parts = sizes.drawn(corpus, 60, 3, asked)
        assert (parts["train"].num_documents, parts["test"].num_documents) == (60, 30)
        assert parts["train"].vocabulary == parts["test"].vocabulary
        assert parts["train"].word_frequencies().min() >= least
        order = np.random.default_rng([60, 3]).permutation(90)
        kept = counts[order[:60]].sum(0) >= least
        np.testing.assert_array_equal(parts["train"].counts.toarray(), counts[order[:60]][:, kept])
        np.testing.assert_array_equal(parts["test"].counts.toarray(), counts[order[60:]][:, kept])
        assert parts["test"].labels == tuple(labels[document] for document in order[60:])
        assert len(set(parts["train"].ids + parts["test"].ids)) == 90


def test_latents_scaled_by_the_jacobian_lie_as_far_apart_as_their_log_probabilities():
    rng = np.random.default_rng(0)
    jacobian, found = rng.normal(size=(12, 4)), {"train": rng.normal(size=(7, 4)), "test": rng.normal(size=(3, 4))}
    scales = labels.scaled(found, jacobian)
    for split, rows in found.items():
        between = rows[:, None] - rows[None]
        far = np.linalg.norm(between @ jacobian.T, axis=-1)
        others = scales["J_mean^log means"][split]
        np.testing.assert_allclose(np.linalg.norm(others[:, None] - others[None], axis=-1), far, atol=1e-9)
    np.testing.assert_allclose(scales["means / deviations"]["train"].std(0), 1)
