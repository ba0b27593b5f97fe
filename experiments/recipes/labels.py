"""Which latents tell labels best? By K, epochs and scale of the latents, beside tf-idf and SVD.

python -m experiments.recipes.labels --input=20news_nvdm
python -m experiments.recipes.labels --input=dblp.jsonl --most=10000

Any input with labels will do. Models are those of the command that `prepare` prints, with their K or epochs changed.
Labels of test documents by a vote of the 10 nearest training documents (by the cosine) and by logistic regression. The
posterior means are taken as they are; divided by their standard deviations; and multiplied by J_mean^log, so that
latents count by what they do to the log-probabilities of words (rotated by its right singular vectors and multiplied by
its singular values, which gives the same distances). The probe standardises what it is given, so that of these three
only the last differs for it, by the rotation.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dlgm_jax.data import compact, datasets
from dlgm_jax.data.corpus import Documents
from dlgm_jax.embeddings.documents import label_scores, lsa, tfidf_rows, with_labels
from dlgm_jax.errors import quantity
from dlgm_jax.features import idf_for
from dlgm_jax.introspection.jacobian import jacobian_mean
from dlgm_jax.sizes import by_size
from experiments.evaluate import finished
from experiments.flags.command import Command, parse, run_main
from experiments.recipes.cells import labels_of, means
from experiments.recipes.sweep import FLAGS, Row, Sweep
from experiments.recipes.table1 import FISHER
from experiments.report.page import Table
from experiments.workdir.assembly import INTROSPECT

OWN_FLAGS = {name: flag for name, flag in FLAGS.items() if name != "seeds"} | {
    "input": (None, "documents with labels, in any form that prepare reads"),
    "most": (0, "training documents, so many of them drawn; 0: all"),
    "sizes": ("20,50,100,200", "values of K"),
}
PASSES = (1 / 3, 3)  # times the epochs of the printed command, at K=100


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["seed"])
    sweep = Sweep("labels", command)
    counts = sweep.prepared("labels", f"--input={command.text('input')}")
    if command.own["most"]:
        counts = drawn(sweep, counts, command.number("most"))
    shown = []
    for label, workdir in sweep.folders(rows(command, counts)).items():
        run, assembly = finished(Command({}, {}), workdir)
        labels = labels_of(assembly.splits, counts)
        embedded = means(assembly, run.params)
        jacobian = np.asarray(jacobian_mean(run.params, assembly.key(INTROSPECT)), np.float64)
        shown += [(label, scale, *judged(found, labels)) for scale, found in scaled(embedded, jacobian).items()]
        K = assembly.config.settings.K
        if label.startswith("K="):
            beside = judged(lsa_of(assembly.splits, K), labels)
            shown.append((f"tf-idf and SVD, {quantity(K, 'component')}", "", *beside))
    sizes = ", ".join(f"{split} {corpus.num_documents:,}" for split, corpus in assembly.splits.items())
    note = f"Documents of {Path(command.text('input')).name}: {sizes}; {quantity(len(set(labels['train'])), 'label')}."
    sweep.show(Table("Labels from latents", note, ("latents", "scale", "10 nearest, %", "linear probe, %"), shown))


def rows(command: Command, counts: str) -> list[Row]:
    """The models: of every K, and at K=100 of fewer and more epochs."""
    train = datasets.load(counts).train
    sized = by_size(train.num_documents, train.vocab_size, float(train.lengths.mean()))
    settings = {"dataset": counts, "model": 3, "seed": command.given.get("seed", 0)} | FISHER | sized._asdict()
    found = [Row(f"K={K}", settings | {"K": K}) for K in command.numbers("sizes")]
    for times in PASSES:
        epochs = max(1, round(times * sized.epochs))
        found.append(Row(f"{quantity(epochs, 'epoch')}, K=100", settings | {"epochs": epochs}))
    return found


def drawn(sweep: Sweep, folder: str, most: int) -> str:
    """The folder of the same corpus with so many of its training documents."""
    there, loaded = sweep.folder / f"{Path(folder).name}-{most}", datasets.load(folder)
    if not there.exists():
        order = np.random.default_rng(0).permutation(loaded.train.num_documents)
        with compact.Writer(there, loaded.train.vocabulary, {}) as writer:
            writer.add("train", loaded.train.select(np.sort(order[:most])).in_memory())
            writer.add("test", loaded.test.in_memory())
    return str(there)


def scaled(embedded: dict[str, np.ndarray], jacobian: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """The means in three scales."""
    deviations = embedded["train"].std(axis=0)
    _, values, right = np.linalg.svd(jacobian, full_matrices=False)
    return {
        "means": embedded,
        "means / deviations": {split: rows / deviations for split, rows in embedded.items()},
        "J_mean^log means": {split: rows @ right.T * values for split, rows in embedded.items()},
    }


def lsa_of(splits: Mapping[str, Documents], number: int) -> dict[str, np.ndarray]:
    """Latent semantic analysis, fitted to the training documents."""
    train = splits["train"].in_memory()
    idf = np.asarray(idf_for("tfidf", train.document_frequencies(), train.num_documents))
    project = lsa(train.counts, idf, number)
    return {split: project.transform(tfidf_rows(splits[split].in_memory().counts, idf)) for split in ("train", "test")}


def judged(embedded: dict[str, np.ndarray], labels: dict[str, list[str]]) -> tuple[float, float]:
    """The labels found, in percent, by the nearest and by the probe."""
    known = {split: with_labels(embedded[split], labels[split]) for split in ("train", "test")}
    scores = label_scores(*known["train"], *known["test"])
    return 100 * scores.neighbours, 100 * scores.linear


if __name__ == "__main__":
    run_main(main)
