"""Table 3 and Table 7: similarity of words by Jacobian vectors, beside LSA and word2vec of the same texts.

python -m experiments.prepare --input=wiki.jsonl.xz --output=wiki --vocab_size=20000 --keep=ws353.txt,scws.txt.gz
python -m experiments.train --dataset=wiki --preset=paper --model=1 --M=1 --epochs=10
python -m experiments.train --dataset=wiki --preset=paper --model=3 --M=13 --refiner=fisher --epochs=10
python -m experiments.recipes.table3 --workdir=RUN1,RUN3 --texts=wiki.jsonl.xz --similarity=ws353.txt,scws.txt.gz

The paper (1.2 million articles of 2010): WordSim-353 57.8 to 70.9, SCWS 52.2 to 61.7. LSA and word2vec have as many
dimensions as the first model, and word2vec (the `recipes` extra) reads what this project's documents are made of, with
stop words. Pairs are those whose words all of them know.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dlgm_jax.data.text import WORD, read_texts
from dlgm_jax.data.word_pairs import RatedPair, read_pairs
from dlgm_jax.embeddings.documents import lsa
from dlgm_jax.embeddings.word_similarity import Agreement, finder, word_similarity
from dlgm_jax.introspection.jacobian import VARIANTS, jacobian_mean
from dlgm_jax.types import BadInput
from experiments.assembly import prepare_runtime
from experiments.command import parse, run_main
from experiments.findings.judgements import in_context
from experiments.findings.model import Learned, learned
from experiments.page import Table, plain

OWN_FLAGS = {
    "workdir": (None, "folders of runs on one corpus, by commas"),
    "texts": (None, "the file that the corpus was prepared from"),
    "similarity": (None, "files of rated word pairs, by commas"),
    "variant": ("log", "of the vectors in context: pot, log or prob"),
    "samples": (400, "draws from the prior for the mean Jacobians"),
    "contexts": (True, "also read SCWS's words in their contexts"),
    "output": ("runs/table3.json", "where the figures go"),
}
Embedding = tuple[np.ndarray, Callable[[str], int | None]]


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["seed"])
    folders = [Path(name) for name in command.text("workdir").split(",")]
    texts, files = Path(command.text("texts")), [Path(name) for name in command.text("similarity").split(",")]
    prepare_runtime()
    print(f"Judges {', '.join(map(str, folders))} beside LSA and word2vec; figures go to {command.own['output']}.")
    pairs = {file.name: read_pairs(file) for file in files}
    models = [learned(folder, command) for folder in folders]
    embeddings = dict(jacobians(models, command.own["samples"]))
    embeddings |= {"LSA": latent_semantic(models[0])} | dict(skip_grams(models[0], texts))
    rows = list(compare(embeddings, pairs))
    show(rows, Path(command.own["output"]))
    if command.own["contexts"]:
        for model in models:
            for name, rated in pairs.items():
                if rated[0].first_context:
                    print(f"Reads {name} in context by {model.name} ...", flush=True)
                    value = 100 * in_context(model, rated, command.own["variant"])
                    rows.append((name, f"{model.name} J^{command.own['variant']} in context", value, len(rated)))
        show(rows, Path(command.own["output"]))


def show(rows: list[tuple[str, str, float, int]], path: Path) -> None:
    """Prints the table and writes it."""
    table = Table("Similarity of words", "", ("file", "vectors", "Spearman x 100", "pairs"), rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([dict(zip(table.header, row)) for row in rows], indent=1) + "\n")
    print(f"\n{plain(table)}\nWritten to {path}")


def jacobians(models: list[Learned], num_samples: int) -> Iterator[tuple[str, Embedding]]:
    """The mean Jacobian vectors of every model and variant."""
    for model in models:
        for variant in VARIANTS:
            found = jacobian_mean(model.run.params, model.key, num_samples=num_samples, variant=variant)
            yield f"{model.name} J^{variant}", (np.asarray(found), model.find)


def latent_semantic(model: Learned) -> Embedding:
    """LSA of the training counts: the right singular vectors of tf-idf, by their singular values."""
    if model.assembly is None:
        raise BadInput(f"{model.folder}: expected its corpus {model.config.dataset}, found it gone or changed")
    svd: Any = lsa(model.assembly.train.counts, model.run.idf, model.config.K)
    return svd.components_.T * svd.singular_values_, model.find


def skip_grams(model: Learned, texts: Path) -> Iterator[tuple[str, Embedding]]:
    """Word2vec, skip-gram and CBOW, of the same texts in the same dimensions."""
    try:
        from gensim.models import Word2Vec
    except ImportError as error:
        raise BadInput("word2vec: expected gensim (pip install -e '.[recipes]'), found it is not installed") from error
    pattern = re.compile(WORD)
    documents = [pattern.findall(text.text.lower()) for text in tqdm(read_texts(texts), desc="texts", unit="doc")]
    for name, skip_gram in (("word2vec skip-gram", 1), ("word2vec CBOW", 0)):
        print(f"Trains {name} ...", flush=True)
        settings: dict[str, Any] = {"vector_size": model.config.K, "sg": skip_gram, "workers": 2, "seed": 1}
        trained: Any = Word2Vec(documents, min_count=5, epochs=5, **settings)
        yield name, (trained.wv.vectors, finder(trained.wv.index_to_key))


def compare(
    embeddings: dict[str, Embedding], pairs: dict[str, list[RatedPair]]
) -> Iterator[tuple[str, str, float, int]]:
    """Rows (file, vectors, Spearman x 100, pairs) over the pairs that all embeddings know."""
    for file, rated in pairs.items():
        known = [
            pair[:3]
            for pair in rated
            if all(find(word) is not None for _, find in embeddings.values() for word in pair[:2])
        ]
        for name, (vectors, find) in embeddings.items():
            found: Agreement = word_similarity(vectors, find, known)
            yield file, name, 100 * found.spearman, found.pairs


if __name__ == "__main__":
    run_main(main)
