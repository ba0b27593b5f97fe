"""Do latent means tell the types of cells? Beside principal components of log-normalised counts.

python -m experiments.prepare --input=mouse_bladder_cell_select_2100.h5 --output=bladder --test_size=420
python -m experiments.train --dataset=bladder --K=20 --M=13 --refiner=fisher --batch_size=100 --epochs=60
python -m experiments.recipes.cells --workdir=RUN

Labels of test documents by their 10 nearest training documents and by a linear probe; and the adjusted Rand index of
as many k-means clusters of all documents as there are labels. Takes any corpus with labels.
"""

from itertools import chain

import numpy as np

from dlgm_jax.data import batches
from dlgm_jax.embeddings.clusters import agreement_with_labels
from dlgm_jax.embeddings.documents import label_scores, log_normalised_components
from dlgm_jax.learning.latents import corpus_posteriors, posterior
from dlgm_jax.types import BadInput
from experiments.assembly import SCORE, evaluation_refinement, prepare_runtime
from experiments.command import parse, run_main
from experiments.evaluate import SETTINGS, finished
from experiments.page import Table, plain

OWN_FLAGS = {
    "workdir": (None, "the folder of a run on labelled documents"),
    "components": (50, "principal components beside"),
}


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=SETTINGS)
    number = command.number("components")
    prepare_runtime()
    run, assembly = finished(command)
    corpora = {split: corpus.in_memory() for split, corpus in assembly.splits.items()}
    labels = {split: list(corpus.labels or ()) for split, corpus in corpora.items()}
    if not all(labels.values()) or len(set(labels["train"])) < 2:
        raise BadInput(
            f"--workdir: expected documents with labels of two kinds, found none in {assembly.config.dataset}"
        )
    everyone = list(chain(*labels.values()))
    print(f"Posterior means of the {len(everyone):,} documents of {command.own['workdir']} ...", flush=True)
    find = posterior(assembly.model, refinement=evaluation_refinement(assembly.config))
    means = {}
    for split, corpus in corpora.items():
        ordered = batches.ordered_batches(corpus, assembly.batch_size, sizes=assembly.sizes)
        means[split] = np.asarray(corpus_posteriors(find, run.params, ordered, assembly.key(SCORE)).mean)
    project = log_normalised_components(corpora["train"].counts, number)
    projected = {split: project(corpus.counts) for split, corpus in corpora.items()}
    rows = []
    for name, found in (("posterior means", means), (f"log-normalised, {number} components", projected)):
        scores = label_scores(found["train"], labels["train"], found["test"], labels["test"])
        index = agreement_with_labels(np.concatenate(list(found.values())), everyone)
        rows.append((name, 100 * scores.neighbours, 100 * scores.linear, index))
    header = ("embedding", "10 nearest, %", "linear probe, %", "adjusted Rand index")
    print(plain(Table("Labels from embeddings", "", header, rows)))
    print(
        f"{len(labels['test']):,} test and {len(labels['train']):,} training documents, {len(set(everyone))} labels; "
        "the adjusted Rand index is of k-means on all documents."
    )


if __name__ == "__main__":
    run_main(main)
