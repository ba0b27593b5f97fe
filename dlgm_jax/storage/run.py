"""A finished or running workdir, ready for use."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import jax
import numpy as np

from dlgm_jax.errors import BadInput, shown
from dlgm_jax.features import FEATURES, reader
from dlgm_jax.models import registry
from dlgm_jax.settings import CHECKS, first_wrong
from dlgm_jax.storage.checkpoints import Checkpoints
from dlgm_jax.types import Model, Params


@dataclass(frozen=True)
class Run:
    """What a run learned."""

    params: Params
    vocabulary: tuple[str, ...]
    idf: np.ndarray  # [V], of the training split
    config: dict[str, Any]  # config.json as it is
    model: Model  # on one device


def load_run(workdir: str | Path) -> Run:
    """The best model of a workdir, as parameters and as functions of them, with its vocabulary, idf and config.

    Raises BadInput when the folder holds no run, or no model yet.
    """
    workdir = Path(workdir)
    config = read_config(workdir)
    try:
        vocabulary = tuple((workdir / "vocab.txt").read_bytes().decode().split("\n")[:-1])
        idf = np.load(workdir / "idf.npy", allow_pickle=False)
    except (OSError, EOFError, ValueError, BadZipFile) as error:
        raise BadInput(f"{workdir}: expected vocab.txt and idf.npy of a run, found: {error}") from error
    if getattr(idf, "shape", None) != (len(vocabulary),) or idf.dtype.kind != "f" or not np.isfinite(idf).all():
        raise BadInput(f"{workdir}: expected idf.npy to hold a number for each of {len(vocabulary)} words of vocab.txt")
    best = Checkpoints(workdir / "best") if (workdir / "best").exists() else None
    epoch = best.latest() if best else None
    if best is None or epoch is None:
        raise BadInput(f"{workdir}/best: expected a model, found none; has the run finished an epoch?")
    model = build_model(config, idf)
    like = jax.eval_shape(lambda: model.init(jax.random.key(0), len(vocabulary)))
    params, _ = best.restore(epoch, like)
    return Run(params, vocabulary, idf, config, model)


def build_model(config: dict[str, Any], idf: np.ndarray, *, vocab_axis: str | None = None) -> Model:
    """The model that config.json means, reading features by `idf` [V]."""
    entry = _entry(config)
    return entry.build(
        entry.made(_settings(config)), reader(config["features"], idf, vocab_axis=vocab_axis), vocab_axis=vocab_axis
    )


def read_config(workdir: Path) -> dict[str, Any]:
    """config.json of a workdir; BadInput when there is none or it is not JSON."""
    path = workdir / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"{workdir}: expected the workdir of a run, found no config.json") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: expected JSON, found: {error}") from error
    if not isinstance(config, dict):
        raise BadInput(f"{path}: expected the settings of a run, found {shown(repr(config))}")
    if config.get("features") not in FEATURES:
        raise BadInput(f"{path}: expected the settings of a run, found features={config.get('features')!r}")
    try:
        entry = _entry(config)
        config = entry.completed(config)
        settings = _settings(config)
        missing = sorted(set(entry.names) - settings.keys())
        found = f"no {missing[0]}" if missing else first_wrong(entry.made(settings), CHECKS)
    except BadInput as error:
        found = str(error)
    if found:
        raise BadInput(f"{path}: expected the settings of a run, found {found.removeprefix('--')}")
    return config


def _entry(config: dict[str, Any]) -> registry.Entry:
    """The model of config.json; without a name it is the default one, of the widths that stand there."""
    name = config.get("model")
    return registry.entry(registry.DEFAULT if name is None else name)


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """config.json with tuples for lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}
