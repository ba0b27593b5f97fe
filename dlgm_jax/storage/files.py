"""Files that are whole or as they were."""

import os
from pathlib import Path

NEW = ".new"  # of a file that is being written


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that it is whole or as it was, also when the power fails."""
    scratch = path.with_suffix(path.suffix + NEW)
    with scratch.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(scratch, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
