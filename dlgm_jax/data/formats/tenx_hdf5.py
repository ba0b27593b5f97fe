"""The HDF5 files that 10x Genomics's pipelines write since 2018: a group `matrix` of counts of features x cells."""

from pathlib import Path
from typing import Any

import scipy.sparse

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.formats.hdf5_files import intact
from dlgm_jax.data.formats.tenx_features import Features, check_once, chosen
from dlgm_jax.data.labels import label_of
from dlgm_jax.data.source import Reading, named
from dlgm_jax.errors import BadInput

MEMBERS = {"barcodes", "data", "features", "indices", "indptr", "shape"}  # of the group
NAMES = ("barcodes", "features/id", "features/name", "features/feature_type")


def corpus(path: Path, how: Reading) -> Corpus:
    """Cells by the features that are chosen. Raises BadInput naming the member."""
    import h5py

    with intact(path, "matrix"), h5py.File(path) as file:
        group: Any = file["matrix"]
        data, indices, starts, shape = (group[name][()] for name in ("data", "indices", "indptr", "shape"))
        counts: Any = scipy.sparse.csc_matrix((data, indices, starts), tuple(shape))
        counts.check_format(full_check=True)  # wrong indices would crash SciPy's compiled code
        names = {part: group[part][()] for part in NAMES}
    texts = {}
    for part, values in names.items():
        size = counts.shape[part == "barcodes"]
        if values.shape != (size,):
            raise BadInput(f"{path}: expected matrix/{part} to be {size} names, found an array of {values.shape}")
        texts[part] = [label_of(value, f"{path}: matrix/{part}") for value in values]
    cells, *features = texts.values()
    check_once(cells, range(1, len(cells) + 1), f"{path}: matrix/barcodes")
    places, words = chosen(Features(f"{path}: matrix/features", *features), how)
    with named(path):
        return Corpus(counts.T.tocsr()[:, places], words, cells)
