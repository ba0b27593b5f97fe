"""The folder of a run: what it is, where it ran, what it measured."""

import json
import math
import os
import platform
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.run import read_config
from dlgm_jax.types import BadInput
from experiments.assembly import Assembly
from experiments.config import MAY_BE_RAISED, Config

PACKAGES = ("dlgm-jax", "jax", "jaxlib", "flax", "optax", "numpy", "scipy", "orbax-checkpoint", "scikit-learn")


def check(workdir: Path, config: Config) -> None:
    """Raises BadInput when the folder holds something else than this run; epochs and patience may be raised."""
    if (workdir / "config.json").exists():
        _check_same(workdir, config)
    elif workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
        raise BadInput(f"--workdir: expected a new folder or a run's, found {workdir}, which holds something else")


def is_finished(workdir: Path, config: Config) -> bool:
    """The run ended and printed its tables, and nothing more is asked of it now."""
    return (workdir / "report.txt").exists() and read_config(workdir) == _as_stored(config)


def claim(workdir: Path, assembly: Assembly) -> None:
    """Makes the folder and writes what describes the run, after all checks: a refused run leaves it as it was.

    Raises BadInput when the run began on other counts.
    """
    fingerprints = {split: corpus.fingerprint() for split, corpus in assembly.splits.items()}
    environment = workdir / "environment.json"
    if environment.exists():
        check_corpus(workdir, assembly.splits)
    workdir.mkdir(parents=True, exist_ok=True)
    (workdir / "report.txt").unlink(missing_ok=True)
    _write_whole(workdir / "config.json", json.dumps(assembly.config.to_json(), indent=2) + "\n")
    _write_whole(workdir / "vocab.txt", "".join(f"{word}\n" for word in assembly.train.vocabulary))
    np.save(workdir / "idf.npy", assembly.idf)
    if not environment.exists():
        facts = {
            "python": platform.python_version(),
            "packages": {name: metadata.version(name) for name in PACKAGES},
            "platform": platform.platform(),
            "devices": [str(device) for device in jax.devices()],
            "cpu_count": os.cpu_count(),
            "origin": assembly.origin,
            "corpus": fingerprints,
        }
        _write_whole(environment, json.dumps(facts, indent=2) + "\n")


def check_corpus(workdir: Path, splits: dict[str, Corpus]) -> None:
    """Raises BadInput, naming the splits, when the counts or words are not those that the run began with."""
    path = workdir / "environment.json"
    try:
        before = dict(json.loads(path.read_text(encoding="utf-8"))["corpus"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: expected the facts of a run, found it damaged ({error!r})") from error
    changed = [split for split, corpus in splits.items() if before.get(split) != corpus.fingerprint()]
    if changed:
        raise BadInput(
            f"{workdir}: expected the corpus that this run began with, found other {' and '.join(changed)} documents"
        )


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
        _write_whole(self._path, "".join(json.dumps(line) + "\n" for line in kept))

    def _lines(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        lines = []
        whole = self._path.read_text(encoding="utf-8").split("\n")[:-1]  # a line cut off by a kill has no end
        for number, text in enumerate(whole, 1):
            try:
                line = json.loads(text)
                line = {"split": line["split"], "epoch": int(line["epoch"])} | line
            except (ValueError, KeyError, TypeError) as error:
                raise BadInput(f"{self._path}:{number}: expected a measurement, found {text[:40]!r}") from error
            lines.append(line)
        return lines


def _check_same(workdir: Path, config: Config) -> None:
    before, now = Config.from_json(read_config(workdir)).to_json(), config.to_json()
    raised = config.schedule == "constant" and all(_at_least(name, now[name], before[name]) for name in MAY_BE_RAISED)
    differences = [
        f"{name} was {before[name]!r}, is now {now[name]!r}"
        for name in now
        if before[name] != now[name] and not (raised and name in MAY_BE_RAISED)
    ]
    if differences:
        raise BadInput(
            f"{workdir} holds a run with other settings: {'; '.join(differences)}. Take another --workdir, "
            "or the same settings (with a constant schedule epochs and patience may be raised)"
        )


def _at_least(name: str, now: int, before: int) -> bool:
    """Patience 0 is without limit."""
    if name == "patience":
        now, before = now or 2**31, before or 2**31
    return now >= before


def _as_stored(config: Config) -> dict[str, Any]:
    return json.loads(json.dumps(config.to_json()))


def _write_whole(path: Path, text: str) -> None:
    scratch = path.with_suffix(path.suffix + ".new")
    scratch.write_text(text, encoding="utf-8")
    os.replace(scratch, path)
