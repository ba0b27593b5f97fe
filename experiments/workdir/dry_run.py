"""What a run would take, found without training."""

from collections.abc import Sequence

import jax

from dlgm_jax.errors import quantity
from experiments.workdir.assembly import TRAIN, Assembly
from experiments.workdir.expected import expected, of_training, spelled


def expectations(assembly: Assembly, splits: Sequence[str]) -> str:
    """Parameters, memory and time: a step and a batch of scores are compiled and timed, their results thrown away.

    `splits` are scored at the end. However large the corpus is, only the documents of a few batches are computed on.
    """
    config = assembly.config
    state = assembly.init_state()
    batch, key = next(iter(assembly.training_batches(1))), assembly.key(TRAIN)
    count = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    memory = assembly.training_step().lower(state, batch, key).compile().memory_analysis()
    bytes_used = (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        + memory.temp_size_in_bytes
        - memory.alias_size_in_bytes  # the new state takes the place of the old one
    )
    del state
    parts = expected(assembly, splits)
    later = f", {parts.plain:.3g} s in epochs after the first {config.refined_epochs}" if assembly.refines_first else ""
    documents = {split: f"{corpus.num_documents:,}" for split, corpus in assembly.splits.items()}
    return "\n".join(
        [
            f"{config.name} on {config.dataset}: nothing is trained (--dry_run)",
            f"documents   {', '.join(f'{split} {number}' for split, number in documents.items())}; "
            f"{quantity(assembly.train.vocab_size, 'word')}",
            f"parameters  {count:,}",
            f"memory      {bytes_used / 2**20:,.0f} MiB for a training step, counts "
            f"{sum(8 * corpus.entries().sum() for corpus in assembly.splits.values()) / 2**20:,.0f} MiB",
            f"time        {parts.refining:.3g} s a step{later}, {quantity(assembly.steps_per_epoch, 'step')} and "
            f"{parts.validation:.3g} s of validation an epoch, {parts.closing:.3g} s of scores at the end; "
            f"{quantity(config.epochs, 'epoch')}: about {spelled(of_training(assembly, parts) + parts.closing)} "
            f"on {jax.devices()[0].platform}",
        ]
    )
