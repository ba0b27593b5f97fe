"""Where files can be written, found out before any work."""

import os
import sys
import tempfile
from pathlib import Path

from dlgm_jax.errors import BadInput


def in_utf8(path: Path) -> str:
    """The text of a path, whatever its bytes are: those that are no UTF-8 become \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def check_utf8(path: Path, name: str) -> None:
    """Raises BadInput, beginning with `name`, for a path that Python did not read as UTF-8: orbax and JAX take none."""
    try:
        str(path.absolute()).encode("utf-8")
    except UnicodeEncodeError as error:
        encoding = sys.getfilesystemencoding()
        hint = "" if encoding == "utf-8" else f"; paths are {encoding} here, which PYTHONUTF8=1 changes"
        raise BadInput(f"{name}: expected a path in UTF-8, found {in_utf8(path)}{hint}") from error


def check_writable(path: Path, name: str) -> None:
    """Raises BadInput, beginning with `name`, when a new file or folder cannot be made at `path`.

    A file without a name is made and is gone again, in the folder at `path` or in the nearest one above that is there.
    """
    place = next(folder for folder in (path, *path.absolute().parents) if os.path.lexists(folder))
    if not place.is_dir():
        raise BadInput(f"{name}: expected a folder, found {in_utf8(place)}, which is none")
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        why = f"{in_utf8(place)}: {error.strerror or error}"
        raise BadInput(f"{name}: expected a place that can be written to, found {in_utf8(path)} ({why})") from error
