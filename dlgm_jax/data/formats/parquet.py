"""Parquet, of which triplets are read."""

from collections.abc import Iterator
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dlgm_jax.data.lines import ALWAYS, EXPANSION, first_bytes, packing, too_much
from dlgm_jax.errors import BadInput, reason

SIGNATURE = b"PAR1"
ROWS = 4096  # that are read at once


def is_parquet(path: Path) -> bool:
    """Tells whether a file begins as Parquet does; False for one that cannot be read."""
    return packing(path) == "" and first_bytes(path, len(SIGNATURE)) == SIGNATURE


def opened(path: Path) -> Any:
    """A file of pyarrow's. Raises BadInput for a damaged one, and for one that claims to hold suspiciously much."""
    if find_spec("pyarrow") is None:
        raise BadInput(f"{path}: expected pyarrow to read Parquet, which is not installed; pip install pyarrow")
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        claimed = sum(file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups))
    except Exception as error:  # pyarrow raises nearly every kind for a damaged file
        raise damaged(path, error) from error
    if max(claimed, file.metadata.num_rows) > _room(path):
        raise too_much(path)
    return file


def rows(file: Any, path: Path, columns: list[str]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """(file and row from 1, the values of some columns) of each row. Raises BadInput."""
    room, number = _room(path), 0
    batches = file.iter_batches(ROWS, columns=columns)
    while True:
        try:
            batch = next(batches, None)
            table = batch and batch.to_pydict()
        except Exception as error:
            raise damaged(path, error) from error
        if batch is None or table is None:
            return
        room -= len(batch)
        if room < 0:
            raise too_much(path)
        for values in zip(*(table[column] for column in columns)):
            number += 1
            yield f"{path}: row {number}", tuple(map(_number, values))


def damaged(path: Path, error: Exception) -> BadInput:
    """The error for a file that pyarrow cannot read."""
    return BadInput(f"{path}: expected a Parquet file, found: {reason(error)}")


def _number(value: Any) -> Any:
    """A decimal number as it is compared with others: 2.00 is 2."""
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else format(value.normalize(), "f")
    return value


def _room(path: Path) -> int:
    return max(EXPANSION * path.stat().st_size, ALWAYS)
