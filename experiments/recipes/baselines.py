"""The left half of Table 1, measured here: unigram, LDA and an NVDM by one definition of perplexity.

python -m experiments.recipes.baselines --dataset=20news_nvdm

Perplexity is exp(-(1/D) sum_d bound_d / N_d) over test documents with words, as in all tables of this project; the
corpus total stands beside it. LDA's topics come from scikit-learn (batch variational; alpha and eta 1/K) and from
tomotopy (collapsed Gibbs; eta 0.01, alpha fitted from 0.1), and both are scored by the same mean-field bound
(`experiments.findings.lda`). tomotopy is optional (the `recipes` extra).

The NVDM rows are log-linear with the settings of Miao et al. (2016): raw counts in, two inference layers of 500,
batches of 64, one sample in training and 20 in scoring, Adam, no refinement. What differs: tanh, as in their published
code, where the paper has rectifiers (with these, raw counts overflow the log-variances of our initial weights); theta
and phi take one joint step, not ten epochs each in turn; the learning rate is 0.0008, their code's 0.00005; 100 epochs,
their code's 20,000; the epoch is chosen on the 500 validation documents.

Expected: unigram 1205, LDA 1024 to 1330 (with K=200 worse), NVDM-style 862 with K=50 and 931 with K=200.
Time on 2 cores: 50 minutes beside other work.
"""

import time
from collections.abc import Sequence
from functools import cache, partial
from importlib.metadata import version
from math import isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np

from dlgm_jax.data import compact, datasets
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.evaluation.perplexity import SMOOTHING, corpus_perplexity, perplexity, unigram_baseline
from experiments.findings import lda
from experiments.flags.command import parse, run_main
from experiments.recipes import table1
from experiments.recipes.keys import digest
from experiments.recipes.sweep import FLAGS, SMALL, Figures, Row, Sweep, config_of, over_seeds
from experiments.report.page import Table
from experiments.workdir.assembly import assemble

OWN_FLAGS = FLAGS | {"dataset": ("20news", "the NVDM folder, 20news, which scikit-learn fetches, or a prepared folder")}
SCORED = ("validation", "test")
LDA = {  # names, passes over the documents
    "gibbs": ("collapsed Gibbs", 500),
    "batch": ("batch variational", 20),
}
SAMPLES = 500  # of theta for the estimate
LEAST = {"K": 4, "passes": 2, "samples": 5}  # of --quick
FEW = 300  # documents of --quick
NVDM = {
    "model": 1,
    "inference_widths": (500, 500),
    "activation": "tanh",
    "features": "counts",
    "batch_size": 64,
}
NVDM |= {"M": 1, "eval_M": 1, "eval_samples": 20, "epochs": 100}
PAPERS_LDA = {50: 1091, 200: 1058}  # by K
PAPERS_NVDM = {50: 836, 200: 852}
OTHERS = {"RSM, K=50": 953, "SBN, K=50": 909, "fDARN, K=50": 917}  # the paper's only
HEADER = ("model", "perplexity", "what it is", "estimate", "corpus total", "paper")
NOTE = (
    "Perplexities of test documents, means over documents but for the corpus total. A bound is an upper bound on "
    f"perplexity. The estimate is importance-sampled, {SAMPLES} draws a document from the mean-field posterior: on "
    "average too high, but no bound. How the paper's figures of other models were scored is not known."
)


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=[])
    sweep = Sweep("baselines", command)
    dataset = config_of({"dataset": command.own["dataset"]}).dataset
    corpus = table1.named(dataset)
    if sweep.quick:
        dataset = beginning(dataset, sweep.folder)
    unigram = measured(sweep, "unigram", {"dataset": dataset, "model": "unigram"})
    lines = [line("unigram", exactness(unigram), unigram)]
    for K, paper in PAPERS_LDA.items():
        for algorithm, figures in lda_rows(sweep, dataset, K).items():
            name = f"LDA, {LDA[algorithm][0]}, K={K}"
            lines.append(line(name, "bound, mean field", figures, estimated=True, paper=paper))
    done = sweep.run([Row(f"NVDM-style, K={K}", NVDM | {"dataset": dataset, "K": K}) for K in PAPERS_NVDM])
    lines += [
        line(name, "bound, 20 samples", figures, paper=paper)
        for (name, figures), paper in zip(done.items(), PAPERS_NVDM.values())
    ]
    header = HEADER
    if corpus in table1.PAPER:
        lines += [(name, nan, "-", nan, nan, paper) for name, paper in OTHERS.items()]
    else:
        header, lines = HEADER[:-1], [cells[:-1] for cells in lines]
    sweep.show(Table(f"Baselines on {corpus}", NOTE, header, lines))


def beginning(dataset: str, folder: Path) -> str:
    """The first documents of a corpus, in a folder of their own. Raises BadInput."""
    whole = datasets.load(dataset)
    counts = folder / f"beginning-{digest(whole.train.fingerprint())}"
    if not counts.exists():
        with compact.Writer(counts, whole.train.vocabulary, {}) as writer:
            for split, corpus in (("train", whole.train), ("test", whole.test)):
                writer.add(split, corpus.select(np.arange(min(FEW, corpus.num_documents))).in_memory())
    return str(counts)


def exactness(unigram: Sequence[Figures]) -> str:
    """Names the kind of the unigram model's figures, one for each seed: exact, and smoothed where some of them are."""
    smoothed = [figures for figures in unigram if figures.get("added")]
    if not smoothed:
        return "exact"
    some = f" by {len(smoothed)} of {len(unigram)} seeds" if len(smoothed) < len(unigram) else ""
    return f"exact, {SMOOTHING} added to each word's count{some}"


def line(name: str, what: str, done: Sequence[Figures], *, estimated: bool = False, paper: float = nan) -> tuple:
    """A row of the table."""
    estimate = over_seeds(done, "test", True) if estimated else nan
    return name, over_seeds(done, "test", False), what, estimate, over_seeds(done, "test", False, "corpus"), paper


def lda_rows(sweep: Sweep, dataset: str, K: int) -> dict[str, list[Figures]]:
    """The figures of every algorithm that is installed."""
    found = {}
    for algorithm, (name, passes) in LDA.items():
        if algorithm == "gibbs" and not lda.has_gibbs:
            print("Note: LDA by Gibbs sampling is left out: tomotopy is not installed (pip install -e '.[recipes]')")
            continue
        settings = {"dataset": dataset, "model": "LDA", "algorithm": algorithm, "K": K, "passes": passes}
        settings |= {"samples": SAMPLES} | (LEAST if sweep.quick else {})
        found[algorithm] = measured(sweep, f"LDA, {name}, K={K}", settings)
    return found


def measured(sweep: Sweep, name: str, settings: dict[str, Any]) -> list[Figures]:
    """The figures of a row, one for each seed."""
    rows = [settings | {"seed": seed} for seed in sweep.seeds]
    return [sweep.measured(name, one, partial(figures_of, one, sweep.quick)) for one in rows]


def figures_of(settings: dict[str, Any], quick: bool) -> Figures:
    """Fits a model and scores it."""
    began = time.monotonic()
    corpora = splits(settings["dataset"], settings["seed"], quick)
    if settings["model"] == "unigram":
        unigram = unigram_baseline(corpora["train"], {split: corpora[split] for split in SCORED})
        found = {split: [values] * 2 for split, values in unigram.log_likelihoods.items()}
        return scores(corpora, found) | {"added": unigram.added, "seconds": round(time.monotonic() - began, 1)}
    gibbs = settings["algorithm"] == "gibbs"
    fit, library = (lda.gibbs_topics, "tomotopy") if gibbs else (lda.variational_topics, "scikit-learn")
    topics = fit(corpora["train"].counts, settings["K"], passes=settings["passes"], seed=settings["seed"])
    fitted = time.monotonic()
    draws = {"num_samples": settings["samples"], "seed": settings["seed"]}
    found = {
        s: [lda.bounds(corpora[s].counts, topics), lda.estimates(corpora[s].counts, topics, **draws)] for s in SCORED
    }
    return scores(corpora, found) | {"library": f"{library} {version(library)}", "seconds": round(fitted - began, 1)}


@cache
def splits(dataset: str, seed: int, quick: bool) -> dict[str, Corpus]:
    """The documents that a run of ours with this seed trains on and is scored on. Raises BadInput."""
    size = {"valid_size": SMALL["valid_size"]} if quick else {}
    found = assemble(config_of({"dataset": dataset, "seed": seed} | size)).splits
    return {split: corpus.in_memory() for split, corpus in found.items()}


def scores(corpora: dict[str, Corpus], found: dict[str, list[np.ndarray]]) -> Figures:
    """Perplexities by the bounds, and by the estimates, of the documents of every split."""
    forms = {"scores": perplexity, "corpus": corpus_perplexity}
    return {
        kind: {
            split: [rounded(form(values, corpora[split].lengths.astype(np.float64))) for values in both]
            for split, both in found.items()
        }
        for kind, form in forms.items()
    }


def rounded(value: float) -> float | None:
    """For JSON; None: infinite."""
    return round(value, 1) if isfinite(value) else None


if __name__ == "__main__":
    run_main(main)
