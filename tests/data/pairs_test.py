"""Counts, labels and repeated ids of formats that are made of id:count pairs, or of lines of three numbers."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlgm_jax import BadInput, Corpus
from dlgm_jax.data.formats import nvdm
from dlgm_jax.data.formats.pairs import count, number
from dlgm_jax.data.inputs import open_input
from dlgm_jax.data.labels import class_of
from dlgm_jax.data.source import EVERYTHING, Reading, in_memory

WORDS = ("river", "bank", "money", "loan")
WRITINGS = ("{}", "{}.0", "{}.", "0{}", "{}.000", "{}e+00", "{}.0E0")
ROWS = st.lists(st.lists(st.integers(0, 2000), min_size=4, max_size=4), min_size=1, max_size=6).filter(np.any)
NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30).map(str),
    st.integers(-20, 20).map(lambda value: f"{value:+d}"),
    st.integers(0, 20).map("{}.0".format),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(2**53 - 2, 2**53 + 2).map(str),
)


def written(folder, form, rows, write=str):
    """Dense counts as lines of a format, each count as `write` has it."""
    lines = {"ldac": 0, "svmlight": 0, "nvdm": 1, "uci": 1}[form]
    pairs = [[f"{word + lines}:{write(n)}" for word, n in enumerate(row) if n] for row in rows]
    (folder / "words").write_text("".join(f"{word}\n" for word in WORDS))
    if form == "uci":
        entries = [f"{d} {w} {write(n)}" for d, row in enumerate(rows, 1) for w, n in enumerate(row, 1) if n]
        text = [str(len(rows)), "4", str(len(entries)), *entries]
    else:
        first = {"ldac": lambda row: [str(len(row))], "svmlight": lambda _: ["x"], "nvdm": lambda _: ["x"]}[form]
        text = [" ".join([*first(row), *row]) for row in pairs]
    path = folder / ("train.feat" if form == "nvdm" else "a")
    path.write_text("".join(f"{line}\n" for line in text))
    if form == "nvdm":
        (folder / "test.feat").write_text("1:1\n")
    return folder if form == "nvdm" else path


def read(path, form, how=None):
    how = how or Reading(vocab=(path if path.is_dir() else path.parent) / "words", index_base=0)
    return in_memory(open_input(path, form, how))["train" if form == "nvdm" else EVERYTHING]


@settings(deadline=None)
@given(form=st.sampled_from(["ldac", "svmlight", "uci", "nvdm"]), rows=ROWS, data=st.data())
def test_whole_counts_of_any_writing_come_back(tmp_path_factory, form, rows, data):
    def write(n):
        return data.draw(st.sampled_from(WRITINGS)).format(n)

    path = written(tmp_path_factory.mktemp("counts"), form, rows, write)
    assert read(path, form).counts.toarray().tolist() == rows


@pytest.mark.parametrize("form", ["ldac", "svmlight", "uci", "nvdm"])
@pytest.mark.parametrize("odd", ["1.5", "-1", "nan", "1e-1", "99999999999", "1e30", "0x1", "1,0", ""])
def test_what_is_no_whole_count_is_refused_with_its_line(tmp_path, form, odd):
    path = written(tmp_path, form, [[1, 0, 2, 0], [0, 7, 0, 0]], lambda n: odd if n == 7 else n)
    line = 6 if form == "uci" else 2
    with pytest.raises(BadInput, match=rf"(a|train\.feat):{line}: expected ") as caught:
        read(path, form)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["ldac", "svmlight", "uci", "nvdm"])
def test_ids_that_stand_twice_add_up_and_are_told(tmp_path, form):
    path = written(tmp_path, form, [[1, 0, 2, 0], [0, 7, 0, 0]])
    text = {"ldac": "2 1:5 1:2\n1 1:1\n", "uci": "1\n4\n3\n1 2 5\n1 2 1\n1 2 1\n"}.get(form, "x 1:3 2:1 1:4\nx 1:1\n")
    (path / "train.feat" if path.is_dir() else path).write_text(text)
    how = Reading(vocab=tmp_path / "words", index_base=0)
    expected = {"ldac": [0, 7, 0, 0], "uci": [0, 7, 0, 0], "svmlight": [0, 7, 1, 0], "nvdm": [7, 1, 0, 0]}[form]
    assert read(path, form, how).counts.toarray()[0].tolist() == expected
    times = 2 if form == "uci" else 1
    assert [note.partition(": ")[2] for note in how.notes] == [
        f"ids that stand again in their document: {times}; their counts are added up."
    ]


def test_thousands_of_zeros_are_a_number():
    assert number("0" * 5000 + "7", "an id", "file:1") == 7
    with pytest.raises(BadInput, match=r"file:1: expected an id from 0 to 2147483647, found '000"):
        number("0" * 5000 + "9" * 5000, "an id", "file:1")


def notes_of(how):
    """The notes but that of words without names."""
    return [note for note in how.notes if not note.startswith("Words are numbered")]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["+1", "1", "1.0", "1e0", "1."], ["1"] * 5),
        (["-1", "-1.0"], ["-1"] * 2),
        (["0", "-0", "+0.0", "0e5"], ["0"] * 4),
        (["0.5", ".5", "+5e-1", "0.50"], ["0.5"] * 4),
        (["100000", "1e5", "1e+05"], ["100000"] * 3),
        (["9007199254740993", "9007199254740992"], ["9007199254740993", "9007199254740992"]),
        (["0.1", "0.10000000000000000001"], ["0.1", "0.10000000000000000001"]),
        (["1e400", "1E+400", "10e399"], ["1E+400"] * 3),
        (["sports", "1,3", "1/2", "x1", "1_000", "inf", "0x1", "T"], None),
        (["01", "007", "010.5"], None),  # codes
        (["nan", "NaN", "-nan"], [""] * 3),
    ],
)
def test_labels_of_svmlight_are_classes(tmp_path, labels, expected):
    (tmp_path / "a").write_text("".join(f"{label} 1:2\n" for label in labels))
    how = Reading(index_base=1)
    corpora = [part.corpus for part in open_input(tmp_path / "a", "svmlight", how).read()]
    assert list(corpora[0].labels or [""] * len(labels)) == (expected or labels)
    missing = [f"{tmp_path}/a: labels nan, whose documents are of no class: 3."]
    assert notes_of(how) == (missing if "nan" in labels else [])


@settings(deadline=None)
@given(first=NUMBERS, second=NUMBERS)
def test_numbers_are_one_class_where_they_are_equal(first, second):
    assert (class_of(first) == class_of(second)) == (Fraction(first) == Fraction(second))
    assert class_of(class_of(first)) == class_of(first)
    assert Decimal(class_of(first)) == Decimal(first)


def test_query_ids_are_left_out_with_a_note(tmp_path):
    (tmp_path / "a").write_text("1 qid:3 1:2\n1 qid:3 2:2 # qid:7 3:1\n1 1:1\n")
    how = Reading(index_base=1)
    assert read(tmp_path / "a", "svmlight", how).counts.toarray().tolist() == [[2, 0], [0, 2], [1, 0]]
    assert notes_of(how) == [f"{tmp_path}/a: numbers of queries (qid) that are left out: 2."]


@pytest.mark.parametrize("vocab", [True, False])
@pytest.mark.parametrize("query", ["qid:", "qid:x", "qid:1.5", "qid:-1", "QID:1"])
def test_what_is_no_number_of_a_query_is_not_left_out(tmp_path, query, vocab):
    (tmp_path / "words").write_text("".join(f"{word}\n" for word in WORDS))
    (tmp_path / "a").write_text(f"1 1:2\n1 {query} 2:2\n")
    how = Reading(index_base=1, vocab=tmp_path / "words" if vocab else None)
    with pytest.raises(BadInput, match=f"a:2: expected an id from .*, found '{query}'"):
        read(tmp_path / "a", "svmlight", how)


def test_an_empty_line_of_nvdm_has_no_label(tmp_path):
    (tmp_path / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))
    (tmp_path / "train.feat").write_text("a 1:1\n\nb 2:1\n4\n")
    (tmp_path / "test.feat").write_text("1:1\n\n")
    how = Reading()
    parts = {part.split: part.corpus for part in open_input(tmp_path, "", how).read()}
    assert parts["train"].labels == ("a", "", "b", "4")
    assert parts["train"].counts.toarray().tolist() == [[1, 0, 0, 0], [0] * 4, [0, 1, 0, 0], [0] * 4]
    assert parts["test"].labels is None
    assert how.notes == [f"{tmp_path}/train.feat: empty lines, documents without words and without a label: 1."]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("a b", "c"), "labels: expected letters, digits and _.+/&-, found 'a b'"),
        (("a", "c:1"), "labels: expected letters, digits and _.+/&-, found 'c:1'"),
        (("a", ""), "labels: expected one of every document or of none, found none of document 1"),
    ],
)
def test_labels_that_would_not_come_back_from_nvdm_are_not_written(tmp_path, labels, said):
    corpus = Corpus(np.eye(2, 4), WORDS, ("0", "1"), labels)
    whole = Corpus(np.eye(2, 4), WORDS, ("0", "1"), ("a", "_"))
    for pair in ((corpus, whole), (whole, corpus)):
        with pytest.raises(BadInput) as caught:
            nvdm.write(tmp_path / "out", *pair)
        assert str(caught.value) == said
    assert not (tmp_path / "out").exists()
    nvdm.write(tmp_path / "out", whole, whole)
    assert [found.labels for found in nvdm.read(tmp_path / "out")] == [("a", "_")] * 2


def test_a_number_with_an_exponent_that_is_not_whole_is_refused():
    assert count("1.25e2", "a:1") == 125
    with pytest.raises(BadInput, match=r"a:1: expected a count from 0 to 2147483647, found '1\.25e1'"):
        count("1.25e1", "a:1")
