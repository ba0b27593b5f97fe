"""Times taken in alternation, and where: tables for people, JSON for programs."""

import gc
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dlgm_jax.errors import quantity
from experiments.workdir.surroundings import surroundings

OWN_FLAGS = {
    "repeats": (7, "timed runs of each candidate; the medians are shown"),
    "output": (None, "the JSON file; unset: runs/benchmarks/<name>.json"),
}


def alternate(candidates: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each candidate, run in turns after two warm-up runs of each."""
    for run in candidates.values():
        for _ in range(2):
            jax.block_until_ready(run())
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, run in candidates.items():
            began = time.perf_counter()
            jax.block_until_ready(run())
            seconds[name].append(time.perf_counter() - began)
    gc.collect()
    return {name: float(np.median(times)) for name, times in seconds.items()}


def table(rows: list[dict[str, Any]]) -> str:
    """Aligned columns; numbers with three significant digits."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_shown(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in cells)


def taken(config: Any, settings: list[str]) -> dict[str, Any]:
    """The settings of a run that a benchmark reads."""
    return {name: value for name, value in config.to_json().items() if name in settings}


def destination(name: str, path: str | None) -> Path:
    """Where the figures will go. Raises OSError before anything is measured when they cannot."""
    where = Path(path or f"runs/benchmarks/{name}.json")
    where.parent.mkdir(parents=True, exist_ok=True)
    where.open("a").close()
    return where


def report(where: Path, tables: dict[str, list[dict[str, Any]]], settings: dict[str, Any]) -> None:
    """Prints the tables and writes them with what they were taken on."""
    record = {"benchmark": where.stem, "settings": settings, "taken_on": surroundings(), **tables}
    for title, rows in tables.items():
        print(f"\n{title}\n{table(rows)}")
    taken = record["taken_on"]
    print(
        f"\n{taken['processor']}, {quantity(taken['threads'], 'thread')}, {taken['devices']}, load {taken['load']:.1f}"
    )
    where.write_text(json.dumps(record, indent=1) + "\n")
    print(f"Written to {where}")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"
    return "-" if value is None else str(value)
