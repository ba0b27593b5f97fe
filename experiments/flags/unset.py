"""Settings that neither a flag nor a preset says."""

from pathlib import Path
from typing import NamedTuple

from dlgm_jax.data import datasets
from dlgm_jax.devices import meshes
from dlgm_jax.sizes import Sized, by_size
from dlgm_jax.storage.run import read_config
from experiments.flags.command import Command
from experiments.flags.config import Config

SIZED = Sized._fields
OPEN = (*SIZED, "refined_epochs")
# The corpus of the first command, which is to end within minutes on two slow cores. Small batches take ten times the
# steps, and on many CPUs twice as many documents a second, since what a step computes stays in its caches.
DOCSTRINGS = Sized(batch_size=50, epochs=15, valid_size=500, learning_rate=0.002, input_dropout=0.0, weight_decay=0.0)
# Where refinement takes so many evaluations that it is nearly all of the time, the first third of the epochs has it.
DEAR, REFINED_EPOCHS = 50, 5


class Filled(NamedTuple):
    """A Config in which nothing is open."""

    config: Config
    dataset: datasets.Dataset | None  # when it was read for that
    chosen: str  # the settings that no flag gave, as flags, and why they are what they are; empty: there are none


def workdir_of(command: Command) -> Path:
    """The folder of the run. Raises BadInput for flags that cannot be."""
    config = command.config()
    return Path(command.text("workdir", f"runs/{Path(config.dataset).name}-{config.name}"))


def filled(command: Command, workdir: Path) -> Filled:
    """Fills the settings that neither a flag nor the preset says: as the run in the workdir began, or else by the
    named corpus, or else by the size of the corpus. Raises BadInput.
    """
    config = command.config()
    if command.stated.keys() >= set(OPEN):
        return Filled(config, None, "")
    dataset = None
    if (workdir / "config.json").exists():
        before, why = Config.from_json(read_config(workdir)), "as this run began"
        found = {name: getattr(before, name) for name in OPEN}
    elif config.dataset == "docstrings":
        found, why = DOCSTRINGS._asdict(), "for this corpus"
        if config.M > DEAR and "epochs" not in command.stated:  # who says how long says which epochs refine
            found["refined_epochs"] = REFINED_EPOCHS
    else:
        dataset = datasets.load(config.dataset)
        train = dataset.train
        size = train.num_documents, train.vocab_size, float(train.lengths.mean())
        found = by_size(*size, command.stated.get("batch_size"))._asdict()
        why = "by its size"
    if why != "as this run began":  # so that no device is left without documents
        found["batch_size"] += -found["batch_size"] % meshes.data_size(command.own["mesh"])
    unset = {name: value for name, value in found.items() if name not in command.stated}
    own = dataset is not None and dataset.validation is not None  # and --valid_size is not read
    read = {name: value for name, value in unset.items() if not (own and name == "valid_size")}
    said = ", ".join(f"{name} {value:g}" for name, value in read.items() if name in SIZED or value)
    return Filled(command.config(unset), dataset, f"{why}: {said}" if said else "")
