"""The recipe of autoencoders against what its runs hold."""

import jax
import numpy as np

from dlgm_jax import load_run
from experiments.recipes import autoencoders
from experiments.recipes.sweep import best_of
from experiments.workdir.workdir import Metrics
from tests.experiments.conftest import results


def test_autoencoders_are_trained_scored_and_decoded(recipe, nvdm_folder, tmp_path):
    code, _, err = recipe("autoencoders", "--quick", f"--dataset={nvdm_folder}", f"--folder={tmp_path}")
    assert code == 0, err
    held = results(tmp_path / "autoencoders-quick.json")
    runs = {run["row"]: run for run in held["runs"]}
    assert list(runs) == [
        *(f"vae, beta {beta}" for beta in ("0", "0.25", "1", "4")),
        *("ae", "dae"),
        *(f"{name}, tf-idf rows" for name in ("ae", "dae", "vae", "vae, linear decoder")),
        "vae, refined, KL over 500 steps, tf-idf rows",
    ]
    assert len({run["key"] for run in runs.values()}) == 11
    assert [run["settings"]["M"] for run in runs.values()] == [1] * 10 + [3]
    folders = {name: next(tmp_path.glob(f"*-{run['key']}")) for name, run in runs.items()}
    tables = {title.split(" [")[0]: table["rows"] for title, table in held["tables"].items()}

    for name, *cells in tables["Autoencoders of counts on small"]:
        test = Metrics(folders[name]).read("test")[-1]
        assert cells[1:3] == [round(test[one], 1) for one in ("perplexity", "perplexity_refined")]
        assert cells[3:6] == [test["kl"], test["kl_refined"], test["active_units"]]
        assert (test["kl"] == 0) == (name in ("ae", "dae"))
    for name, *cells in tables["Autoencoders of tf-idf rows on small"]:
        test = Metrics(folders[name]).read("test")[-1]
        assert cells[:2] == [test["bound"], test["bound_refined"]]
        assert test["perplexity"] is None

    codes = jax.random.normal(jax.random.key(0), (4, 4))
    for name, code, size, words in tables["Random codes on small"]:
        run = load_run(folders[name])
        log_probs = np.asarray(run.model.log_probs(run.params, codes[code - 1]), np.float64)
        assert words.split(", ") == [run.vocabulary[word] for word in np.argsort(-log_probs, kind="stable")[:8]]
        np.testing.assert_allclose(np.log(size), -(np.exp(log_probs) * log_probs).sum(), rtol=1e-4)
    (picture,) = tmp_path.glob("autoencoders-quick-*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_beta_is_all_that_differs_among_the_variational_ones():
    counts, real = autoencoders.rows({"K": 7})
    assert [row.settings.get("beta") for row in counts] == [0.0, 0.25, 1.0, 4.0, None, None]
    assert all(row.settings["K"] == 7 for row in counts + real)


def test_the_best_epoch_is_that_of_the_lowest_loss():
    real = [{"perplexity_refined": None, "loss": -bound} for bound in (3.0, 5.0, 4.0)]
    assert best_of(real)["loss"] == -5
    words = [{"perplexity_refined": value, "loss": value} for value in (None, 9.0, 8.0)]
    assert best_of(words)["loss"] == 8
    older = [{"perplexity_refined": value} for value in (None, 9.0, 8.0)]
    assert best_of(older)["perplexity_refined"] == 8
