"""Do the settings that nobody gives fit a corpus of any size? Documents drawn from a large corpus, LDA and SVD beside.

python -m experiments.recipes.sizes --input=imdb_train.jsonl.xz --sizes=100,300,1000,3000,10000 --seeds=5
python -m experiments.recipes.sizes --input=worm_neuron_cell.h5 --sizes=100,300,1000,3000 --seeds=5

Any input with labels will do. Each seed draws so many training documents and 1,000 test documents, or all that are
left; words are those that `prepare` would choose by the former. Then, all with K=100: the command that `prepare`
prints, `DLGM()`, and LDA by collapsed Gibbs sampling (tomotopy, the `recipes` extra). Test perplexity is exp of minus
the mean over documents of a lower bound on log p per word; of LDA the mean-field bound and importance sampling, whose
100 draws from the mean-field posterior estimate log p(x) and are on average too low. The unigram model has 0.01 added
to each count. Labels are a vote of the 10 nearest training documents by the cosine; of LDA those of the mean-field
parameters, of SVD those of tf-idf rows. Spreads are over seeds.
"""

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dlgm_jax import DLGM
from dlgm_jax.data import compact, datasets
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.embeddings.documents import label_scores, lsa, tfidf_rows, with_labels
from dlgm_jax.errors import BadInput
from dlgm_jax.evaluation.perplexity import perplexity, unigram_log_likelihoods
from dlgm_jax.features import idf_for
from experiments import train
from experiments.evaluate import finished
from experiments.findings import lda
from experiments.flags.command import Command, parse, run_main
from experiments.flags.config import FAST
from experiments.recipes.cells import labels_of, means
from experiments.recipes.sweep import FLAGS, Figures, Sweep, known, summarised
from experiments.report.page import Table
from experiments.workdir.workdir import Metrics

OWN_FLAGS = FLAGS | {
    "input": (None, "documents with labels, in any form that prepare reads"),
    "sizes": ("100,300,1000,3000,10000", "numbers of training documents"),
    "least": (10, "of texts: times that a word occurs in the training documents, as --min_count of prepare"),
}
TESTED, TOPICS, PASSES, DRAWS = 1000, 100, 300, 100
METHODS = ("the printed command", "DLGM()", "LDA", "unigram", "tf-idf and SVD")


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=[])
    if not lda.has_gibbs:
        raise BadInput("expected tomotopy, found none; pip install 'dlgm-jax[recipes]'")
    sweep = Sweep("sizes", command)
    of_input = [f"--input={command.text('input')}", "--test_size=10"]
    whole = sweep.prepared("sizes", *of_input)
    texts = "token_pattern" in compact.load(Path(whole))[1]
    if texts:  # drawn documents may have other words among their 10,000
        whole = sweep.prepared("sizes", *of_input, "--vocab_size=60000")
    documents = everything(whole)
    for size in command.numbers("sizes"):
        if size < documents.num_documents:
            least = command.number("least") if texts else 0
            draws = {seed: drawn(documents, size, seed, least) for seed in sweep.seeds}
            found = [of_draw(sweep, whole, parts, size, seed) for seed, parts in draws.items()]
            sweep.show(table(command, size, found))


def everything(folder: str) -> Corpus:
    """All documents that have a label and words."""
    loaded = datasets.load(folder)
    labels_of({"train": loaded.train, "test": loaded.test}, folder)
    train = loaded.train.in_memory()
    return train.select(np.flatnonzero([bool(label) for label in train.labels or ()]))


def drawn(documents: Corpus, size: int, seed: int, least: int) -> dict[str, Corpus]:
    """So many training documents and TESTED test documents or all that are left, with the words that `prepare` chooses:
    of texts the 10,000 most frequent that occur `least` times in the former, else (0) all that one of them holds.
    """
    order = np.random.default_rng([size, seed]).permutation(documents.num_documents)
    parts = {"train": documents.select(order[:size]), "test": documents.select(order[size : size + TESTED])}
    frequencies = parts["train"].word_frequencies()
    kept = np.flatnonzero(frequencies >= max(least, 1))
    if least:
        kept = np.sort(kept[np.argsort(-frequencies[kept], kind="stable")[:10_000]])
    words = tuple(documents.vocabulary[word] for word in kept)
    found = {}
    for split, part in parts.items():
        names = tuple(f"{split}{place}" for place in range(part.num_documents))  # an input may name two alike
        found[split] = Corpus(part.counts[:, kept], words, names, part.labels, whole=part.whole)
    return found


def of_draw(sweep: Sweep, whole: str, parts: dict[str, Corpus], size: int, seed: int) -> dict[str, Figures]:
    """The figures of every method on one draw; those that the JSON file holds are not measured again."""
    measures = (partial(printed_command, sweep.folder), estimator, topics, unigram, components)
    found = {}
    for method, measure in zip(METHODS, measures, strict=True):
        settings = {"dataset": whole, "size": size, "seed": seed, "by": method}
        found[method] = sweep.measured(f"{size:,} documents, {method}", settings, partial(timed, measure, parts, seed))
    return found


def timed(measure: Any, parts: dict[str, Corpus], seed: int) -> Figures:
    """What a method measures: its test perplexities (the better last), its labels in percent, and the seconds."""
    began = time.monotonic()
    perplexities, embeddings = measure(parts, seed)
    seconds = round(time.monotonic() - began, 1)
    scores = {"validation": [None, None], "test": [known(round(float(value), 1)) for value in perplexities]}
    labels = None
    if embeddings:
        own = {split: with_labels(rows, parts[split].labels or ()) for split, rows in embeddings.items()}
        labels = round(100 * label_scores(*own["train"], *own["test"]).neighbours, 1)
    size = {"tested": parts["test"].num_documents, "words": parts["train"].vocab_size}
    return {"scores": scores, "labels": labels, "seconds": seconds} | size


def printed_command(folder: Path, parts: dict[str, Corpus], seed: int) -> tuple[list[float], dict[str, np.ndarray]]:
    """The command that `prepare` prints, with another seed."""
    with tempfile.TemporaryDirectory(dir=folder) as there:
        corpus, run = Path(there, "corpus"), Path(there, "run")
        with compact.Writer(corpus, parts["train"].vocabulary, {}) as writer:
            for split, part in parts.items():
                writer.add(split, part)
        train.main(["train", f"--dataset={corpus}", *FAST.split(), f"--seed={seed}", f"--workdir={run}"])
        (line,) = Metrics(run).read("test")
        learned, assembly = finished(Command({}, {}), run)
        embedded = means(assembly, learned.params)
        whole = {name: row for split in embedded for name, row in zip(assembly.splits[split].ids, embedded[split])}
    scores = [line["perplexity"], line["perplexity_refined"]]
    return scores, {split: np.stack([whole[document] for document in part.ids]) for split, part in parts.items()}


def estimator(parts: dict[str, Corpus], seed: int) -> tuple[list[float], dict[str, np.ndarray]]:
    """`DLGM()` with nothing but a seed."""
    model = DLGM(random_state=seed).fit(parts["train"].counts)
    refined = model.perplexity(parts["test"].counts)
    embedded = {split: model.transform(part.counts) for split, part in parts.items()}
    return [model.set_params(eval_M=1).perplexity(parts["test"].counts), refined], embedded


def topics(parts: dict[str, Corpus], seed: int) -> tuple[list[float], dict[str, np.ndarray]]:
    """LDA: its mean-field bound and its estimate, and the mean-field parameters of documents."""
    found = lda.gibbs_topics(parts["train"].counts, TOPICS, passes=PASSES, seed=seed)
    counts, lengths = parts["test"].counts, parts["test"].lengths.astype(np.float64)
    estimated = lda.estimates(counts, found, num_samples=DRAWS, seed=seed)
    scores = [perplexity(lda.bounds(counts, found), lengths), perplexity(estimated, lengths)]
    return scores, {split: lda.posteriors(part.counts, found) for split, part in parts.items()}


def unigram(parts: dict[str, Corpus], seed: int) -> tuple[list[float], dict[str, np.ndarray]]:
    """The model that knows nothing of a document."""
    found = unigram_log_likelihoods(parts["train"], parts["test"], added=0.01)
    return [perplexity(found, parts["test"].lengths.astype(np.float64))] * 2, {}


def components(parts: dict[str, Corpus], seed: int) -> tuple[list[float], dict[str, np.ndarray]]:
    """Latent semantic analysis, which has no perplexity."""
    train = parts["train"]
    idf = np.asarray(idf_for("tfidf", train.document_frequencies(), train.num_documents))
    project = lsa(train.counts, idf, TOPICS, seed=seed)
    embedded = {split: project.transform(tfidf_rows(part.counts, idf)) for split, part in parts.items()}
    return [np.inf, np.inf], embedded


def table(command: Command, size: int, found: list[dict[str, Figures]]) -> Table:
    """A row for each method."""
    rows = []
    for method in METHODS:
        own = [draw[method] for draw in found]
        columns = [[one["scores"]["test"][place] for one in own] for place in (0, 1)]
        columns += [[one[name] for one in own] for name in ("labels", "seconds")]
        rows.append((method, *("-" if None in column else summarised(column) for column in columns)))
    tested = found[0]["LDA"]["tested"]
    best = max(np.mean([draw[method]["labels"] for draw in found]) for method in METHODS if found[0][method]["labels"])
    error = 200 * (best / 100 * (1 - best / 100) / tested) ** 0.5
    note = (
        f"{size:,} training documents, validation among them, and {tested:,} test documents of "
        f"{Path(command.text('input')).name}. "
        f"Two standard errors of the labels of one draw: {error:.1f} points."
    )
    header = ("model", "perplexity, M=1 or mean-field bound", "refined, or estimate", "labels, %", "seconds")
    return Table(f"{size:,} documents", note, header, rows)


if __name__ == "__main__":
    run_main(main)
