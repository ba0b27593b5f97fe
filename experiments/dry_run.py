"""What a run would take, found without training."""

import time

import jax

from dlgm_jax.data.corpus import quantity
from experiments.assembly import TRAIN, Assembly


def expectations(assembly: Assembly) -> str:
    """Parameters, memory and time: the step is compiled and one batch timed, its result thrown away."""
    config = assembly.config
    state = assembly.init_state()
    batch, key = next(iter(assembly.training_batches(1))), assembly.key(TRAIN)
    count = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    compiled = assembly.training_step().lower(state, batch, key).compile()
    memory = compiled.memory_analysis()
    state, _ = jax.block_until_ready(compiled(state, batch, key))
    began = time.perf_counter()
    jax.block_until_ready(compiled(state, batch, key))
    seconds = time.perf_counter() - began

    validation, at_the_end = (seconds_of_scores(assembly, at_the_end) for at_the_end in (False, True))
    steps = assembly.steps_per_epoch
    in_all = sum(corpus.num_documents for corpus in assembly.splits.values())
    final = at_the_end * in_all / assembly.splits["validation"].num_documents
    total = config.epochs * (steps * seconds + validation) + final
    bytes_used = (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        + memory.temp_size_in_bytes
        - memory.alias_size_in_bytes  # the new state takes the place of the old one
    )
    documents = {split: f"{corpus.num_documents:,}" for split, corpus in assembly.splits.items()}
    return "\n".join(
        [
            f"{config.name} on {config.dataset}: nothing is trained (--dry_run)",
            f"documents   {', '.join(f'{split} {number}' for split, number in documents.items())}; "
            f"{quantity(assembly.train.vocab_size, 'word')}",
            f"parameters  {count:,}",
            f"memory      {bytes_used / 2**20:,.0f} MiB for a training step, counts "
            f"{sum(8 * corpus.entries().sum() for corpus in assembly.splits.values()) / 2**20:,.0f} MiB",
            f"time        {seconds:.2f} s a step, {quantity(steps, 'step')} and {validation:.1f} s of validation "
            f"an epoch, {final:.0f} s of scores at the end; {quantity(config.epochs, 'epoch')}: "
            f"about {total / 60:,.1f} minutes on {jax.devices()[0].platform}",
        ]
    )


def seconds_of_scores(assembly: Assembly, at_the_end: bool) -> float:
    """To score the validation documents, once that is compiled."""
    score, params = assembly.score_with(at_the_end=at_the_end), assembly.init_state().params
    score(params, "validation")
    began = time.perf_counter()
    score(params, "validation")
    return time.perf_counter() - began
