"""Held-out items and document completion: the model beside a truncated SVD and popularity.

python -m experiments.recipes.ratings --input=ml-latest-small

The input is a folder of MovieLens's tables (grouplens.org; other inputs that prepare reads may do). The run is that of
table6.

Of each test user, whom training never saw, a share of the items is held in, and all others are ranked (the fold-in of
Liang et al. 2018). The model ranks by mu at the posterior mean. The SVD is PureSVD of the training counts, with as many
components as rank the validation users' items best by NDCG. Popularity is how many training users have an item; as a
predictor of tokens it is the frequencies of the training counts, with 1 added to each.

Completion splits tokens, not items: where counts are ratings, the two parts of a user share most of their items. The
paper has no such table.

Expected: NDCG@100 0.40, between popularity (0.26) and the SVD (0.43), which so few users favour; completion perplexity
278 by the refined predictive, popularity 1,098.
Time on 2 cores: a minute, 7 more where table6 has not run.
"""

import math
from collections.abc import Iterator

import numpy as np

from dlgm_jax.data.completion import Halves, Split, items, tokens
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.embeddings.documents import truncated_svd
from dlgm_jax.embeddings.ranking import Ranked, ndcg_at, popularity_scores, ranked, recall_at, svd_scores
from dlgm_jax.errors import BadInput, quantity
from dlgm_jax.evaluation.completion import Completion, corpus_scores, word_scores
from dlgm_jax.evaluation.perplexity import unigram_log_likelihoods
from dlgm_jax.inference.batched import Refinement, adam
from dlgm_jax.types import Params
from experiments.evaluate import OF_POSTERIORS, finished
from experiments.flags.command import Command, parse, run_main
from experiments.recipes import runs
from experiments.recipes.sweep import JUDGED, Sweep
from experiments.report.completion import by_unigram, completed, divided, ordered
from experiments.report.page import Table
from experiments.workdir.assembly import COMPLETE, Assembly, evaluation_refinement

OWN_FLAGS = JUDGED | {
    "input": (None, "the folder of MovieLens's tables"),
    "k": ("20,50,100", "how many of the first items are looked at"),
    "observed_items": (0.8, "share of a user's items that is observed, the others are ranked; 0.8 as in Liang et al."),
    "observed_tokens": (0.5, "share of a document's tokens that is observed, the others are predicted"),
    "factors": ("5,10,20,50,100", "numbers of components of the SVD, of which the validation users choose"),
    "samples": (100, "draws from the posterior for the predictive"),
    "split_seed": (0, "seed of what is observed"),
}
RANKING = ("k", "by", "Recall (Liang)", "Recall (classical)", "NDCG", "std. error of NDCG")
COMPLETION = ("by", "predictive", "plug-in", "corpus total, predictive", "corpus total, plug-in")


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=OF_POSTERIORS)
    check(command)
    sweep = Sweep("ratings", command)
    for label, workdir in runs.folders(command, sweep, lambda: runs.films(sweep, command.text("input"))).items():
        run, assembly = finished(command, workdir)
        number = assembly.splits["test"].num_documents
        shares = f"{command.own['observed_items']:.0%} of items and {command.own['observed_tokens']:.0%} of tokens"
        print(
            f"Ranks and completes {quantity(number, 'test document')} of {workdir}, {shares} observed ...", flush=True
        )
        by = {f"{label}, refined": evaluation_refinement(assembly.config), f"{label}, network's guess": adam(0)}
        sweep.show(ranking_table(assembly, run.params, by, command))
        sweep.show(completion_table(assembly, run.params, by, command))


def check(command: Command) -> None:
    """Raises BadInput for a flag that cannot be."""
    for flag in ("k", "factors"):
        if not command.numbers(flag):
            raise BadInput(f"--{flag}: expected whole numbers from 1 as 20,50, found nothing")
    for flag in ("observed_items", "observed_tokens"):
        command.share(flag)
    command.number("samples")
    if command.own["split_seed"] < 0:
        raise BadInput(f"--split_seed: expected a whole number from 0, found {command.own['split_seed']}")


def parts(assembly: Assembly, name: str, split: Split, command: Command) -> Halves:
    """The documents of a split of the run in two parts, as the flags say. Raises BadInput."""
    share = command.share("observed_items" if split is items else "observed_tokens")
    return divided(assembly, name, split, share=share, seed=command.own["split_seed"])


def ranking_table(assembly: Assembly, params: Params, by: dict[str, Refinement], command: Command) -> Table:
    """Recall and NDCG of every ranking of the test users' items, for every k."""
    depths, users = command.numbers("k"), parts(assembly, "test", items, command)
    observed, train = users.observed, assembly.train
    scores = {name: model_scores(assembly, params, observed, how) for name, how in by.items()}
    components = chosen_components(train.in_memory(), parts(assembly, "validation", items, command), command)
    scores[f"truncated SVD, {len(components)} components"] = svd_scores(components, observed.counts)
    scores["popularity"] = popularity_scores(train.document_frequencies(), observed.num_documents)
    found = {name: ranked_items(blocks, users, depths) for name, blocks in scores.items()}
    shown = [(k, name, *averages(tops, k)) for k in depths for name, tops in found.items()]
    note = f"Means over {number_of(users)}. Recall is hits / min(k, held out) (Liang), hits / held out (classical)."
    return Table("Held-out items among the first k", note, RANKING, shown)


def ranked_items(scores: Iterator[np.ndarray], users: Halves, depths: list[int]) -> Ranked:
    """What the scores put first of what is not observed."""
    return ranked(scores, users.observed.counts, users.scored.counts, depth=max(depths))


def averages(tops: Ranked, k: int) -> tuple[float, ...]:
    """Both recalls, NDCG and the standard error of its mean."""
    gains = ndcg_at(tops, k)
    recalls = (float(recall_at(tops, k, definition=definition).mean()) for definition in ("liang", "classical"))
    error = gains.std(ddof=1) / math.sqrt(len(gains)) if len(gains) > 1 else math.nan
    return *recalls, float(gains.mean()), float(error)


def model_scores(assembly: Assembly, params: Params, observed: Corpus, how: Refinement) -> Iterator[np.ndarray]:
    """log mu at the posterior mean of the observed items, in blocks [.., V]."""
    score = word_scores(assembly.model, refinement=how)
    return corpus_scores(score, params, ordered(assembly, observed), assembly.key(COMPLETE))


def chosen_components(train: Corpus, users: Halves, command: Command) -> np.ndarray:
    """As many right singular vectors of the training counts as rank the items of `users` best by NDCG: [n, V]."""
    numbers = command.numbers("factors")
    components = truncated_svd(train.counts.astype(np.float64), max(numbers)).components_
    depths = command.numbers("k")

    def gain(number: int) -> float:
        tops = ranked_items(svd_scores(components[:number], users.observed.counts), users, depths)
        return float(ndcg_at(tops, max(depths)).mean())

    return components[: max(numbers, key=gain)]


def completion_table(assembly: Assembly, params: Params, by: dict[str, Refinement], command: Command) -> Table:
    """Perplexities of the tokens of the test documents that are not observed."""
    documents, number = parts(assembly, "test", tokens, command), command.number("samples")
    found = {
        name: completed(assembly, params, {"test": documents}, how, num_samples=number)["test"]
        for name, how in by.items()
    }
    unigram = unigram_log_likelihoods(assembly.train, documents.scored, added=1.0)
    unknown = Completion(0, 0, *[math.nan] * 4)
    found |= {"truncated SVD": unknown, "popularity": by_unigram(unigram, documents.scored)}
    shown = [
        (name, scores.predictive, scores.plug_in, scores.corpus_predictive, scores.corpus_plug_in)
        for name, scores in found.items()
    ]
    note = (
        f"Of {number_of(documents)}. Predictive: the mean of mu over {command.own['samples']} draws of z. "
        "Plug-in: mu at the posterior mean. The first two columns are means over documents."
    )
    return Table("Completion perplexity of the tokens that are not observed", note, COMPLETION, shown)


def number_of(documents: Halves) -> str:
    """How many documents count."""
    left_out = documents.left_out
    beside = f" ({left_out:,} with fewer than two are left out)" if left_out else ""
    return f"{quantity(documents.scored.num_documents - left_out, 'document')}{beside}"


if __name__ == "__main__":
    run_main(main)
