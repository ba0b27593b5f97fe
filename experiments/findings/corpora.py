"""What the model makes of its documents: units in use, documents near each other, labels."""

import numpy as np

from dlgm_jax.data import batches
from dlgm_jax.data.corpus import Corpus, Documents
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
SHOWN_DEAD = 12


def parts(models: list[Learned], command: Command) -> list[Table | Figure]:
    """Tables of the posteriors of documents: units of all models, documents and labels of the first."""
    limit, model = command.own["documents"], models[0]
    if not limit or model.assembly is None:
        return []
    corpora = {name: some(model.assembly.splits[name], limit) for name in ("train", "test")}
    found = {name: _posteriors(model, model.assembly, corpus) for name, corpus in corpora.items()}
    means = {name: np.asarray(psi.mean) for name, psi in found.items()}
    tested = [(model, found["test"])]
    for other in models[1:]:
        if other.assembly is not None:
            tested.append((other, _posteriors(other, other.assembly, some(other.assembly.splits["test"], limit))))
    return [
        unit_table(tested),
        document_table(model, corpora["test"], means["test"]),
        *label_tables(model, corpora, means),
    ]


def some(corpus: Documents, limit: int) -> Corpus:
    """At most `limit` documents that have words, drawn by a fixed seed, in order."""
    rows = np.random.default_rng(0).permutation(np.flatnonzero(corpus.lengths))[:limit]
    return corpus.select(np.sort(rows)).in_memory()


def unit_table(tested: list[tuple[Learned, Gaussian]]) -> Table:
    """How many latent dimensions the posteriors use, and which are dead."""
    rows = []
    for model, psi in tested:
        found = units(*psi)
        dead = ", ".join(map(str, found.dead[:SHOWN_DEAD])) + (" ..." if len(found.dead) > SHOWN_DEAD else "")
        kl = float(found.kl.sum()), float(found.kl.max()), float(np.median(found.kl))
        rows.append((model.label, len(psi.mean), found.active, *kl, len(found.dead), dead or "none"))
    header = ("model", "documents", "active", "KL", "largest KL", "median KL", "dead", "these are dead")
    note = (
        f"Of refined posteriors of test documents ({2 * STEPS} gradient evaluations by fisher). Active: the variance "
        "of posterior means is above 0.01. Dead: under 0.01 nats a document. KL in nats a document, of all and of one."
    )
    return Table("Units in use", note, header, rows)


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
