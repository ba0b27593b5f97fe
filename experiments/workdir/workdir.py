"""The folder of a run: what it is, where it ran, what it measured."""

import json
import math
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dlgm_jax.data.corpus import Documents
from dlgm_jax.data.places import check_utf8, check_writable
from dlgm_jax.errors import BadInput, shown
from dlgm_jax.storage.files import NEW, write_whole
from dlgm_jax.storage.run import read_config
from experiments.flags.config import Config
from experiments.workdir.assembly import Assembly
from experiments.workdir.locks import held

LOCK = "lock"
MEASUREMENT = {"split": str, "epoch": int, "perplexity": float | None, "perplexity_refined": float | None}
PACKAGES = ("dlgm-jax", "jax", "jaxlib", "flax", "optax", "numpy", "scipy", "orbax-checkpoint", "scikit-learn")


def check(workdir: Path, config: Config) -> None:
    """Raises BadInput when the folder holds something else than this run; epochs and patience may be raised.

    The corpus may lie elsewhere than it did: `claim` knows it by its counts.
    """
    if (workdir / "config.json").exists():
        _check_same(workdir, config)
    elif workdir.exists() and (
        not workdir.is_dir() or not all(path.suffix == NEW or path.name == LOCK for path in workdir.iterdir())
    ):
        raise BadInput(f"--workdir: expected a new folder or a run's, found {workdir}, which holds something else")


def check_place(workdir: Path) -> None:
    """Raises BadInput when a run cannot be kept there."""
    check_utf8(workdir, "--workdir")
    check_writable(workdir, "--workdir")


def finished_report(workdir: Path, config: Config, splits: list[str]) -> str:
    """The tables of a run that ended, on these splits, and of which nothing more is asked now; empty otherwise."""
    report = workdir / "report.txt"
    if not report.exists() or read_config(workdir) != json.loads(json.dumps(config.to_json())):
        return ""
    if not all(Metrics(workdir).read(split) for split in splits):
        return ""
    return report.read_text(encoding="utf-8", errors="replace")


@contextmanager
def locked(workdir: Path) -> Iterator[None]:
    """Makes the folder and keeps other runs out of it, until the process ends. Raises BadInput while one is there."""
    workdir.mkdir(parents=True, exist_ok=True)
    with held(workdir / LOCK, str(workdir)):
        yield


def claim(workdir: Path, assembly: Assembly) -> None:
    """Makes the folder and writes what describes a new run; changes nothing of a run that began before.

    Raises BadInput when that run began on other counts.
    """
    environment = workdir / "environment.json"
    if environment.exists() or (workdir / "checkpoints").exists():
        check_corpus(workdir, assembly.splits)
        return
    workdir.mkdir(parents=True, exist_ok=True)
    settle(workdir, assembly.config)
    write_whole(workdir / "vocab.txt", "".join(f"{word}\n" for word in assembly.train.vocabulary))
    np.save(workdir / "idf.npy", assembly.idf)
    facts = {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "devices": [str(device) for device in jax.devices()],
        "cpu_count": os.cpu_count(),
        "origin": assembly.origin,
        "corpus": {split: corpus.fingerprint() for split, corpus in assembly.splits.items()},
    }
    write_whole(environment, json.dumps(facts, indent=2) + "\n")


def moved(workdir: Path, config: Config) -> str:
    """From where to where the corpus of a run moved, which `claim` found to be the same; empty where it did not."""
    before = read_config(workdir)["dataset"]
    return f"the corpus moved from {before} to {config.dataset}" if before != config.dataset else ""


def settle(workdir: Path, config: Config) -> None:
    """Writes config.json for what will run now, and takes an earlier end back; last of all that can be refused."""
    (workdir / "report.txt").unlink(missing_ok=True)
    write_whole(workdir / "config.json", json.dumps(config.to_json(), indent=2) + "\n")


def check_corpus(workdir: Path, splits: dict[str, Documents]) -> None:
    """Raises BadInput, naming the splits, when the counts or words are not those that the run began with."""
    path = workdir / "environment.json"
    try:
        before = dict(json.loads(path.read_text(encoding="utf-8"))["corpus"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(f"{path}: expected the facts of a run, found it damaged ({error!r})") from error
    changed = [split for split, corpus in splits.items() if before.get(split) != corpus.fingerprint()]
    if changed:
        raise BadInput(
            f"{workdir}: expected the corpus that this run began with, found other {' and '.join(changed)} documents"
        )


def origin(workdir: Path) -> dict[str, str]:
    """The facts that decided the corpus of a run, as prepare wrote them. Raises BadInput."""
    path = workdir / "environment.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["origin"]
        return {str(name): str(value) for name, value in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(f"{path}: expected the facts of a run, found it damaged") from error


class Metrics:
    """metrics.jsonl: one JSON object a line."""

    def __init__(self, workdir: Path):
        self._path = workdir / "metrics.jsonl"

    def append(self, split: str, epoch: int, scores: Any, **more) -> None:
        """Adds a line: split, epoch, the fields of `scores` and `more`; what is infinite becomes null."""
        line = {"split": split, "epoch": epoch} | asdict(scores) | more
        finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in line.items()}
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(finite) + "\n")

    def read(self, split: str) -> list[dict[str, Any]]:
        """The lines of a split, in order."""
        return [line for line in self._lines() if line["split"] == split]

    def rewind(self, epoch: int) -> None:
        """Keeps only validation lines up to `epoch`: what a run that goes on from there has measured."""
        kept = [line for line in self._lines() if line["split"] == "validation" and line["epoch"] <= epoch]
        write_whole(self._path, "".join(json.dumps(line) + "\n" for line in kept))

    def _lines(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        lines = []
        whole = self._path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]  # a kill may cut the last
        for number, text in enumerate(whole, 1):
            line = _parsed(text)
            if not all(isinstance(line.get(name), kind) for name, kind in MEASUREMENT.items()):
                raise BadInput(f"{self._path}:{number}: expected a measurement, found {shown(text)}")
            lines.append(line)
        return lines


def _parsed(text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return line if isinstance(line, dict) else {}


def _check_same(workdir: Path, config: Config) -> None:
    before, now = Config.from_json(read_config(workdir)).to_json(), config.to_json()
    free = ("epochs", "patience") if config.schedule == "constant" else ("patience",)
    differences = [
        f"{name} was {before[name]!r}, is now {now[name]!r}"
        for name in now
        if name != "dataset"
        and before[name] != now[name]
        and not (name in free and _at_least(name, now[name], before[name]))
    ]
    if differences:
        raise BadInput(
            f"{workdir} holds a run with other settings: {'; '.join(differences)}. Take another --workdir, "
            "or the same settings (patience may be raised, and epochs with a constant schedule)"
        )


def _at_least(name: str, now: int, before: int) -> bool:
    """Patience 0 is without limit."""
    if name == "patience":
        now, before = now or 2**31, before or 2**31
    return now >= before
