"""A trained state in a folder, with what describes it as JSON: for `load`, in place of pickles."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dlgm_jax.errors import BadInput
from dlgm_jax.estimators import compiled
from dlgm_jax.learning.steps import State
from dlgm_jax.models import registry
from dlgm_jax.storage.checkpoints import Checkpoints


def write(folder: Path, state: State, document_frequencies: np.ndarray, facts: dict[str, Any]) -> None:
    """Writes to a new or empty folder; `facts` hold `model`, its name and its settings.

    Raises BadInput when the folder holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder}: expected a new or an empty folder")
    text = json.dumps(facts, indent=1, default=np.generic.item)
    checkpoints = Checkpoints(folder / "state")
    checkpoints.save(0, state, {})
    checkpoints.wait()
    np.save(folder / "document_frequencies.npy", document_frequencies, allow_pickle=False)
    (folder / "facts.json").write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> tuple[State, np.ndarray, dict[str, Any], compiled.Spec]:
    """State, document frequencies [V], facts, with tuples for lists, and the model. Raises BadInput when they are not
    all there.
    """
    try:
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"), object_hook=_with_tuples)
        frequencies = np.load(folder / "document_frequencies.npy", allow_pickle=False)
        name, settings = facts["model"] if "model" in facts else (registry.DEFAULT, _older(facts["sizes"]))
        spec = compiled.Spec(name, registry.entry(name).made(settings), facts["parameters"]["features"])
        shapes = partial(compiled.init_state, vocab_size=len(frequencies), spec=spec)
        like = jax.eval_shape(shapes, jax.random.key(0))
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder}: expected what was saved of an estimator, found: {error}") from error
    return jax.device_get(Checkpoints(folder / "state").restore(0, like)[0]), frequencies, facts, spec


def _older(sizes: dict[str, Any]) -> dict[str, Any]:
    """The settings of the model by what was saved before models had names."""
    return {"K" if name == "latent_dim" else name: value for name, value in sizes.items()}


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
