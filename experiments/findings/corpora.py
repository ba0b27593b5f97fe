"""What the model makes of its documents: units in use, documents near each other, labels."""

import numpy as np

from dlgm_jax.data import batches
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.embeddings.documents import label_scores, lsa, tfidf_rows
from dlgm_jax.embeddings.neighbours import nearest
from dlgm_jax.introspection.spectrum import units
from dlgm_jax.learning.latents import corpus_posteriors, posterior
from dlgm_jax.learning.refinement import preconditioned
from dlgm_jax.types import Gaussian
from experiments.assembly import Assembly
from experiments.command import Command
from experiments.findings.model import Learned
from experiments.page import Figure, Table

STEPS = 5  # of the fisher refiner for each document
SHOWN = 6  # documents


def parts(model: Learned, command: Command) -> list[Table | Figure]:
    """Tables of the posteriors of test documents; a line that says so where the corpus is gone."""
    limit, assembly = command.own["documents"], model.assembly
    if not limit:
        return []
    if assembly is None:
        print(f"Note: the corpus of {model.folder} is not there any more, so its documents are left out.")
        return []
    corpora = {name: some(assembly.splits[name], limit) for name in ("train", "test")}
    found = {name: _posteriors(model, assembly, corpus) for name, corpus in corpora.items()}
    means = {name: np.asarray(psi.mean) for name, psi in found.items()}
    return [
        unit_table(found["test"]),
        document_table(model, corpora["test"], means["test"]),
        *label_tables(model, corpora, means),
    ]


def some(corpus: Corpus, limit: int) -> Corpus:
    """At most `limit` documents that have words, drawn by a fixed seed, in order."""
    rows = np.random.default_rng(0).permutation(np.flatnonzero(corpus.lengths))[:limit]
    return corpus.select(np.sort(rows))


def unit_table(psi: Gaussian) -> Table:
    """How many latent dimensions the posteriors use, and which are dead."""
    found = units(*psi)
    dead = ", ".join(map(str, found.dead)) or "none"
    rows = [
        ("documents", len(psi.mean)),
        ("active units (variance of posterior means above 0.01)", found.active),
        ("dead units (under 0.01 nats a document)", len(found.dead)),
        ("KL, nats a document", float(found.kl.sum())),
        ("largest KL of a unit", float(found.kl.max())),
        ("median KL of a unit", float(np.median(found.kl))),
    ]
    note = f"Of refined posteriors of test documents ({2 * STEPS} gradient evaluations by fisher). Dead units: {dead}."
    return Table("Units in use", note, ("measure", "value"), rows)


def document_table(model: Learned, corpus: Corpus, means: np.ndarray) -> Table:
    """Documents and their nearest by the cosine of posterior means, each by its most telling words."""
    order, cosines = nearest(means, range(min(SHOWN, len(means))), num_neighbours=1)
    rows = [
        (corpus.ids[place], telling(model, corpus, place), telling(model, corpus, near[0]), float(cosine[0]))
        for place, (near, cosine) in enumerate(zip(order, cosines))
        if len(near)
    ]
    note = "Documents by their words of largest tf-idf, and the nearest other one by the cosine of posterior means."
    return Table("Nearest documents", note, ("document", "its words", "the nearest's words", "cosine"), rows)


def telling(model: Learned, corpus: Corpus, row: int, number: int = 6) -> str:
    """The words of a document with the largest tf-idf."""
    counts = corpus.counts[[row]].tocoo()
    weights = counts.data * model.run.idf[counts.col]
    return ", ".join(model.vocabulary[word] for word in counts.col[np.argsort(-weights, kind="stable")[:number]])


def label_tables(model: Learned, corpora: dict[str, Corpus], means: dict[str, np.ndarray]) -> list[Table | Figure]:
    """Accuracy of labels from posterior means beside tf-idf and SVD; nothing where there are no labels."""
    train, test = corpora["train"], corpora["test"]
    if train.labels is None or test.labels is None or len(set(train.labels)) < 2:
        return []
    svd = lsa(train.counts, model.run.idf, model.config.K)
    projected = {name: svd.transform(tfidf_rows(corpus.counts, model.run.idf)) for name, corpus in corpora.items()}
    rows = []
    for title, found in (("posterior means", means), (f"tf-idf, SVD to {projected['train'].shape[1]}", projected)):
        scores = label_scores(found["train"], train.labels, found["test"], test.labels)
        rows.append((title, 100 * scores.neighbours, 100 * scores.linear))
    note = (
        f"Percent of {test.num_documents:,} test documents whose label is found from {train.num_documents:,} "
        f"training documents; there are {len(set(train.labels))} labels."
    )
    return [Table("Labels from documents", note, ("embedding", "10 nearest", "linear probe"), rows)]


def _posteriors(model: Learned, assembly: Assembly, corpus: Corpus) -> Gaussian:
    size = min(assembly.config.batch_size, corpus.num_documents)
    ordered = batches.ordered_batches(corpus, size, sizes=batches.padded_sizes(size, corpus))
    find = posterior(assembly.model, refinement=preconditioned(STEPS))
    return corpus_posteriors(find, model.run.params, ordered, model.key)
