"""The recipes on toy files: what their tables hold."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import BadInput, Corpus, Params
from dlgm_jax.data import compact
from dlgm_jax.learning.checkpoints import Checkpoints
from dlgm_jax.types import Dense
from experiments.assembly import assemble
from experiments.config import Config
from experiments.recipes import cells, ratings
from experiments.workdir import claim
from tests.conftest import write_nvdm


def two_tastes(number, rng):
    """Each user has six films of the first ten (three users in four) or of the last ten: [number, 20]."""
    counts = np.zeros((number, 20), int)
    for user, row in enumerate(counts):
        films = rng.choice(10, 6, replace=False) + (10 if user % 4 == 0 else 0)
        row[films] = rng.integers(1, 11, 6)
    return counts


def knows_tastes(dataset, workdir):
    """A run that learned nothing but which ten films belong together: z is 2 or -2, mu is uniform over ten films."""
    sizes: dict = {"K": 1, "generative_widths": (), "inference_widths": (), "features": "norm"}
    config = Config(dataset=str(dataset), valid_size=40, batch_size=50, eval_M=5, **sizes).resolved()
    assembly = assemble(config)
    taste = jnp.repeat(jnp.array([1.0, -1.0]), 10)
    theta, phi = assembly.init_state().params
    theta = theta._replace(output=Dense(4 * taste[None], jnp.zeros(20)))
    phi = phi._replace(
        mean=Dense(2 * taste[:, None], jnp.zeros(1)), log_var=Dense(jnp.zeros((20, 1)), -4 * jnp.ones(1))
    )
    claim(workdir, assembly)
    best = Checkpoints(workdir / "best")
    best.save(1, Params(theta, phi), {})
    best.wait()
    return workdir


def test_ratings_ranks_a_users_own_taste_first(tmp_path, capsys):
    rng = np.random.default_rng(0)
    folder = write_nvdm(tmp_path / "tastes", two_tastes(240, rng), two_tastes(40, rng))
    workdir = knows_tastes(folder, tmp_path / "run")
    own = [f"--workdir={workdir}", f"--folder={tmp_path}"]
    ratings.main(["ratings", *own, "--k=5,1", "--factors=2,9", "--samples=10"])
    ranking, completion = json.loads((tmp_path / "ratings.json").read_text())["tables"].values()
    assert capsys.readouterr().out.splitlines()[-1].endswith("ratings.json")
    found = [dict(zip(ranking["header"], row)) for row in ranking["rows"]]
    first = {row["by"]: row for row in found if row["k"] == 5}
    assert len(first) == 4
    for name, row in first.items():  # of six films five are observed, so that five of the same taste are left
        assert row["Recall (Liang)"] == row["Recall (classical)"] == (0.75 if name == "popularity" else 1), name
        assert row["NDCG"] <= row["Recall (Liang)"]
    completed = {row[0]: row[1] for row in completion["rows"]}
    refined, guess, *others = completed
    assert others == ["truncated SVD", "popularity"]
    assert (refined.partition(", ")[2], guess.partition(", ")[2]) == ("refined", "network's guess")
    assert completed["truncated SVD"] is None
    np.testing.assert_allclose(completed[guess], 10, rtol=1e-3)
    np.testing.assert_allclose(completed[refined], 10, rtol=1e-2)
    assert 15 < completed["popularity"] < 20

    single = write_nvdm(tmp_path / "single", two_tastes(240, rng), np.eye(20, dtype=int))
    with pytest.raises(BadInput, match="expected test documents of two items, found none"):
        ratings.main(["ratings", *own, f"--dataset={single}"])


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
