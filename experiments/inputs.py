"""Flags that say how an input is to be read, and the bar that shows it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from dlgm_jax.data.inputs import FORMATS, TEXT
from dlgm_jax.data.source import Part, Reading
from dlgm_jax.types import BadInput
from experiments.command import Command

INPUT_FLAGS = {
    "format": ("", f"{', '.join([*FORMATS, TEXT])}; unset: what the input looks like"),
    "vocab": ("", "a file of words, one a line: the names of columns; of texts, the words that are counted"),
    "label": ("", "the field of labels of JSONL, or the column of an h5ad file"),
    "index_base": ("", "of SVMlight: 0 or 1, where its word ids begin"),
    "columns": ("", "of a table: its columns of documents, words and (if there is one) counts, by commas"),
    "transposed": (False, "of a matrix: words are its rows"),
}


READS = {  # the flags that a format reads
    "compact": (),
    "hdf5": ("label",),
    "ldac": ("vocab",),
    "lyrl2004": ("vocab",),
    "mtx": ("vocab", "transposed"),
    "npz": ("vocab", "transposed"),
    "nvdm": ("vocab",),
    "octis": ("vocab",),
    "svmlight": ("vocab", "index_base"),
    "tables": (),
    "text": ("vocab", "label"),
    "triplets": ("columns",),
    "uci": ("vocab",),
}


def check_reading(command: Command, form: str) -> None:
    """Raises BadInput for a flag that says how to read an input, and that is not read of this format."""
    for flag in ("vocab", "label", "index_base", "columns", "transposed"):
        if command.own[flag] and flag not in READS.get(form, INPUT_FLAGS):
            formats = ", ".join(name for name, flags in READS.items() if flag in flags)
            raise BadInput(f"--{flag}: expected to go with {formats}, found an input that is read as {form}")


def reading(command: Command) -> Reading:
    """What the flags say of the input."""
    own = command.own
    base = own["index_base"]
    if base not in ("", "0", "1"):
        raise BadInput(f"--index_base: expected 0 or 1, found {base!r}")
    columns = tuple(filter(None, own["columns"].split(",")))
    if columns and len(columns) not in (2, 3):
        raise BadInput(f"--columns: expected document,word or document,word,count, found {own['columns']!r}")
    return Reading(
        vocab=Path(own["vocab"]) if own["vocab"] else None,
        index_base=int(base) if base else None,
        columns=columns,
        transposed=own["transposed"],
        label=own["label"],
    )


def progress(items: Iterable, what: str) -> Iterator:
    """The same items, with a bar that counts documents."""
    with tqdm(desc=what, unit="doc", unit_scale=True, dynamic_ncols=True, mininterval=0.5) as bar:
        for item in items:
            yield item
            bar.update(item.corpus.num_documents if isinstance(item, Part) else 1)
