"""Cells from a file to a corpus, by the commands."""

import json

import numpy as np
import pytest

anndata, pandas = (pytest.importorskip(name) for name in ("anndata", "pandas"))
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")

COUNTS = np.array([[1, 0, 2], [0, 3, 0], [4, 0, 1], [0, 1, 1], [2, 2, 0], [1, 0, 1]])


@pytest.fixture
def cells(tmp_path):
    """Logarithms in X and counts in a layer, of cells of two types and one of none."""
    obs = pandas.DataFrame({"kind": pandas.Categorical(["T", "B", None, "T", "B", "T"])}, index=list("abcdef"))
    var = pandas.DataFrame({"symbol": ["X", "X", "Y"]}, index=["g1", "g2", "g3"])
    found = anndata.AnnData(np.log1p(COUNTS), obs, var, layers={"counts": COUNTS})
    found.write_h5ad(tmp_path / "cells.h5ad")
    return tmp_path / "cells.h5ad"


def test_prepare_says_where_counts_are_and_reads_them(command, cells, tmp_path):
    arguments = [f"--input={cells}", f"--output={tmp_path / 'corpus'}", "--label=kind"]
    code, _, err = command("prepare", *arguments)
    assert code != 0
    assert (
        err.strip()
        .splitlines()[-1]
        .endswith("cells.h5ad: expected counts in X, found 0.693147 in row 1, column 1; counts are in --layer=counts")
    )
    assert not (tmp_path / "corpus").exists()
    code, _, err = command("prepare", *arguments, "--layer=counts", "--words=symbol")
    assert code == 0, err
    assert "nan" not in json.loads((tmp_path / "corpus/corpus.json").read_text())["labels"]
    assert (tmp_path / "corpus/vocab.txt").read_text().split() == ["X", "X-1", "Y"]


def test_prepare_refuses_a_packed_file_by_what_it_is(command, cells, tmp_path):
    import gzip

    path = tmp_path / "cells.h5ad.gz"
    path.write_bytes(gzip.compress(cells.read_bytes()))
    code, _, err = command("prepare", f"--input={path}", f"--output={tmp_path / 'corpus'}", "--format=hdf5")
    assert code != 0
    assert "cells.h5ad.gz: expected an HDF5 file, found one compressed by gzip; unpack it first" in err
