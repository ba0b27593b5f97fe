"""Single cells in HDF5: AnnData's `.h5ad`, and files of two arrays, `X` (cells x genes) and `Y` (their types)."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from dlgm_jax.data.corpus import Corpus, reason, shown
from dlgm_jax.data.lines import ALWAYS, stem
from dlgm_jax.data.source import EVERYTHING, Reading, Source, named, whole
from dlgm_jax.types import BadInput

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SHRUNK = 1100  # times that HDF5's compression can make an array smaller
ROWS = 1000  # of a dense array that are read at once


def holds(path: Path) -> bool:
    """Whether a file is HDF5: its signature stands at the beginning or, behind what others put there (MATLAB does),
    at byte 512, 1024, 2048 ...
    """
    if not os.path.isfile(path):
        return False
    with suppress(OSError), path.open("rb") as file:
        place, size = 0, os.path.getsize(path)
        while place < size:
            file.seek(place)
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return True
            place = max(512, 2 * place)
    return False


def source(path: Path, how: Reading) -> Source:
    """A file; labels of `.h5ad` are the column `label` of obs, if one is asked for. Raises BadInput."""
    needed = "anndata" if path.suffix == ".h5ad" else "h5py"
    if find_spec(needed) is None:
        raise BadInput(f"{path}: expected {needed} to read it, which is not installed; pip install 'dlgm-jax[cells]'")
    read: Callable[[Path, Reading], Source] = _anndata if path.suffix == ".h5ad" else _arrays
    try:
        _check_sizes(path)
        return read(path, how)
    except BadInput:
        raise
    except Exception as error:  # h5py and anndata raise nearly every kind for a damaged file
        raise BadInput(f"{path}: expected an HDF5 file of counts, found: {reason(error)}") from error


def _check_sizes(path: Path) -> None:
    """Arrays that claim much more than the file holds are refused before they are read."""
    import h5py

    claimed = 0

    def add(_, found: Any) -> None:
        nonlocal claimed
        arrays = [found] if isinstance(found, h5py.Dataset) else []
        for array in [*arrays, *map(found.attrs.get_id, found.attrs)]:
            claimed += math.prod(array.shape or ()) * array.dtype.itemsize

    with h5py.File(path) as file:
        file.visititems(add)
    if claimed > max(SHRUNK * path.stat().st_size, ALWAYS):
        raise BadInput(f"{path}: expected at most {SHRUNK} times what the file weighs, found {claimed} bytes claimed")


def _anndata(path: Path, how: Reading) -> Source:
    import anndata

    found = anndata.read_h5ad(path)
    if how.label and how.label not in found.obs:
        columns = ", ".join(map(str, found.obs)) or "none"
        raise BadInput(f"{path}: expected a column {how.label} of obs, found {columns}")
    labels = tuple(map(str, found.obs[how.label])) if how.label else None
    counts: Any = found.X
    if scipy.sparse.issparse(counts):
        counts.check_format(full_check=True)
    with named(path):
        corpus = Corpus(counts, tuple(map(str, found.var_names)), tuple(map(str, found.obs_names)), labels)
    return whole("AnnData", {EVERYTHING: corpus})


def _arrays(path: Path, how: Reading) -> Source:
    import h5py

    with h5py.File(path) as file:
        array: Any = file.get("X")
        if not isinstance(array, h5py.Dataset) or array.ndim != 2 or not array.size:
            members = shown(", ".join(file))
            raise BadInput(f"{path}: expected an array X of cells x genes, found the members {members}")
        labels = np.asarray(file["Y"]).ravel() if "Y" in file else None
        genes = array.shape[1]
        counts: Any = scipy.sparse.vstack(list(_rows(array)), "csr")
    vocabulary = tuple(map(str, range(genes)))
    names = tuple(f"{stem(path)}/{row}" for row in range(1, counts.shape[0] + 1))
    with named(path):
        return whole("HDF5", {EVERYTHING: Corpus(counts, vocabulary, names, _names(labels))})


def _rows(array: Any) -> Iterator[Any]:
    for start in range(0, array.shape[0], ROWS):
        yield scipy.sparse.csr_matrix(np.asarray(array[start : start + ROWS]))


def _names(labels: np.ndarray | None) -> tuple[str, ...] | None:
    if labels is None:
        return None
    return tuple(str(int(label)) if isinstance(label, float | np.floating) else str(label) for label in labels)
