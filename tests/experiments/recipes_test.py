"""The recipes on toy files: what their tables hold."""

import json
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import BadInput, Corpus, Params
from dlgm_jax.data import compact
from dlgm_jax.data.formats import tables
from dlgm_jax.learning.checkpoints import Checkpoints
from dlgm_jax.types import Dense
from experiments import train
from experiments.assembly import assemble
from experiments.config import Config
from experiments.recipes import cells as cells_recipe
from experiments.recipes import ratings
from experiments.workdir import claim
from tests.conftest import write_nvdm
from tests.data.tables_test import movielens

ROOT = Path(__file__).parent.parent.parent
TRAIN = ["--K=3", "--generative_widths=6", "--inference_widths=6", "--batch_size=20", "--M=1", "--eval_M=3"]


def run(module, *arguments):
    command = [sys.executable, "-m", f"experiments.{module}", *map(str, arguments)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return found.stdout


def trained(source, folder, *arguments, seed=0, name="run"):
    """A corpus of `source` and a small run on it."""
    if not (folder / "corpus").exists():
        run("prepare", f"--input={source}", f"--output={folder / 'corpus'}", "--min_count=1", *arguments)
    more = ["--valid_size=3", "--epochs=2", f"--seed={seed}", f"--workdir={folder / name}"]
    run("train", f"--dataset={folder / 'corpus'}", *TRAIN, *more)
    return folder / name


def cells(out, first):
    return [line.split() for line in out.splitlines() if line.startswith(first)]


def test_table3_compares_all_vectors_on_the_same_pairs(tmp_path):
    rng = np.random.default_rng(0)
    words = ["river", "bank", "water", "money", "loan", "fish", "boat", "trade"]
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(" ".join(rng.choice(words, 15)) for _ in range(60)) + "\n")
    pairs = "river\twater\t9\nbank\tmoney\t8\nfish\tloan\t1\nboat\ttrade\t3\nriver\tzebra\t5\n"
    (tmp_path / "ws.txt").write_text(pairs)
    scws = [line.split("\t") for line in pairs.splitlines()]
    lines = [f"1\t{a}\tn\t{b}\tn\tthe <b> {a} </b> boat\t<b> {b} </b> fish\t{r}" + "\t0" * 10 for a, b, r in scws]
    (tmp_path / "scws.txt").write_text("\n".join(lines) + "\n")
    first = trained(texts, tmp_path, "--test_size=5")
    second = trained(texts, tmp_path, seed=1, name="other")
    output = tmp_path / "deep" / "table3.json"
    files = f"--similarity={tmp_path / 'ws.txt'},{tmp_path / 'scws.txt'}"
    run("recipes.table3", f"--workdir={first},{second}", f"--texts={texts}", files, "--samples=5", f"--output={output}")
    rows = json.loads(output.read_text())
    vectors = [row["vectors"] for row in rows if row["file"] == "ws.txt"]
    assert len(vectors) == len(set(vectors)) == 2 * 3 + 3
    assert sum("in context" in row["vectors"] for row in rows) == 2
    assert {row["pairs"] for row in rows} == {4}
    assert all(-100 <= row["Spearman x 100"] <= 100 for row in rows)


def test_table4_counts_codes_and_shows_chance_and_the_ceiling(tmp_path):
    folder = tmp_path / "mimic"
    folder.mkdir()
    rng = np.random.default_rng(0)
    codes = ["0101", "0102", "0103", "5301", "5302", "5303", "V100"]
    rows = [f"{patient},{code}" for patient in range(40) for code in rng.choice(codes, 4)]
    (folder / "DIAGNOSES_ICD.csv").write_text("SUBJECT_ID,ICD9_CODE\n" + "\n".join(rows) + "\n")
    (tmp_path / "fine.txt").write_text("010.1 010.2 010.3\n530.1 530.2 530.3\n")
    (tmp_path / "coarse.txt").write_text("1  All\n1.1  Some\n     0101 0102 0103 5301 5302 5303\n")
    workdir = trained(folder, tmp_path)
    files = [f"--fine={tmp_path / 'fine.txt'}", f"--coarse={tmp_path / 'coarse.txt'}"]
    out = run("recipes.table4", f"--workdir={workdir}", *files, "--samples=5", "--neighbours=2")
    for grain, row in (("fine", cells(out, "fine")), ("coarse", cells(out, "coarse"))):
        assert len(row) == 3, grain
        assert all(line[-2:] == ["6", "1"] for line in row)
        assert float(row[2][-3]) == 100  # vectors of the groups themselves


def test_table6_shows_both_neighbours_and_their_bias(tmp_path):
    rng = np.random.default_rng(0)
    ratings = ["userId,movieId,rating"]
    ratings += [f"{user},{film},{rng.integers(1, 11) / 2}" for user in range(40) for film in (1, 2, 3)]
    folder = movielens(tmp_path / "ml", "\n".join(ratings) + "\n")
    workdir = trained(folder, tmp_path)
    title = tables.read(folder).vocabulary[0]
    arguments = [f"--workdir={workdir}", f"--input={folder}", "--neighbours=1", "--samples=5"]
    out = run("recipes.table6", *arguments, f"--films={title}")
    assert len(cells(out, title)) == 2
    summary = [line for line in out.splitlines() if "films" in line and ("vectors" in line or "ratings" in line)]
    assert len(summary) >= 4


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
    ratings.main(["ratings", f"--workdir={workdir}", "--k=5,1", "--factors=2,9", "--samples=10"])
    out = capsys.readouterr().out
    figures = json.loads((workdir / "ratings.json").read_text())
    assert out.splitlines()[-1].endswith("ratings.json")
    first = {row["by"]: row for row in figures["ranking"]["rows"] if row["k"] == 5}
    assert len(first) == 4
    for name, row in first.items():  # of six films five are observed, so that five of the same taste are left
        assert row["Recall (Liang)"] == row["Recall (classical)"] == (0.75 if name == "popularity" else 1), name
        assert row["NDCG"] <= row["Recall (Liang)"]
    completed = {row["by"]: row["predictive"] for row in figures["completion"]["rows"]}
    assert list(completed) == ["model, refined", "model, network's guess", "truncated SVD", "popularity"]
    assert completed["truncated SVD"] is None
    np.testing.assert_allclose(completed["model, network's guess"], 10, rtol=1e-3)
    np.testing.assert_allclose(completed["model, refined"], 10, rtol=1e-2)
    assert 15 < completed["popularity"] < 20

    single = write_nvdm(tmp_path / "single", two_tastes(240, rng), np.eye(20, dtype=int))
    with pytest.raises(BadInput, match="expected test documents of two items, found none"):
        ratings.main(["ratings", f"--workdir={workdir}", f"--dataset={single}"])


@pytest.mark.parametrize(
    ("module", "flags", "message"),
    [
        ("table4", ["--variant=odds"], "--variant: expected one of pot, log, prob, found 'odds'"),
        ("ratings", ["--k="], "--k: expected whole numbers from 1 as 20,50, found nothing"),
        ("ratings", ["--observed_items=1"], "--observed_items: expected a share between 0 and 1, found 1"),
        ("table6", ["--samples=0"], "--samples: expected a whole number from 1, found 0"),
        ("table3", ["--texts=a", "--similarity=nowhere.txt"], "nowhere.txt: cannot be read"),
    ],
)
def test_bad_flags_are_one_line(module, flags, message):
    command = [sys.executable, "-m", f"experiments.recipes.{module}", "--workdir=nowhere", *flags]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 2
    assert message in found.stderr
    assert found.stderr.count("\n") == 1


def test_types_of_cells_are_found_where_they_are_planted(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    kinds = np.arange(120) % 2
    counts = rng.poisson(np.where(kinds[:, None] == np.arange(12) // 6, 4.0, 0.3))
    labels = tuple("ab"[kind] for kind in kinds)
    corpus = Corpus(counts, tuple(f"gene{v}" for v in range(12)), tuple(map(str, range(120))), labels)
    with compact.Writer(tmp_path / "cells", corpus.vocabulary, {}) as writer:
        writer.add("train", corpus.select(range(90)))
        writer.add("test", corpus.select(range(90, 120)))
    run = ["--K=2", "--generative_widths=", "--inference_widths=8", "--batch_size=30", "--valid_size=10"]
    run += ["--M=5", "--refiner=fisher", "--epochs=8", "--eval_M=5", "--eval_refiner=fisher", "--learning_rate=0.03"]
    workdir = f"--workdir={tmp_path / 'run'}"
    train.main(["train", f"--dataset={tmp_path / 'cells'}", workdir, *run])
    capsys.readouterr()
    cells_recipe.main(["cells", workdir, "--components=5"])
    found = {line.split("  ")[0]: line.split()[-3:] for line in capsys.readouterr().out.splitlines() if line}
    assert [float(figure) for figure in found["log-normalised, 5 components"]] == [100, 100, 1]
    neighbours, linear, index = map(float, found["posterior means"])
    assert min(neighbours, linear) > 90
    assert index > 0.8
