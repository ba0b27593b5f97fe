"""Shows what trained models learned, in tables, pictures and one HTML page.

python -m experiments.introspect --workdir=runs/docstrings-3-M100-tfidf
python -m experiments.introspect --workdir=RUN --query=bank --context="river water fishing; money loan interest"
python -m experiments.introspect --workdir=RUN1,RUN2 --similarity=EN-WS-353-ALL.txt,scws_ratings.txt.gz
"""

from itertools import chain
from pathlib import Path

import numpy as np

from dlgm_jax import export
from dlgm_jax.data.places import check_writable, in_utf8
from dlgm_jax.embeddings.clusters import AFFINITIES
from dlgm_jax.errors import BadInput, quantity
from experiments.findings import contexts, corpora, judgements, vectors
from experiments.findings.model import Learned, models_of, variant_of
from experiments.flags.command import Command, parse, run_main
from experiments.report import page
from experiments.report.plots import FEWEST
from experiments.workdir import workdir
from experiments.workdir.assembly import prepare_runtime

OWN_FLAGS = {
    "workdir": (None, "the folder of a run; of several, by commas, the first is shown and all are compared"),
    "query": ("", "words whose neighbours are shown, by commas (by semicolons where they hold commas)"),
    "context": ("", "documents of some words, by semicolons, under which queries are read (titles, codes by commas)"),
    "similarity": (
        "",
        "files of rated word pairs, by commas: WordSim-353, MEN, RareWords, SimLex-999, SCWS, or tables with a header",
    ),
    "analogies": ("", "files of analogies, by commas, as questions-words.txt, or tables with a header"),
    "variant": (None, "of the Jacobian vectors: pot, log or prob; unset: log, and pot of real rows"),
    "samples": (400, "draws from the prior for the mean Jacobian"),
    "clusters": (50, "clusters of words; no more than words"),
    "affinity": ("cosine", "for clusters: cosine of all pairs, or neighbours, a graph of nearest ones"),
    "neighbours": (8, "neighbours of a word that are shown"),
    "plurals": (False, "show plurals of the query and of other neighbours too"),
    "words": (16, "frequent words in the tables"),
    "map_words": (2000, f"frequent words in the map, from {FEWEST}; 0: no map"),
    "documents": (2000, "documents of each split whose posteriors are looked at; 0: none"),
    "document": ("", "documents whose nearest ones are shown: ids, or numbers of test documents, by commas"),
}


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["seed"])
    check(command)
    prepare_runtime()
    files = judgements.read(command)
    models = models_of(command)
    shown, output = models[0], models[0].folder / "introspection"
    check_writable(output, "--workdir")
    queries = shown.rows("query", command.own["query"])
    judgements.check_known(models, files)
    texts = contexts.contexts_of(command)
    for text in texts:
        contexts.document(shown, text)
    documents = corpora.asked_documents(shown, command)
    others = f" beside {len(models) - 1} more" if models[1:] else ""
    asked = f", {quantity(len(queries), 'query')} in {quantity(len(texts), 'context')}" if texts else ""
    print(f"Looks into {shown.folder}{others}{asked}; results go to {output}/", flush=True)
    output.mkdir(exist_ok=True)
    write_exports(shown, output)
    parts = []
    for part in chain(
        vectors.parts(shown, models, queries, command, output),
        contexts.parts(shown, queries, command),
        judgements.parts(models, files, variant_of(command, shown.model), output),
        corpora.parts(models, documents, command, output),
    ):
        parts.append(part)
        if isinstance(part, page.Table):
            print(f"\n{page.plain(part)}", flush=True)
    words, dimensions = shown.vectors.shape
    lead = f"{shown.name}: {quantity(words, 'word')}, {quantity(dimensions, 'latent dimension')}."
    title = f"What {shown.name} learned from {Path(in_utf8(Path(shown.config.dataset))).name}"
    workdir.write_whole(output / "report.html", page.page(title, lead, parts))
    print(
        f"\nResults are in {output}/ (report.html, vectors.txt for word2vec readers, projector/, vectors.csv, "
        "vectors.npz).\nNext: open report.html; ask with --query and --context; compare runs with --workdir=A,B."
    )


def check(command: Command) -> None:
    """Raises BadInput for a flag that cannot be."""
    own = command.own
    if own["affinity"] not in AFFINITIES:
        raise BadInput(f"--affinity: expected one of {', '.join(AFFINITIES)}, found {own['affinity']!r}")
    for flag in ("clusters", "neighbours", "words"):
        command.number(flag)
    if own["documents"] < 0:
        raise BadInput(f"--documents: expected a whole number from 0, found {own['documents']}")
    if own["map_words"] and own["map_words"] < FEWEST:
        raise BadInput(f"--map_words: expected 0 or a whole number from {FEWEST}, found {own['map_words']}")
    if own["context"] and not own["query"]:
        raise BadInput("--context: expected to go with --query, the words that are read under it, found none")
    if own["context"] and not contexts.contexts_of(command):
        raise BadInput(f"--context: expected words, found {own['context']!r}")


def write_exports(model: Learned, output: Path) -> None:
    """The vectors of the words in the forms of other tools."""
    words, rows = model.vocabulary, model.vectors.astype(np.float32)
    export.write_word2vec(output / "vectors.txt", words, rows)
    export.write_projector(output / "projector", words, rows)
    export.write_csv(output / "vectors.csv", words, rows)
    export.write_npz(output / "vectors.npz", words, rows)


if __name__ == "__main__":
    run_main(main)
