"""Corpora and settings at the edge: a run trains, or stops with a reason."""

import jax
import numpy as np
import pytest
import scipy.sparse

from dlgm_jax.data import compact
from dlgm_jax.data.corpus import Corpus
from tests.experiments.conftest import lines

RNG = np.random.default_rng(0)


def stored(folder, counts):
    """A corpus of these counts, a fifth of them test documents."""
    words, names = tuple(f"w{v}" for v in range(counts.shape[1])), tuple(map(str, range(len(counts))))
    corpus = Corpus(scipy.sparse.csr_matrix(counts), words, names)
    with compact.Writer(folder, words, {}) as writer:
        writer.add("train", corpus.select(range(len(counts) // 5, len(counts))))
        writer.add("test", corpus.select(range(len(counts) // 5)))
    return folder


def large(counts):
    counts[:, 3] = 10**6
    return counts


CORPORA = {
    "a million of a word": large(RNG.poisson(0.5, (60, 12))),
    "two thousand millions of a word": np.where(RNG.random((60, 12)) < 0.3, 2**31 // 12, 0),
    "single words": np.eye(12, dtype=int)[RNG.integers(0, 12, 60)],
    "one word in all": RNG.poisson(3.0, (60, 1)) + 1,
    "two words in all": RNG.poisson(3.0, (60, 2)),
    "documents without words": RNG.poisson(0.1, (60, 12)),
    "very long documents": RNG.poisson(1e5 * RNG.dirichlet(np.ones(12), 60)),
}
SMALL = ["--inference_widths=8", "--batch_size=20", "--valid_size=10", "--eval_M=5", "--epochs=2"]


@pytest.mark.parametrize(("name", "refiner"), [*zip(CORPORA, ["adam", "fisher"] * 4)])
def test_corpora_at_the_edge_train(command, tmp_path, name, refiner):
    folder = stored(tmp_path / "data", CORPORA[name])
    arguments = [*SMALL, "--K=3", "--generative_widths=6", f"--dataset={folder}", "--M=5", f"--refiner={refiner}"]
    with jax.debug_nans(True):
        code, out, err = command("train", *arguments, f"--workdir={tmp_path}/run")
    assert code == 0, err
    assert all(np.isfinite(line["perplexity_refined"]) for line in lines(tmp_path / "run"))
    assert "documents" in out


@pytest.mark.parametrize(
    "sizes",
    [["--K=1", "--generative_widths=6"], ["--K=40", "--generative_widths=6"], ["--K=1", "--model=1"]],
    ids=["K=1", "K>V", "K=1, log-linear"],
)
def test_sizes_at_the_edge_train(command, tmp_path, sizes):
    folder = stored(tmp_path / "data", RNG.poisson(0.8, (60, 12)))
    arguments = [*SMALL, *sizes, f"--dataset={folder}", "--M=5", "--refiner=fisher", f"--workdir={tmp_path}/run"]
    with jax.debug_nans(True):
        code, _, err = command("train", *arguments)
    assert code == 0, err


@pytest.mark.parametrize(("rate", "refiner"), [("3", "fisher"), ("1000", "fisher"), ("1e20", "adam")])
def test_a_learning_rate_that_is_far_too_high_trains_or_says_so(command, tmp_path, rate, refiner):
    folder = stored(tmp_path / "data", RNG.poisson(0.8, (60, 12)))
    arguments = [*SMALL, "--K=3", "--generative_widths=6", f"--dataset={folder}", "--M=5", f"--refiner={refiner}"]
    code, _, err = command("train", *arguments, f"--learning_rate={rate}", f"--workdir={tmp_path}/run")
    assert code in (0, 3)
    assert "Traceback" not in err
    if code == 3:
        assert "is not finite" in err or "the ELBO is" in err or "score is infinite" in err
        assert "a lower learning rate may help" in err.splitlines()[-1]
    if rate == "1e20":
        assert code == 3


def test_a_rate_of_refinement_that_is_far_too_high_trains_or_says_so(command, tmp_path):
    folder = stored(tmp_path / "data", RNG.poisson(0.8, (60, 12)))
    arguments = [*SMALL, "--K=3", "--generative_widths=6", f"--dataset={folder}", "--M=5", f"--workdir={tmp_path}/run"]
    code, _, err = command("train", *arguments, "--psi_learning_rate=1e20", "--eval_psi_learning_rate=1e20")
    assert code == 3
    assert "Traceback" not in err
