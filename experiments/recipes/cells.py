"""Do latent means tell the types of cells? Beside principal components of log-normalised counts.

python -m experiments.recipes.cells --input=mouse_bladder_cell_select_2100.h5 --genes=5000
python -m experiments.recipes.cells --input=worm_neuron_cell.h5 --genes=5000

The files are those of scDeepCluster (github.com/ttgump/scDeepCluster, scRNA-seq data; the `cells` extra reads them),
but any input with labels will do. Labels of test documents by their 10 nearest training documents and by a linear
probe; and the adjusted Rand index of as many k-means clusters of all documents as there are labels. The paper has no
such table.

Expected (nearest / probe / index): worm neurons 97.6% / 94.5% / 0.53, components 90.5% / 92.9% / 0.37; mouse bladder
84.0% / 86.4% / 0.45, components 83.8% / 88.1% / 0.48.
Time on 2 cores: 28 and 12 minutes beside other work.
"""

from collections.abc import Mapping

import numpy as np

from dlgm_jax.data import batches, datasets
from dlgm_jax.data.corpus import Documents
from dlgm_jax.embeddings.clusters import agreement_with_labels
from dlgm_jax.embeddings.documents import label_scores, log_normalised_components, with_labels
from dlgm_jax.errors import BadInput, quantity
from dlgm_jax.evaluation.posteriors import corpus_posteriors, posterior
from dlgm_jax.types import Params
from experiments.evaluate import OF_POSTERIORS, finished
from experiments.flags.command import Command, parse, run_main
from experiments.recipes import runs
from experiments.recipes.sweep import JUDGED, Row, Sweep
from experiments.report.page import Table
from experiments.workdir.assembly import SCORE, Assembly, evaluation_refinement

OWN_FLAGS = JUDGED | {
    "input": (None, "documents with labels, in any form that prepare reads"),
    "genes": (0, "the words that most documents hold, so many of them; 0: all"),
    "components": (50, "principal components beside"),
}


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=OF_POSTERIORS)
    number = command.number("components")
    sweep = Sweep("cells", command)
    rows = []
    for label, workdir in runs.folders(command, sweep, lambda: labelled(command, sweep)).items():
        run, assembly = finished(command, workdir)
        corpora = {split: corpus.in_memory() for split, corpus in assembly.splits.items()}
        labels = labels_of(corpora, assembly.config.dataset)
        project = log_normalised_components(corpora["train"].counts, number)
        projected = {split: project(corpus.counts) for split, corpus in corpora.items()}
        rows.append((f"{label}, posterior means", *judged(means(assembly, run.params), labels)))
        rows.append((f"log-normalised, {quantity(number, 'component')}", *judged(projected, labels)))
    labelled_of = {split: [label for label in own if label] for split, own in labels.items()}
    note = (
        f"{len(labelled_of['test']):,} test and {quantity(len(labelled_of['train']), 'training document')}, "
        f"{quantity(len(set(labelled_of['train'])), 'label')}; the adjusted Rand index is of k-means on all documents."
    )
    header = ("embedding", "10 nearest, %", "linear probe, %", "adjusted Rand index")
    sweep.show(Table("Labels from embeddings", note, header, rows))


def labelled(command: Command, sweep: Sweep) -> list[Row]:
    """The model of the cells."""
    size = [f"--vocab_size={command.number('genes')}"] if command.own["genes"] else []
    counts = sweep.prepared("cells", f"--input={command.text('input')}", "--test_size=420", *size)
    loaded = datasets.load(counts)
    labels_of({"train": loaded.train, "test": loaded.test}, command.text("input"))
    settings = {"dataset": counts, "K": 20, "batch_size": 100, "epochs": 60}
    return [Row(runs.BEST, settings | runs.RATE | runs.MODELS[runs.BEST])]


def labels_of(corpora: Mapping[str, Documents], name: str) -> dict[str, list[str]]:
    """The labels of every document. Raises BadInput where there are none, or of one kind."""
    labels = {split: list(corpus.labels or ()) for split, corpus in corpora.items()}
    if not all(map(any, labels.values())) or len(set(filter(None, labels["train"]))) < 2:
        raise BadInput(f"{name}: expected documents with labels of two kinds, found none")
    return labels


def means(assembly: Assembly, params: Params) -> dict[str, np.ndarray]:
    """The posterior means of the documents of every split."""
    print(f"Posterior means of the documents of {assembly.config.dataset} ...", flush=True)
    find = posterior(assembly.model, refinement=evaluation_refinement(assembly.config))
    found = {}
    for split, corpus in assembly.splits.items():
        ordered = batches.ordered_batches(corpus, assembly.batch_size, sizes=assembly.sizes)
        found[split] = np.asarray(corpus_posteriors(find, params, ordered, assembly.key(SCORE)).mean)
    return found


def judged(found: dict[str, np.ndarray], labels: dict[str, list[str]]) -> tuple[float, float, float]:
    """What an embedding of every split knows of the labels."""
    known = {split: with_labels(rows, labels[split]) for split, rows in found.items()}
    scores = label_scores(*known["train"], *known["test"])
    everyone = [label for _, own in known.values() for label in own]
    index = agreement_with_labels(np.concatenate([rows for rows, _ in known.values()]), everyone)
    return 100 * scores.neighbours, 100 * scores.linear, index


if __name__ == "__main__":
    run_main(main)
