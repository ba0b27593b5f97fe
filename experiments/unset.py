"""Settings that neither a flag nor a preset says."""

from pathlib import Path
from typing import NamedTuple

from dlgm_jax.data import datasets
from dlgm_jax.run import read_config
from dlgm_jax.sizes import Sized, by_size
from experiments.command import Command
from experiments.config import Config

SIZED = Sized._fields
# The corpus of the first command, which is to end within minutes on two cores. Small batches take ten times the steps,
# and on a CPU twice as many documents a second, since what a step computes stays in its caches.
DOCSTRINGS = Sized(batch_size=50, epochs=14, valid_size=500, learning_rate=0.002, input_dropout=0.0, weight_decay=0.0)


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
    open_ones = [name for name in SIZED if name not in command.stated]
    dataset = None
    if not open_ones:
        return Filled(config, None, "")
    if (workdir / "config.json").exists():
        before = Config.from_json(read_config(workdir))
        sized, why = Sized(*(getattr(before, name) for name in SIZED)), "as this run began"
    elif config.dataset == "docstrings":
        sized, why = DOCSTRINGS, "for this corpus"
    else:
        dataset = datasets.load(config.dataset)
        train = dataset.train
        sized, why = by_size(train.num_documents, train.vocab_size, float(train.lengths.mean())), "by its size"
    unset = {name: value for name, value in sized._asdict().items() if name in open_ones}
    said = ", ".join(f"{name} {value:g}" for name, value in unset.items())
    return Filled(command.config(unset), dataset, f"{why}: {said}")
