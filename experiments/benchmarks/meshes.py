"""Training on meshes of devices: how far their ELBO goes from that of one device, memory a device, seconds a step.

python -m experiments.benchmarks.meshes --devices=8
python -m experiments.benchmarks.meshes --devices=8 --vocab=200000 --steps=8
python -m experiments.benchmarks.meshes --devices=4 --coordinator=localhost:1234 --num_processes=2 --process_id=0
"""

import time
from functools import partial
from itertools import chain, count, islice
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from dlgm_jax import features
from dlgm_jax.data import batches
from dlgm_jax.devices import meshes
from dlgm_jax.devices.collectives import DATA, VOCAB
from dlgm_jax.errors import quantity
from dlgm_jax.learning import steps
from dlgm_jax.models.dlgm import dlgm
from experiments.benchmarks import measure
from experiments.benchmarks.scaling import random_corpus
from experiments.flags.command import parse, run_main
from experiments.flags.config import Config
from experiments.workdir import hosts
from experiments.workdir.assembly import prepare_runtime, training_refinement

OWN_FLAGS = {
    "devices": (0, "virtual devices of this process, where it is a CPU; 0: as there are"),
    "meshes": ("data:8;data:4,vocab:2;data:2,vocab:4;vocab:8", "the meshes, between semicolons"),
    "steps": (50, "training steps"),
    "vocab": (2000, "words V"),
    "documents": (640, "documents of the corpus"),
    "float64": (False, "compute in float64"),
    "output": measure.OWN_FLAGS["output"],
} | {name: flag for name, flag in hosts.FLAGS.items() if name != "mesh"}
SETTINGS = ["K", "M", "refiner", "batch_size", "generative_widths", "inference_widths", "input_dropout"]
WARM = 2  # steps that are not timed


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=SETTINGS)
    small = {"K": 16, "M": 3, "batch_size": 64, "generative_widths": (32, 32), "inference_widths": (32, 32)}
    config = Config.of(**small | command.given)
    vocab, number, documents = map(command.number, ("vocab", "steps", "documents"))
    if command.own["devices"]:
        jax.config.update("jax_num_cpu_devices", command.number("devices"))
    hosts.join(command)
    jax.config.update("jax_enable_x64", command.own["float64"])
    prepare_runtime()
    asked = command.own["meshes"].split(";")
    by_name = {"one device": None} | {text: meshes.mesh(text, config.batch_size) for text in asked}
    where = measure.destination("meshes", command.own["output"])
    print(
        f"{quantity(number, 'step')} of {config.name}, B={config.batch_size}, V={vocab:,} on {', '.join(by_name)}.",
        flush=True,
    )
    traces: dict[str, np.ndarray] = {}
    rows = []
    for name, mesh in by_name.items():
        traces[name], row = trained(config, mesh, vocab, documents, number)
        away = np.abs(traces[name] / traces["one device"] - 1)
        rows.append({"mesh": name, "away, 10 steps": away[:10].max(), "away, all": away.max()} | row)
        print(measure.table(rows), flush=True)
    if hosts.first():
        measure.report(where, {"Meshes": rows}, command.own | measure.taken(config, SETTINGS))


def trained(
    config: Config, mesh: Mesh | None, vocab: int, documents: int, number: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """The ELBO before each of some steps, in nats; bytes on the first device, and seconds."""
    corpus, size = random_corpus(documents, vocab), config.batch_size
    meshes.check(mesh, size, vocab)
    axis = meshes.axis(mesh, VOCAB)
    read = features.reader("tfidf", np.ones(vocab), vocab_axis=axis)
    widths = {
        "generative_widths": config.settings.generative_widths,
        "inference_widths": config.settings.inference_widths,
    }
    dtype = np.float64 if jax.config.jax_enable_x64 else np.float32  # type: ignore[attr-defined]
    model = dlgm(read, vocab_axis=axis, latent_dim=config.settings.K, dtype=dtype, **widths)
    optimiser = steps.adam(0.003)
    how = {"refinement": training_refinement(config), "input_dropout": config.input_dropout}
    step = steps.algorithm1(model, optimiser, mesh=mesh, **how)
    state = meshes.made(mesh, partial(steps.init_state, model, optimiser, jax.random.key(0), vocab), model.word_axis)
    sizes = batches.padded_sizes(size // (mesh.shape[DATA] if mesh else 1), corpus)
    blocks = meshes.blocks(mesh) if mesh else None
    key, trace, seconds, used = jax.random.key(1), [], [], {}
    epochs = (batches.epoch_batches(corpus, size, seed=0, epoch=n, sizes=sizes, blocks=blocks) for n in count(1))
    for batch in islice(chain.from_iterable(epochs), number):
        ready = meshes.placed(batch, mesh) if mesh else batch
        if not used:
            needs = step.lower(state, ready, key).compile().memory_analysis()
            used = {"on the way, MB a device": needs.temp_size_in_bytes / 1e6}
        began = time.perf_counter()
        state, info = step(state, ready, key)
        trace.append(float(info.elbo))
        seconds.append(time.perf_counter() - began)
    held = sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(state))
    used |= {"state, MB a device": held / 1e6, "ms a step": 1000 * float(np.median(seconds[WARM:]))}
    return np.array(trace), used


if __name__ == "__main__":
    run_main(main)
