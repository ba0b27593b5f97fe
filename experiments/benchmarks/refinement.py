"""What refinement reaches with how many gradient evaluations, and what one evaluation costs.

python -m experiments.benchmarks.refinement --dataset=FOLDER
python -m experiments.benchmarks.refinement --epochs=   (times only)
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from dlgm_jax.data import batches
from dlgm_jax.evaluation.perplexity import perplexity
from dlgm_jax.evaluation.scoring import scorer
from dlgm_jax.inference import batched
from dlgm_jax.learning import steps
from dlgm_jax.models.dlgm import Evidence, init_params, log_likelihood
from experiments.benchmarks import measure, peers
from experiments.flags.command import parse, run_main
from experiments.flags.config import Config
from experiments.workdir.assembly import SCORE, TRAIN, Assembly, assemble, choose_precision, prepare_runtime

OWN_FLAGS = measure.OWN_FLAGS | {
    "epochs": ("1,10,40", "epochs after which refinement is judged; empty: only times are taken"),
    "vocab": ("2000,10000", "vocabulary sizes for the times"),
    "documents": (500, "held-out documents"),
    "samples": (20, "samples of each document's bound"),
}
ADAM = 100
FISHER = (4, 6, 8, 10, 12, 16, 20)
EVALUATIONS = 10  # of one timed run
WIDTHS = {"log-linear": (), "400-400": (400, 400)}


def main(argv: list[str]) -> None:
    settings = ["dataset", "K", "batch_size", "learning_rate", "seed", "precision"]
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=settings)
    chosen: dict[str, Any] = {"learning_rate": 0.0008} | command.given
    config = Config.of(**chosen)
    epochs, vocabularies = command.numbers("epochs"), command.numbers("vocab")
    own = command.own
    repeats, documents, samples = map(command.number, ("repeats", "documents", "samples"))
    print(f"Times for V={vocabularies}; bounds on {config.dataset} after {epochs} epochs.", flush=True)
    where = measure.destination("refinement", own["output"])
    prepare_runtime()
    choose_precision(config.precision)
    tables = {"Milliseconds of one evaluation and its gradient": list(times(config, vocabularies, repeats))}
    if epochs:
        tables["Perplexity bound of held-out documents, by gradient evaluations"] = [
            row for name in WIDTHS for row in quality(config, name, epochs, documents, samples)
        ]
    measure.report(where, tables, measure.taken(config, settings) | own)


def times(config: Config, vocabularies: list[int], repeats: int) -> Iterator[dict[str, Any]]:
    """A row for each decoder and vocabulary; the ratio is ours to the fastest bare products."""
    for V in vocabularies:
        for name, widths in WIDTHS.items():
            found = measure.alternate(candidates(config, V, widths), repeats)
            row = {label: 1000 * seconds / EVALUATIONS for label, seconds in found.items()}
            best = min(row[label] for label in row if label.endswith("products"))
            ratios = {"ours / products": row["ours"] / best}
            if "torch eager" in row:
                ratios["ours / torch eager"] = row["ours"] / row["torch eager"]
            yield {"decoder": name, "V": V, "B": config.batch_size, "K": config.settings.K} | row | ratios


def candidates(config: Config, vocab_size: int, widths: tuple[int, ...]) -> dict[str, Any]:
    """Runs of several evaluations of a random model."""
    theta = init_params(jax.random.key(0), vocab_size, latent_dim=config.settings.K, generative_widths=widths).theta
    rng = np.random.default_rng(0)
    counts = jnp.asarray(rng.poisson(60 / vocab_size, (config.batch_size, vocab_size)), jnp.float32)
    z = jnp.asarray(rng.standard_normal((config.batch_size, config.settings.K)), jnp.float32)
    weights, bias = theta.output
    evidence = Evidence(counts @ weights.T, counts @ bias, counts.sum(axis=1))

    @jax.jit
    def ours(theta, z, evidence):
        def evaluate(z):
            one = jax.value_and_grad(lambda z, known: log_likelihood(theta, z, known))
            return jax.vmap(one)(z, evidence)

        return peers.chain(evaluate, z, EVALUATIONS)

    @jax.jit
    def plain(theta, z, counts):
        def evaluate(z):
            return jax.vmap(jax.value_and_grad(partial(peers.plain_log_likelihood, theta)))(z, counts)

        return peers.chain(evaluate, z, EVALUATIONS)

    @jax.jit
    def products(theta, z):
        return peers.chain(lambda z: (z, peers.bare_products(theta, z)), z, EVALUATIONS)

    return {
        "ours": lambda: ours(theta, z, evidence),
        "plain scan": lambda: plain(theta, z, counts),
        "XLA products": lambda: products(theta, z),
    } | peers.torch_candidates(theta, z, evidence, EVALUATIONS)


def quality(
    config: Config, name: str, epochs: list[int], num_documents: int, num_samples: int
) -> Iterator[dict[str, Any]]:
    """Trains one model with the fisher refiner and judges refinement of validation documents on the way."""
    config = config.with_(model=None, generative_widths=WIDTHS[name], valid_size=num_documents)
    assembly = assemble(config)
    optimiser = assembly.optimiser()
    step = steps.algorithm1(assembly.model, optimiser, refinement=batched.preconditioned(5))
    state, judge = assembly.init_state(), Judge(assembly, num_samples)
    for epoch in tqdm(range(1, max(epochs) + 1), desc=name, unit="epoch"):
        for batch in assembly.training_batches(epoch):
            state, _ = step(state, batch, jax.random.fold_in(assembly.key(TRAIN), epoch))
        if epoch in epochs:
            row = {"decoder": name, "epochs": epoch} | judge(state.params)
            tqdm.write(measure.table([row]))
            yield row


class Judge:
    """Scores the validation documents after refinements of different lengths, each from the same guess."""

    def __init__(self, assembly: Assembly, num_samples: int):
        self.assembly = assembly
        ways = {f"Adam {ADAM}": batched.adam(ADAM)}
        ways |= {f"fisher {n}": batched.preconditioned(n // 2) for n in FISHER}
        self.scorers = {
            way: scorer(assembly.model, refinement=how, num_samples=num_samples) for way, how in ways.items()
        }

    def __call__(self, params) -> dict[str, Any]:
        assembly, row = self.assembly, dict[str, Any]()
        for way, score in self.scorers.items():
            parts = [
                (score(params, batch, assembly.key(SCORE)), batch)
                for batch in batches.ordered_batches(
                    assembly.splits["validation"], assembly.batch_size, sizes=assembly.sizes
                )
            ]
            lengths = np.concatenate([batch.length for _, batch in parts]).astype(np.float64)
            row.setdefault("start", perplexity(_joined(parts, "elbo"), lengths))
            row[way] = perplexity(_joined(parts, "elbo_refined"), lengths)
        reached = [n for n in FISHER if row[f"fisher {n}"] <= row[f"Adam {ADAM}"]]
        return row | {"evaluations to reach Adam": float(reached[0]) if reached else None}


def _joined(parts, field: str) -> np.ndarray:
    return np.concatenate([np.asarray(getattr(scores, field), np.float64) for scores, _ in parts])


if __name__ == "__main__":
    run_main(main)
