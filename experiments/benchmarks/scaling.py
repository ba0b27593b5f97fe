"""How the cost of a refined training step grows with documents, words, dimensions, widths and devices.

python -m experiments.benchmarks.scaling
XLA_FLAGS=--xla_force_host_platform_device_count=2 python -m experiments.benchmarks.scaling --vocab=2000
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from jax.sharding import NamedSharding, PartitionSpec

from dlgm_jax import features
from dlgm_jax.data import batches
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.errors import quantity
from dlgm_jax.inference import batched
from dlgm_jax.learning import steps
from dlgm_jax.models.dlgm import Evidence, dlgm, init_params
from dlgm_jax.types import Gaussian, Model
from experiments.benchmarks import measure
from experiments.flags.command import parse, run_main
from experiments.flags.config import Config
from experiments.workdir.assembly import choose_precision, prepare_runtime, training_refinement

OWN_FLAGS = measure.OWN_FLAGS | {
    "repeats": (3, "timed runs of each candidate; the medians are shown"),
    "documents": ("100,500,2000", "batch sizes B"),
    "vocab": ("2000,10000,30000,100000", "vocabulary sizes V"),
    "latent": ("50,100,200", "latent dimensions K"),
    "widths": ("100,400,800", "hidden units H of both layers of the decoder"),
    "corpora": ("2000,8000", "documents D of an epoch"),
    "M": (11, "evaluations of the fisher refiner plus one, odd"),
}
WORDS = 75  # distinct words of a document
BASE = {"B": 500, "V": 2000, "K": 100, "H": 400}


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["precision"])
    own = command.own
    axes = {"B": "documents", "V": "vocab", "K": "latent", "H": "widths"}
    shapes = [BASE | {axis: value} for axis, flag in axes.items() for value in command.numbers(flag)]
    shapes += [BASE | {"V": value, "H": 0} for value in command.numbers("vocab")]
    corpora = command.numbers("corpora")
    config = Config.of(**command.given, refiner="fisher", M=command.number("M"))
    repeats, how = command.number("repeats"), training_refinement(config)
    print(
        f"Refined training steps (fisher, M={own['M']}) of {quantity(len(shapes), 'shape')}; H=0 is log-linear.",
        flush=True,
    )
    where = measure.destination("scaling", own["output"])
    prepare_runtime()
    choose_precision(config.precision)
    distinct = [shape for place, shape in enumerate(shapes) if shape not in shapes[:place]]
    tables = {
        "A training step": [step_row(shape, how, repeats) for shape in distinct],
        "An epoch by its documents": [epoch_row(number, how, repeats) for number in corpora],
        "Refinement of a batch over devices": list(device_rows(how, repeats)),
    }
    measure.report(where, tables, own | {"precision": config.precision})


def step_row(shape: dict[str, int], how: batched.Refinement, repeats: int) -> dict[str, Any]:
    """Time of one step, and its memory as compiled: parameters, moments, batch and all that is made on the way."""
    run, memory = prepared(shape, how)
    return shape | {"ms": 1000 * measure.alternate({"step": run}, repeats)["step"], "MB": memory / 1e6}


def prepared(shape: dict[str, int], how: batched.Refinement):
    """A step of a random model on random documents, ready to run, and its memory in bytes."""
    state, step = _trainer(shape, how)
    corpus = random_corpus(shape["B"], shape["V"])
    batch = next(batches.ordered_batches(corpus, shape["B"], sizes=batches.padded_sizes(shape["B"], corpus)))
    key = jax.random.key(0)
    compiled = step.lower(state, batch, key).compile()
    used = compiled.memory_analysis()
    held = [state]

    def run():
        held[0], info = compiled(held[0], batch, key)
        return held[0], info

    total = used.argument_size_in_bytes + used.output_size_in_bytes + used.temp_size_in_bytes
    return run, total - used.alias_size_in_bytes


def epoch_row(num_documents: int, how: batched.Refinement, repeats: int) -> dict[str, Any]:
    """Seconds of an epoch, batches made on the host included."""
    state, step = _trainer(BASE, how)
    corpus = random_corpus(num_documents, BASE["V"])
    sizes = batches.padded_sizes(BASE["B"], corpus)
    held = [state]

    def epoch():
        for batch in batches.epoch_batches(corpus, BASE["B"], seed=0, epoch=1, sizes=sizes):
            held[0], _ = step(held[0], batch, jax.random.key(0))
        return held[0]

    seconds = measure.alternate({"epoch": epoch}, repeats)["epoch"]
    return {"D": num_documents, "seconds": seconds, "documents / s": num_documents / seconds}


def device_rows(how: batched.Refinement, repeats: int) -> Iterator[dict[str, Any]]:
    """The documents of a batch spread over as many devices as divide B; nothing is sent between them."""
    B, V, K, H = BASE.values()
    model = dlgm(lambda counts: counts, latent_dim=K, generative_widths=(H, H))
    params = init_params(jax.random.key(0), V, latent_dim=K, generative_widths=(H, H))
    psi = Gaussian(jnp.zeros((B, K)), jnp.zeros((B, K)))
    known = Evidence(jax.random.normal(jax.random.key(1), (B, H)), jnp.zeros(B), jnp.full(B, 100.0))
    keys = jax.random.split(jax.random.key(2), B)
    run = jax.jit(partial(_refine, model, how))
    for number in (n for n in range(1, len(jax.devices()) + 1) if B % n == 0):
        mesh = jax.sharding.Mesh(np.array(jax.devices()[:number]), ("data",))
        spread = jax.device_put((psi, known, keys), NamedSharding(mesh, PartitionSpec("data")))
        everywhere = jax.device_put(params, NamedSharding(mesh, PartitionSpec()))
        seconds = measure.alternate({"refine": partial(run, everywhere, *spread)}, repeats)["refine"]
        yield {"devices": number, "ms": 1000 * seconds}


def _refine(model: Model, how: batched.Refinement, params, psi, evidence, keys):
    return batched.refine_batch(how, model, params, psi, evidence, keys, jax.random.key(3))


def _trainer(shape: dict[str, int], how: batched.Refinement):
    widths = (shape["H"],) * 2 if shape["H"] else ()
    idf = jnp.ones(shape["V"])
    model = dlgm(partial(features.batch_tfidf, idf=idf), latent_dim=shape["K"], generative_widths=widths)
    optimiser = steps.adam(0.0008)
    state = steps.init_state(model, optimiser, jax.random.key(0), shape["V"])
    return state, steps.algorithm1(model, optimiser, refinement=how)


def random_corpus(num_documents: int, vocab_size: int) -> Corpus:
    """Documents of about 75 distinct words, each seen once or more."""
    rng = np.random.default_rng(0)
    words = rng.integers(vocab_size, size=(num_documents, WORDS))
    rows = np.repeat(np.arange(num_documents), WORDS)
    counts = scipy.sparse.csr_matrix(
        (np.ones(rows.size, np.int64), (rows, words.ravel())), shape=(num_documents, vocab_size)
    )
    names = tuple(map(str, range(vocab_size)))
    return Corpus(counts, names, tuple(map(str, range(num_documents))))


if __name__ == "__main__":
    run_main(main)
