"""Any bytes are read or refused in one line, and what is written is read; tests/fuzz.py does the same at length."""

import bz2
import csv
import json
import warnings
import zipfile

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from dlgm_jax import BadInput, Corpus
from dlgm_jax.data import compact
from dlgm_jax.data.alignment import align
from dlgm_jax.data.formats import nvdm
from dlgm_jax.data.inputs import open_input
from dlgm_jax.data.lines import lines
from dlgm_jax.data.medical import read_coarse_groups
from dlgm_jax.data.source import EVERYTHING, Reading, in_memory
from dlgm_jax.data.text import read_texts
from tests import fuzz_cases
from tests.fuzz_stage import Stage, store_and_load, verdict

CASES = fuzz_cases.own()
PIECES = st.sampled_from(
    ["\n", "\r\n", "\r", "\ufeff", "\t", " ", "1:1", "2 1:1 2:3", "river", ",", '"', "{", "\x85", "9" * 30]
)
TEXT = st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=12).map("".join)
BYTES = st.one_of(st.binary(max_size=100), TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")))
LETTERS = st.characters(blacklist_categories=("Cs", "Zs", "Zl", "Zp", "Cc"), blacklist_characters="\ufeff")
VOCABULARY = st.lists(st.text(LETTERS, min_size=1, max_size=5), min_size=3, max_size=3, unique=True)
ROWS = st.lists(st.lists(st.integers(0, 3) | st.just(2**31 - 1), min_size=3, max_size=3), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    return {name: Stage(case, tmp_path_factory.mktemp(name)) for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_bytes_are_read_or_refused_in_one_line(stages, name, data):
    stage = stages[name]
    place = data.draw(st.integers(0, len(stage.names) - 1))
    seed = data.draw(st.sampled_from(stage.case.files[stage.names[place]]))
    begin, end = (data.draw(st.integers(0, len(seed))) for _ in range(2))
    changed = bytes([place]) + seed[:begin] + data.draw(BYTES) + seed[end:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        stage.set(changed)
        assert verdict(stage.case, stage.folder) in ("read", "refused")


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@settings(max_examples=25, deadline=None)
@given(words=VOCABULARY, rows=ROWS, mark=st.sampled_from(["", "\ufeff"]))
def test_what_is_written_is_read(tmp_path_factory, ends, words, rows, mark):
    folder = tmp_path_factory.mktemp("written")
    counts = np.asarray(rows)

    def write(name, written):
        (folder / name).write_text(mark + "".join(line + ends for line in written), encoding="utf-8", newline="")

    def found(name, form, **how):
        return align(in_memory(open_input(folder / name, form, Reading(**how)))[EVERYTHING], tuple(words))[0]

    entries = [(d, w, counts[d, w]) for d, w in zip(*np.nonzero(counts))]
    pairs = [[f"{w}:{n}" for w, n in enumerate(row) if n] for row in rows]
    write("words", words)
    write("a.svm", [" ".join(["x", *row]) for row in pairs])
    write("a.dat", [" ".join([str(len(row)), *row]) for row in pairs])
    write("a.mtx", ["%%MatrixMarket matrix coordinate integer general", f"{len(rows)} 3 {len(entries)}"])
    write("docword.a.txt", map(str, [len(rows), 3, len(entries), *(f"{d + 1} {w + 1} {n}" for d, w, n in entries)]))
    with (folder / "a.mtx").open("a", newline="") as file:
        file.writelines(f"{d + 1} {w + 1} {n}{ends}" for d, w, n in entries)
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator=ends)
        file.write(mark)
        writer.writerows([("document", "word", "count"), *((f"d{d}", words[w], n) for d, w, n in entries)])
    scipy.sparse.save_npz(folder / "a.npz", scipy.sparse.csr_matrix(counts))
    given_words = {"vocab": folder / "words"}
    for name, form in (
        ("a.svm", "svmlight"),
        ("a.dat", "ldac"),
        ("a.mtx", "mtx"),
        ("docword.a.txt", "uci"),
        ("a.npz", "npz"),
    ):
        how = given_words | ({"index_base": 0} if form == "svmlight" else {})
        np.testing.assert_array_equal(found(name, form, **how).counts.toarray(), counts, err_msg=name)
    if entries:
        there = counts[counts.any(axis=1)]
        read = found("a.csv", "triplets").counts.toarray()
        np.testing.assert_array_equal(read[np.argsort([*dict.fromkeys(d for d, _, _ in entries)])], there)


@settings(max_examples=25, deadline=None)
@given(words=VOCABULARY, rows=ROWS, labels=st.lists(st.text(LETTERS, max_size=4), min_size=6, max_size=6))
def test_stored_forms_come_back(tmp_path_factory, words, rows, labels):
    folder = tmp_path_factory.mktemp("stored")
    names = [f"{label} \n{place}" for place, label in enumerate(labels[: len(rows)])]
    corpus = Corpus(np.asarray(rows), tuple(words), names, labels[: len(rows)])
    store_and_load({"train": corpus}, folder / "compact")
    try:
        nvdm.write(folder / "nvdm", corpus, corpus)
    except BadInput as error:
        assert str(error).startswith("labels: expected ")
        return
    for found in nvdm.read(folder / "nvdm"):
        assert found.vocabulary == tuple(words)
        np.testing.assert_array_equal(found.counts.toarray(), rows)
        assert found.labels == (corpus.labels if all(labels[: len(rows)]) else None)


@settings(max_examples=50, deadline=None)
@given(text=st.text(st.characters(blacklist_categories=("Cs",))), label=st.text(LETTERS, min_size=1))
def test_json_lines_come_back(tmp_path_factory, text, label):
    path = tmp_path_factory.mktemp("json") / "a.jsonl"
    path.write_text(
        json.dumps({"text": text, "label": label}) + "\r\n" + json.dumps({"text": "x", "id": 10**400}) + "\n"
    )
    first, second = read_texts(path)
    assert (first.text, first.label, second.name) == (text.replace("<br>", " "), label, str(10**400))


def refused(path, message, form="", **how):
    with pytest.raises(BadInput, match=message) as caught:
        [*open_input(path, form, Reading(**how)).read()]
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


MTX = "%%MatrixMarket matrix coordinate pattern "


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.mtx", f"{MTX}symmetric\n8 8 2\n1 1B\0\0\0\n", r"a\.mtx:3: expected a row, a column and its number"),
        ("a.mtx", f"{MTX}symmetric\n8 4 1\n8 4\n", r"a\.mtx:2: expected a symmetric matrix to be square"),
        ("a.mtx", f"{MTX.replace('pattern', 'complex')}general\n1 1 1\n1 1 1 1\n", r"a\.mtx:1: expected a coordinate"),
        ("a.mtx", "%%MatrixMarket matrix array coordinate general\n9 9 0\n", r"a\.mtx:1: expected a coordinate"),
        (
            "a.mtx",
            f"{MTX.replace('pattern', 'real')}general\n1 1 1\n1 1 -1\n",
            r"a\.mtx:3: expected a count from 0 to 2147483647, found '-1'",
        ),
        (
            "a.csv",
            "document,word,count\na,b,2147483647\na,b,1\n",
            r"a\.csv: counts: expected whole numbers from 0 to 2147483647",
        ),
        ("docword.a.txt", f"{2**53}\n2\n{2**53}\n{2**53} 1 1\n", "at most 100000 documents without words"),
        ("docword.a.txt", "1\n2\n2\n1 1 2147483647\n1 1 1\n", "expected counts up to 2147483647, found more of a word"),
        ("a.jsonl", '{"text": "x", "id": "\\ud800"}\n', r"a\.jsonl:1: expected Unicode text, found a lone surrogate"),
    ],
)
def test_what_a_fuzz_run_found_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    (tmp_path / "vocab.a.txt").write_text("river\nbank\n")
    refused(tmp_path / name, message, "text" if "json" in name else "")


def test_symmetric_matrices_are_whole(tmp_path):
    (tmp_path / "a.mtx").write_text(f"{MTX}symmetric\n3 3 3\n1 1\n3 1\n2 3\n")
    found = in_memory(open_input(tmp_path / "a.mtx", "", Reading()))[EVERYTHING].counts.toarray()
    np.testing.assert_array_equal(found, scipy.io.mmread(tmp_path / "a.mtx").toarray())


def test_a_long_first_line_is_text(tmp_path):
    (tmp_path / "a.txt").write_text("word " * 40_000)
    assert len(list(open_input(tmp_path / "a.txt", "", Reading()).read())) == 1


def test_query_ids_are_no_words_without_a_vocabulary(tmp_path):
    (tmp_path / "a.svm").write_text("1 qid:3 7:2\n")
    found = in_memory(open_input(tmp_path / "a.svm", "svmlight", Reading(index_base=1)))[EVERYTHING]
    assert (found.vocabulary, found.counts.toarray().tolist()) == (("6",), [[2]])


def test_a_long_number_of_a_chapter_is_one_line(tmp_path):
    (tmp_path / "a.txt").write_text("9" * 5000 + " x\n")
    with pytest.raises(BadInput, match=r"a\.txt:1: expected a chapter from 0"):
        read_coarse_groups(tmp_path / "a.txt")


def test_an_archive_of_one_long_line_is_bounded(tmp_path):
    (tmp_path / "a.txt.bz2").write_bytes(bz2.compress(b"x" * (2**26 + 1)))
    with pytest.raises(BadInput, match=r"a\.txt\.bz2:1: expected lines of less than 67108864 characters"):
        list(lines(tmp_path / "a.txt.bz2"))


def test_members_of_archives_are_named_on_one_line(tmp_path):
    (tmp_path / "vocab.txt").write_text("a\n")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(
            "od\nd.npy",
            b"\x93NUMPY\x01\x00\x46\x00{'descr': '|O', 'fortran_order': False, 'shape': (9,), }".ljust(79) + b"\n",
        )
    refused(tmp_path / "a.npz", "expected numbers in 'od", "npz")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("data.npy", b"\x93NUMPY\x01\x00\x46\x00{'descr': '<i8', 'shape': ((((1".ljust(79) + b"\n")
    refused(tmp_path / "a.npz", "expected a sparse matrix", "npz")


def test_labels_of_topmost_may_be_compressed(tmp_path):
    scipy.sparse.save_npz(tmp_path / "train_bow.npz", scipy.sparse.csr_matrix([[1, 2]]))
    (tmp_path / "vocab.txt").write_text("river\nbank\n")
    (tmp_path / "train_labels.txt.bz2").write_bytes(bz2.compress(b"a\n"))
    assert in_memory(open_input(tmp_path, "", Reading()))["train"].labels == ("a",)


def test_cells_whose_arrays_do_not_fit_are_refused(tmp_path):
    h5py, anndata = pytest.importorskip("h5py"), pytest.importorskip("anndata")
    path = tmp_path / "a.h5ad"
    anndata.AnnData(scipy.sparse.csr_matrix(np.eye(3, dtype=np.float32))).write_h5ad(path)
    with h5py.File(path, "r+") as file:
        file["X/indptr"][1] = 2**30
    refused(path, r"a\.h5ad: expected counts in X, found indices that are damaged; none has counts")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("X", (10**9, 10**6), np.float32, chunks=(1, 1000))
    refused(tmp_path / "b.h5", r"b\.h5: expected at most 1100 times what the file weighs")


def test_odd_names_are_refused_before_they_are_written(tmp_path):
    for words, message in ((("\ufeffa",), "no byte-order mark in the first word"), (("\x85a",), "without white space")):
        with pytest.raises(BadInput, match=message):
            compact.Writer(tmp_path / "out", words, {})
    for place in range(3):
        names = [["a"], ["b"], ["c"]]
        names[place] = ["\udcff"]
        with pytest.raises(BadInput, match="expected Unicode text, found the lone surrogate"):
            Corpus(np.ones((1, 1)), *names)


def test_odd_files_of_a_folder_are_refused_or_left_out(tmp_path):
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "a.txt").write_text("river")
    assert [text.name for text in read_texts(tmp_path)] == ["a"]
    (tmp_path / "\udcff.txt").write_text("river")
    with pytest.raises(BadInput, match="expected names of files in UTF-8"):
        list(read_texts(tmp_path))
