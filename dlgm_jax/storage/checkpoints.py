"""Checkpoints on disk, by orbax, which is imported here and nowhere else.

NUMBER/arrays/         the arrays, as orbax writes them
NUMBER/progress.json   what stands beside them
NUMBER/manifest.json   the sha256 of every other file, and the shapes of the arrays; written last and verified first
"""

import errno
import hashlib
import json
import logging
import os
import shutil
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from dlgm_jax.data.places import check_utf8
from dlgm_jax.devices.meshes import together
from dlgm_jax.errors import BadInput, reason
from dlgm_jax.storage.files import write_whole

ARRAYS, PROGRESS, MANIFEST = "arrays", "progress.json", "manifest.json"
FORM = "dlgm-jax checkpoint 1"


class Checkpoints:
    """The latest `kept` checkpoints of a folder, by number: a pytree of arrays and a JSON dict beside it.

    Saving is asynchronous. What has no manifest is no checkpoint; what is not as its manifest says is refused. Where
    several processes run, all of them save and restore, and the first one writes what stands beside the arrays.
    """

    def __init__(self, folder: Path, kept: int = 3):
        if folder.exists() and not folder.is_dir():
            raise BadInput(f"{folder}: expected a folder of checkpoints, found a file")
        check_utf8(folder, "checkpoints")
        self.folder, self._kept = folder, kept
        logging.getLogger("asyncio").addFilter(_is_heard)
        self._orbax = ocp.StandardCheckpointer()
        self._worker = ThreadPoolExecutor(1)
        self._saving: Future | None = None

    def numbers(self) -> list[int]:
        """Of the checkpoints that have a manifest, in order."""
        return sorted(int(path.parent.name) for path in self.folder.glob(f"[0-9]*/{MANIFEST}"))

    def folders(self) -> list[Path]:
        """Of checkpoints, whole or not."""
        return [path for path in self.folder.glob("[0-9]*") if path.name.isdecimal()]

    def latest(self) -> int | None:
        """The number of the newest checkpoint."""
        return max(self.numbers(), default=None)

    def save(self, number: int, tree: Any, progress: dict) -> None:
        """Begins to save; `wait` or the next `save` waits for the end. A number that is there stays as it is.

        Raises OSError when the last one failed.
        """
        self.wait()
        if number in self.numbers():
            return
        place = self.folder / str(number)
        if _writes():
            _delete(place)
            place.mkdir(parents=True)
        with _as_os_error(place):
            self._orbax.save((place / ARRAYS).absolute(), tree)
        self._saving = self._worker.submit(self._finish, place, shapes(tree), progress)

    def wait(self) -> None:
        """Until everything is on disk. Raises OSError when that failed."""
        saving, self._saving = self._saving, None
        if saving:
            saving.result()
            together("saved")

    def restore(self, number: int, like: Any) -> tuple[Any, dict]:
        """The tree of a number, in the structure, shapes, types and (where it has them) shardings of `like`, and its
        dict. Raises BadInput when the checkpoint is damaged or of another shape.
        """
        place = self.folder / str(number)
        expected, found = shapes(like), self.verify(number)["arrays"]
        if found != expected:
            raise BadInput(
                f"{place}: expected a whole checkpoint of this model with {len(expected)} arrays, found other shapes "
                f"in {len(found)}"
            )
        one = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        target = jax.tree.map(
            lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=getattr(a, "sharding", None) or one), like
        )
        with _as_bad_input(place):
            tree = self._orbax.restore((place / ARRAYS).absolute(), target)
            return jax.tree.map(_free, tree, like), json.loads((place / PROGRESS).read_text(encoding="utf-8"))

    def verify(self, number: int) -> dict[str, Any]:
        """What the manifest says. Raises BadInput, naming the file, when something else is there."""
        place = self.folder / str(number)
        expected = f"{place}: expected a whole checkpoint"
        try:
            manifest = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
            files, form = dict(manifest["files"]), manifest["form"]
            manifest["arrays"][0]
        except (OSError, ValueError, KeyError, TypeError, LookupError, RecursionError) as error:
            raise BadInput(f"{expected}, found no {MANIFEST} that can be read") from error
        if form != FORM:
            raise BadInput(f"{expected} of the form {FORM}, found {str(form)[:40]!r}")
        found = dict(_digests(place))
        for name in sorted(files.keys() | found.keys()):
            if files.get(name) != found.get(name):
                state = "no longer there" if name not in found else "unknown" if name not in files else "changed"
                raise BadInput(f"{expected}, found {name} {state}")
        return manifest

    def forget_after(self, number: int) -> None:
        """Deletes checkpoints of later numbers, and what is left of those that never became whole."""
        whole = set(self.numbers())
        for path in self.folders() if _writes() else ():
            if int(path.name) not in whole or int(path.name) > number:
                _delete(path)

    def _finish(self, place: Path, arrays: list, progress: dict) -> None:
        with _as_os_error(place):
            self._orbax.wait_until_finished()
        if not _writes():
            return
        write_whole(place / PROGRESS, json.dumps(progress) + "\n")
        manifest = {"form": FORM, "arrays": arrays, "files": dict(_digests(place))}
        write_whole(place / MANIFEST, json.dumps(manifest, indent=1) + "\n")
        for number in self.numbers()[: -self._kept]:
            _delete(self.folder / str(number))


def shapes(tree: Any) -> list:
    """Shape and type of every array, in order."""
    return [[list(a.shape), str(a.dtype)] for a in jax.tree.leaves(tree)]


def _free(array: jax.Array, like: Any) -> jax.Array:
    """Bound to a device only where `like` is: else what was compiled for arrays that are not would be compiled anew."""
    return array if getattr(like, "sharding", None) else jnp.asarray(np.asarray(array))


def _writes() -> bool:
    return jax.process_index() == 0


def _delete(place: Path) -> None:
    (place / MANIFEST).unlink(missing_ok=True)  # first, so that nothing half deleted looks whole
    shutil.rmtree(place, ignore_errors=True)


def _digests(place: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(place.rglob("*")):
        if path.is_file() and path != place / MANIFEST:
            with path.open("rb") as file:
                yield path.relative_to(place).as_posix(), hashlib.file_digest(file, "sha256").hexdigest()


def _is_heard(record: logging.LogRecord) -> bool:
    """Tells whether asyncio may speak: not of writes of orbax that failed beside the one whose error was raised.

    Of several writes that fail at once one error comes out of the event loop. The others stay in it, and asyncio
    reports each with a traceback when the garbage is collected, which may be at any time or never.
    """
    error = record.exc_info[1] if record.exc_info else None
    frames = traceback.walk_tb(error.__traceback__ if error else None)
    files = " ".join(frame.f_code.co_filename for frame, _ in frames)
    return "never retrieved" not in record.getMessage() or "orbax" not in record.getMessage() + files


@contextmanager
def _as_os_error(place: Path) -> Iterator[None]:
    try:
        yield
    except jax.errors.JaxRuntimeError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        number = errno.ENOSPC if os.strerror(errno.ENOSPC) in str(error) else errno.EIO
        said = os.strerror(number) if number == errno.ENOSPC else reason(error)
        raise OSError(number, f"expected to write a checkpoint, found: {said}", str(place)) from error


@contextmanager
def _as_bad_input(place: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{place}: expected a whole checkpoint of this model, found: {reason(error)}") from error
