"""Documents of a run in two parts, of which the one is predicted from the other."""

from collections.abc import Iterator

import numpy as np

from dlgm_jax.data import batches
from dlgm_jax.data.completion import Halves, Split, halves, tokens
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.errors import BadInput, quantity
from dlgm_jax.evaluation.completion import Completed, Completion, complete_corpus, completer, completion
from dlgm_jax.evaluation.perplexity import unigram_baseline
from dlgm_jax.inference.batched import Refinement, adam
from dlgm_jax.types import Batch, Params
from experiments.report import tables
from experiments.workdir.assembly import COMPLETE, Assembly, described, evaluation_refinement

COMPLETED = ("validation", "test")  # splits that training does not learn from


def divided(assembly: Assembly, name: str, split: Split, *, share: float, seed: int) -> Halves:
    """The documents of a split of the run in two parts. Raises BadInput when nothing is scored of any."""
    found = halves(assembly.splits[name], split, share=share, seed=seed)
    if not found.scored.counts.nnz:
        raise BadInput(f"{assembly.config.dataset}: expected {name} documents of two {split.__name__}, found none")
    return found


def ordered(assembly: Assembly, corpus: Corpus) -> Iterator[Batch]:
    """Batches of a part of a split, in its order."""
    sizes = batches.padded_sizes(assembly.batch_size, corpus)
    return batches.ordered_batches(corpus, assembly.batch_size, sizes=sizes)


def completed(
    assembly: Assembly, params: Params, documents: dict[str, Halves], how: Refinement, *, num_samples: int
) -> dict[str, Completion]:
    """The completion of the documents of each split, from posteriors that are refined as `how` says."""
    complete = completer(assembly.model, refinement=how, num_samples=num_samples)
    found = {}
    for split, parts in documents.items():
        observed, scored = (ordered(assembly, part) for part in parts)
        found[split] = complete_corpus(complete, params, observed, scored, assembly.key(COMPLETE))
    return found


def by_unigram(log_likelihoods: np.ndarray, scored: Corpus) -> Completion:
    """The completion by a model that observes nothing, from its log-likelihoods [D] of the scored parts."""
    return completion(Completed(log_likelihoods, log_likelihoods), scored.lengths.astype(np.float64))


def completion_report(assembly: Assembly, params: Params, *, num_samples: int) -> str:
    """The table of validation and test documents of which half of the tokens is observed. Raises BadInput."""
    config, train = assembly.config, assembly.train
    documents = {name: divided(assembly, name, tokens, share=0.5, seed=config.seed) for name in COMPLETED}
    how = evaluation_refinement(config)
    by = {"M=1": adam(0)} | ({tables.refined(config): how} if how.num_steps else {})
    models = {name: completed(assembly, params, documents, one, num_samples=num_samples) for name, one in by.items()}
    unigram = unigram_baseline(train, {split: parts.scored for split, parts in documents.items()})
    baseline = {split: by_unigram(unigram.log_likelihoods[split], parts.scored) for split, parts in documents.items()}
    posteriors = described(config.eval_refiner, how, assembly.model, assembly.batch_size, train.vocab_size)
    return (
        f"{tables.completion_table(baseline, unigram.name, models)}\n"
        f"Half of a document's tokens is observed, drawn by the run's seed {config.seed}; the other half is scored.\n"
        f"Predictive: the mean of mu over {quantity(num_samples, 'draw')} from the posterior, by the same seed. "
        "Plug-in: mu at its mean.\n"
        f"These are perplexities and no bounds. Documents are {posteriors}; {config.precision} products."
    )
