"""Checkpoints on disk, by orbax, which is imported here and nowhere else."""

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from dlgm_jax.types import BadInput

KEPT = 2


class Checkpoints:
    """The latest checkpoints of a folder, one for each epoch: a pytree of arrays and a JSON dict beside it.

    Saving is asynchronous and atomic: a checkpoint is whole or not there.
    """

    def __init__(self, folder: Path):
        if folder.exists() and not folder.is_dir():
            raise BadInput(f"{folder}: expected a folder of checkpoints, found a file")
        self.folder = folder
        options = ocp.CheckpointManagerOptions(max_to_keep=KEPT, create=True)
        handlers = {"tree": ocp.StandardCheckpointHandler(), "progress": ocp.JsonCheckpointHandler()}
        self._manager = ocp.CheckpointManager(folder.absolute(), options=options, item_handlers=handlers)

    def latest(self) -> int | None:
        """The epoch of the newest checkpoint."""
        return self._manager.latest_step()

    def holds(self, epoch: int) -> bool:
        """There is a checkpoint of this epoch."""
        return epoch in self._manager.all_steps()

    def save(self, epoch: int, tree: Any, progress: dict) -> None:
        """Begins to save; `wait` or the next `save` waits for the end."""
        items = ocp.args.Composite(tree=ocp.args.StandardSave(tree), progress=ocp.args.JsonSave(progress))
        self._manager.save(epoch, args=items)

    def restore(self, epoch: int, like: Any) -> tuple[Any, dict]:
        """The tree of an epoch, in the structure, shapes and types of `like` (see `jax.eval_shape`), and its dict.

        Raises BadInput when the checkpoint is damaged or of another shape.
        """
        self._check_shapes(epoch, like)
        placement = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        target = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=placement), like)
        items = ocp.args.Composite(tree=ocp.args.StandardRestore(target), progress=ocp.args.JsonRestore())
        try:
            restored = self._manager.restore(epoch, args=items)
        except (ValueError, KeyError, TypeError, OSError) as error:
            reason = str(error).split("\n")[0][:200]
            raise BadInput(
                f"{self.folder / str(epoch)}: expected a whole checkpoint of this model, found: {reason}"
            ) from error
        return restored["tree"], restored["progress"]

    def _check_shapes(self, epoch: int, like: Any) -> None:
        """Before orbax is asked for the arrays: it explains a mismatch at length, from several threads."""
        try:
            stored = self._manager.item_metadata(epoch)["tree"]
        except (ValueError, KeyError, TypeError, OSError):
            stored = None
        found, expected = (sorted(str(a.shape) for a in jax.tree.leaves(tree)) for tree in (stored, like))
        if found != expected:
            raise BadInput(
                f"{self.folder / str(epoch)}: expected a whole checkpoint of this model with {len(expected)} arrays, "
                f"found {f'other shapes in {len(found)}' if found else 'none that can be read'}"
            )

    def forget_after(self, epoch: int) -> None:
        """Deletes checkpoints of later epochs."""
        for later in [step for step in self._manager.all_steps() if step > epoch]:
            self._manager.delete(later)

    def wait(self) -> None:
        """Until everything is on disk."""
        self._manager.wait_until_finished()
