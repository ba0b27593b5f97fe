"""What tells runs, corpora and tables from others."""

import hashlib
import json
import os
from pathlib import Path

from experiments.flags.command import Command


def digest(what: object) -> str:
    """Eight digits that tell it from others."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:8]


def state(flag: str) -> list[object]:
    """A flag of `prepare`; of the files that it names their names, sizes and times, wherever they lie."""
    name, _, value = flag.partition("=")
    found: list[object] = [name]
    for part in value.split(","):
        path = Path(part)
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
        found += stats or [part]
    return found


def asked(command: Command) -> str:
    """What a recipe was asked for: of data their names, wherever they lie; of runs where they are."""
    flags = {
        name: value
        for name, value in (command.own | command.given).items()
        if name not in ("folder", "results") and value is not None and value is not False and value != ""
    }
    name_of = {name: str if name == "workdir" else named for name in flags}
    shown = {name: ",".join(map(name_of[name], str(value).split(","))) for name, value in flags.items()}
    return " ".join(f"--{name}={value}" for name, value in sorted(shown.items()))


def named(part: str) -> str:
    """The name of a file or folder that is there; anything else as it is."""
    return Path(part).resolve().name if os.path.exists(part) else part  # Path.exists raises for a long text
