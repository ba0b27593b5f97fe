"""Autoencoders, denoising and variational, and what the weight of the KL does (the lecture on neural topic models).

python -m experiments.recipes.autoencoders --dataset=20news_nvdm

By the paper's settings but for --epochs, not refined in training: a variational autoencoder of counts for each beta,
an autoencoder and a denoising one; and all three of tf-idf rows with a Gaussian likelihood, the variational one also
with a linear decoder, and with refinement while the weight of the KL grows. Scores have beta 1 whatever training had,
at the network's guess and after 99 steps of Adam. The picture decodes the same random codes z ~ N(0, I) by the
autoencoder and by the variational one. The lecture says that an autoencoder "memorizes data but has no concept of the
data": codes of documents lie where nothing asked them to, and random codes need not be like any of them.
Expected on 20 Newsgroups, seed 0, refined test: vae 900 at beta 0.25 and 899 at 1, 1,017 at 4, reconstructions of ae
237 and dae 265; of tf-idf rows nats 4,793 (vae, its latents unused), 4,848 (linear decoder) and 4,819 (refined). Time
on one core: 16 minutes.
"""

from typing import Any

import jax
import numpy as np

from dlgm_jax.introspection.spectrum import active_directions
from dlgm_jax.storage.run import Run, load_run
from experiments.flags.command import parse, run_main
from experiments.recipes import table1
from experiments.recipes.sweep import FLAGS, Figures, Row, Sweep, over_seeds
from experiments.report.page import Table
from experiments.report.plots import plot_words
from experiments.workdir.workdir import Metrics

OWN_FLAGS = FLAGS | table1.CORPORA | {"epochs": (40, "of each run")}
BETAS = (0.0, 0.25, 1.0, 4.0)
CODES, WORDS = 4, 8  # random codes that are decoded, and words of each
DECODED = ("ae", "vae, beta 1")


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=[])
    sweep, epochs = Sweep("autoencoders", command), command.number("epochs")
    for corpus, settings in table1.corpora(command, sweep):
        counts, real = rows(settings | {"epochs": epochs})
        done = sweep.run(counts, models=True)
        sweep.show(of_counts(corpus, sweep, done))
        decoded = {name: decode(load_run(sweep.workdirs[name])) for name in DECODED}
        plot_words(sweep.picture(corpus), {k: v[0] for k, v in decoded.items()}, title=f"Random codes on {corpus}")
        sweep.show(of_codes(corpus, decoded))
        sweep.run(real, models=True)
        sweep.show(of_rows(corpus, sweep, [row.name for row in real]))


def rows(settings: dict[str, Any]) -> tuple[list[Row], list[Row]]:
    """The models of counts, and those of tf-idf rows."""
    vae, own = {"model": "vae"}, ("ae", "dae", "vae")
    counts = [Row(f"vae, beta {beta:g}", settings | vae | {"beta": beta}) for beta in BETAS]
    counts += [Row(name, settings | {"model": name}) for name in ("ae", "dae")]
    rows, fast = settings | {"likelihood": "gaussian"}, {"learning_rate": 0.003}
    real: dict[str, dict[str, Any]] = {name: {"model": name} for name in own}
    real["vae, linear decoder"] = vae | fast | {"generative_widths": ()}
    refined = {"M": 21, "psi_learning_rate": 0.05, "kl_anneal_steps": 500}
    real["vae, refined, KL over 500 steps"] = vae | fast | refined
    return counts, [Row(f"{name}, tf-idf rows", rows | how) for name, how in real.items()]


def of_counts(corpus: str, sweep: Sweep, done: dict[str, list[Figures]]) -> Table:
    """Perplexity at the guess and refined, KL, and units and directions in use."""
    lines = []
    for name, figures in done.items():
        test = Metrics(sweep.workdirs[name]).read("test")[-1]
        cells = (over_seeds(figures, *which) for which in (("validation", True), ("test", False), ("test", True)))
        used = active_directions(np.asarray(figures[0]["log_singular_values"]))
        lines.append((name, *cells, test["kl"], test["kl_refined"], test["active_units"], used))
    header = (
        "model",
        "validation, refined",
        "test, guess",
        "test, refined",
        "KL",
        "KL, refined",
        "active",
        "directions",
    )
    note = (
        "Bounds with beta 1, in nats a document the KL; of ae and dae perplexities of reconstructions, which bound "
        "nothing. KL, units and directions of the first seed."
    )
    return Table(f"Autoencoders of counts on {corpus}", note, header, lines)


def of_rows(corpus: str, sweep: Sweep, names: list[str]) -> Table:
    """Nats a row at the guess and refined."""
    lines = []
    for name in names:
        test = Metrics(sweep.workdirs[name]).read("test")[-1]
        lines.append((name, *(test[one] for one in ("bound", "bound_refined", "kl", "kl_refined", "active_units"))))
    header = ("model", "test, guess", "test, refined", "KL", "KL, refined", "active")
    note = "log p(x) in nats a row, of the first seed; of ae and dae log p(x|z) at the code, which bounds nothing."
    return Table(f"Autoencoders of tf-idf rows on {corpus}", note, header, lines)


def decode(run: Run) -> tuple[list[list[tuple[str, float]]], list[float]]:
    """The likeliest words by random codes, and how many words each distribution is worth: exp of its entropy."""
    log_probs = run.model.log_probs
    assert log_probs is not None
    codes = jax.random.normal(jax.random.key(0), (CODES, run.config["K"]))
    probabilities = np.exp([np.asarray(log_probs(run.params, z), np.float64) for z in codes])
    order = np.argsort(-probabilities, axis=1)[:, :WORDS]
    words = [[(run.vocabulary[w], float(row[w])) for w in own] for row, own in zip(probabilities, order)]
    logs = np.log(np.maximum(probabilities, 1e-300))
    return words, np.exp(-(probabilities * logs).sum(axis=1)).tolist()


def of_codes(corpus: str, decoded: dict[str, tuple[list[list[tuple[str, float]]], list[float]]]) -> Table:
    """The words that random codes decode to."""
    lines = [
        (name, code + 1, size, ", ".join(word for word, _ in words))
        for name, (distributions, sizes) in decoded.items()
        for code, (words, size) in enumerate(zip(distributions, sizes))
    ]
    header = ("model", "code", "worth words", "likeliest words")
    note = "Worth words: exp of the entropy of the distribution over words that z ~ N(0, I) decodes to."
    return Table(f"Random codes on {corpus}", note, header, lines)


if __name__ == "__main__":
    run_main(main)
