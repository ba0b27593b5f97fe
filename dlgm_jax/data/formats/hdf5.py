"""Single cells in HDF5: AnnData's `.h5ad`, 10x files, and files of two arrays, `X` (cells x genes) and `Y` (types)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.formats import h5ad, tenx_hdf5
from dlgm_jax.data.formats.hdf5_files import begins, check_begins, check_installed, check_sizes, intact
from dlgm_jax.data.labels import label_of
from dlgm_jax.data.lines import stem
from dlgm_jax.data.source import EVERYTHING, Reading, Source, named, whole
from dlgm_jax.errors import BadInput, listed, shown

ROWS = 1000  # of a dense array that are read at once
ANNDATA, TENX, ARRAYS = "AnnData", "10x", "HDF5 arrays"
READS = {ANNDATA: ("label", "words", "layer"), TENX: ("words", "feature_type"), ARRAYS: ("label",)}  # flags
TEXT_OR_NUMBERS = "biufSO"  # kinds of arrays that labels may be
NOT_READ = {  # members by which files of other programs are known
    ("mod", "obs"): "MuData; write the modality that you want as .h5ad",
    ("matrix", "row_attrs"): "a loom file; anndata.io.read_loom(FILE).write_h5ad(NEW) makes it one",
    ("assays", "cell.names"): "an h5Seurat file; SeuratDisk's Convert makes it .h5ad",
}


def holds(path: Path) -> bool:
    """Tells an HDF5 file by its signature."""
    return begins(path)


def source(path: Path, how: Reading) -> Source:
    """A file, recognised by its members whatever its ending. Raises BadInput.

    Labels are the column `label` of AnnData's obs, or the member `label` (`Y` where there is one) beside an array X.
    """
    check_installed("h5py", path)
    check_begins(path)
    check_sizes(path)
    kind = _kind(path)
    for flag in ("label", "words", "layer", "feature_type"):
        if getattr(how, flag) and flag not in READS[kind]:
            kinds = " or ".join(name for name, flags in READS.items() if flag in flags)
            raise BadInput(f"{path}: expected --{flag} to go with a file of {kinds}, found one of {kind}")
    read: dict[str, Callable[[Path, Reading], Corpus]] = {ANNDATA: h5ad.corpus, TENX: tenx_hdf5.corpus, ARRAYS: _arrays}
    return whole(kind, {EVERYTHING: read[kind](path, how)})


def _kind(path: Path) -> str:
    """The program that wrote a file, by its content. Raises BadInput for programs whose files are not read."""
    import h5py

    with intact(path), h5py.File(path) as file:
        encoding = str(file.attrs.get("encoding-type"))
        members = {name: set(group) if isinstance(group := file.get(name), h5py.Group) else set() for name in file}
    if encoding == "anndata" or ({"obs", "var"} <= members.keys() and "mod" not in members):
        return ANNDATA
    if members.get("matrix", set()) >= tenx_hdf5.MEMBERS:
        return TENX
    other = next((program for names, program in NOT_READ.items() if members.keys() >= set(names)), "")
    if any({"barcodes", "genes"} <= inside for inside in members.values()):
        other = "a 10x file of before 2018; its folder of matrix.mtx is read"
    if other:
        raise BadInput(f"{path}: expected AnnData, a 10x file or an array X, found {other}")
    return ARRAYS


def _arrays(path: Path, how: Reading) -> Corpus:
    import h5py

    with intact(path), h5py.File(path) as file:
        members = list(file)
        there, array = listed(members) or "none", file.get("X")
        if not isinstance(array, h5py.Dataset) or len(array.shape or ()) != 2 or array.dtype.kind not in "biuf":
            raise BadInput(
                f"{path}: expected numbers X of cells x genes, found {_said(array)}; the members are {there}"
            )
        if not array.size:
            raise BadInput(f"{path}: expected cells and genes in X, found {_said(array)}")
        if how.label and how.label not in members:
            raise BadInput(f"{path}: expected a member {shown(how.label)} for --label, found the members {there}")
        with intact(path, "X"):
            genes = array.shape[1]
            counts: Any = scipy.sparse.vstack(list(_rows(array)), "csr")
        labels = _labels(file, how.label or "Y", counts.shape[0], path) if how.label or "Y" in members else None
    how.note(f"Words are numbered: {path.name} has no names of the columns of X.")
    vocabulary = tuple(map(str, range(genes)))
    names = tuple(f"{stem(path)}/{row}" for row in range(1, counts.shape[0] + 1))
    with named(path):
        return Corpus(counts, vocabulary, names, labels)


def _rows(array: Any) -> Iterator[Any]:
    for start in range(0, array.shape[0], ROWS):
        yield scipy.sparse.csr_matrix(np.asarray(array[start : start + ROWS]))


def _labels(file: Any, member: str, cells: int, path: Path) -> tuple[str, ...] | None:
    """The class of each cell; None where all are missing."""
    import h5py

    with intact(path, member):
        array = file[member]
        shape = array.shape if isinstance(array, h5py.Dataset) else None
        text = shape is not None and (array.dtype.kind != "O" or h5py.check_string_dtype(array.dtype))
        if shape not in ((cells,), (cells, 1)) or not text or array.dtype.kind not in TEXT_OR_NUMBERS:
            raise BadInput(f"{path}: expected {member} to be {cells} labels, one for each cell, found {_said(array)}")
        values = array[()].ravel()
    labels = tuple(label_of(value, f"{path}: {member}, row {row}") for row, value in enumerate(values, 1))
    return labels if any(labels) else None


def _said(member: Any) -> str:
    """A member of a file in words."""
    if member is None:
        return "none"
    if not hasattr(member, "shape"):
        return "a group or a type"
    return f"{member.dtype} of shape {member.shape}"
