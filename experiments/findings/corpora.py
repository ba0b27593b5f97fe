"""What the model makes of its documents: units in use, documents near each other, labels."""

import operator
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import scipy.sparse

from dlgm_jax import export
from dlgm_jax.data import batches
from dlgm_jax.data.corpus import Corpus, Documents
from dlgm_jax.embeddings.documents import label_scores, lsa, tfidf_rows, with_labels
from dlgm_jax.embeddings.neighbours import nearest, nearest_to
from dlgm_jax.errors import BadInput, quantity, shown
from dlgm_jax.evaluation.posteriors import corpus_posteriors, posterior
from dlgm_jax.introspection.spectrum import units
from experiments.findings.model import Learned, pieces, refinement_of
from experiments.flags.command import Command
from experiments.report.page import Table
from experiments.workdir.assembly import Assembly

STEPS = 5  # of the fisher refiner for each document
SHOWN = 6  # documents
SHOWN_DEAD = 12
UNITS = "units.csv"
NEIGHBOURS = 5  # of a document that is asked for


def parts(models: list[Learned], asked: Corpus | None, command: Command, output: Path) -> Iterator[Table]:
    """Tables of the posteriors of documents: units of all models, documents and labels of the first.

    `asked` are documents whose neighbours are shown besides.
    """
    limit, model = command.own["documents"], models[0]
    (output / UNITS).unlink(missing_ok=True)
    if not limit or model.assembly is None:
        return
    test, train = (some(model.assembly.splits[name], limit) for name in ("test", "train"))
    trained = [train] if labelled(train, test) else []
    own, *others = _posteriors(model, model.assembly, test, *trained, *([] if asked is None else [asked]))
    tested = [(model, own)]
    for other in models[1:]:
        if other.assembly is not None:
            (psi,) = _posteriors(other, other.assembly, some(other.assembly.splits["test"], limit))
            tested.append((other, psi))
    yield unit_table(tested, output)
    means, *other_means = (psi_means(model, psi) for psi in (own, *others))
    yield document_table(model, test, means)
    if asked is not None:
        yield asked_table(model, asked, other_means[-1], test, means)
    if trained:
        yield label_table(model, {"train": train, "test": test}, {"train": other_means[0], "test": means})


def stacked(corpora: Sequence[Corpus]) -> Corpus:
    """All documents in one corpus, without labels."""
    counts = scipy.sparse.vstack([corpus.counts for corpus in corpora], "csr")
    first = corpora[0]
    return Corpus(counts, first.vocabulary, [name for corpus in corpora for name in corpus.ids], whole=first.whole)


def asked_documents(model: Learned, command: Command) -> Corpus | None:
    """The documents of --document, by id, or by number among the test documents. Raises BadInput."""
    text = command.own["document"]
    if not text:
        return None
    if not command.own["documents"] or model.assembly is None:
        raise BadInput("--document: expected documents to look among (--documents, and the run's corpus), found none")
    splits = [model.assembly.splits[name] for name in ("test", "validation", "train")]
    names = [{name: row for row, name in enumerate(split.ids)} for split in splits]

    def place(word: str) -> tuple[int, int] | None:
        """Which split, and which row of it."""
        found = next(((which, ids[word]) for which, ids in enumerate(names) if word in ids), None)
        number = int(word) if word.isdecimal() and len(word) < 10 else 0
        return found if found or not 1 <= number <= splits[0].num_documents else (0, number - 1)

    words = list(dict.fromkeys(pieces(text, lambda word: place(word) is not None)))
    for word in words:
        if place(word) is None:
            number = splits[0].num_documents
            raise BadInput(f"--document: expected an id, or a number from 1 to {number:,}, found {shown(word)}")
    rows = [splits[which].select([row]).in_memory() for which, row in filter(None, map(place, words))]
    return stacked(rows)


def some(corpus: Documents, limit: int) -> Corpus:
    """At most `limit` documents that have words, drawn by a fixed seed, in order."""
    rows = np.random.default_rng(0).permutation(np.flatnonzero(corpus.lengths))[:limit]
    return corpus.select(np.sort(rows)).in_memory()


def unit_table(tested: list[tuple[Learned, Any]], output: Path) -> Table:
    """How many latent dimensions the posteriors use, and which are dead; all of them go to a file."""
    rows, lines = [], []
    for model, psi in tested:
        found = units(psi_means(model, psi), unit_kl(model, psi))
        dead = ", ".join(f"z{unit + 1}" for unit in found.dead[:SHOWN_DEAD])
        more = " ..." if len(found.dead) > SHOWN_DEAD else ""
        kl = found.kl if found.kl is not None else np.full(len(found.variance), np.nan)
        of_kl = float(kl.sum()), float(kl.max()), float(np.median(kl))
        number = len(jax.tree.leaves(psi)[0])
        rows.append((model.label, number, found.active, *of_kl, len(found.dead), dead + more or "none"))
        columns = zip(found.variance.tolist(), kl.tolist())
        lines += [(model.label, f"z{unit}", *values) for unit, values in enumerate(columns, 1)]
    export.write_rows(output / UNITS, ("run", "unit", "variance of means", "KL in nats"), lines)
    header = ("model", "documents", "active", "KL", "largest KL", "median KL", "dead", "these are dead")
    note = (
        f"Posteriors of test documents, {refinement_of(tested[0][0].model, STEPS)[1]}. Active: the variance "
        "of posterior means is above 0.01. Dead: under 0.01 nats a document, or where there is no KL (nan) not active. "
        "KL in nats a document, of all and of one; "
        f"of every unit in {UNITS}."
    )
    return Table("Units in use", note, header, rows)


def document_table(model: Learned, corpus: Corpus, means: np.ndarray) -> Table:
    """Documents and their nearest by the cosine of posterior means, each by its most telling words."""
    order, cosines = nearest(means, range(min(SHOWN, len(means))), num_neighbours=1)
    rows = [
        (
            corpus.ids[place],
            corpus.ids[near],
            float(cosine),
            telling(model, corpus, place),
            telling(model, corpus, near),
        )
        for place in range(len(order))
        for near, cosine in zip(order[place], cosines[place])
    ]
    note = (
        "Documents by their words of largest tf-idf, and the nearest other one by the cosine of posterior means. "
        "Ask for others by --document."
    )
    header = ("document", "nearest", "cosine", "its words", "the nearest's words")
    return Table("Nearest documents", note, header, rows)


def asked_table(model: Learned, asked: Corpus, means: np.ndarray, corpus: Corpus, corpus_means: np.ndarray) -> Table:
    """The documents that were asked for, each above the test documents nearest to it."""
    rows = []
    for place, name in enumerate(asked.ids):
        own = [row for row in range(corpus.num_documents) if corpus.ids[row] == name]
        mean = corpus_means[own[:1]] if own else means[[place]]  # refinement draws for each document of a corpus
        order, cosines = nearest_to(corpus_means, mean, num_neighbours=NEIGHBOURS, omitted=np.array([own], int))
        rows.append((name, "itself", 1.0, telling(model, asked, place)))
        rows += [
            (name, corpus.ids[near], float(cosine), telling(model, corpus, near))
            for near, cosine in zip(order[0], cosines[0])
        ]
    number = quantity(corpus.num_documents, "test document")
    note = f"The {NEIGHBOURS} nearest of {number} by the cosine of posterior means."
    return Table("Nearest documents, as asked", note, ("document", "nearest", "cosine", "its words"), rows)


def telling(model: Learned, corpus: Corpus, row: int, number: int = 6) -> str:
    """The words of a document with the largest tf-idf."""
    counts = corpus.counts[[row]].tocoo()
    weights = counts.data * model.run.idf[counts.col]
    return ", ".join(model.vocabulary[word] for word in counts.col[np.argsort(-weights, kind="stable")[:number]])


def labelled(train: Corpus, test: Corpus) -> bool:
    """Tells documents with labels, training ones of more than one class."""
    return any(test.labels or ()) and len(set(filter(None, train.labels or ()))) > 1


def label_table(model: Learned, corpora: dict[str, Corpus], means: dict[str, np.ndarray]) -> Table:
    """Accuracy of labels from posterior means beside tf-idf and SVD."""
    train, test = corpora["train"], corpora["test"]
    svd = lsa(train.counts, model.run.idf, model.config.settings.K)
    projected = {name: svd.transform(tfidf_rows(corpus.counts, model.run.idf)) for name, corpus in corpora.items()}
    rows = []
    for title, found in (("posterior means", means), (f"tf-idf, SVD to {projected['train'].shape[1]}", projected)):
        known = {name: with_labels(found[name], corpora[name].labels or ()) for name in ("train", "test")}
        scores = label_scores(*known["train"], *known["test"])
        rows.append((title, 100 * scores.neighbours, 100 * scores.linear))
    note = (
        f"Percent of {quantity(sum(map(bool, test.labels or ())), 'test document')} whose label is found from "
        f"{quantity(sum(map(bool, train.labels or ())), 'training document')} with a label; "
        f"there are {quantity(len(set(filter(None, train.labels or ()))), 'label')}."
    )
    return Table("Labels from documents", note, ("embedding", "10 nearest", "linear probe"), rows)


def psi_means(model: Learned, psi: Any) -> np.ndarray:
    """The coordinates of documents by their posteriors: [D, K]."""
    return np.asarray(jax.vmap(model.model.family.mean)(psi))


def unit_kl(model: Learned, psi: Any) -> np.ndarray | None:
    """The KL of each latent dimension of documents [D, K], where the model's has parts."""
    of_units, params = model.model.unit_kl, model.run.params
    return None if of_units is None else np.asarray(jax.vmap(lambda one: of_units(params, one))(psi))


def _posteriors(model: Learned, assembly: Assembly, *corpora: Corpus) -> list[Any]:
    """Refined posteriors of the documents of each corpus, by one compiled function."""
    corpus = stacked(corpora)
    size = min(assembly.config.batch_size, corpus.num_documents)
    ordered = batches.ordered_batches(corpus, size, sizes=batches.padded_sizes(size, corpus))
    find = posterior(assembly.model, refinement=refinement_of(assembly.model, STEPS)[0])
    found = corpus_posteriors(find, model.run.params, ordered, model.document_key)
    ends = np.cumsum([part.num_documents for part in corpora])
    return [jax.tree.map(operator.itemgetter(slice(*bounds)), found) for bounds in zip([0, *ends], ends)]
