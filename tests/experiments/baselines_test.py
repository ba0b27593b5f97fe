"""LDA's bound against slow truths, and the recipe that measures the left half of Table 1."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from scipy.integrate import quad
from scipy.special import betaln
from scipy.stats import dirichlet
from sklearn.decomposition import LatentDirichletAllocation

from dlgm_jax.evaluation.perplexity import perplexity, unigram_log_likelihoods, unigram_perplexity
from experiments.findings import lda
from experiments.recipes import baselines, sweep, table1
from tests import oracles
from tests.conftest import as_corpus

PHI = np.array([[0.6, 0.3, 0.1], [0.05, 0.15, 0.8]])
DOCUMENT = np.array([3.0, 1.0, 2.0])


@pytest.fixture
def converged(monkeypatch):
    monkeypatch.setattr(lda, "TOLERANCE", 1e-11)
    monkeypatch.setattr(lda, "MOST_UPDATES", 100_000)


def planted(number, seed):
    """Documents over ten words, each mostly of the first five or of the last five."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet([0.2, 0.2], number)
    phi = np.kron(np.eye(2), np.full(5, 0.2))
    return np.stack([rng.multinomial(20, p / p.sum()) for p in shares @ phi])


def test_one_topic_is_the_unigram_model():
    corpus = as_corpus(planted(30, 0))
    frequencies = corpus.word_frequencies()
    topics = lda.Topics((frequencies / frequencies.sum())[None], np.array([0.7]))
    truth = unigram_log_likelihoods(corpus, corpus)
    np.testing.assert_allclose(lda.bounds(corpus.counts, topics), truth, rtol=1e-12)
    np.testing.assert_allclose(lda.estimates(corpus.counts, topics, num_samples=3, seed=0), truth, rtol=1e-12)
    lengths = corpus.lengths.astype(float)
    assert perplexity(truth, lengths) == unigram_perplexity(corpus, corpus)


@pytest.mark.parametrize(
    ("alpha", "gap", "missed"), [((0.1, 0.1), 1.0, 0.3), ((0.02, 0.3), 0.7, 0.3), ((1.3, 2.1), 0.3, 0.01)]
)
def test_the_bound_is_below_the_integral_and_the_estimate_nearer(alpha, gap, missed):
    """Of a second mode, as sparse alphas make them, draws around the first see little."""

    def likelihood(share):
        return np.prod((share * PHI[0] + (1 - share) * PHI[1]) ** DOCUMENT)

    powers = np.array(alpha) - 1
    truth = np.log(quad(likelihood, 0, 1, weight="alg", wvar=tuple(powers))[0]) - betaln(*alpha)
    gamma = lda.posterior(DOCUMENT, PHI.T, np.array(alpha))
    bound = lda.bound(DOCUMENT, PHI.T, np.array(alpha), gamma)
    assert truth - gap < bound < truth
    rng = np.random.default_rng(0)
    estimate = lda.importance_sampled(DOCUMENT, PHI.T, np.array(alpha), gamma, 20_000, rng)
    assert truth - missed < estimate < truth + 0.01
    assert estimate > bound


def test_the_bound_is_the_expectation_that_it_stands_for():
    """At any gamma: E_q[log p(x, theta) - log q(theta)] by draws, with the best topic of every word."""
    alpha, gamma = np.array([0.4, 0.9]), np.array([2.0, 3.0])
    theta = np.random.default_rng(0).dirichlet(gamma, 200_000)
    mean_log = np.log(theta).mean(0)
    responsible = np.exp(mean_log)[:, None] * PHI
    responsible /= responsible.sum(0)
    words = DOCUMENT @ (responsible * (mean_log[:, None] + np.log(PHI) - np.log(responsible))).sum(0)
    prior = np.mean(dirichlet.logpdf(theta.T, alpha) - dirichlet.logpdf(theta.T, gamma))
    np.testing.assert_allclose(lda.bound(DOCUMENT, PHI.T, alpha, gamma), words + prior, atol=0.02)


def test_the_posterior_is_where_the_bound_is_stationary_and_best(converged):
    alpha = np.array([0.4, 0.9])
    gamma = lda.posterior(DOCUMENT, PHI.T, alpha)
    slope = oracles.gradient(lambda g: lda.bound(DOCUMENT, PHI.T, alpha, g), gamma)
    np.testing.assert_allclose(slope, 0, atol=1e-8)
    best = lda.bound(DOCUMENT, PHI.T, alpha, gamma)
    for other in np.random.default_rng(0).gamma(2, 2, (50, 2)):
        assert lda.bound(DOCUMENT, PHI.T, alpha, other) <= best


def test_the_bound_is_scikit_learns_where_its_topics_are_points(converged):
    counts = planted(12, 1)
    rng = np.random.default_rng(0)
    topics = lda.Topics(rng.dirichlet(np.full(10, 5.0), 3), np.full(3, 0.3))
    peer = LatentDirichletAllocation(3, doc_topic_prior=0.3, mean_change_tol=1e-12, max_doc_update_iter=10_000)
    peer.fit(counts)
    peer.components_ = 1e6 * topics.phi  # as good as points
    peer.exp_dirichlet_component_ = topics.phi
    of_topics = peer.score(np.zeros((1, 10), int))
    theirs = [peer.score(row[None]) - of_topics for row in counts]
    np.testing.assert_allclose(lda.bounds(scipy.sparse.csr_matrix(counts), topics), theirs, atol=2e-3)
    gammas = np.stack([lda.posterior(row.astype(float), topics.phi.T, topics.alpha) for row in counts])
    np.testing.assert_allclose(gammas / gammas.sum(1, keepdims=True), peer.transform(counts), atol=1e-6)


def test_a_document_without_words_is_certain():
    topics = lda.Topics(PHI, np.array([0.1, 0.1]))
    empty = scipy.sparse.csr_matrix((1, 3), dtype=np.int32)
    np.testing.assert_allclose(lda.bounds(empty, topics), 0, atol=1e-12)
    np.testing.assert_allclose(lda.estimates(empty, topics, num_samples=5, seed=0), 0, atol=1e-12)


@pytest.mark.parametrize("algorithm", ["batch", "gibbs"])
def test_every_algorithm_finds_planted_topics(algorithm):
    counts = np.hstack([planted(200, 2), np.zeros((200, 1), int)])  # the last word never occurs
    train, test = as_corpus(counts), as_corpus(np.hstack([planted(50, 3), np.zeros((50, 1), int)]))
    if algorithm == "gibbs":
        pytest.importorskip("tomotopy")
        topics = lda.gibbs_topics(train.counts, 2, passes=50, seed=0)
    else:
        topics = lda.variational_topics(train.counts, 2, passes=20, seed=0)
    np.testing.assert_allclose(topics.phi.sum(1), 1)
    assert np.all(topics.phi > 0)
    assert topics.alpha.shape == (2,)
    halves = topics.phi[:, :5].sum(1)
    assert min(halves) < 0.1
    assert max(halves) > 0.9
    lengths = test.lengths.astype(float)
    bound = perplexity(lda.bounds(test.counts, topics), lengths)
    estimate = perplexity(lda.estimates(test.counts, topics, num_samples=200, seed=0), lengths)
    assert estimate < bound < unigram_perplexity(train, test)


def test_the_recipe_measures_once_and_shows_the_papers_figures(nvdm_folder, tmp_path, capsys, monkeypatch):
    pytest.importorskip("tomotopy")
    monkeypatch.setattr(table1, "NVDM", (30, 60))  # as if these were the paper's documents
    asked, run_rows = {}, sweep.Sweep.run
    monkeypatch.setattr(
        sweep.Sweep,
        "run",
        lambda own, rows: (asked.update({row.name: row.settings for row in rows}), run_rows(own, rows))[1],
    )
    command = ["baselines", f"--dataset={nvdm_folder}", "--quick", f"--folder={tmp_path}"]
    baselines.main(command)
    held = json.loads((tmp_path / "baselines-quick.json").read_text())
    ((title, table),) = held["tables"].items()
    assert title == "Baselines on 20 Newsgroups [--dataset=small --quick=True --seeds=1]"
    shown, found = {row[0]: row[1:] for row in table["rows"]}, {run["row"]: run for run in held["runs"]}
    assert [row[-1] for row in table["rows"]] == [None, 1091, 1091, 1058, 1058, 836, 852, 953, 909, 917]
    assert {row[1] for row in shown.values()} == {"exact", "bound, mean field", "bound, 20 samples", "-"}
    assert [(name, settings["K"]) for name, settings in asked.items()] == [(f"NVDM-style, K={K}", K) for K in (50, 200)]
    network = found.pop("NVDM-style, K=50")  # that of K=200 is the same, for --quick has K=4
    assert found.keys() == {"unigram", "LDA, collapsed Gibbs, K=50", "LDA, batch variational, K=50"}
    for name, run in found.items():
        (bound, estimate), (corpus_bound, _) = run["scores"]["test"], run["corpus"]["test"]
        assert shown[name][0] == bound
        assert shown[name][2:4] == [estimate if "LDA" in name else None, corpus_bound]
    assert "tomotopy" in found["LDA, collapsed Gibbs, K=50"]["library"]
    assert "scikit-learn" in found["LDA, batch variational, K=50"]["library"]
    settings = {
        name: network["settings"][name] for name in ("features", "activation", "batch_size", "M", "eval_samples")
    }
    assert settings == {"features": "counts", "activation": "tanh", "batch_size": 64, "M": 1, "eval_samples": 20}
    assert shown["NVDM-style, K=50"][0] == shown["NVDM-style, K=200"][0] == network["scores"]["test"][0]
    for run in held["runs"]:
        assert Path(run["settings"]["dataset"]).name.startswith("beginning-")
        for form in ("scores", "corpus"):
            assert np.isfinite(run[form]["validation"] + run[form]["test"]).all()
    corpora = baselines.splits(str(next(tmp_path.glob("beginning-*"))), 0, True)
    truth = unigram_perplexity(corpora["train"], corpora["test"])
    np.testing.assert_allclose(found["unigram"]["scores"]["test"], truth, atol=0.06)
    before = capsys.readouterr().out.partition("Baselines on")[2]

    monkeypatch.setattr(lda, "bounds", None)
    monkeypatch.setattr(sweep, "trained", None)
    baselines.main(command)
    assert capsys.readouterr().out.partition("Baselines on")[2] == before

    monkeypatch.setattr(table1, "NVDM", None)  # as if they were not
    baselines.main(command)
    (_, table), (title, other) = json.loads((tmp_path / "baselines-quick.json").read_text())["tables"].items()
    assert title.startswith("Baselines on small [")
    assert other["header"] == table["header"][:-1]
    assert other["rows"] == [row[:-1] for row in table["rows"][:7]]


def test_a_unigram_that_would_be_infinite_is_smoothed_and_said_to_be(monkeypatch):
    train, validation, test = np.array([[3, 1, 0], [1, 2, 0]]), np.array([[1, 1, 1]]), np.array([[2, 1, 0]])
    corpora = {"train": as_corpus(train), "validation": as_corpus(validation), "test": as_corpus(test)}
    monkeypatch.setattr(baselines, "splits", lambda dataset, seed, quick: corpora)
    found = baselines.figures_of({"model": "unigram", "dataset": "here", "seed": 0}, False)
    logs = np.log(np.array([4.01, 3.01, 0.01]) / 7.03)
    expected = {"validation": np.exp(-logs.mean()), "test": np.exp(-(2 * logs[0] + logs[1]) / 3)}
    assert found["scores"] == {split: [round(value, 1)] * 2 for split, value in expected.items()}
    assert baselines.exactness([found]) == "exact, 0.01 added to each word's count"
    assert baselines.exactness([{"added": 0.0}, found]) == "exact, 0.01 added to each word's count by 1 of 2 seeds"
    assert baselines.exactness([{"added": 0.0}, {}]) == "exact"


def test_without_tomotopy_its_rows_are_left_out(monkeypatch, capsys):
    monkeypatch.setattr(lda, "has_gibbs", False)
    monkeypatch.setattr(baselines, "measured", lambda sweep, name, settings: [])
    assert list(baselines.lda_rows(type("Quick", (), {"quick": True}), "here", 50)) == ["batch"]
    assert "tomotopy is not installed" in capsys.readouterr().out
