"""A trained model and the vectors of its words."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jax
import numpy as np

from dlgm_jax.data.corpus import shown
from dlgm_jax.embeddings.word_similarity import finder
from dlgm_jax.introspection.jacobian import jacobian_mean
from dlgm_jax.run import Run, load_run
from dlgm_jax.types import Array, BadInput
from experiments.assembly import INTROSPECT, Assembly, assemble
from experiments.command import Command
from experiments.config import Config
from experiments.workdir import check_corpus


@dataclass(frozen=True)
class Learned:
    """A run, its words and their Jacobian vectors."""

    folder: Path
    run: Run
    config: Config
    vectors: np.ndarray  # [V, K], J_mean of the chosen variant
    log_vectors: np.ndarray  # [V, K], J_mean^log, whose spectrum counts
    key: Array

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return self.run.vocabulary

    @cached_property
    def find(self) -> Callable[[str], int | None]:
        """The row of a word, or None."""
        return finder(self.vocabulary)

    @cached_property
    def assembly(self) -> Assembly | None:
        """The corpus of the run; None where it is not to be had any more."""
        try:
            assembly = assemble(self.config, self.run.idf)
            check_corpus(self.folder, assembly.splits)
        except BadInput:
            return None
        return assembly if assembly.train.vocabulary == self.vocabulary else None

    @cached_property
    def frequent(self) -> np.ndarray:
        """Rows from the most frequent word down; by the output bias where the corpus is gone."""
        weight = self.assembly.train.word_frequencies() if self.assembly else self.run.params.theta.output.bias
        return np.argsort(-np.asarray(weight), kind="stable")

    def rows(self, flag: str, words: str) -> list[int]:
        """Rows of words by commas. Raises BadInput with close spellings for a word that is not there."""
        rows = []
        for word in filter(None, (part.strip() for part in words.split(","))):
            row = self.find(word)
            if row is None:
                close = difflib.get_close_matches(word.lower(), self.vocabulary, n=4, cutoff=0.6)
                hint = f"; close to it are {', '.join(close)}" if close else ""
                raise BadInput(f"--{flag}: expected a word of the vocabulary, found {shown(word)}{hint}")
            rows.append(row)
        return rows


def learned(folder: Path, command: Command) -> Learned:
    """The best model of a workdir with its mean Jacobians. Raises BadInput."""
    run = load_run(folder)
    config = Config.from_json(run.config)
    key = jax.random.fold_in(jax.random.key(command.given.get("seed", config.seed)), INTROSPECT)
    samples, variant = command.own["samples"], command.own["variant"]

    def mean(variant: str) -> np.ndarray:
        return np.asarray(jacobian_mean(run.params, key, num_samples=samples, variant=variant))

    log = mean("log")
    return Learned(folder, run, config, log if variant == "log" else mean(variant), log, key)
