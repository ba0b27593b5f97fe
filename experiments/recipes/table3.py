"""Table 3 and Table 7: similarity of words by Jacobian vectors, beside LSA and word2vec of the same texts.

python -m experiments.prepare --input=wiki.jsonl.xz --output=wiki --vocab_size=20000 --keep=ws353.txt,scws.txt.gz
python -m experiments.train --dataset=wiki --preset=paper --model=1 --M=1 --epochs=10
python -m experiments.train --dataset=wiki --preset=paper --model=3 --M=13 --refiner=fisher --epochs=10
python -m experiments.recipes.table3 --workdir=RUN1,RUN3 --texts=wiki.jsonl.xz --similarity=ws353.txt,scws.txt.gz

The paper (1.2 million articles of 2010): WordSim-353 57.8 to 70.9, SCWS 52.2 to 61.7. LSA and word2vec have as many
dimensions as the first model, and word2vec (the `recipes` extra) reads what this project's documents are made of, with
stop words. Pairs are those whose words all of them know, in context too.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dlgm_jax.data.text import WORD, read_texts
from dlgm_jax.data.word_pairs import RatedPair, read_pairs
from dlgm_jax.embeddings.documents import lsa
from dlgm_jax.embeddings.word_similarity import finder, word_similarity
from dlgm_jax.introspection.jacobian import VARIANTS, jacobian_mean
from dlgm_jax.types import BadInput
from experiments.assembly import prepare_runtime
from experiments.command import parse, run_main
from experiments.findings.judgements import in_context
from experiments.findings.model import Learned, models_of
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
MIN_COUNT = 5  # of word2vec, its default
Embedding = tuple[str, np.ndarray, Callable[[str], int | None]]
Row = tuple[str, str, float, int]


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["seed"])
    texts, output = Path(command.text("texts")), Path(command.text("output"))
    names = [Path(name.strip()) for name in command.text("similarity").split(",") if name.strip()]
    prepare_runtime()
    files = [(name.name, read_pairs(name)) for name in names]
    models = models_of(command)
    print(f"Judges {', '.join(model.label for model in models)}, LSA and word2vec; figures go to {output}.", flush=True)
    embeddings = [*jacobians(models, command.own["samples"]), latent_semantic(models[0]), *skip_grams(models[0], texts)]
    known = [(name, pairs_of_all(embeddings, name, pairs)) for name, pairs in files]
    rows = [
        (name, label, 100 * word_similarity(vectors, find, [pair[:3] for pair in pairs]).spearman, len(pairs))
        for name, pairs in known
        for label, vectors, find in embeddings
    ]
    show(rows, output)
    for name, pairs in known:
        for model in models if command.own["contexts"] and pairs[0].first_context else ():
            print(f"Reads {name} in context by {model.label} ...", flush=True)
            value = 100 * in_context(model, pairs, command.own["variant"])
            rows.append((name, f"{model.label} J^{command.own['variant']} in context", value, len(pairs)))
            show(rows[-1:], output, rows)


def show(rows: list[Row], path: Path, whole: list[Row] | None = None) -> None:
    """Prints rows and writes all so far."""
    table = Table("Similarity of words", "", ("file", "vectors", "Spearman x 100", "pairs"), rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([dict(zip(table.header, row)) for row in whole or rows], indent=1) + "\n")
    print(f"\n{plain(table)}\nWritten to {path}", flush=True)


def jacobians(models: list[Learned], num_samples: int) -> Iterator[Embedding]:
    """The mean Jacobian vectors of every model and variant."""
    for model in models:
        for variant in VARIANTS:
            found = jacobian_mean(model.run.params, model.key, num_samples=num_samples, variant=variant)
            yield f"{model.label} J^{variant}", np.asarray(found), model.find


def latent_semantic(model: Learned) -> Embedding:
    """LSA of the training counts: the right singular vectors of tf-idf, by their singular values."""
    if model.assembly is None:
        raise BadInput(f"{model.folder}: expected its corpus {model.config.dataset}, found it gone or changed")
    svd: Any = lsa(model.assembly.train.in_memory().counts, model.run.idf, model.config.K)
    return "LSA", svd.components_.T * svd.singular_values_, model.find


def skip_grams(model: Learned, texts: Path) -> Iterator[Embedding]:
    """Word2vec, skip-gram and CBOW, of the same texts in the same dimensions."""
    try:
        from gensim.models import Word2Vec
    except ImportError as error:
        raise BadInput("word2vec: expected gensim (pip install -e '.[recipes]'), found it is not installed") from error
    pattern = re.compile(WORD)
    documents = [pattern.findall(text.text.lower()) for text in tqdm(read_texts(texts), desc="texts", unit="doc")]
    most = max(Counter(word for document in documents for word in document).values(), default=0)
    if most < MIN_COUNT:
        raise BadInput(f"{texts}: expected words seen {MIN_COUNT} times, found none")
    for name, skip_gram in (("word2vec skip-gram", 1), ("word2vec CBOW", 0)):
        print(f"Trains {name} ...", flush=True)
        settings: dict[str, Any] = {"vector_size": model.config.K, "sg": skip_gram, "workers": 2, "seed": 1}
        trained: Any = Word2Vec(documents, min_count=MIN_COUNT, epochs=5, **settings)
        yield name, trained.wv.vectors, finder(trained.wv.index_to_key)


def pairs_of_all(embeddings: list[Embedding], name: str, pairs: list[RatedPair]) -> list[RatedPair]:
    """The pairs whose words all embeddings know. Raises BadInput when there are none."""
    known = [pair for pair in pairs if all(find(word) is not None for _, _, find in embeddings for word in pair[:2])]
    if not known:
        raise BadInput(f"{name}: expected pairs of words that all of the vectors know, found none")
    return known


if __name__ == "__main__":
    run_main(main)
