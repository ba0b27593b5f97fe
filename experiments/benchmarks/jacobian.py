"""What a mean Jacobian costs beside the plain scan over `jacfwd` of the whole decoder.

python -m experiments.benchmarks.jacobian
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from dlgm_jax.errors import quantity
from dlgm_jax.introspection.jacobian import jacobian_mean
from dlgm_jax.models.dlgm import init_params, log_probs, potentials
from experiments.benchmarks import measure, peers
from experiments.benchmarks.refinement import WIDTHS
from experiments.flags.command import parse, run_main
from experiments.flags.config import Config
from experiments.workdir.assembly import choose_precision, prepare_runtime

OWN_FLAGS = measure.OWN_FLAGS | {
    "repeats": (3, "timed runs of each candidate; the medians are shown"),
    "vocab": ("20000", "vocabulary sizes"),
    "samples": (400, "draws of z"),
}
FULL = {
    "pot": potentials,
    "log": log_probs,
    "prob": lambda theta, z: jnp.exp(log_probs(theta, z)),
}


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["K", "precision"])
    config = Config.of(**command.given)
    repeats, samples = map(command.number, ("repeats", "samples"))
    vocabularies = command.numbers("vocab")
    print(f"Mean Jacobians of {quantity(samples, 'sample')}, V={vocabularies}, K={config.settings.K}.", flush=True)
    where = measure.destination("jacobian", command.own["output"])
    prepare_runtime()
    choose_precision(config.precision)
    rows = [
        row
        for V in vocabularies
        for name, widths in WIDTHS.items()
        for row in times(name, V, config.settings.K, widths, samples, repeats)
    ]
    settings = command.own | {"K": config.settings.K, "precision": config.precision}
    measure.report(where, {"Seconds of a mean Jacobian": rows}, settings)


def times(name, vocab_size, K, widths, num_samples, repeats) -> Iterator[dict[str, Any]]:
    """A row for each variant; the difference is relative to the largest entry."""
    params = init_params(jax.random.key(0), vocab_size, latent_dim=K, generative_widths=widths)
    key = jax.random.key(1)
    for variant, decoder in FULL.items():

        @jax.jit
        def full(params, key, decoder=decoder):
            def add(total, sample):
                z = jax.random.normal(jax.random.fold_in(key, sample), (K,))
                return total + jax.jacfwd(lambda z: decoder(params.theta, z))(z), None

            total, _ = jax.lax.scan(add, jnp.zeros((vocab_size, K)), jnp.arange(num_samples))
            return total / num_samples

        def ours(params, key, variant=variant):
            return jacobian_mean(params, key, num_samples=num_samples, variant=variant)

        candidates = {"ours": lambda: ours(params, key), "scan over jacfwd": lambda: full(params, key)}
        candidates |= peers.torch_mean_jacobian(params.theta, variant, num_samples)
        found = measure.alternate(candidates, repeats)
        expected = full(params, key)
        memory: Any = jax.jit(ours).lower(params, key).compile().memory_analysis()
        yield (
            {"decoder": name, "V": vocab_size, "variant": variant}
            | found
            | {
                "times faster": found["scan over jacfwd"] / found["ours"],
                "difference": float(jnp.abs(ours(params, key) - expected).max() / jnp.abs(expected).max()),
                "extra MB": memory.temp_size_in_bytes / 1e6,
            }
        )


if __name__ == "__main__":
    run_main(main)
