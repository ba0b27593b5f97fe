"""The two sides of a dense table, documents and words: what is taken for which, and names that speak against it."""

import re
from pathlib import Path
from typing import Any

from dlgm_jax.data.source import Reading
from dlgm_jax.errors import BadInput, listed, quantity, shown

ROWS_ARE_WORDS = frozenset(("gene", "genes", "geneid", "genename", "genesymbol", "symbol"))
ROWS_ARE_DOCUMENTS = frozenset(
    ("cell", "cellid", "barcode", "sample", "sampleid", "document", "documentid", "doc", "docid")
)
NO_WORDS = frozenset(("total", "sum", "label", "class", "target", "prediction"))  # columns that may hold no counts
NO_ROWS = frozenset(("total", "sum"))


def check_sides(heading: str, transposed: bool, where: str) -> None:
    """Raises BadInput where the heading of the names in rows says that these are on the other side."""
    bare = re.sub(r"[\W_]", "", heading).casefold()
    if bare in (ROWS_ARE_DOCUMENTS if transposed else ROWS_ARE_WORDS):
        side, hint = ("words", "leave --transposed out") if transposed else ("documents", "use --transposed")
        raise BadInput(f"{where}: expected {side} in rows, found {shown(heading)}; {hint}")


def note_sides(path: Path, rows: list[str], columns: list[str], counts: Any, how: Reading) -> None:
    """Says what is taken for documents and what for words, and which of these may be none."""
    of_rows, of_columns = ("words", "documents") if how.transposed else ("documents", "words")
    sides = (
        f"{of_rows} are the {quantity(len(rows), 'row')}, as {shown(rows[0])}, and "
        f"{of_columns} the {quantity(len(columns), 'column')}, as {shown(columns[0])}"
    )
    turn = "without --transposed the table would be turned" if how.transposed else "--transposed turns the table"
    most = counts.data.max() if counts.nnz else 0
    how.note(f"{path}: {sides}, with counts up to {most:,}; {turn}.")
    for kind, names, known, side in (("columns", columns, NO_WORDS, of_columns), ("rows", rows, NO_ROWS, of_rows)):
        if found := [name for name in names if name.casefold() in known]:
            how.note(f"{path}: these {kind} count as {side}, though they may be none: {listed(found)}.")
