"""The corpora and the runs that several recipes share, and the choice between them and runs of the user's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.findings.model import Learned, check, models_of
from experiments.findings.model import folders_of as given_folders
from experiments.flags.command import Command
from experiments.recipes.sweep import Row, Sweep
from experiments.recipes.table1 import FISHER

MODELS: dict[str, dict[str, Any]] = {  # by the paper's names
    "1-M1-tfidf": {"model": 1, "M": 1},
    "1-M100-tfidf": {"model": 1} | FISHER,
    "3-M1-tfidf": {"model": 3, "M": 1},
    "3-M100-tfidf": {"model": 3} | FISHER,
}
BEST = "3-M100-tfidf"
SHALLOW = "1-M1-tfidf"
WHOLE = {"whole": (False, "train 1-M100 and 3-M1 too, which only the longer table has")}
WIKI_FLAGS = {
    "texts": (None, "the articles: wiki.jsonl.xz, or other texts that prepare reads"),
    "similarity": (None, "files of rated word pairs, by commas, whose words the vocabulary keeps"),
}
WIKI_EPOCHS = {1: 20, 3: 8}  # by model
RATE = {"learning_rate": 0.003}  # these corpora are small: the paper's 0.0008 would take more epochs


def models(command: Command, sweep: Sweep, rows: Callable[[], list[Row]]) -> list[Learned]:
    """The models of --workdir, or of the rows. Raises BadInput."""
    check(command)
    return models_of(command, folders(command, sweep, rows))


def folders(command: Command, sweep: Sweep, rows: Callable[[], list[Row]]) -> dict[str, Path]:
    """The runs of --workdir, or of the rows, which are trained where they are not there: by name. Raises BadInput."""
    return given_folders(command) if command.own["workdir"] else sweep.folders(rows())


def chosen(command: Command) -> list[str]:
    """The models of Tables 3 and 4, or with --whole of Tables 7 and 9."""
    return list(MODELS) if command.own["whole"] else [SHALLOW, BEST]


def wiki(command: Command, sweep: Sweep, *names: str) -> list[Row]:
    """Models of the 20,000 most frequent words of --texts and the words of --similarity."""
    texts, kept = command.text("texts"), command.own["similarity"]
    counts = sweep.prepared("wiki", f"--input={texts}", "--vocab_size=20000", *([f"--keep={kept}"] if kept else []))
    settings = {"dataset": counts} | RATE
    return [Row(name, settings | MODELS[name] | {"epochs": WIKI_EPOCHS[MODELS[name]["model"]]}) for name in names]


def films(sweep: Sweep, folder: str) -> list[Row]:
    """A model of what users rated: films that ten users rated."""
    counts = sweep.prepared("films", f"--input={folder}", "--min_count=10", "--test_size=60")
    return [Row(BEST, {"dataset": counts, "valid_size": 50, "batch_size": 100, "epochs": 100} | RATE | MODELS[BEST])]


def diagnoses(sweep: Sweep, folder: str, *names: str) -> list[Row]:
    """Models of patients of MIMIC-III: codes that two patients had."""
    counts = sweep.prepared("mimic", f"--input={folder}", "--min_count=2", "--test_size=15")
    settings = {"dataset": counts, "K": 20, "batch_size": 50, "valid_size": 10, "epochs": 200} | RATE
    return [Row(name, settings | MODELS[name]) for name in names]


def patients(sweep: Sweep, folder: str) -> list[Row]:
    """A model of patients of Synthea: diagnoses, drugs and plans that two patients had."""
    counts = sweep.prepared("synthea", f"--input={folder}", "--min_count=2", "--test_size=100")
    settings = {"dataset": counts, "K": 20, "batch_size": 100, "valid_size": 40, "epochs": 100}
    return [Row(BEST, settings | RATE | MODELS[BEST])]
