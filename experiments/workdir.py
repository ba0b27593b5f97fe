"""The folder of a run: what it is, where it ran, what it measured."""

import json
import os
import platform
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dlgm_jax.run import read_config
from dlgm_jax.types import BadInput
from experiments.assembly import Assembly
from experiments.config import MAY_BE_RAISED, Config


def claim(workdir: Path, config: Config) -> None:
    """Makes the folder and its config.json, or checks that it holds this run; epochs and patience may be raised.

    Raises BadInput with the differences, or when the folder holds something else.
    """
    if (workdir / "config.json").exists():
        _check_same(workdir, config)
    elif workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
        raise BadInput(f"--workdir: expected a new folder or a run's, found {workdir}, which holds something else")
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        _write_whole(workdir / "config.json", json.dumps(config.to_json(), indent=2) + "\n")
    except OSError as error:
        raise BadInput(f"--workdir: expected a folder to write to, found {workdir}: {error.strerror}") from error


def is_finished(workdir: Path, config: Config) -> bool:
    """The run ended and printed its tables, and nothing more is asked of it now."""
    return (workdir / "report.txt").exists() and read_config(workdir) == json.loads(json.dumps(config.to_json()))


def describe(workdir: Path, assembly: Assembly) -> None:
    """Writes environment.json, vocab.txt and idf.npy; raises BadInput when the run began on other counts."""
    environment = workdir / "environment.json"
    fingerprints = {split: corpus.fingerprint() for split, corpus in assembly.splits.items()}
    if environment.exists():
        before = json.loads(environment.read_text(encoding="utf-8"))
        if before["corpus"] != fingerprints:
            raise BadInput(
                f"{workdir}: expected the corpus that this run began with, found another "
                f"({before['origin']} then, {assembly.origin} now)"
            )
        return
    (workdir / "vocab.txt").write_text("".join(f"{word}\n" for word in assembly.train.vocabulary), encoding="utf-8")
    np.save(workdir / "idf.npy", assembly.idf)
    packages = (
        "dlgm-jax",
        "jax",
        "jaxlib",
        "flax",
        "optax",
        "numpy",
        "scipy",
        "orbax-checkpoint",
        "scikit-learn",
    )
    facts = {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in packages},
        "platform": platform.platform(),
        "devices": [str(device) for device in jax.devices()],
        "cpu_count": os.cpu_count(),
        "origin": assembly.origin,
        "corpus": fingerprints,
    }
    _write_whole(environment, json.dumps(facts, indent=2) + "\n")


class Metrics:
    """metrics.jsonl: one JSON object a line."""

    def __init__(self, workdir: Path):
        self._path = workdir / "metrics.jsonl"

    def append(self, split: str, epoch: int, scores: Any, **more) -> None:
        """Adds a line: split, epoch, the fields of `scores` and `more`."""
        line = {"split": split, "epoch": epoch} | asdict(scores) | more
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

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
        whole = self._path.read_text(encoding="utf-8").split("\n")[:-1]  # a line cut off by a kill has no end
        return [json.loads(line) for line in whole]


def _check_same(workdir: Path, config: Config) -> None:
    before, now = read_config(workdir), json.loads(json.dumps(config.to_json()))
    raised = all(_at_least(name, now[name], before.get(name)) for name in MAY_BE_RAISED)
    ignored = MAY_BE_RAISED if raised and config.schedule == "constant" else ()
    names = sorted(set(before) | set(now))
    differences = [
        f"{name} was {before.get(name)!r}, is now {now.get(name)!r}"
        for name in names
        if name not in ignored and before.get(name) != now.get(name)
    ]
    if differences:
        raise BadInput(
            f"{workdir} holds a run with other settings: {'; '.join(differences)}. "
            "Take another --workdir, or the same settings (epochs and patience may be raised, with a constant schedule)"
        )


def _at_least(name: str, now: int, before: int | None) -> bool:
    """Patience 0 is without limit."""
    unlimited = name == "patience" and now == 0
    return before is not None and (unlimited or (now >= before and not (name == "patience" and before == 0 < now)))


def _write_whole(path: Path, text: str) -> None:
    scratch = path.with_suffix(path.suffix + ".new")
    scratch.write_text(text, encoding="utf-8")
    os.replace(scratch, path)
