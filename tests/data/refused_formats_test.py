"""What no format is, and what is said of it."""

import gzip

import numpy as np
import pytest
import scipy.sparse

from dlgm_jax import BadInput
from dlgm_jax.data.inputs import open_input
from dlgm_jax.data.source import Reading, in_memory
from tests.data.formats_test import octis, uci, vocabulary


@pytest.mark.parametrize(
    ("form", "text", "message"),
    [
        ("svmlight", "1 1:1\n", "--index_base: expected 0 or 1, where the ids of file begin"),
        ("svmlight base", "1 0:1\n", r"file:1: expected ids from 1, found '0:1'; are the ids of this file 0-based"),
        ("svmlight base", "1 1:1.5\n", r"file:1: expected a count from 0 to 2147483647, found '1:1\.5'"),
        ("svmlight base", "1:1 2:1\n", "file:1: expected a label first, found '1:1'"),
        ("svmlight base", "# nothing\n", "file: expected documents with words, found none"),
        ("ldac", "2 1:1\n", "file:1: expected 2 pairs id:count, as the line says, found 1"),
        ("ldac", "x 1:1\n", "file:1: expected the number of pairs first, from 0 to"),
        ("ldac", f"1 {'9' * 400}:1\n", "file:1: expected an id from 0 to 2147483647"),
        ("mtx", "%%MatrixMarket matrix array real general\n1 1\n1\n", "file:1: expected a coordinate MatrixMarket"),
        (
            "mtx",
            "%%MatrixMarket matrix coordinate real general\n2 2 900\n1 1 1\n",
            "file: expected 900 entries, as its",
        ),
        ("mtx", f"%%MatrixMarket matrix coordinate real general\n{10**9} 2 1\n1 1 1\n", "file:2: expected at most"),
        ("mtx", "%%MatrixMarket matrix coordinate real general\n2 2 1\n3 1 1\n", "file:3: expected a place in 2 x 2"),
        (
            "mtx",
            "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1 -1\n",
            "file:3: expected a count from 0",
        ),
        ("npz", "PK nothing", "file: expected a sparse matrix"),
        ("triplets", "document,word\na\n", "file:2: expected 2 fields, found fewer"),
        ("triplets", "document,word,count\na,b,x\n", "file:2: expected a count from 0 to 2147483647, found 'x'"),
        ("triplets", "user,word\na,b\n", "file:1: expected the columns document, word, found no document"),
        ("triplets", "document,word\n", "file: expected rows, found"),
        ("triplets", 'document,word\n"a,b\n', "file:2: expected comma-separated values"),
        ("hdf5", "nothing", "file: expected an HDF5 file"),
        ("parquet", "PAR1nothing", "file: expected a Parquet file"),
        ("other", "x", "--format: expected one of compact, hdf5, npz, nvdm"),
    ],
)
def test_bad_input_is_one_line(tmp_path, form, text, message):
    (tmp_path / "file").write_text(text)
    vocabulary(tmp_path / "vocab.txt")
    how = Reading(
        index_base=1 if form.endswith("base") else None, vocab=tmp_path / "vocab.txt" if form == "npz" else None
    )
    name = {"parquet": "triplets"}.get(form, form.split()[0])
    if form.startswith(("ldac", "svmlight")):  # which take the words beside them
        (tmp_path / "vocab.txt").unlink()
    with pytest.raises(BadInput, match=message) as caught:
        in_memory(open_input(tmp_path / "file", name, how))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("12\n5\n", "12\n6\n"), "docword.kos.txt:2: expected 5 words"),
        (
            lambda text: text.replace("12\n5\n", f"{10**8}\n5\n"),
            "docword.kos.txt:1: expected at most 100000 documents",
        ),
        (lambda text: text + "1 1 1\n", "expected documents in order, each in one piece, found 1 after 12"),
        (lambda text: text + "12 9 1\n", "expected a word from 1 to 5, found '9'"),
        (lambda text: "\n".join(text.split("\n")[:-2]) + "\n", r"expected \d+ lines of counts, as its third line says"),
        (lambda text: "12\n", "expected three lines of sizes first, found 1"),
        (lambda text: text + "12 1\n", "expected document, word and count, found '12 1'"),
    ],
)
def test_bad_docwords_are_one_line(tmp_path, change, message):
    uci(tmp_path)
    text = gzip.decompress((tmp_path / "docword.kos.txt.gz").read_bytes()).decode()
    (tmp_path / "docword.kos.txt.gz").unlink()
    (tmp_path / "docword.kos.txt").write_text(change(text))
    with pytest.raises(BadInput, match=message):
        in_memory(open_input(tmp_path, "", Reading()))


def test_a_bad_octis_line_is_named(tmp_path):
    octis(tmp_path)
    for line, message in (("zebra\ttrain\tx", "words of the vocabulary, found 'zebra'"), ("river\tnever\tx", "split")):
        (tmp_path / "corpus.tsv").write_text(f"river\ttrain\tx\n{line}\n")
        with pytest.raises(BadInput, match=rf"corpus\.tsv:2: expected .*{message}"):
            in_memory(open_input(tmp_path, "", Reading()))


def test_archives_that_claim_more_than_they_hold_are_refused(tmp_path):
    vocabulary(tmp_path / "vocab.txt")
    path = tmp_path / "counts.npz"
    huge = scipy.sparse.csr_matrix(([1], ([0], [0])), (2**28, 5))
    np.savez_compressed(path, format=b"csr", shape=huge.shape, indptr=huge.indptr[:2], indices=[0], data=[1])
    with pytest.raises(BadInput, match=r"counts\.npz: expected a sparse matrix"):
        open_input(path, "", Reading())
    np.savez_compressed(path, data=np.zeros(2**27, np.uint8))
    with pytest.raises(BadInput, match=r"counts\.npz: expected (at most 200 times|a sparse)"):
        open_input(path, "", Reading())


def test_an_archive_of_lines_is_bounded(tmp_path):
    with gzip.open(tmp_path / "a.txt.gz", "wb") as file:
        for _ in range(140):
            file.write(b" " * (2**20 - 1) + b"\n")
    with pytest.raises(BadInput, match=r"a\.txt\.gz: expected at most 200 times what the archive weighs"):
        list(open_input(tmp_path / "a.txt.gz", "text", Reading()).read())


def test_two_docwords_are_refused(tmp_path):
    uci(tmp_path)
    (tmp_path / "docword.other.txt").write_text("1\n5\n0\n")
    with pytest.raises(BadInput, match=r"expected one file docword\.NAME\.txt, found 2"):
        open_input(tmp_path, "", Reading())


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv"])
def test_tables_are_no_texts_unless_asked(tmp_path, name):
    text = b"user,item\n1,2\n"
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    with pytest.raises(BadInput, match="expected a table with the columns document, word"):
        open_input(tmp_path / name, "", Reading())
    assert len(list(open_input(tmp_path / name, "text", Reading()).read())) == 2
