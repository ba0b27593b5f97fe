"""A finished or running workdir, ready for use."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import jax
import numpy as np

from dlgm_jax.errors import BadInput
from dlgm_jax.models.dlgm import init_params
from dlgm_jax.networks import ACTIVATIONS
from dlgm_jax.storage.checkpoints import Checkpoints
from dlgm_jax.types import Params

SIZES = {
    "K": lambda value: _is_size(value),
    "generative_widths": lambda value: isinstance(value, list) and all(map(_is_size, value)),
    "inference_widths": lambda value: isinstance(value, list) and all(map(_is_size, value)),
    "activation": lambda value: isinstance(value, str) and value in ACTIVATIONS,
}


@dataclass(frozen=True)
class Run:
    """What a run learned."""

    params: Params
    vocabulary: tuple[str, ...]
    idf: np.ndarray  # [V], of the training split
    config: dict[str, Any]  # config.json as it is


def load_run(workdir: str | Path) -> Run:
    """The best model of a workdir with its vocabulary, idf and config.

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
    like = jax.eval_shape(lambda: init_params(jax.random.key(0), len(vocabulary), **model_sizes(config)))
    params, _ = best.restore(epoch, like)
    return Run(params, vocabulary, idf, config)


def read_config(workdir: Path) -> dict[str, Any]:
    """config.json of a workdir; BadInput when there is none or it is not JSON."""
    path = workdir / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"{workdir}: expected the workdir of a run, found no config.json") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: expected JSON, found: {error}") from error
    for name, holds in SIZES.items():
        value = config.get(name) if isinstance(config, dict) else None
        if not holds(value):
            raise BadInput(f"{path}: expected the settings of a run, found {name}={value!r}")
    return config


def _is_size(value) -> bool:
    return isinstance(value, int) and 0 < value < 2**31


def model_sizes(config: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of `init_params` that a config means."""
    return {
        "latent_dim": config["K"],
        "generative_widths": tuple(config["generative_widths"]),
        "inference_widths": tuple(config["inference_widths"]),
        "activation": config["activation"],
    }
