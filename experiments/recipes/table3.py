"""Table 3 and Table 7: similarity of words by Jacobian vectors, beside LSA and word2vec of the same texts.

python -m experiments.recipes.table3 --texts=wiki.jsonl.xz --similarity=EN-WS-353-ALL.txt,scws_ratings.txt.gz

The texts are articles, one JSON object with id and text a line; WordSim-353, SCWS and other files of rated pairs are
published (github.com/mfaruqui/eval-word-vectors; SCWS with Huang et al. 2012). LSA and word2vec have as many dimensions
as the first model, and word2vec (the `recipes` extra) reads what this project's documents are made of, with stop words.
Pairs are those whose words all of them know, in context too. Table 3 has the models 1-M1 and 3-M100; --whole trains the
other two of Table 7 as well.

Expected from 34,672 articles of 2018 and later, 20 and 8 epochs: by J^pot of 1-M1 51.9 on WordSim-353 and 52.1 on SCWS,
by J^prob of 3-M100 41.7 and 50.4, LSA 26.6 and 40.9, skip-grams 56.7 and 60.3. The paper read 1.2 million.
Time on 2 cores: an hour and a quarter beside other work.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dlgm_jax.data.text import read_texts
from dlgm_jax.data.word_pairs import RatedPair, read_pairs
from dlgm_jax.data.words import ASCII_WORD, words_by
from dlgm_jax.embeddings.documents import lsa
from dlgm_jax.embeddings.word_similarity import finder, word_similarity
from dlgm_jax.errors import BadInput
from experiments.findings.judgements import in_context, singulars_note
from experiments.findings.model import Learned, mean_jacobians
from experiments.flags.command import Command, parse, run_main
from experiments.recipes import runs
from experiments.recipes.sweep import JUDGED, Sweep
from experiments.report.page import Table

OWN_FLAGS = (
    JUDGED
    | runs.WIKI_FLAGS
    | runs.WHOLE
    | {
        "variant": ("log", "of the vectors in context: pot, log or prob"),
        "samples": (400, "draws from the prior for the mean Jacobians"),
        "contexts": (True, "also read SCWS's words in their contexts"),
    }
)
PAPER = {  # Table 7: Spearman x 100 on WordSim-353 and SCWS
    "1-M1-tfidf J^log": (65.8, 59.9),
    "1-M1-tfidf J^prob": (69.7, 61.7),
    "1-M1-tfidf J^pot": (66.3, 60.4),
    "1-M100-tfidf J^log": (66.3, 58.1),
    "1-M100-tfidf J^prob": (70.9, 61.1),
    "1-M100-tfidf J^pot": (69.5, 59.9),
    "3-M1-tfidf J^log": (45.0, 54.9),
    "3-M1-tfidf J^prob": (46.9, 52.2),
    "3-M1-tfidf J^pot": (43.9, 53.2),
    "3-M100-tfidf J^log": (59.6, 59.6),
    "3-M100-tfidf J^prob": (59.6, 59.5),
    "3-M100-tfidf J^pot": (57.8, 57.9),
}
WORDSIM = 353  # pairs
MIN_COUNT = 5  # of word2vec, its default
Embedding = tuple[str, np.ndarray, Callable[[str], int | None]]
Judgements = tuple[str, int | None, list[RatedPair]]  # a file, the paper's column of it, its pairs that all know


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["seed"])
    texts, names = Path(command.text("texts")), command.text("similarity").split(",")
    files = [(path.name, read_pairs(path)) for path in (Path(name.strip()) for name in names if name.strip())]
    word2vec = trainer()
    sweep = Sweep("table3", command)
    models = runs.models(command, sweep, lambda: runs.wiki(command, sweep, *runs.chosen(command)))
    print(f"Judges {', '.join(model.label for model in models)}, LSA and word2vec ...", flush=True)
    embeddings = [
        *jacobians(models, command.own["samples"]),
        latent_semantic(models[0]),
        *skip_grams(word2vec, models[0], texts),
    ]
    judgements = [(name, column(pairs), pairs_of_all(embeddings, name, pairs)) for name, pairs in files]
    note = singulars_note(models, [(name, pairs) for name, _, pairs in judgements])
    sweep.show(similarity_table(embeddings, judgements, note.strip()))
    if command.own["contexts"] and any(pairs[0].first_context for _, _, pairs in judgements):
        sweep.show(context_table(models, judgements, command))


def column(pairs: list[RatedPair]) -> int | None:
    """Which of the paper's columns a file is: SCWS has contexts."""
    return 1 if pairs[0].first_context else 0 if len(pairs) == WORDSIM else None


def similarity_table(embeddings: list[Embedding], judgements: list[Judgements], note: str) -> Table:
    """All vectors on all files."""
    rows = []
    for name, place, pairs in judgements:
        for label, vectors, find in embeddings:
            paper = PAPER[label][place] if place is not None and label in PAPER else "-"
            value = 100 * word_similarity(vectors, find, [pair[:3] for pair in pairs]).spearman
            rows.append((name, label, value, paper, len(pairs)))
    return Table("Similarity of words", note, ("file", "vectors", "Spearman x 100", "paper", "pairs"), rows)


def context_table(models: list[Learned], judgements: list[Judgements], command: Command) -> Table:
    """Words of SCWS in their contexts, which the paper did not try."""
    rows, variant = [], command.own["variant"]
    for name, _, pairs in judgements:
        for model in models if pairs[0].first_context else ():
            print(f"Reads {name} in context by {model.label} ...", flush=True)
            rows.append((name, f"{model.label} J^{variant}", 100 * in_context(model, pairs, variant), len(pairs)))
    note = "Each word by its vector under the posterior of its own context."
    return Table("Similarity of words in context", note, ("file", "vectors", "Spearman x 100", "pairs"), rows)


def jacobians(models: list[Learned], num_samples: int) -> Iterator[Embedding]:
    """The mean Jacobian vectors of every model and variant."""
    for model in models:
        for variant, vectors in mean_jacobians(model, num_samples):
            yield f"{model.label} J^{variant}", vectors, model.find


def latent_semantic(model: Learned) -> Embedding:
    """LSA of the training counts: the right singular vectors of tf-idf, by their singular values."""
    if model.assembly is None:
        raise BadInput(f"{model.folder}: expected its corpus {model.config.dataset}, found it gone or changed")
    svd: Any = lsa(model.assembly.train.in_memory().counts, model.run.idf, model.config.settings.K)
    return "LSA", svd.components_.T * svd.singular_values_, model.find


def trainer() -> Any:
    """Gensim's Word2Vec. Raises BadInput where it is not installed."""
    try:
        from gensim.models import Word2Vec
    except ImportError as error:
        raise BadInput("word2vec: expected gensim (pip install -e '.[recipes]'), found it is not installed") from error
    return Word2Vec


def skip_grams(word2vec: Any, model: Learned, texts: Path) -> Iterator[Embedding]:
    """Word2vec, skip-gram and CBOW, of the same texts in the same dimensions."""
    words = words_by(ASCII_WORD)
    documents = [words(text.text) for text in tqdm(read_texts(texts), desc="texts", unit="doc")]
    most = max(Counter(word for document in documents for word in document).values(), default=0)
    if most < MIN_COUNT:
        raise BadInput(f"{texts}: expected words seen {MIN_COUNT} times, found none")
    for name, skip_gram in (("word2vec skip-gram", 1), ("word2vec CBOW", 0)):
        print(f"Trains {name} ...", flush=True)
        settings: dict[str, Any] = {"vector_size": model.config.settings.K, "sg": skip_gram, "seed": 1}
        trained = word2vec(documents, min_count=MIN_COUNT, epochs=5, workers=1, **settings)  # more do not repeat
        yield name, trained.wv.vectors, finder(trained.wv.index_to_key)


def pairs_of_all(embeddings: list[Embedding], name: str, pairs: list[RatedPair]) -> list[RatedPair]:
    """The pairs whose words all embeddings know. Raises BadInput when there are none."""
    known = [pair for pair in pairs if all(find(word) is not None for _, _, find in embeddings for word in pair[:2])]
    if not known:
        raise BadInput(f"{name}: expected pairs of words that all of the vectors know, found none")
    return known


if __name__ == "__main__":
    run_main(main)
