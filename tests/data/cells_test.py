"""Single cells: labels of every kind, layers, symbols and types of genes, and files that are something else."""

import bz2
import gzip
import lzma
import zipfile
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from dlgm_jax import BadInput
from dlgm_jax.data.inputs import open_input
from dlgm_jax.data.source import Reading

anndata, h5py, pandas = (pytest.importorskip(name) for name in ("anndata", "h5py", "pandas"))
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")

COUNTS = np.array([[1, 0, 2], [0, 3, 0], [4, 0, 1], [0, 1, 1]])
GENES, CELLS = ("g1", "g2", "g3"), ("c1", "c2", "c3", "c4")
LOGS = np.log1p(COUNTS)
TEXT = h5py.string_dtype()


def corpus(path, form="hdf5", **how):
    """The corpora that are read, and the notes."""
    reading = Reading(**how)
    opened: Any = open_input(path, form, reading)
    (part,) = opened.read()
    return part.corpus, reading.notes


def refused(path, form="hdf5", **how):
    """The message."""
    with pytest.raises(BadInput) as caught:
        corpus(path, form, **how)
    message = str(caught.value)
    assert str(path) in message
    assert message.isprintable()
    assert len(message.replace(str(path.parent), "")) < 300
    return message.replace(f"{path.parent}/", "")


def cells(counts=COUNTS, obs=None, var=None, **more):
    obs = pandas.DataFrame(obs or {}, index=list(CELLS[: len(COUNTS)]))
    return anndata.AnnData(counts, obs, pandas.DataFrame(var or {}, index=list(GENES)), **more)


@pytest.fixture
def stored(tmp_path):
    """Writes AnnData."""

    def store(*arguments, name="cells.h5ad", **more):
        found = cells(*arguments, **{key: value for key, value in more.items() if key != "raw"})
        found.raw = more.get("raw")
        with anndata.settings.override(allow_write_nullable_strings=True):
            found.write_h5ad(tmp_path / name)
        return tmp_path / name

    return store


@pytest.fixture
def arrays(tmp_path):
    """Writes an array X and other members."""

    def store(**members):
        with h5py.File(tmp_path / "cells.h5", "w") as file:
            for name, value in {"X": COUNTS, **members}.items():
                file[name] = value
        return tmp_path / "cells.h5"

    return store


COLUMNS = {
    "categories": (pandas.Categorical(["T", None, "B", "T"]), ("T", "", "B", "T")),
    "categories of whole numbers": (pandas.Categorical([2, 10, None, 2]), ("2", "10", "", "2")),
    "categories of fractions": (pandas.Categorical(np.array([0.1, 0.15, np.nan, 1], "f4")), ("0.1", "0.15", "", "1")),
    "texts": (pandas.array(["T", None, "nan", "1.0"], dtype="string"), ("T", "", "nan", "1.0")),
    "objects": (np.array(["T", None, "B", "T"], object), ("T", "", "B", "T")),
    "whole numbers": (np.array([1, -2, 3, 2**60]), ("1", "-2", "3", str(2**60))),
    "nullable whole numbers": (pandas.array([1, None, 3, 2], dtype="Int64"), ("1", "", "3", "2")),
    "nullable truths": (pandas.array([True, None, False, True], dtype="boolean"), ("True", "", "False", "True")),
    "truths": (np.array([True, False, True, True]), ("True", "False", "True", "True")),
    "fractions": (np.array([0.5, np.nan, 1.0, 0.25]), ("0.5", "", "1", "0.25")),
    "narrow fractions": (np.array([0.1, np.nan, 1.0, 0.2], "f4"), ("0.1", "", "1", "0.2")),
    "blanks": (np.array(["T", " ", "", "B"], object), ("T", "", "", "B")),
    "nothing": (np.full(4, np.nan), None),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_labels_of_anndata_are_values(stored, kind):
    values, expected = COLUMNS[kind]
    assert corpus(stored(obs={"kind": values}), label="kind")[0].labels == expected


def test_dates_are_labels(stored, monkeypatch):
    from dlgm_jax.data.formats import h5ad

    days = cells(obs={"day": pandas.to_datetime(["2020-01-02", None, "2021-01-01", "2020-01-02"])})
    monkeypatch.setattr(h5ad, "_read", lambda path: days)  # a newer anndata may write dates
    labels = corpus(stored(), label="day")[0].labels
    assert labels == ("2020-01-02 00:00:00", "", "2021-01-01 00:00:00", "2020-01-02 00:00:00")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([b"T", b"", b"B", b"T"]), ("T", "", "B", "T")),
        (np.array(["T", "", "ü", "T"], TEXT), ("T", "", "ü", "T")),
        (np.array([[0.5], [0.7], [np.nan], [1.0]]), ("0.5", "0.7", "", "1")),
        (np.array([0.1, 0.2, np.nan, 3], "f4"), ("0.1", "0.2", "", "3")),
        (np.array([1, 2, 3, 255], "u1"), ("1", "2", "3", "255")),
        (np.array([True, False, True, True]), ("True", "False", "True", "True")),
        (np.full(4, np.nan), None),
    ],
)
def test_labels_of_arrays_are_values(arrays, values, expected):
    assert corpus(arrays(Y=values))[0].labels == expected
    assert corpus(arrays(kind=values), label="kind")[0].labels == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.arange(3), "cells.h5: expected Y to be 4 labels, one for each cell, found int64 of shape (3,)"),
        (np.ones((4, 2)), "cells.h5: expected Y to be 4 labels, one for each cell, found float64 of shape (4, 2)"),
        (np.ones((1, 4)), "cells.h5: expected Y to be 4 labels, one for each cell, found float64 of shape (1, 4)"),
        (3, "cells.h5: expected Y to be 4 labels, one for each cell, found int64 of shape ()"),
        (np.ones(4, complex), "cells.h5: expected Y to be 4 labels, one for each cell, found complex128 of"),
        (h5py.Empty("f8"), "cells.h5: expected Y to be 4 labels, one for each cell, found float64 of shape None"),
        (np.array([b"T", b"\xfc", b"B", b"B"]), "cells.h5: Y, row 2: expected UTF-8 text, found the bytes"),
    ],
)
def test_labels_that_do_not_fit_name_their_member(arrays, values, message):
    assert refused(arrays(Y=values)).startswith(message)


def test_labels_may_be_a_member_that_is_named(arrays):
    assert corpus(arrays(Y=np.arange(4), kind=np.arange(4) + 5), label="kind")[0].labels == ("5", "6", "7", "8")
    assert refused(arrays(Y=np.arange(4)), label="kind") == (
        "cells.h5: expected a member 'kind' for --label, found the members X, Y"
    )
    assert refused(arrays(), words="symbol") == (
        "cells.h5: expected --words to go with a file of AnnData or 10x, found one of HDF5 arrays"
    )


def test_a_column_that_is_not_there_lists_those_that_are(stored):
    path = stored(obs={"kind": ["a"] * 4})
    assert refused(path, label="type") == "cells.h5ad: expected a column of obs, found no 'type'; there are kind"
    assert refused(path, words="x") == "cells.h5ad: expected a column of var, found no 'x'; there are none"


def test_names_that_are_missing_are_refused(stored):
    path = stored()
    with h5py.File(path, "r+") as file:
        file["obs/_index"][2] = ""
    assert refused(path) == "cells.h5ad: the names of obs: expected one for each row, found none in row 3"


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_matrix, scipy.sparse.csc_matrix])
@pytest.mark.parametrize("kind", ["i4", "u2", "i8", "f4", "f8"])
def test_whole_numbers_are_counts_however_they_are_stored(stored, form, kind):
    found, _ = corpus(stored(form(COUNTS.astype(kind))))
    np.testing.assert_array_equal(found.counts.toarray(), COUNTS)
    assert (found.vocabulary, found.ids) == (GENES, CELLS)


def test_entries_that_come_twice_add_up(stored):
    path = stored(scipy.sparse.csr_matrix(COUNTS.astype("f4")))
    with h5py.File(path, "r+") as file:
        file["X/indices"][:2] = 0
    assert corpus(path)[0].counts.toarray()[0].tolist() == [3, 0, 0]


@pytest.fixture
def normalised(stored):
    """Logarithms in X, counts in a layer and, of more genes, in raw."""
    more = anndata.AnnData(np.c_[COUNTS, [7, 7, 7, 7]], var=pandas.DataFrame(index=[*GENES, "g4"]))
    more.obs_names = list(CELLS)
    return stored(LOGS, layers={"counts": COUNTS * 2, "scaled": LOGS - 1}, raw=more)


def test_counts_are_read_of_a_layer_or_raw(normalised):
    found, _ = corpus(normalised, layer="counts")
    np.testing.assert_array_equal(found.counts.toarray(), COUNTS * 2)
    found, _ = corpus(normalised, layer="raw")
    np.testing.assert_array_equal(found.counts.toarray(), np.c_[COUNTS, [7, 7, 7, 7]])
    assert (found.vocabulary, found.ids) == ((*GENES, "g4"), CELLS)


def test_other_places_with_counts_are_said(stored):
    more = anndata.AnnData(np.c_[COUNTS, [7, 7, 7, 7]], var=pandas.DataFrame(index=[*GENES, "g4"]))
    more.obs_names = list(CELLS)
    layers = {"same": scipy.sparse.csr_matrix(COUNTS.astype(float)), "twice": COUNTS * 2, "scaled": LOGS}
    path = stored(COUNTS, layers=layers, raw=more)
    said = f"{path}: X is read, though there are counts in --layer=twice, --layer=raw too."
    found, notes = corpus(path)
    assert (found.counts.toarray().tolist(), notes) == (COUNTS.tolist(), [said])
    assert corpus(path, layer="twice")[1] == corpus(path, layer="raw")[1] == []
    same = anndata.AnnData(COUNTS, var=pandas.DataFrame(index=list(GENES)))
    same.obs_names = list(CELLS)
    assert corpus(stored(COUNTS, layers={"same": COUNTS}, raw=same))[1] == []


def test_what_is_no_counts_names_where_counts_are(normalised, stored):
    hint = "counts are in --layer=counts, --layer=raw"
    assert refused(normalised) == f"cells.h5ad: expected counts in X, found 0.693147 in row 1, column 1; {hint}"
    assert refused(normalised, layer="scaled") == (
        f"cells.h5ad: expected counts in the layer 'scaled', found -0.306853 in row 1, column 1; {hint}"
    )
    assert refused(normalised, layer="count") == (
        "cells.h5ad: expected --layer to be a layer or raw, found 'count'; there are counts, scaled, raw"
    )
    assert refused(stored(LOGS)) == (
        "cells.h5ad: expected counts in X, found 0.693147 in row 1, column 1; none has counts"
    )
    assert refused(stored(COUNTS, layers={"scaled": LOGS}), layer="scaled").endswith("in X (without --layer)")
    assert refused(stored(np.where(COUNTS == 3, np.nan, COUNTS))).startswith(
        "cells.h5ad: expected counts in X, found nan in row 2, column 2; none"
    )


def test_anndata_without_x_names_where_counts_are(stored):
    path = stored(None, layers={"counts": COUNTS})
    assert refused(path) == "cells.h5ad: expected counts in X, found none; counts are in --layer=counts"
    np.testing.assert_array_equal(corpus(path, layer="counts")[0].counts.toarray(), COUNTS)


def test_words_are_a_column_of_var(stored):
    path = stored(var={"symbol": ["A", "A", "A-1"], "some": ["A", None, "A"], "none": [np.nan] * 3})
    found, notes = corpus(path, words="symbol")
    assert found.vocabulary == ("A", "A-2", "A-1")
    (note,) = notes
    assert "1 name that came before has -1, -2, ... behind" in note
    found, notes = corpus(path, words="some")
    assert found.vocabulary == ("A", "g2", "A-1")
    assert notes[0].endswith("some of var: 1 gene has no name there and keeps its id.")
    assert "expected names of genes, found none in all 3 rows" in refused(path, words="none")


NAMES = st.lists(st.sampled_from(["a", "a-1", "a-2", "b", "b-1", "a-1-1", "c"]) | st.text(max_size=3), max_size=12)


@settings(deadline=None)
@given(NAMES)
def test_names_are_made_distinct_as_anndata_makes_them(names):
    from dlgm_jax.data.formats.gene_names import made_distinct

    expected = tuple(anndata.utils.make_index_unique(pandas.Index(names, dtype=object)))
    assert made_distinct(names) == expected


@pytest.mark.parametrize("name", ["CELLS.H5AD", "cells.h5", "cells", "cells.h5ad.bin"])
def test_anndata_is_known_by_its_members(stored, name):
    found, _ = corpus(stored(obs={"kind": list("TBTB")}, name=name), form="", label="kind")
    assert (found.vocabulary, found.labels) == (GENES, tuple("TBTB"))


def test_arrays_are_known_by_their_members(arrays, tmp_path):
    path = arrays(Y=np.arange(4)).rename(tmp_path / "cells.h5ad")
    assert corpus(path, form="")[0].labels == tuple("0123")


@pytest.mark.parametrize("layout", ["before 0.7", "0.7"])
def test_old_layouts_of_anndata_are_read(tmp_path, layout):
    path = tmp_path / "old.h5ad"
    with h5py.File(path, "w") as file:
        file["X"] = COUNTS.astype("f4")
        if layout == "0.7":
            for part, names in (("obs", CELLS), ("var", GENES)):
                group = file.create_group(part)
                group.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.1.0", "_index": "_index"})
                group.attrs.create("column-order", ["kind"] if part == "obs" else [], dtype=TEXT)
                group.create_dataset("_index", data=names, dtype=TEXT)
            file["obs/__categories/kind"] = np.array(["T", "B"], TEXT)
            file["obs/kind"] = np.array([0, 1, -1, 0], "i1")
            file["obs/kind"].attrs["categories"] = file["obs/__categories/kind"].ref
        else:
            file["obs"] = np.array(list(zip(CELLS, [0, 1, -1, 0])), [("index", "S2"), ("kind", "i1")])
            file["var"] = np.array([(name,) for name in GENES], [("index", "S2")])
            file["uns/kind_categories"] = np.array([b"T", b"B"])
            file["raw.X"], file["raw.var"] = COUNTS.astype("f4") * 3, file["var"][()]
    found, _ = corpus(path, form="", label="kind")
    np.testing.assert_array_equal(found.counts.toarray(), COUNTS)
    assert (found.vocabulary, found.ids, found.labels) == (GENES, CELLS, ("T", "B", "", "T"))
    if layout == "before 0.7":
        np.testing.assert_array_equal(corpus(path, layer="raw")[0].counts.toarray(), COUNTS * 3)


def archive(data):
    with zipfile.ZipFile("a.zip", "w") as file:
        file.writestr("cells.h5ad", data)
    return open("a.zip", "rb").read()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (gzip.compress, "expected an HDF5 file, found one compressed by gzip; unpack it first"),
        (lzma.compress, "expected an HDF5 file, found one compressed by xz; unpack it first"),
        (bz2.compress, "expected an HDF5 file, found one compressed by bzip2; unpack it first"),
        (archive, "expected an HDF5 file, found a zip archive; unpack it first"),
        (lambda data: b"", "expected an HDF5 file, found an empty file"),
        (lambda data: b"<!DOCTYPE html>\n<html>", r"found one that begins '<!DOCTYPE html>\n<htm'"),
        (lambda data: data[:2000], "expected a whole HDF5 file, found it truncated or damaged"),
        (lambda data: data[:100], "expected a whole HDF5 file, found it truncated or damaged"),
    ],
)
def test_what_is_no_whole_hdf5_is_named(stored, tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    path = stored()
    path.write_bytes(change(path.read_bytes()))
    found = refused(path)
    assert found.startswith("cells.h5ad: ")
    assert found.endswith(message)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (("matrix", "row_attrs/Gene", "col_attrs/CellID"), "found a loom file; anndata.io.read_loom"),
        (("mod/rna/X", "obs/a", "var/a"), "found MuData; write the modality"),
        (("GRCh38/barcodes", "GRCh38/genes", "GRCh38/data"), "found a 10x file of before 2018"),
        (("model_weights/kernel",), "expected numbers X of cells x genes, found none; the members are model_weights"),
        (("X/data", "Y"), "expected numbers X of cells x genes, found a group or a type; the members are X, Y"),
        ((), "expected numbers X of cells x genes, found none; the members are none"),
    ],
)
def test_other_hdf5_files_are_named(tmp_path, members, message):
    with h5py.File(tmp_path / "a.h5ad", "w") as file:
        for member in members:
            file[member] = np.ones(3)
    assert message in refused(tmp_path / "a.h5ad")


def test_members_that_cannot_be_read_are_named(stored, arrays):
    path = stored(obs={"kind": ["a"] * 4})
    with h5py.File(path, "r+") as file:
        file["obs/kind"].attrs["encoding-type"] = "of the future"
    assert "cells.h5ad: expected to read its member obs/kind, found it damaged or not known to anndata" in refused(path)
    path = stored()
    with h5py.File(path, "r+") as file:
        del file["X"]
        file["X"] = COUNTS[:3]
    assert refused(path).startswith("cells.h5ad: expected X, layers, obs and var of the same cells and genes")
    path = arrays()
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=np.arange(10_000).reshape(100, 100), chunks=(100, 100), compression="gzip")
        place = file["X"].id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[place : place + 40] = b"\xff" * 40
    path.write_bytes(data)
    assert refused(path).startswith("cells.h5: expected X to be whole, found it damaged or")


def tenx(folder, features, barcodes=CELLS, counts=COUNTS, prefix=""):
    """Writes a folder of 10x, features as lines."""
    scipy.io.mmwrite(folder / f"{prefix}matrix.mtx", scipy.sparse.coo_matrix(counts.T))
    (folder / f"{prefix}features.tsv").write_text("".join(f"{line}\n" for line in features), encoding="utf-8")
    (folder / f"{prefix}barcodes.tsv").write_text("".join(f"{line}\n" for line in barcodes), encoding="utf-8")
    return folder


KINDS = ["E1\tA\tGene Expression", "E2\tB\tAntibody Capture", "E3\tA\tGene Expression"]


def test_fields_of_10x_are_cut_at_tabs(tmp_path):
    path = tenx(tmp_path, ["IgG 1 control\tIgG a", "HLA A\tIgG a", "x\tIgG a-1"], [f"c {row}\tT" for row in range(4)])
    found, notes = corpus(path, "")
    assert (found.vocabulary, notes) == (("IgG 1 control", "HLA A", "x"), [])
    assert found.ids == ("c 0", "c 1", "c 2", "c 3")
    assert corpus(path, "", words="symbol")[0].vocabulary == ("IgG a", "IgG a-2", "IgG a-1")
    assert refused(path, "", words="gene") == (
        "features.tsv: expected --words=symbol, or none for ids, found 'gene'".replace(
            "features", f"{path.name}/features"
        )
    )


def test_one_type_of_features_is_read_and_the_others_are_counted(tmp_path):
    path = tenx(tmp_path, KINDS)
    found, notes = corpus(path, "")
    assert found.vocabulary == ("E1", "E3")
    np.testing.assert_array_equal(found.counts.toarray(), COUNTS[:, [0, 2]])
    assert notes == [
        f"{path}/features.tsv: left out: 1 feature of type Antibody Capture; --feature_type takes another."
    ]
    found, notes = corpus(path, "", feature_type="Antibody Capture", words="symbol")
    assert (found.vocabulary, found.counts.toarray().ravel().tolist()) == (("B",), COUNTS[:, 1].tolist())
    assert "left out: 2 features of type Gene Expression;" in notes[0]
    assert refused(path, "", feature_type="Peaks").endswith(
        "features.tsv: expected --feature_type of Gene Expression, Antibody Capture, found 'Peaks'"
    )
    tenx(tmp_path, [line.replace("Gene Expression", "Peaks") for line in KINDS])
    assert refused(path, "").endswith(
        "features.tsv: expected --feature_type of Peaks, Antibody Capture, found none, and no Gene Expression among "
        "these types"
    )
    tenx(tmp_path, [line.replace("Antibody Capture", "Gene Expression") for line in KINDS])
    assert corpus(path, "")[0].vocabulary == ("E1", "E2", "E3")


@pytest.mark.parametrize(
    ("features", "barcodes", "message"),
    [
        (["E1\tA", "E2", "E3\tC"], CELLS, "features.tsv:2: expected as many fields as in line 1, 2, found 1"),
        (["E1\tA", "\tB", "E3\tC"], CELLS, "features.tsv:2: expected an id first, found none"),
        (["E1\tA", "E1\tB", "E3\tC"], CELLS, "features.tsv:2: expected distinct ids, found 'E1' again, as in row 1"),
        (["E1\tA", "E2\tB"], CELLS, "features.tsv:3: expected a line for each row of the matrix, 3, found 2"),
        (["E1", "E2", "E3", "E4"], CELLS, "features.tsv:4: expected a line for each row of the matrix, 3, found 4"),
        (
            ["E1", "E2", "E3"],
            ["a", "b", "c"],
            "barcodes.tsv:4: expected a line for each column of the matrix, 4, found 3",
        ),
        (
            ["E1", "E2", "E3"],
            ["a", "b", "a", "c"],
            "barcodes.tsv:3: expected distinct ids, found 'a' again, as in row 1",
        ),
        (["E1", "E2", "E3"], ["a", "", "c", "d"], "barcodes.tsv:2: expected an id, found none"),
    ],
)
def test_files_of_names_that_do_not_fit_are_refused(tmp_path, features, barcodes, message):
    assert f"{tmp_path.name}/{message}" in refused(tenx(tmp_path, features, barcodes), "")


@pytest.mark.parametrize("name", ["features", "barcodes"])
def test_names_of_10x_in_quotation_marks_are_refused(tmp_path, name):
    features = [f'"{gene}"\t"A"' if name == "features" else gene for gene in GENES]
    barcodes = [f'"{cell}"' if name == "barcodes" else cell for cell in CELLS]
    found = GENES[0] if name == "features" else CELLS[0]
    message = f"{name}.tsv:1: expected fields without quotation marks around them, found '\"{found}\"'"
    assert refused(tenx(tmp_path, features, barcodes), "").endswith(message)
    assert corpus(tenx(tmp_path, ['"g"', "h", "i"]), "")[0].vocabulary == ('"g"', "h", "i")


def test_a_file_without_symbols_or_types_has_none_to_choose(tmp_path):
    path = tenx(tmp_path, GENES)
    assert "expected symbols in a second field, found one field" in refused(path, "", words="symbol")
    assert "expected types in a third field for --feature_type, found none" in refused(path, "", feature_type="x")


def test_names_beside_a_matrix_of_10x_are_its_own(tmp_path):
    tenx(tmp_path, KINDS, prefix="GSM1_a_")
    found, notes = corpus(tmp_path / "GSM1_a_matrix.mtx", "")
    assert (found.vocabulary, found.ids) == (("E1", "E3"), CELLS)
    assert notes[0].endswith("GSM1_a_features.tsv names the words, GSM1_a_barcodes.tsv the documents.")
    assert corpus(tmp_path, "mtx")[0].vocabulary == ("E1", "E3")
    tenx(tmp_path, KINDS, prefix="GSM2_")
    assert "expected one matrix.mtx, found GSM1_a_matrix.mtx, GSM2_matrix.mtx" in refused(tmp_path, "mtx")
    (tmp_path / "GSM2_barcodes.tsv").unlink()
    found, _ = corpus(tmp_path / "GSM2_matrix.mtx", "")
    np.testing.assert_array_equal(found.counts.toarray(), COUNTS.T)


def tenx_hdf5(path, **changes):
    """Writes a 10x HDF5 file of KINDS."""
    counts = scipy.sparse.csc_matrix(COUNTS.T)
    ids, symbols, types = ([field.encode() for field in column] for column in zip(*(k.split("\t") for k in KINDS)))
    members = {"data": counts.data, "indices": counts.indices, "indptr": counts.indptr, "shape": counts.shape}
    members |= {"barcodes": np.array([cell.encode() for cell in CELLS])}
    members |= {
        "features/id": np.array(ids),
        "features/name": np.array(symbols),
        "features/feature_type": np.array(types),
    }
    with h5py.File(path, "w") as file:
        for name, value in (members | changes).items():
            file[f"matrix/{name}"] = value
    return path


def test_hdf5_of_10x_is_read_as_its_folder_is(tmp_path):
    folder, path = tenx(tmp_path, KINDS), tenx_hdf5(tmp_path / "a.h5")
    for how in ({}, {"words": "symbol"}, {"feature_type": "Antibody Capture"}):
        (expected, _), (found, notes) = corpus(folder, "", **how), corpus(path, "", **how)
        assert (found.fingerprint(), found.vocabulary, found.ids) == (
            expected.fingerprint(),
            expected.vocabulary,
            expected.ids,
        )
        assert "left out" in notes[0]
    assert "expected matrix/barcodes to be 4 names" in refused(tenx_hdf5(path, barcodes=np.array([b"a"])))
    assert "expected matrix to be whole" in refused(tenx_hdf5(path, indices=np.full(7, 99)))
    assert "expected --label to go with a file of AnnData or HDF5 arrays" in refused(tenx_hdf5(path), label="x")


def test_blank_lines_of_topmost_are_missing_labels(tmp_path):
    scipy.sparse.save_npz(tmp_path / "train_bow.npz", scipy.sparse.csr_matrix(COUNTS))
    (tmp_path / "vocab.txt").write_text("".join(f"{gene}\n" for gene in GENES))
    for text, expected in (("1\n\n 2 \n1.0\n", ("1", "", "2", "1.0")), ("\n" * 4, None)):
        (tmp_path / "train_labels.txt").write_text(text)
        assert corpus(tmp_path, "npz")[0].labels == expected
    (tmp_path / "train_labels.txt").write_text("1\n2\n")
    assert refused(tmp_path, "npz").endswith("train_labels.txt: expected 4 labels, one for each document, found 2")


def plain_label(value):
    """The label of a value, as a loop would write it."""
    if value is None or value is pandas.NA or value != value:
        return ""
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str):
        return value if value.strip() else ""
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


WRITTEN = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=4)  # HDF5 ends texts at NUL
FRACTIONS = st.floats(allow_infinity=False, width=64)


def four(values):
    return st.lists(values, min_size=4, max_size=4)


OBS = st.one_of(
    four(st.none() | WRITTEN).filter(any).map(lambda values: (values, np.array(values, object))),
    four(st.none() | WRITTEN).map(lambda values: (values, pandas.Categorical(values))),
    four(st.none() | WRITTEN).map(lambda values: (values, pandas.array(values, dtype="string"))),
    four(st.integers(-(2**63), 2**63 - 1)).map(lambda values: (values, np.array(values, np.int64))),
    four(st.none() | st.integers(-5, 5)).map(lambda values: (values, pandas.array(values, dtype="Int64"))),
    four(st.none() | st.booleans()).map(lambda values: (values, pandas.array(values, dtype="boolean"))),
    four(FRACTIONS).map(lambda values: (values, np.array(values))),
)
ARRAY = st.one_of(
    four(WRITTEN).map(lambda values: (values, np.array(values, TEXT))),
    four(WRITTEN.map(str.encode)).map(lambda values: (values, np.array(values, "S16"))),
    four(FRACTIONS).map(lambda values: (values, np.array(values))),
    four(FRACTIONS).map(lambda values: (values, np.array(values)[:, None])),
    four(st.integers(-(2**63), 2**63 - 1)).map(lambda values: (values, np.array(values, np.int64))),
    four(st.integers(1, 3) | WRITTEN | FRACTIONS).map(
        lambda values: (list(map(str, values)), np.array(list(map(str, values)), TEXT))
    ),
)


def same_or_none(found, values):
    """Labels are those of a plain loop; none where all are missing."""
    expected = tuple(map(plain_label, values))
    assert found == (expected if any(expected) else None)


@settings(deadline=None)
@given(OBS)
def test_columns_of_obs_come_back(tmp_path_factory, column):
    values, written = column
    path = tmp_path_factory.mktemp("obs") / "a.h5ad"
    with anndata.settings.override(allow_write_nullable_strings=True):
        cells(obs={"kind": written}).write_h5ad(path)
    same_or_none(corpus(path, label="kind")[0].labels, values)


@settings(deadline=None)
@given(ARRAY)
def test_arrays_of_labels_come_back(tmp_path_factory, array):
    values, written = array
    path = tmp_path_factory.mktemp("y") / "a.h5"
    with h5py.File(path, "w") as file:
        file["X"], file["Y"] = COUNTS, written
    same_or_none(corpus(path)[0].labels, values)


FIELD = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"), blacklist_characters="\ufeff"), max_size=4)
SYMBOL = st.sampled_from(["A", "A-1", "A 1", "B", ""]) | FIELD.map(str.strip)
TYPES = st.sampled_from(["Gene Expression", "Antibody Capture", "Peaks"])
IDS = st.lists(FIELD.map(str.strip).filter(bool), min_size=3, max_size=3, unique=True)


@settings(deadline=None)
@given(IDS, four(SYMBOL), four(TYPES), st.sampled_from(["", "symbol"]), st.sampled_from(["", "Peaks"]))
def test_folders_of_10x_come_back(tmp_path_factory, ids, symbols, types, words, feature_type):
    lines = ["\t".join(fields) for fields in zip(ids, symbols, types)]
    path = tenx(tmp_path_factory.mktemp("tenx"), lines)
    kept = [row for row in range(3) if len(set(types[:3])) == 1 or types[row] == (feature_type or "Gene Expression")]
    if not kept or (feature_type and feature_type not in types[:3]):
        assert "features.tsv: expected --feature_type of" in refused(path, "", words=words, feature_type=feature_type)
        return
    named = [symbols[row] for row in kept] if words else []
    if words and not any(named):
        assert "features.tsv: expected names of genes, found none" in refused(
            path, "", words=words, feature_type=feature_type
        )
        return
    names = [symbols[row] or ids[row] if words else ids[row] for row in kept]
    found, notes = corpus(path, "", words=words, feature_type=feature_type)
    assert found.vocabulary == tuple(anndata.utils.make_index_unique(pandas.Index(names, dtype=object)))
    np.testing.assert_array_equal(found.counts.toarray(), COUNTS[:, kept])
    assert any("left out" in note for note in notes) == (len(kept) < 3)
