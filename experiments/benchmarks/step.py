"""What a whole training step costs, by refinement, beside the plain dense M=1 step.

python -m experiments.benchmarks.step --dataset=FOLDER
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dlgm_jax.features import reader
from dlgm_jax.inference import batched
from dlgm_jax.inference.elbo import elbo
from dlgm_jax.learning import steps
from dlgm_jax.models.dlgm import infer
from dlgm_jax.types import Array, Batch, Params
from experiments.benchmarks import measure, peers
from experiments.benchmarks.refinement import WIDTHS
from experiments.flags.command import parse, run_main
from experiments.flags.config import Config
from experiments.workdir.assembly import (
    TRAIN,
    Assembly,
    assemble,
    choose_precision,
    prepare_runtime,
    training_refinement,
)

OWN_FLAGS = measure.OWN_FLAGS | {
    "fisher_M": ("7,13", "values of M for the fisher refiner, odd"),
    "adam_M": ("100", "values of M for Adam"),
}


def main(argv: list[str]) -> None:
    settings = ["dataset", "K", "batch_size", "valid_size", "seed", "precision"]
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=settings)
    chosen: dict[str, Any] = {"learning_rate": 0.0008} | command.given
    config = Config.of(**chosen)
    names = [(name, M) for name in ("fisher", "adam") for M in command.numbers(f"{name}_M")]
    ways = {f"{name} M={M}": training_refinement(replace(config, refiner=name, M=M)) for name, M in names}
    print(f"Training steps on {config.dataset}, batches of {config.batch_size}.", flush=True)
    repeats = command.number("repeats")
    where = measure.destination("step", command.own["output"])
    prepare_runtime()
    choose_precision(config.precision)
    rows = [row for name in WIDTHS for row in times(config, name, ways, repeats)]
    own = measure.taken(config, settings) | command.own
    measure.report(where, {"Milliseconds of a training step": rows}, own)


def times(config: Config, name: str, ways: dict[str, batched.Refinement], repeats: int) -> Iterator[dict[str, Any]]:
    """A row for each kind of step; all of one decoder are timed in turns."""
    assembly = assemble(config.with_(model=None, generative_widths=WIDTHS[name]))
    batch = next(iter(assembly.training_batches(1)))
    ours = {"ours M=1": batched.adam(0)} | ways
    candidates = {label: _ours(assembly, batch, how) for label, how in ours.items()}
    candidates |= {"plain dense M=1": _plain(assembly, batch)} | _torch(assembly, batch)
    found = measure.alternate(candidates, repeats)
    for label, seconds in found.items():
        row = {"decoder": name, "V": assembly.train.vocab_size, "B": assembly.batch_size, "step": label}
        yield row | {"ms": 1000 * seconds, "/ plain M=1": seconds / found["plain dense M=1"]}


def _ours(assembly: Assembly, batch: Batch, how: batched.Refinement):
    step = steps.algorithm1(assembly.model, assembly.optimiser(), refinement=how)
    return _repeated(step, assembly.init_state(), jax.tree.map(jnp.asarray, batch), assembly.key(TRAIN))


def _plain(assembly: Assembly, batch: Batch):
    """M=1 as it is first written down: dense counts and features, `vmap` over documents, `grad`, Adam."""
    optimiser = optax.adam(0.0008)
    x, features = dense(assembly, batch)

    @partial(jax.jit, donate_argnums=0)
    def step(state, data, key):
        params, moments = state
        x, features = data
        updates, moments = optimiser.update(plain_gradient(params, x, features, key), moments)
        return (optax.apply_updates(params, updates), moments), key

    params = assembly.init_state().params
    return _repeated(step, (params, optimiser.init(params)), (x, features), assembly.key(TRAIN))


def plain_gradient(params: Params, x: Array, features: Array, key: Array) -> Params:
    """Of the joint bound of dense counts and features [B, V], as it is first written down."""

    def loss(params):
        def bound(x, features, key):
            likelihood = partial(peers.plain_log_likelihood, params.theta)
            return elbo(lambda z: likelihood(z, x), infer(params.phi, features), key)

        return -jnp.sum(jax.vmap(bound)(x, features, jax.random.split(key, len(x))))

    return jax.grad(loss)(params)


def _torch(assembly: Assembly, batch: Batch) -> dict[str, Any]:
    x, features = dense(assembly, batch)
    found = {
        f"torch {kind} M=1": peers.torch_joint_step(assembly.init_state().params, x, features, compiled=compiled)
        for kind, compiled in (("eager", False), ("compile", True))
    }
    return {label: step for label, step in found.items() if step}


def dense(assembly: Assembly, batch: Batch):
    """The counts and features of a batch as [B, V]."""
    x = np.zeros((len(batch.length), assembly.train.vocab_size), np.float32)
    np.add.at(x, (batch.counts.rows, batch.counts.words), batch.counts.values)
    x = jnp.asarray(x)
    return x, jax.vmap(reader(assembly.config.features, assembly.idf))(x)


def _repeated(step, state, data, key):
    """A run that goes on from the state that the last one left."""
    held = [state]

    def run():
        held[0], info = step(held[0], data, key)
        return held[0], info

    return run


if __name__ == "__main__":
    run_main(main)
