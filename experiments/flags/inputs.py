"""Flags that say how an input is to be read, and the bar that shows it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from dlgm_jax.data.class_files import labelled, read_labels
from dlgm_jax.data.inputs import FORMATS, TEXT, open_input
from dlgm_jax.data.source import Part, Reading, Source
from dlgm_jax.data.text import Texts
from dlgm_jax.errors import BadInput
from experiments.flags.command import Command

INPUT_FLAGS = {
    "format": ("", f"{', '.join([*FORMATS, TEXT])}; unset: what the input looks like"),
    "vocab": ("", "a file of words, one a line: the names of columns; of texts, the words that are counted"),
    "label": ("", "the field of labels of JSONL, or the column or array of an HDF5 file, or the column of --labels"),
    "labels": ("", "a file of labels: one a line in the order of the documents, or a table with their ids first"),
    "index_base": ("", "of SVMlight: 0 or 1, where its word ids begin"),
    "columns": (
        "",
        "of a table: its columns of documents, words and (if there is one) counts, by commas: names, or "
        "numbers from 1 where it has no header",
    ),
    "names": ("", "of a table of (document, word, count): another table of the words' ids and names"),
    "transposed": (False, "of a matrix or a dense table: words are its rows"),
    "words": ("", "of a 10x folder: symbol, where ids are not to name the genes; of h5ad: a column of var"),
    "feature_type": ("", "of a 10x folder: the features that are read; unset: Gene Expression, where there are others"),
    "layer": ("", "of h5ad: the layer whose counts are read, or raw; unset: X"),
}
READS = {  # the flags that a format reads
    "compact": (),
    "dense": ("transposed",),
    "hdf5": ("label", "words", "layer", "feature_type"),
    "ldac": ("vocab",),
    "lyrl2004": ("vocab",),
    "mtx": ("vocab", "transposed", "words", "feature_type"),
    "npz": ("vocab", "transposed"),
    "nvdm": ("vocab",),
    "octis": ("vocab",),
    "svmlight": ("vocab", "index_base"),
    "tables": (),
    "text": ("vocab", "label"),
    "triplets": ("columns", "names"),
    "uci": ("vocab",),
}


def check_reading(command: Command, form: str) -> None:
    """Raises BadInput for a flag that says how to read an input, and that is not read of this format."""
    with_labels = bool(command.own.get("labels"))
    for flag in [name for name in INPUT_FLAGS if name not in ("format", "labels")]:  # --labels go with every format
        if flag == "label" and with_labels:
            continue
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
        label="" if own.get("labels") else own["label"],  # with --labels, --label is a column of that file
        words=own["words"],
        feature_type=own["feature_type"],
        layer=own["layer"],
        names=Path(own["names"]) if own["names"] else None,
    )


@contextmanager
def telling(how: Reading) -> Iterator[None]:
    """Prints what readers noted by the time that they are done, also where they end with an error."""
    try:
        yield
    finally:
        for note in how.notes:
            print(f"Note: {note}", flush=True)


def opened_with_labels(command: Command, path: Path, form: str, how: Reading) -> Source | Texts:
    """An input, with the labels of --labels where it is given. Raises BadInput."""
    opened, file = open_input(path, form, how), command.own["labels"]
    return labelled(opened, read_labels(Path(file), command.own["label"], how), how) if file else opened


def progress(items: Iterable, what: str) -> Iterator:
    """The same items, with a bar that counts documents."""
    with tqdm(desc=what, unit="doc", unit_scale=True, dynamic_ncols=True, mininterval=0.5) as bar:
        for item in items:
            yield item
            bar.update(item.corpus.num_documents if isinstance(item, Part) else 1)
