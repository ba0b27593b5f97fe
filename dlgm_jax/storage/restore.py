"""The state from which a run goes on."""

from typing import Any

from dlgm_jax.devices.meshes import same
from dlgm_jax.errors import BadInput
from dlgm_jax.learning.loop import Progress
from dlgm_jax.learning.steps import State
from dlgm_jax.storage.checkpoints import Checkpoints


def restore(like: Any, checkpoints: Checkpoints, best: Checkpoints) -> tuple[State | None, Progress, list[str]]:
    """The newest whole checkpoint whose best model is whole too, in the form of `like`; None when there is no
    checkpoint at all. Then how far it is, and a line on each newer one that is damaged.

    Raises BadInput, and changes nothing, when all are damaged, or when there was a run that left none.
    """
    damaged = []
    for number in reversed(checkpoints.numbers()):
        try:
            state, stored = checkpoints.restore(number, like)
            progress = Progress.from_json(stored, checkpoints.folder / str(number))
            if progress.best_epoch:
                best.verify(progress.best_epoch)
        except BadInput as error:
            damaged.append(str(error))
            continue
        if not same(str(number)):  # which also waits, before anything goes that others may still look at
            raise BadInput(f"{checkpoints.folder}: expected the checkpoint of the first process, found {number} here")
        checkpoints.forget_after(number)
        best.forget_after(progress.epoch)
        return state, progress, damaged
    if damaged:
        raise BadInput(f"{damaged[0]}; and no whole one before it: begin anew in another --workdir")
    if len(checkpoints.folders()) > 1 or any(int(path.name) > 1 for path in best.folders()):
        raise BadInput(f"{checkpoints.folder}: expected a whole checkpoint of the run that was here, found none")
    checkpoints.forget_after(0)
    best.forget_after(0)
    return None, Progress(), []
