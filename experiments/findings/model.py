"""A trained model and the vectors of its words."""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import jax
import numpy as np

from dlgm_jax.data.words import words_of
from dlgm_jax.embeddings.word_similarity import finder, spellings
from dlgm_jax.errors import BadInput, shown
from dlgm_jax.inference.batched import Refinement, adam, preconditioned
from dlgm_jax.introspection.jacobian import VARIANTS, mean_jacobian, variants_of
from dlgm_jax.storage.run import Run, load_run, read_config
from dlgm_jax.types import Array, Model
from experiments.flags.command import Command
from experiments.flags.config import Config
from experiments.workdir.assembly import CONTEXTS, DOCUMENTS, INTROSPECT, Assembly, assemble
from experiments.workdir.workdir import check_corpus, origin

ADAM = 99  # steps, the paper's


@dataclass(frozen=True)
class Learned:
    """A run, its words and their Jacobian vectors."""

    label: str  # tells it from the other models that are looked at
    folder: Path
    run: Run
    config: Config
    vectors: np.ndarray  # [V, K], J_mean of the chosen variant
    log_vectors: np.ndarray  # [V, K], J_mean^log, whose spectrum counts; of real rows J_mean
    key: Array  # of the mean Jacobians
    context_key: Array
    document_key: Array

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def model(self) -> Model:
        """The functions of the run's parameters."""
        return self.run.model

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return self.run.vocabulary

    @cached_property
    def row(self) -> dict[str, int]:
        """The row of every entry of the vocabulary, exactly as it is."""
        return {word: row for row, word in enumerate(self.vocabulary)}

    @cached_property
    def cut(self) -> Callable[[str], list[str]]:
        """The words of a text, cut as those of the model's corpus were, and those that this leaves out."""
        return cut_by(origin(self.folder))

    @cached_property
    def find(self) -> Callable[[str], int | None]:
        """The row of a word of a published list, or of its singular, or None."""
        return finder(self.vocabulary)

    @cached_property
    def find_spelling(self) -> Callable[[str], int | None]:
        """The row of a word in any case and with or without hyphens, or None."""
        return spellings(self.vocabulary)

    def containing(self, text: str) -> int | None:
        """The row of the shortest entry that holds a text, in any case, or None."""
        rows = [row for row in self.frequent.tolist() if text.lower() in self.vocabulary[row].lower()]
        return min(rows, key=lambda row: len(self.vocabulary[row]), default=None)

    @cached_property
    def assembly(self) -> Assembly | None:
        """The corpus of the run; None, with a line that says why, where it is gone or changed."""
        try:
            assembly = assemble(self.config, self.run.idf)
            check_corpus(self.folder, assembly.splits)
        except BadInput as error:
            print(f"Note: documents are left out, and words go by the model's own frequencies: {error}")
            return None
        return assembly

    @cached_property
    def frequent(self) -> np.ndarray:
        """Rows from the most frequent word down; where the corpus is gone, by the model's at its middle."""
        if self.assembly:
            weight = self.assembly.train.word_frequencies()
        else:
            family = self.model.family
            weight = self.model.potentials(self.run.params, family.mean(family.start(self.config.settings.K)))
        return np.argsort(-np.asarray(weight), kind="stable")

    def rows(self, flag: str, words: str) -> list[int]:
        """Rows of words by semicolons, or by commas, in any case and without hyphens.

        Prints what is not read as it stands. Raises BadInput with close spellings for a word that is not there.
        """
        find, rows = self.find_spelling, []
        for word in pieces(words, lambda word: find(word) is not None):
            row = find(word)
            if row is None:
                spelt = {entry.lower(): entry for entry in self.vocabulary}
                close = difflib.get_close_matches(word.lower(), spelt, n=4, cutoff=0.6)
                hint = f"; close to it are {', '.join(spelt[other] for other in close)}" if close else ""
                raise BadInput(f"--{flag}: expected a word of the vocabulary, found {shown(word)}{hint}")
            if self.vocabulary[row] != word:
                print(f"--{flag}: {shown(word)} is read as {shown(self.vocabulary[row])}")
            rows.append(row)
        return list(dict.fromkeys(rows))


def cut_by(origin: dict[str, str]) -> Callable[[str], list[str]]:
    """A function that cuts texts as a corpus says that its own were, and adds words that its pattern leaves out."""
    words = words_of(origin)
    return lambda text: [*words(text), *words.left_out(text)]


def pieces(text: str, known: Callable[[str], bool]) -> Iterator[str]:
    """What stands between semicolons, or between commas where there are none or all that stands there is known."""
    whole = [piece.strip() for piece in text.split(";") if piece.strip()]
    for piece in whole:
        parts = [part.strip() for part in piece.split(",") if part.strip()]
        split = not known(piece) and (len(whole) == 1 or all(map(known, parts)))
        yield from parts if split else [piece]


def models_of(command: Command, folders: dict[str, Path] | None = None) -> list[Learned]:
    """The models of these folders, by their names; unset: of --workdir. Raises BadInput."""
    check(command)
    return [learned(label, folder, command) for label, folder in (folders or folders_of(command)).items()]


def folders_of(command: Command) -> dict[str, Path]:
    """The folders of --workdir by names that tell them apart. Raises BadInput."""
    folders = [Path(name.strip()) for name in command.text("workdir").split(",") if name.strip()]
    if not folders or len({folder.resolve() for folder in folders}) < len(folders):
        raise BadInput(f"--workdir: expected folders of runs, each once, found {command.own['workdir']!r}")
    names = [Config.from_json(read_config(folder)).name for folder in folders]
    return {name if names.count(name) == 1 else f"{name} ({folder})": folder for name, folder in zip(names, folders)}


def check(command: Command) -> None:
    """Raises BadInput for a flag of the Jacobians that cannot be."""
    if (variant := command.own.get("variant")) not in (None, *VARIANTS):
        raise BadInput(f"--variant: expected one of {', '.join(VARIANTS)}, found {variant!r}")
    command.number("samples")


def variant_of(command: Command, model: Model) -> str:
    """--variant, or the first that the model has. Raises BadInput for one that it does not have."""
    own = variants_of(model)
    variant = command.own.get("variant") or own[0]
    if variant not in own:
        raise BadInput(f"--variant: expected {' or '.join(own)}, all that this model has, found {variant}")
    return variant


@lru_cache
def refinement_of(model: Model, steps: int) -> tuple[Refinement, str]:
    """The refinement of what is looked at, and a description: so many steps of fisher, or the paper's Adam."""
    if model.linear is None:
        return adam(ADAM), f"refined by Adam with {ADAM} gradient evaluations"
    return preconditioned(steps), f"refined by fisher with {2 * steps} gradient evaluations"


def learned(label: str, folder: Path, command: Command) -> Learned:
    """The best model of a workdir with its mean Jacobians. Raises BadInput."""
    run = load_run(folder)
    config = Config.from_json(run.config)
    seed = jax.random.key(command.given.get("seed", config.seed))
    key, *others = (jax.random.fold_in(seed, use) for use in (INTROSPECT, CONTEXTS, DOCUMENTS))
    samples, variant = command.own["samples"], variant_of(command, run.model)

    def mean(variant: str) -> np.ndarray:
        found = np.asarray(mean_jacobian(run.model, run.params, key, num_samples=samples, variant=variant))
        if not np.isfinite(found).all():
            raise BadInput(f"{folder}: expected finite Jacobian vectors, found NaN or infinity in J^{variant}")
        return found

    first = variants_of(run.model)[0]
    log = mean(first)
    return Learned(label, folder, run, config, log if variant == first else mean(variant), log, key, *others)


def mean_jacobians(model: Learned, num_samples: int) -> Iterator[tuple[str, np.ndarray]]:
    """J_mean [V, K] in every variant that the model has, by its name."""
    for variant in VARIANTS:
        if variant in variants_of(model.model):
            found = mean_jacobian(model.model, model.run.params, model.key, num_samples=num_samples, variant=variant)
            yield variant, np.asarray(found)
