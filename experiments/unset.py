"""Settings that neither a flag nor a preset says."""

from pathlib import Path
from typing import Any, NamedTuple

from dlgm_jax.data import datasets
from dlgm_jax.run import read_config
from dlgm_jax.sizes import Sized, by_size
from experiments.command import Command
from experiments.config import Config

SIZED = Sized._fields
# The corpus of the first command, which is to end within minutes on two cores. Small batches take ten times the steps
# for the same work. Adam's 99 evaluations a document are nearly all of that work, so only the first epochs refine.
DOCSTRINGS: dict[str, Any] = {
    "batch_size": 50,
    "epochs": 14,
    "valid_size": 500,
    "learning_rate": 0.002,
    "input_dropout": 0.0,
    "weight_decay": 0.0,
}
REFINED_FIRST = 6  # epochs
DEAR = 50  # M of Adam from which it is so


class Filled(NamedTuple):
    """A Config in which nothing is open."""

    config: Config
    dataset: datasets.Dataset | None  # when it was read for that
    chosen: str  # the settings that no flag gave, as flags, and why they are what they are; empty: there are none


def of_corpus(command: Command) -> dict[str, Any]:
    """The settings that a named corpus has of its own, for what the flags ask for."""
    config = command.config()
    if config.dataset != "docstrings":
        return {}
    dear = config.refiner == "adam" and config.M >= DEAR
    return DOCSTRINGS | ({"refined_epochs": REFINED_FIRST} if dear else {})


def workdir_of(command: Command) -> Path:
    """The folder of the run. Raises BadInput for flags that cannot be."""
    config = command.config(of_corpus(command))
    return Path(command.text("workdir", f"runs/{Path(config.dataset).name}-{config.name}"))


def filled(command: Command, workdir: Path) -> Filled:
    """Fills the settings that neither a flag nor the preset says: as the run in the workdir began, or else by the
    named corpus, or else by the size of the corpus. Raises BadInput.
    """
    own = of_corpus(command)
    config = command.config(own)
    open_ones = [name for name in (*SIZED, "refined_epochs") if name not in command.stated]
    dataset = None
    if not open_ones:
        return Filled(config, None, "")
    if (workdir / "config.json").exists():
        before = Config.from_json(read_config(workdir)).to_json()
        unset, why = {name: before[name] for name in open_ones}, "as this run began"
    elif own:
        unset, why = {name: own[name] for name in open_ones if name in own}, "for this corpus"
    else:
        dataset = datasets.load(config.dataset)
        train = dataset.train
        sized = by_size(train.num_documents, train.vocab_size, float(train.lengths.mean()))
        unset, why = {name: value for name, value in sized._asdict().items() if name in open_ones}, "by its size"
    said = ", ".join(f"{name} {value:g}" for name, value in unset.items())
    return Filled(command.config(unset), dataset, f"{why}: {said}")
