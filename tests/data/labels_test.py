"""Labels of a file of their own: no document gets the label of another one."""

import csv
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlgm_jax import BadInput, Corpus
from dlgm_jax.data import source as sources
from dlgm_jax.data.class_files import labelled, read_labels
from dlgm_jax.data.source import EVERYTHING, Document, Reading, Source, parts, whole
from dlgm_jax.data.text import Text, Texts

NAMES = ("a", "b", "c")


def opened(kind, names=NAMES, labels=("", "", ""), split=EVERYTHING):
    """Documents of these names, by counts or by texts."""
    if kind == "texts":
        return Texts(lambda: (Text(name, label, "x", split) for name, label in zip(names, labels)))
    documents = [Document(name, label, [0], [1], split) for name, label in zip(names, labels)]
    return Source("counts", ("x",), lambda: parts(documents, ("x",)))


def attached(tmp_path, text, column="", kind="counts", **how):
    """The labels of all documents in order, and the notes."""
    (tmp_path / "labels").write_bytes(text.encode())
    reading = Reading()
    found = labelled(opened(kind, **how), read_labels(tmp_path / "labels", column, reading), reading)
    for _ in range(2):  # it can be read again
        if isinstance(found, Texts):
            labels = [text.label for text in found.read()]
        else:
            labels = [
                label for part in found.read() for label in part.corpus.labels or [""] * part.corpus.num_documents
            ]
    return labels, reading.notes


KINDS = pytest.mark.parametrize("kind", ["counts", "texts"])


@KINDS
def test_labels_one_a_line(tmp_path, kind):
    assert attached(tmp_path, " x y\nx\n\n", kind=kind) == (["x y", "x", ""], [])
    assert attached(tmp_path, "\n\n\n\n"[:2] + "x", kind=kind)[0] == ["", "", "x"]


@KINDS
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_labels_of_a_table(tmp_path, kind, mark, delimiter):
    rows = ["id,kind,other", 'c,"x, y",1', "a,,2", "a,,4", "z,w,3", "q,w,3"]
    text = "\n".join(row.replace("x, y", "x").replace(",", delimiter) for row in rows)
    labels, notes = attached(tmp_path, mark + text, "Kind", kind=kind)
    assert labels == ["", "", "x"]
    assert [note for note in notes if "stand between" not in note] == [
        f"{tmp_path / 'labels'}: the column id holds the documents' names, and kind their labels.",
        f"{tmp_path / 'labels'}: without a row, and so without a label: 1 of 3 documents.",
        f"{tmp_path / 'labels'}: without a label in their row: 1 of 3 documents.",
        f"{tmp_path / 'labels'}: of no document of the input: 2 rows.",
    ]


def test_of_two_columns_the_second_is_the_one(tmp_path):
    labels, notes = attached(tmp_path, ',what\nb,"x,\n1"\na,y\nc,1.0\n')
    assert labels == ["y", "x,\n1", "1.0"]
    assert notes == [
        f"{tmp_path / 'labels'}: the column number 1 holds the documents' names, and what their labels.",
        f"{tmp_path / 'labels'}: read with a quoted field that goes over several lines: 1 row.",
    ]


@KINDS
@pytest.mark.parametrize(
    ("text", "column", "key", "label"),
    [
        ('"","id","label"\n"1",3,"x"\n"2",1,"y"\n"3",2,"z"\n', "label", "id", "label"),  # of R's write.csv
        (",id,label\n0,3,x\n1,1,y\n2,2,z\n", "label", "id", "label"),  # of pandas' to_csv
        (",id,label\n0,3,x\n1,1,y\n2,2,z\n", "", "id", "label"),  # two columns are left
        ("Unnamed: 0,more,Barcode,label\n0,4,3,x\n1,5,1,y\n2,6,2,z\n", "label", "Barcode", "label"),
        ("label,id\nx,3\ny,1\nz,2\n", "", "id", "label"),
        ("more,label,DOC\n1,x,3\n2,y,1\n3,z,2\n", "label", "DOC", "label"),
        ("label,file\nx,3\ny,1\nz,2\n", "label", "file", "label"),
        (",file,label\n0,3,x\n1,1,y\n2,2,z\n", "label", "file", "label"),
        (",more,label\n3,x,x\n1,x,y\n2,x,z\n", "label", "number 1", "label"),  # of Seurat, with names in front
        (",cell,label\n3,3,x\n1,1,y\n2,2,z\n", "label", "number 1", "label"),
        (",id\n3,x\n1,y\n2,z\n", "id", "number 1", "id"),
        (",label\n1,y\n2,z\n3,x\n", "", "number 1", "label"),  # the numbers of rows are all that there is
    ],
)
def test_numbers_of_rows_are_no_names(tmp_path, kind, text, column, key, label):
    labels, notes = attached(tmp_path, text, column, kind=kind, names=("1", "2", "3"))
    assert labels == ["y", "z", "x"]
    assert f"{tmp_path / 'labels'}: the column {key} holds the documents' names, and {label} their labels." in notes
    left_out = any("holds the numbers of the rows and is left out" in note for note in notes)
    assert left_out == (text.startswith((",id,", '"",', "Unnamed", ",file")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ",id,kind\na,a,x\nb,c,y\n",
            "labels:1: expected one column of ids, called id or standing first, found "
            "different values at 3 in the columns number 1 and id; leave out the columns that hold no ids",
        ),
        ("file,id,name,kind\na,b,c,x\n", "labels:1: .* found several in the columns id and name"),
        (",group,kind\n0,a,x\n1,a,y\n2,b,y\n", "labels:1: .* found values that come again in the columns group"),
        ("kind,\na,b\n", "labels:1: expected one column of ids, .* found none"),
    ],
)
def test_labels_with_several_columns_of_ids_are_refused(tmp_path, text, message):
    with pytest.raises(BadInput, match=message) as caught:
        attached(tmp_path, text, "kind")
    assert "\n" not in str(caught.value)


@KINDS
def test_missing_values_are_no_labels(tmp_path, kind):
    labels, notes = attached(tmp_path, "id,kind\na,NA\nb,x\nc,<NA>\n", kind=kind)
    assert labels == ["", "x", ""]
    said = f"{tmp_path / 'labels'}: taken as no label, since missing values are written so: NA (1), <NA> (1)."
    assert said in notes
    for missing in ("NA", "N/A", "NaN", "nan", "NULL", "null", "<NA>", r"\N"):
        labels, notes = attached(tmp_path, f"{missing}\nx\n{missing}\n", kind=kind)
        assert labels == ["", "x", ""]
        assert notes == [
            f"{tmp_path / 'labels'}: taken as no label, since missing values are written so: {missing} (2)."
        ]
    assert attached(tmp_path, "Na\nnone\nNAN\n", kind=kind) == (["Na", "none", "NAN"], [])


@KINDS
def test_labels_that_are_all_numbers_are_equal_as_numbers(tmp_path, kind):
    labels, notes = attached(tmp_path, "1.0\n1\n2e1\n", kind=kind)
    assert labels == ["1", "1", "20"]
    assert notes == [
        f"{tmp_path / 'labels'}: all labels are numbers, and numbers that are equal are one class: 1.0 is 1."
    ]
    assert attached(tmp_path, "id,kind\na,1.0\nb,nan\nc,1\n", kind=kind)[0] == ["1", "", "1"]
    for text in ("1.0\n1\nx\n", "1.0\n1\n01\n"):
        assert attached(tmp_path, text, kind=kind)[0] == text.split()


@KINDS
def test_quotation_marks_around_all_labels_are_taken_off(tmp_path, kind):
    labels, notes = attached(tmp_path, '"x"\n"y ""z"""\n"NA"\n', kind=kind)
    assert labels == ["x", 'y "z"', ""]
    assert notes[0] == f"{tmp_path / 'labels'}: the quotation marks around all labels are taken off."
    assert attached(tmp_path, '"x"\n"y"\nz\n', kind=kind) == (['"x"', '"y"', "z"], [])


def test_documents_that_share_a_name_share_a_label(tmp_path):
    assert attached(tmp_path, "id,kind\na,x\nb,y\n", names=("a", "b", "a"))[0] == ["x", "y", "x"]


@KINDS
@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("x\ny\n", "", "labels: expected 3 labels, one a line for each document, found 2"),
        ("x\ny\nz\nx\n", "", "labels: expected 3 labels, one a line for each document, found 4"),
        ("", "", "labels: expected labels, found an empty file"),
        ("x\ny\nz\n", "kind", "labels: expected a table with a column 'kind', found one label a line"),
        ("x\ny, z\nz\n", "", "labels:2: expected no comma, tab or semicolon in any line .* found some in 'y, z'"),
        ("x|y\nz|y\nx|z\n", "", "labels: expected one label a line, or a table .* that could be either: 'x|y'"),
        (
            "id,kind,other\na,x,y\n",
            "",
            "labels:1: expected --label to name the column .* found id, kind, other",
        ),
        (";\na;\n", "", "labels:1: expected --label to name the column of labels"),
        ('""\n""\n""\n', "kind", "labels: expected a table with a column 'kind', found one label a line"),
        ("id,kind\na,x\n", "type", "labels:1: expected the columns type, found no type in 'id, kind'"),
        ("id,kind\na,x\nb,y\na,y\n", "", "labels:4: expected one label of 'a', found 'x' and 'y'"),
        ("id,kind\na,x\n,y\n", "", "labels:3: expected an id, found none for 'y'"),
        ("id,kind\na,x,y\n", "", "labels:2: expected 2 fields, as the header has, found 3"),
        ('id,kind\na,"x\n', "", "labels:2: expected comma-separated values"),
        ("id,kind\na,x\n", "kind,id", "labels:1: expected the columns kind,id"),
        ("id,id\na,x\n", "", "labels:1: expected distinct names in the header"),
        ("a,x\nb,y\nc,z\n", "", "labels:1: expected a header, found the document 'a'"),
        ("id,kind\n", "", "labels: expected rows of names and labels behind the header, found none"),
        ("i;d,kind\na;1,x\n", "", "labels: expected one delimiter between fields, found commas and semicolons"),
        (
            "id,kind\n1,x\n2,y\n",
            "",
            "expected names of documents as 'a' in .*, found none .* names as '1'$",
        ),
        (
            ",id,kind\n0,1,x\n1,2,y\n2,3,y\n",
            "kind",
            "names as '1'; its rows are as many, but their order is not trusted",
        ),
    ],
)
def test_labels_that_could_be_of_others_are_refused(tmp_path, kind, text, column, message):
    with pytest.raises(BadInput, match=re.escape(message).replace(r"\.\*", ".*").replace(r"\$", "$")) as caught:
        attached(tmp_path, text, column, kind=kind)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "labels") in str(caught.value)


@KINDS
def test_inputs_that_have_labels_or_splits_are_refused(tmp_path, kind):
    for text in ("x\ny\nz\n", "id,kind\na,x\n"):
        with pytest.raises(BadInput, match="labels: --labels: expected to go with an input without labels"):
            attached(tmp_path, text, kind=kind, labels=("", "1", ""))
    with pytest.raises(BadInput, match="expected a table of names and labels for an input that is divided in splits"):
        attached(tmp_path, "x\ny\nz\n", kind=kind, split="train")
    assert attached(tmp_path, "id,kind\nb,x\n", kind=kind, split="train")[0] == ["", "x", ""]


def test_labels_go_with_the_parts_of_a_corpus(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "BLOCK", 2)
    assert attached(tmp_path, "x\ny\nz\n")[0] == ["x", "y", "z"]
    corpus, labels = Corpus(np.ones((3, 1)), ("w",), NAMES), read_labels(tmp_path / "labels", "", Reading())
    found = labelled(whole("", {EVERYTHING: corpus}), labels, Reading())
    assert isinstance(found, Source)
    (part,) = found.read()
    assert part.corpus.labels == ("x", "y", "z")


def test_a_line_of_quotation_marks_alone_makes_no_table(tmp_path):
    with pytest.raises(BadInput, match=r"labels:1: expected no comma, tab or semicolon in any line"):
        attached(tmp_path, ',;\n""\na,\n')


LABELS = st.text("ab ,;\t\"'\n|ü", max_size=4)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from("abcz"), LABELS, LABELS), max_size=6),
    delimiter=st.sampled_from(",\t;"),
    ends=st.sampled_from(["\n", "\r\n"]),
    order=st.permutations(range(1, 3)),
    kind=st.sampled_from(["counts", "texts"]),
)
def test_generated_tables_of_labels_come_back_or_are_refused(tmp_path_factory, rows, delimiter, ends, order, kind):
    folder = tmp_path_factory.mktemp("labels")
    lines = [("id", "kind", "other"), *rows]
    with (folder / "labels").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=ends)
        writer.writerows([[line[place] for place in (0, *order)] for line in lines])
    expected = {}
    for name, label, _ in rows:
        expected.setdefault(name, set()).add(label.strip())
    try:
        text = (folder / "labels").read_bytes().decode()
        labels, _ = attached(folder, text, "kind", kind)
    except BadInput as error:
        twice = any(len(labels) > 1 for labels in expected.values())
        long = delimiter == "\t" and "\n" in "".join(name + label + other for name, label, other in rows)
        assert twice or long or not expected.keys() & set("abc"), error
        assert f"{folder / 'labels'}:" in str(error)
    else:
        assert labels == [next(iter(expected.get(name, {""}))) for name in NAMES]


@settings(deadline=None)
@given(labels=st.lists(st.text('ab ,;\t|"ü', max_size=4), max_size=4), kind=st.sampled_from(["counts", "texts"]))
def test_generated_lines_of_labels_come_back_or_are_refused(tmp_path_factory, labels, kind):
    folder = tmp_path_factory.mktemp("labels")
    try:
        found, _ = attached(folder, "".join(f"{label}\n" for label in labels), kind=kind)
    except BadInput as error:
        text = "".join(labels)
        assert len(labels) != 3 or not text.strip() or re.search("[,;\t|]", text), error
        assert f"{folder / 'labels'}:" in str(error)
    else:
        divided = [delimiter for delimiter in ",;\t" if all(delimiter in label for label in labels if label.strip())]
        written = [label.strip() for label in labels]
        if all(re.fullmatch('"([^"]|"")*"', label) for label in written if label):
            written = [label[1:-1].replace('""', '"').strip() for label in written]
        assert divided or found == written
