"""New documents through a trained model: refined posteriors, perplexities, nearest directions.

python -m experiments.transform --workdir=runs/docstrings-3-M13-fisher-tfidf --input=new.jsonl --output=new.csv
"""

import csv
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from dlgm_jax.data.alignment import align
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.inputs import OF_WORDS, looks_like
from dlgm_jax.data.places import check_writable
from dlgm_jax.data.source import EVERYTHING, Source
from dlgm_jax.data.text import Text, Texts, encoded_with_others, without_header
from dlgm_jax.data.words import stop_words_of, words_of
from dlgm_jax.errors import BadInput, quantity
from dlgm_jax.estimators import rows
from dlgm_jax.evaluation import scoring
from dlgm_jax.introspection.jacobian import mean_jacobian, variants_of
from dlgm_jax.introspection.spectrum import Direction, directions
from dlgm_jax.storage.run import Run, load_run
from dlgm_jax.types import Model
from experiments.flags.command import parse, run_main
from experiments.flags.config import Config
from experiments.flags.inputs import INPUT_FLAGS, check_reading, opened_with_labels, progress, reading, telling
from experiments.workdir.assembly import (
    INTROSPECT,
    SCORE,
    build_model,
    choose_precision,
    described,
    evaluation_refinement,
    prepare_runtime,
)
from experiments.workdir.workdir import origin

OWN_FLAGS = {
    "workdir": (None, "the folder of the run"),
    "input": (None, "a file or a folder, of any format that prepare takes"),
    "output": (None, "the new file: .npz, .csv or .parquet"),
} | INPUT_FLAGS
SETTINGS = ["precision", "psi_beta1", "eval_M", "eval_refiner", "eval_psi_learning_rate", "eval_samples"]
DIRECTIONS, SHOWN, WORDS = 20, 3, 3  # directions that are named, of a document, and words of each


class Documents(NamedTuple):
    """Some documents of an input, and the split of each."""

    corpus: Corpus
    splits: list[str]  # [D], empty where the input has none


class Transformed(NamedTuple):
    """Of D documents, in the order of the input; of counts, those of one split together where the format has splits."""

    id: list[str]
    label: list[str]  # empty where a document has none
    split: list[str]  # train, validation or test; empty where the input has no splits
    length: np.ndarray  # [D], tokens of known words
    unknown: np.ndarray  # [D], share of tokens that are of no known word
    is_prior: np.ndarray  # [D] bool, nothing is known of the document
    perplexity: np.ndarray  # [D], an upper bound; nan where nothing is known, and of rows of real numbers
    bound: np.ndarray  # [D], nats a document
    directions: list[str]  # the nearest singular directions of J_mean, by their words
    posterior: dict[str, np.ndarray]  # [D, K] each: the mean, and the other parameters by their names


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=SETTINGS)
    workdir, path, output = (Path(command.text(name)) for name in ("workdir", "input", "output"))
    if output.suffix not in WRITERS:
        raise BadInput(f"--output: expected a file {', '.join(WRITERS)}, found {output}")
    if os.path.lexists(output):
        raise BadInput(f"--output: expected a new file, found {output}, which is there already")
    if output.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise BadInput(f"--output: expected pyarrow to write {output}, which is not installed; pip install pyarrow")
    check_writable(output, "--output")
    run = load_run(workdir)
    config = replace(Config.from_json(run.config), **command.given)
    command.check_adams(config, asked=("eval_refiner",))
    prepare_runtime()
    choose_precision(config.precision)
    how = reading(command)
    form = command.own["format"] or looks_like(path, how)
    check_reading(command, form)
    if form in OF_WORDS and how.vocab:
        raise BadInput("--vocab: expected to go with counts, whose columns it names; texts have the words of the run")
    sizes = rows.ROWS, len(run.vocabulary)
    model = build_model(config, run.idf)
    refined = described(config.eval_refiner, evaluation_refinement(config), model, *sizes)
    print(f"Documents of {path}, read as {form}, go through {config.name} of {workdir}, {refined}.", flush=True)
    if command.own["labels"] and not Path(command.own["labels"]).exists():
        raise BadInput(f"--labels: expected a file, found no {command.own['labels']}")
    with telling(how):
        opened = opened_with_labels(command, path, form, how)
        found = transformed(run, config, documents(opened, run, workdir), model)
    output.parent.mkdir(parents=True, exist_ok=True)
    write(output, found)
    print(summary(found, bounded=model.family.log_prob is not None))
    print(f"The posteriors are in {output}. Next: load them by column, or look at them with experiments.introspect.")


def documents(opened: Source | Texts, run: Run, workdir: Path) -> Iterator[Documents]:
    """The documents of what was opened, under a bar; unknown words of texts are among theirs."""
    if isinstance(opened, Source):
        for split, corpus in progress(opened.read(), "transforming"):
            yield Documents(corpus, [_split_name(split)] * corpus.num_documents)
        return
    waiting: list[str] = []  # splits of the texts that were read and are not given yet

    def undivided() -> Iterator[Text]:  # so that texts stay in the order of the input
        for text in opened.read():
            waiting.append(_split_name(text.split))
            yield text._replace(split=EVERYTHING)

    for part in progress(encoded(opened._replace(read=undivided), run, workdir).read(), "transforming"):
        number = part.corpus.num_documents
        yield Documents(part.corpus, waiting[:number])
        del waiting[:number]


def _split_name(split: str) -> str:
    return "" if split == EVERYTHING else split


def encoded(texts: Texts, run: Run, workdir: Path) -> Source:
    """Texts by words: cut as those of the run were, tokens as they are."""
    if texts.analyse:
        return encoded_with_others(texts.read, texts.analyse, run.vocabulary, texts.stop_words)
    before = origin(workdir)
    change = without_header if before.get("drop_headers") == "True" else lambda text: text
    cut = words_of(before)
    return encoded_with_others(
        lambda: map(change, texts.read()), cut, run.vocabulary, stop_words_of(before), cut.left_out
    )


def transformed(run: Run, config: Config, read: Iterable[Documents], model: Model) -> Transformed:
    """Posteriors of documents by their words, whatever the order of the columns.

    A document's noise is drawn by what it holds, so its posterior does not depend on the others. One of which no word
    is known has the prior. Raises NonFinite.
    """
    score = scoring.scorer(model, refinement=evaluation_refinement(config), num_samples=config.eval_samples)
    key = jax.random.key(config.seed)
    jacobian = mean_jacobian(model, run.params, jax.random.fold_in(key, INTROSPECT), variant=variants_of(model)[0])
    named = directions(jacobian, num_directions=DIRECTIONS, num_words=WORDS)
    parts = []
    for some in read:
        known, unknown = align(some.corpus, run.vocabulary)
        scores, _ = rows.on_rows(scoring.document_scores, score, run.params, known, jax.random.fold_in(key, SCORE))
        parts.append(_part(Documents(known, some.splits), unknown, scores, named, model))
    if not parts:
        raise BadInput("--input: expected documents, found none")
    return Transformed(*(_joined(columns) for columns in zip(*parts)))


def _part(known: Documents, unknown: np.ndarray, scores, named: list[Direction], model: Model) -> Transformed:
    corpus, splits = known
    lengths, labels = corpus.lengths, list(corpus.labels or [""] * corpus.num_documents)
    is_prior = lengths == 0
    scoring.check_finite("transform", scores)
    mean = np.where(is_prior[:, None], 0, scores.mean_refined)
    start = model.family.start(mean.shape[1])
    posterior = {
        name: np.where(is_prior[:, None], getattr(start, name), values)
        for name, values in scores.psi_refined._asdict().items()
    } | {"mean": mean}
    with np.errstate(invalid="ignore", over="ignore"):
        of_words = lengths if model.of_words else np.full(len(lengths), np.nan)
        perplexity = np.exp(-scores.elbo_refined / np.where(is_prior, np.nan, of_words))
        share = unknown / np.maximum(unknown + lengths, 1)
    near = nearest_directions(mean, named, corpus.vocabulary)
    facts = list(corpus.ids), labels, splits, lengths, share, is_prior
    return Transformed(*facts, perplexity, scores.elbo_refined, near, posterior)


def nearest_directions(means: np.ndarray, named: list[Direction], vocabulary: tuple[str, ...]) -> list[str]:
    """Of each posterior mean [D, K], the singular directions of largest cosine, by the words at the end it lies at.

    The prior's mean lies along none; a collapsed model has none.
    """
    if not named:
        return [""] * len(means)
    along = means @ np.stack([direction.latent for direction in named]).T
    order = np.argsort(-np.abs(along), axis=1, kind="stable")[:, :SHOWN]

    def name(row: np.ndarray, place: int) -> str:
        words = named[place].top if row[place] > 0 else named[place].bottom
        return f"{'+' if row[place] > 0 else '-'}{place + 1} {' '.join(vocabulary[word] for word in words)}"

    return ["; ".join(name(row, place) for place in places if row[place]) for row, places in zip(along, order)]


def _joined(columns: tuple) -> Any:
    if isinstance(columns[0], dict):
        return {name: np.concatenate([one[name] for one in columns]) for name in columns[0]}
    return list(chain(*columns)) if isinstance(columns[0], list) else np.concatenate(columns)


def summary(found: Transformed, *, bounded: bool = True) -> str:
    """How many documents there were and how well they are known; the perplexities of points bound nothing."""
    known = found.perplexity[~found.is_prior]
    perplexity = f"perplexity {np.exp(np.mean(np.log(known))):.1f} (mean over documents)" if len(known) else "no words"
    if len(known) and np.isnan(known).all():
        perplexity = f"{found.bound[~found.is_prior].mean():.2f} nats a row"
    perplexity += "" if bounded else ", of reconstructions"
    priors = quantity(int(found.is_prior.sum()), "document")
    return (
        f"{quantity(len(found.id), 'document')}, {perplexity}; {100 * found.unknown.mean():.1f}% of a document's words "
        f"are not known on average; of {priors} no word is known, so that the posterior is the prior."
    )


def columns_of(found: Transformed) -> dict[str, Any]:
    """One column each, those of the posterior by dimension."""
    columns = found._asdict()
    for name, values in columns.pop("posterior").items():
        columns |= {f"{name}_{k + 1}": column for k, column in enumerate(values.T)}
    return columns


def write_npz(path: Path, found: Transformed) -> None:
    """One array each; loads without pickle."""
    columns = found._asdict()
    arrays: Any = {name: np.asarray(value) for name, value in (columns | columns.pop("posterior")).items()}
    np.savez_compressed(path, **arrays)


def write_csv(path: Path, found: Transformed) -> None:
    """A row for each document."""
    columns = columns_of(found)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(list(column) for column in columns.values())))


def write_parquet(path: Path, found: Transformed) -> None:
    """A row for each document."""
    import pyarrow
    import pyarrow.parquet

    with path.open("wb") as file:  # pyarrow takes no name that is no UTF-8
        pyarrow.parquet.write_table(pyarrow.table(columns_of(found)), file)


def write(path: Path, found: Transformed) -> None:
    """Writes a file so that it is whole or not there. Raises OSError naming it."""
    scratch = path.with_name(f".{path.name}.new{path.suffix}")
    try:
        WRITERS[path.suffix](scratch, found)
        os.replace(scratch, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        scratch.unlink(missing_ok=True)


WRITERS = {".npz": write_npz, ".csv": write_csv, ".parquet": write_parquet}


if __name__ == "__main__":
    run_main(main)
