"""AnnData: cells with counts in X, a layer or raw, columns of obs that label them, columns of var that name genes."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import scipy.sparse

from dlgm_jax.data.corpus import MAX_COUNT, Corpus
from dlgm_jax.data.formats.gene_names import by_symbol
from dlgm_jax.data.formats.hdf5_files import check_installed, intact
from dlgm_jax.data.labels import label_of
from dlgm_jax.data.source import Reading, named
from dlgm_jax.errors import BadInput, listed, shown

RAW = "raw"  # the place of counts before they were normalised, which has genes of its own


def corpus(path: Path, how: Reading) -> Corpus:
    """The counts of X, or of the `layer`; words are var_names or the column `words` of var. Raises BadInput."""
    check_installed("anndata", path)
    cells = _read(path)
    counts, genes = _counts(cells, path, how)
    ids, names = _names(genes.index, f"{path}: the names of var"), _names(cells.obs.index, f"{path}: the names of obs")
    words = ids
    if how.words:
        symbols = _column(genes, how.words, "var", path)
        words = by_symbol(symbols, ids, f"{path}: the column {how.words} of var", how)
    labels = _column(cells.obs, how.label, "obs", path) if how.label else []
    with named(path):
        return Corpus(counts, tuple(words), names, labels if any(labels) else None)


def _read(path: Path) -> Any:
    """Everything of a file, as anndata reads it."""
    import anndata

    try:
        with warnings.catch_warnings():  # that names are not distinct, or a layout old
            warnings.simplefilter("ignore")
            return anndata.read_h5ad(path)
    except Exception as error:  # anndata raises nearly every kind
        raise BadInput(f"{path}: {_trouble(path)}") from error


def _trouble(path: Path) -> str:
    """The member that anndata cannot read."""
    import anndata
    import h5py

    with intact(path), h5py.File(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in file:
            group: Any = file.get(name)
            inside = [f"{name}/{part}" for part in group] if isinstance(group, h5py.Group) else []
            for member in [*inside, name]:  # what is inside says more
                try:
                    anndata.io.read_elem(cast(Any, file[member]))
                except Exception:
                    found = f"found it damaged or not known to anndata {anndata.__version__}"
                    return f"expected to read its member {listed([member])}, {found}"
    return "expected X, layers, obs and var of the same cells and genes, found members that do not fit"


def _counts(cells: Any, path: Path, how: Reading) -> tuple[Any, Any]:
    """The counts of the place that is asked for, and its table of genes. Raises BadInput naming places with counts."""
    places = {"": (cells.X, cells.var)} | {name: (layer, cells.var) for name, layer in cells.layers.items()}
    if cells.raw is not None:
        if how.layer == RAW and RAW in places:
            how.note(f"{path}: raw stands for what AnnData calls raw, not for the layer of that name.")
        places[RAW] = cells.raw.X, cells.raw.var
    if how.layer not in places:
        there = listed(filter(None, places)) or "none"
        raise BadInput(f"{path}: expected --layer to be a layer or raw, found {shown(how.layer)}; there are {there}")
    counts, genes = places[how.layer]
    found = no_counts(counts)
    if not found and how.layer:
        return counts, genes
    others = [name for name, (matrix, _) in places.items() if name != how.layer and not no_counts(matrix)]
    if not found:
        differ = [name for name in others if not _same(places[name], places[how.layer])]
        if differ:
            how.note(
                f"{path}: X is read, though there are counts in {listed(f'--layer={name}' for name in differ)} too."
            )
        return counts, genes
    hint = "counts are in " + listed([f"--layer={name}" if name else "X (without --layer)" for name in others])
    place = {"": "X", RAW: "raw"}.get(how.layer, f"the layer {shown(how.layer)}")
    raise BadInput(f"{path}: expected counts in {place}, found {found}; {hint if others else 'none has counts'}")


def _same(place: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    """Tells whether two places hold the same counts of the same genes."""
    (counts, genes), (others, other_genes) = place, other
    if counts.shape != others.shape or list(genes.index) != list(other_genes.index):
        return False
    different: Any = scipy.sparse.csr_matrix(counts) != scipy.sparse.csr_matrix(others)
    return different.nnz == 0


def no_counts(matrix: Any) -> str:
    """The first thing in a matrix that is not a whole number from 0; empty where all are."""
    if matrix is None:
        return "none"
    if getattr(matrix, "ndim", 0) != 2 or getattr(matrix, "dtype", np.dtype("O")).kind not in "biuf":
        return f"no matrix of numbers but {type(matrix).__name__}"
    if scipy.sparse.issparse(matrix):
        try:
            matrix.check_format(full_check=True)  # wrong indices would crash SciPy's compiled code
        except (ValueError, IndexError, TypeError):
            return "indices that are damaged"
    entries: Any = scipy.sparse.csr_matrix(matrix)
    values = entries.data
    bad = np.flatnonzero(~((values >= 0) & (values <= MAX_COUNT) & (values == np.floor(values))))
    if not len(bad):
        return ""
    row = int(np.searchsorted(entries.indptr, bad[0], side="right"))
    return f"{values[bad[0]]:.6g} in row {row}, column {entries.indices[bad[0]] + 1}"


def _column(table: Any, name: str, part: str, path: Path) -> Sequence[str]:
    """The labels of a column of obs or var; empty where they are missing."""
    if name not in table:
        there = listed(map(str, table)) or "none"
        raise BadInput(f"{path}: expected a column of {part}, found no {shown(name)}; there are {there}")
    column, where = table[name], f"{path}: the column {name} of {part}"
    if column.dtype.name == "category":
        names = [label_of(value, where) for value in column.cat.categories.array]
        return [names[code] if code >= 0 else "" for code in column.cat.codes]
    return [label_of(value, where) for value in column.array]  # the array keeps float32, which a list would widen


def _names(index: Any, where: str) -> list[str]:
    names = [label_of(name, where) for name in index]
    if "" in names:
        raise BadInput(f"{where}: expected one for each row, found none in row {names.index('') + 1}")
    return names
