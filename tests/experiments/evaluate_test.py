"""What evaluate says: scores beside a baseline that is finite, and document completion against loops."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import infer, load_run, refine, tfidf
from dlgm_jax.data import compact
from dlgm_jax.distributions.gaussian import sample
from experiments.workdir.assembly import COMPLETE
from tests import oracles
from tests.conftest import as_corpus
from tests.experiments.toys import made

RNG = np.random.default_rng(3)
COUNTS = {"train": RNG.poisson(1.0, (30, 9)), "validation": RNG.poisson(0.8, (6, 9)), "test": RNG.poisson(0.8, (7, 9))}
COUNTS["train"][:, 8] = COUNTS["test"][:, 8] = 0
COUNTS["validation"][2, 8] = 3  # of a word that no other documents have
COUNTS["test"][4] = np.eye(9)[1]  # one token, of which nothing is scored
SAMPLES = 4
REFINE = jax.jit(refine, static_argnames=("num_steps", "learning_rate"))


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A run on a corpus whose validation documents alone have a word."""
    folder = tmp_path_factory.mktemp("completion")
    with compact.Writer(folder / "corpus", tuple(f"w{v}" for v in range(9)), {}) as writer:
        for split, counts in COUNTS.items():
            writer.add(split, as_corpus(counts))
    return made(folder / "corpus", folder / "run")


def table(out):
    """Title of a row -> the figures of its splits."""
    rows = [re.fullmatch(r"(.{48})((?: +[\d.,]+)+)", line) for line in out.splitlines()]
    return {row[1].strip(): row[2].split() for row in rows if row}


def halves_of(counts, document):
    rng = np.random.default_rng([0, document])
    observed = np.zeros_like(counts)
    words = np.flatnonzero(counts)
    if counts.sum():
        number = min(max(round(0.5 * counts.sum()), 1), max(counts.sum() - 1, 1))
        observed[words] = rng.multivariate_hypergeometric(counts[words], number)
    return observed, counts - observed


def by_loops(run, split, num_steps):
    """Perplexities of the scored halves: predictive, plug-in, and over the corpus the predictive."""
    key, (theta, phi) = jax.random.fold_in(jax.random.key(0), COMPLETE), run.params
    scored, predicted, plugged = [], [], []
    for document, counts in enumerate(COUNTS[split]):
        observed, other = halves_of(counts, document)
        if other.sum() == 0:
            continue
        x = jnp.asarray(observed, jnp.float32)
        psi = infer(phi, tfidf(x, run.idf))
        refine_key, draw_key = (jax.random.fold_in(jax.random.fold_in(key, use), document) for use in (0, 2))
        if num_steps:
            psi, _ = REFINE(theta, psi, x, refine_key, num_steps=num_steps, learning_rate=0.008)
        draws = [sample(psi, jax.random.fold_in(draw_key, s)) for s in range(SAMPLES)]
        mu = np.mean([oracles.probabilities(theta, z) for z in draws], axis=0)
        scored.append(other.sum())
        predicted.append(sum(n * np.log(p) for n, p in zip(other, mu) if n))
        at_mean = oracles.probabilities(theta, psi.mean)
        plugged.append(sum(n * np.log(p) for n, p in zip(other, at_mean) if n))
    means = [np.mean([value / n for value, n in zip(values, scored)]) for values in (predicted, plugged)]
    return np.exp([-means[0], -means[1], -sum(predicted) / sum(scored)])


def unigram_by_loops(split, added):
    frequencies = COUNTS["train"].sum(0) + added
    halves = [halves_of(counts, document)[1] for document, counts in enumerate(COUNTS[split])]
    logs = np.log(frequencies / frequencies.sum())
    return np.exp(-np.mean([half @ logs / half.sum() for half in halves if half.sum()]))


def test_completion_is_by_loops_what_it_says(workdir, command):
    arguments = [f"--workdir={workdir}", "--completion", f"--samples={SAMPLES}"]
    code, out, err = command("evaluate", *arguments)
    assert code == 0, err
    found, run = table(out), load_run(workdir)
    left_out = [
        sum(halves_of(*pair[::-1])[1].sum() == 0 for pair in enumerate(COUNTS[s])) for s in ("validation", "test")
    ]
    assert found["documents"] == ["6", "7"]
    assert found["of them with fewer than two tokens: left out"] == list(map(str, left_out))
    for column, split in enumerate(("validation", "test")):
        for title, name, num_steps in (("M=1, at the network's guess", "M=1", 0), ("M=5, refined", "M=5", 4)):
            rows = [f"{title}, predictive", f"{title}, plug-in", f"corpus total, {name}, predictive"]
            shown = [float(found[row][column]) for row in rows]
            np.testing.assert_allclose(shown, by_loops(run, split, num_steps), atol=0.06)
        smoothed = float(found["unigram model, 0.01 added to each word's count"][column])
        np.testing.assert_allclose(smoothed, unigram_by_loops(split, 0.01), atol=0.06)
    assert "Half of a document's tokens is observed, drawn by the run's seed 0; the other half is scored." in out
    assert "the mean of mu over 4 draws from the posterior, by the same seed" in out
    assert "no bounds" in out
    assert command("evaluate", *arguments)[1] == out


def test_scores_stand_beside_a_baseline_that_is_finite(workdir, command):
    code, out, err = command("evaluate", f"--workdir={workdir}")
    assert code == 0, err
    assert "inf" not in out
    frequencies = COUNTS["train"].sum(0) + 0.01
    logs = np.log(frequencies / frequencies.sum())
    shown = table(out)["unigram model, 0.01 added to each word's count"]
    for value, split in zip(shown, ("validation", "test", "train"), strict=True):
        per_word = [counts @ logs / counts.sum() for counts in COUNTS[split] if counts.sum()]
        np.testing.assert_allclose(float(value), np.exp(-np.mean(per_word)), atol=0.06)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--samples=5"], "--samples: expected to go with --completion, found 5 without it"),
        (["--completion", "--samples=0"], "--samples: expected a whole number from 1, found 0"),
        (["--completion", "--eval_samples=2"], "--eval_samples: expected to go without --completion"),
        (["--completion", "--eval_full_steps=2"], "--eval_full_steps: expected to go without --completion"),
        (["--completion=half"], "--completion"),
    ],
)
def test_flags_that_do_not_go_together_are_one_line(workdir, command, flags, message):
    code, _, err = command("evaluate", f"--workdir={workdir}", *flags)
    assert (code, len(err.splitlines())) == (2, 1)
    assert message in err


def test_a_corpus_without_anything_to_complete_is_one_line(command, tmp_path):
    counts = dict(COUNTS) | {"test": np.eye(9, dtype=int)[:3]}
    with compact.Writer(tmp_path / "corpus", tuple(f"w{v}" for v in range(9)), {}) as writer:
        for split, one in counts.items():
            writer.add(split, as_corpus(one))
    workdir = made(tmp_path / "corpus", tmp_path / "run")
    code, _, err = command("evaluate", f"--workdir={workdir}", "--completion")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "expected test documents of two tokens, found none" in err
