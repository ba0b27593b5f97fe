"""Every format is written here by hand, seen by what it holds, and read back."""

import csv
import gzip
import json

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from dlgm_jax import BadInput, Corpus
from dlgm_jax.data import compact
from dlgm_jax.data.alignment import align
from dlgm_jax.data.inputs import FORMATS, divided, looks_like, narrowed, open_input
from dlgm_jax.data.source import EVERYTHING, Reading, in_memory, whole
from tests.conftest import as_corpus

RNG = np.random.default_rng(1)
COUNTS = RNG.poisson(0.8, (12, 5))
COUNTS[4] = 0
COUNTS[:, 2] += COUNTS.sum(axis=0)[2] == 0
WORDS = ("river", "bank", "money", "loan", "fish")


def vocabulary(path):
    path.write_text("".join(f"{word}\n" for word in WORDS))


def pairs(row, base):
    return " ".join(f"{word + base}:{count}" for word, count in enumerate(row) if count)


def svmlight(folder):
    text = "".join(f"{row % 2} qid:3 {pairs(counts, 1)} # {row}\n" for row, counts in enumerate(COUNTS))
    (folder / "counts.svm").write_text(text.replace("qid:3 ", "", 3))
    vocabulary(folder / "names.txt")
    return folder / "counts.svm", Reading(index_base=1, vocab=folder / "names.txt")


def ldac(folder):
    (folder / "ap.dat").write_text("".join(f"{np.sum(row > 0)} {pairs(row, 0)}\n" for row in COUNTS))
    vocabulary(folder / "ap.vocab")
    return folder / "ap.dat", Reading()


def uci(folder):
    rows = [f"{d + 1} {w + 1} {COUNTS[d, w]}\n" for d, w in zip(*np.nonzero(COUNTS))]
    with gzip.open(folder / "docword.kos.txt.gz", "wt") as file:
        file.write(f"{len(COUNTS)}\n{len(WORDS)}\n{len(rows)}\n" + "".join(rows))
    vocabulary(folder / "vocab.kos.txt")
    return folder, Reading()


def mtx(folder):
    scipy.io.mmwrite(folder / "counts.mtx", scipy.sparse.coo_matrix(COUNTS))
    vocabulary(folder / "vocab.txt")
    return folder / "counts.mtx", Reading()


def tenx(folder):
    scipy.io.mmwrite(folder / "matrix.mtx", scipy.sparse.coo_matrix(COUNTS.T))
    (folder / "features.tsv").write_text("".join(f"{word}\tx\tGene\n" for word in WORDS))
    (folder / "barcodes.tsv").write_text("".join(f"cell{row}\n" for row in range(len(COUNTS))))
    return folder, Reading()


def npz(folder):
    scipy.sparse.save_npz(folder / "counts.npz", scipy.sparse.csc_matrix(COUNTS.T))
    vocabulary(folder / "vocab.txt")
    return folder / "counts.npz", Reading(transposed=True)


def topmost(folder):
    for split in ("train", "test"):
        scipy.sparse.save_npz(folder / f"{split}_bow.npz", scipy.sparse.csr_matrix(COUNTS))
    (folder / "train_labels.txt").write_text("a\n" * len(COUNTS))
    vocabulary(folder / "vocab.txt")
    return folder, Reading()


def octis(folder):
    splits = ["train"] * 6 + ["val"] * 3 + ["test"] * 3
    lines = [" ".join(np.repeat(WORDS, row)) + f"\t{split}\tx\n" for row, split in zip(COUNTS, splits)]
    (folder / "corpus.tsv").write_text("".join(lines))
    vocabulary(folder / "vocabulary.txt")
    return folder, Reading()


def table(folder):
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["when", "word", "count", "document"])
        writer.writerows(["x", WORDS[w], COUNTS[d, w], f"d{d:02d}"] for d, w in zip(*np.nonzero(COUNTS)))
    return folder / "table.csv", Reading()


def parquet(folder):
    pyarrow = pytest.importorskip("pyarrow.parquet")
    from pyarrow import table

    places = list(zip(*np.nonzero(COUNTS)))
    columns = {"who": [f"d{d:02d}" for d, _ in places], "what": [WORDS[w] for _, w in places]}
    pyarrow.write_table(table(columns | {"n": [float(COUNTS[place]) for place in places]}), folder / "t.parquet")
    return folder / "t.parquet", Reading(columns=("who", "what", "n"))


def hdf5(folder):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "cells.h5", "w") as file:
        file["X"], file["Y"] = COUNTS.astype(float), np.arange(12) % 2 + 1.0
    return folder / "cells.h5", Reading()


def h5ad(folder):
    anndata = pytest.importorskip("anndata")
    import pandas

    obs = pandas.DataFrame({"kind": ["a"] * 12}, index=[f"cell{row}" for row in range(12)])
    found = anndata.AnnData(
        scipy.sparse.csr_matrix(COUNTS.astype(np.float32)), obs, pandas.DataFrame(index=list(WORDS))
    )
    found.write_h5ad(folder / "cells.h5ad")
    return folder / "cells.h5ad", Reading(label="kind")


WRITERS = {
    "svmlight": svmlight,
    "ldac": ldac,
    "uci": uci,
    "mtx": mtx,
    "10x": tenx,
    "npz": npz,
    "topmost": topmost,
    "octis": octis,
    "triplets": table,
    "parquet": parquet,
    "hdf5": hdf5,
    "h5ad": h5ad,
}
NAMES = {"10x": "mtx", "topmost": "npz", "parquet": "triplets", "h5ad": "hdf5"}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_a_format_is_seen_and_read(tmp_path, name):
    path, how = WRITERS[name](tmp_path)
    assert looks_like(path, how) == NAMES.get(name, name)
    source = open_input(path, "", how)
    for _ in range(2):  # it can be read again
        corpora = in_memory(source)
        found = np.concatenate([named(corpus) for corpus in corpora.values()])
        expected = np.delete(COUNTS, 4, axis=0) if name in ("triplets", "parquet") else COUNTS
        np.testing.assert_array_equal(found[: len(expected)], expected)
    splits = {"octis": ["train", "validation", "test"], "topmost": ["train", "test"]}
    assert list(corpora) == splits.get(name, [EVERYTHING])
    labelled = {"svmlight": list("01" * 6), "octis": ["x"] * 6, "topmost": ["a"] * 12, "h5ad": ["a"] * 12}
    labelled |= {"hdf5": list("12" * 6)}
    labels = next(iter(corpora.values())).labels
    assert labels == (tuple(labelled[name]) if name in labelled else None)


def named(corpus):
    """Dense counts in the order of WORDS, by name where there are names."""
    words = WORDS if set(corpus.vocabulary) == set(WORDS) else tuple(map(str, range(5)))
    return align(corpus, words).corpus.counts.toarray()


def test_ids_are_words_where_there_is_no_vocabulary(tmp_path):
    (tmp_path / "a.svm").write_text("1 7:1 900000000:2\n1 7:5\n")
    (tmp_path / "b.dat").write_text("2 7:1 900000000:2\n1 0:5\n")
    found = in_memory(open_input(tmp_path / "a.svm", "svmlight", Reading(index_base=1)))[EVERYTHING]
    assert (found.vocabulary, found.counts.toarray().tolist()) == (("6", "899999999"), [[1, 2], [5, 0]])
    found = in_memory(open_input(tmp_path / "b.dat", "", Reading()))[EVERYTHING]
    assert (found.vocabulary, found.counts.toarray().tolist()) == (("0", "7", "900000000"), [[0, 1, 2], [5, 0, 0]])


def test_texts_are_what_is_left(tmp_path):
    (tmp_path / "a.txt").write_text("the river 3:15\nbank\n")
    (tmp_path / "b.jsonl").write_text(json.dumps({"text": "1 1:2"}) + "\n")
    assert looks_like(tmp_path / "a.txt", Reading()) == looks_like(tmp_path / "b.jsonl", Reading()) == "text"
    assert looks_like(tmp_path, Reading()) == "text"


def test_words_are_aligned_by_name():
    corpus = as_corpus(COUNTS)
    order = [3, 0, 4]
    words = (*(corpus.vocabulary[column] for column in order), "new")
    found, unknown = align(corpus, words)
    np.testing.assert_array_equal(found.counts.toarray(), np.c_[COUNTS[:, order], np.zeros(12, int)])
    np.testing.assert_array_equal(unknown, COUNTS[:, [1, 2]].sum(axis=1))
    assert (found.ids, found.vocabulary) == (corpus.ids, words)


def test_every_format_has_its_own_file():
    assert all({"holds", "source"} <= set(dir(form)) for form in FORMATS.values())


def test_parquet_is_seen_by_its_first_bytes(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    from pyarrow import table

    parquet.write_table(table({"document": ["a", "a"], "word": ["x", "y"], "count": [1, 2]}), tmp_path / "t.bin")
    assert looks_like(tmp_path / "t.bin", Reading()) == "triplets"
    found = in_memory(open_input(tmp_path / "t.bin", "", Reading()))[EVERYTHING]
    assert (found.vocabulary, found.counts.toarray().tolist()) == (("y", "x"), [[2, 1]])


def test_an_index_base_means_svmlight(tmp_path):
    (tmp_path / "a").write_text("2 1:1 2:3\n1 2:4\n")
    vocabulary(tmp_path / "words")
    assert looks_like(tmp_path / "a", Reading()) == "ldac"
    found = in_memory(open_input(tmp_path / "a", "", Reading(index_base=1, vocab=tmp_path / "words")))[EVERYTHING]
    assert found.counts.toarray().tolist() == [[1, 3, 0, 0, 0], [0, 4, 0, 0, 0]]


@pytest.mark.parametrize(("zero_based", "base"), [(True, 0), (False, 1)])
def test_svmlight_may_say_where_its_ids_begin(tmp_path, zero_based, base):
    datasets = pytest.importorskip("sklearn.datasets")
    path = tmp_path / "a.svm"
    datasets.dump_svmlight_file(COUNTS, np.arange(12) % 2, str(path), zero_based=zero_based, comment="mine")
    assert looks_like(path, Reading()) == "svmlight"
    how = Reading()
    found = in_memory(open_input(path, "", how))[EVERYTHING]
    assert (found.counts.toarray().tolist(), found.vocabulary) == (COUNTS.tolist(), tuple("01234"))
    word = "zero" if zero_based else "one"
    assert (
        how.notes[0] == f"The ids of {path} begin at {base}, as its remark says: '# Column indices are {word}-based'."
    )
    found = in_memory(open_input(path, "", Reading(index_base=base)))[EVERYTHING]
    assert found.counts.toarray().tolist() == COUNTS.tolist()
    with pytest.raises(BadInput, match=f"a.svm: expected ids from {1 - base}, as --index_base says, found '# Column"):
        open_input(path, "", Reading(index_base=1 - base))


@pytest.mark.parametrize(
    "text",
    [
        "1 1:1 # one-based\n",
        "# zero-based once\n# One-Based now\n1 1:1\n",
        "1 1:1\n# one-based\n",
        "# ten-based\n1 1:1\n",
    ],
)
def test_other_remarks_of_svmlight_say_nothing_of_its_ids(tmp_path, text):
    (tmp_path / "a.svm").write_text(text)
    with pytest.raises(BadInput, match="--index_base: expected 0 or 1"):
        open_input(tmp_path / "a.svm", "", Reading())
    for base in (0, 1):
        found = in_memory(open_input(tmp_path / "a.svm", "", Reading(index_base=base)))[EVERYTHING]
        assert found.vocabulary == (str(1 - base),)


def test_parquet_without_known_columns_is_refused_without_a_note(tmp_path):
    pyarrow = pytest.importorskip("pyarrow.parquet")
    from pyarrow import table

    pyarrow.write_table(table({"user": ["a"], "item": ["b"]}), tmp_path / "a.parquet")
    how = Reading()
    with pytest.raises(BadInput, match=r"a\.parquet: expected the columns document, word, found no document, word"):
        open_input(tmp_path / "a.parquet", "", how)
    assert how.notes == []
    pyarrow.write_table(table({"document": ["NA", "b"], "word": ["x", "NA"], "n": [1, 2]}), tmp_path / "a.parquet")
    in_memory(open_input(tmp_path / "a.parquet", "", how))
    assert "columns document and word are taken, and n not" in how.notes[0]
    assert how.notes[1].endswith("of the document NA, which is taken as written, though it may stand for none: 1 row.")


def test_svmlight_has_rows_without_words(tmp_path):
    (tmp_path / "a").write_text("sports\npolitics 3:4 7:9\n")
    assert looks_like(tmp_path / "a", Reading()) == "svmlight"


def test_the_words_of_vocab_new_are_first_fields(tmp_path):
    (tmp_path / "a.dat").write_text("1 1:2\n")
    (tmp_path / "vocab.new").write_text("who 6494\nout 6114\n")
    found = in_memory(open_input(tmp_path / "a.dat", "", Reading(vocab=tmp_path / "vocab.new")))[EVERYTHING]
    assert found.vocabulary == ("who", "out")


def test_a_stored_corpus_is_an_input(tmp_path):
    words = tuple(WORDS)
    corpus = Corpus(COUNTS, words, tuple(map(str, range(12))), ("a", "b") * 6)
    with compact.Writer(tmp_path / "out", words, {}) as writer:
        writer.add("train", corpus.select(range(9)))
        writer.add("test", corpus.select(range(9, 12)))
    assert looks_like(tmp_path / "out", Reading()) == "compact"
    found = in_memory(open_input(tmp_path / "out", "", Reading()))
    np.testing.assert_array_equal(found["train"].counts.toarray(), COUNTS[:9])
    assert (found["test"].ids, found["test"].labels) == (("9", "10", "11"), ("b", "a", "b"))


def test_words_are_chosen_by_training_documents(tmp_path):
    counts = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 0], [0, 0, 1], [0, 0, 1]])
    source = divided(whole("", {EVERYTHING: as_corpus(counts)}), np.array([False, False, False, True, True]))
    assert narrowed(source, None, 2).vocabulary == ("w0", "w1")  # w2 is in one training document and two others
    assert narrowed(source, None, 3).vocabulary == ("w0",)
    assert narrowed(source, 1, 1).vocabulary == ("w0",)


def test_fields_of_a_table_keep_their_lines_and_whole_floats_are_counts(tmp_path):
    (tmp_path / "a.csv").write_text('document,word,count\n1,"two\nlines",2.0\n')
    found = in_memory(open_input(tmp_path / "a.csv", "", Reading()))[EVERYTHING]
    assert (found.vocabulary, found.counts.toarray().tolist()) == (("two\nlines",), [[2]])


def test_documents_without_a_label_are_counted(tmp_path):
    octis(tmp_path)
    text = (tmp_path / "corpus.tsv").read_text().split("\n")
    (tmp_path / "corpus.tsv").write_text("\n".join([text[0][:-1], *text[1:]]))
    train = next(part.corpus for part in open_input(tmp_path, "", Reading()).read() if part.split == "train")
    assert train.labels == ("", *("x",) * 5)
    assert in_memory(open_input(tmp_path, "", Reading()))["train"].labels == ("", *("x",) * 5)


def test_fractions_and_signs_are_seen_before_counts_of_one_place_add_up(tmp_path):
    vocabulary(tmp_path / "vocab.txt")
    head = "%%MatrixMarket matrix coordinate real general\n1 5 2\n"
    for first, second, found in (("0.5", "1.5", "0.5"), ("3", "-1", "-1")):
        (tmp_path / "a.mtx").write_text(f"{head}1 1 {first}\n1 1 {second}\n")
        with pytest.raises(BadInput, match=rf"a\.mtx:[34]: expected a count from 0 to 2147483647, found '{found}'"):
            in_memory(open_input(tmp_path / "a.mtx", "", Reading()))
        entries = ([float(first), float(second)], ([0, 0], [0, 0]))
        scipy.sparse.save_npz(tmp_path / "a.npz", scipy.sparse.coo_matrix(entries, shape=(1, 5)))
        with pytest.raises(BadInput, match=rf"a\.npz: expected counts, whole numbers from 0, found {found}"):
            in_memory(open_input(tmp_path / "a.npz", "", Reading()))
    (tmp_path / "a.mtx").write_text(f"{head}1 1 3\n1 1 +2.000e+00\n")
    how = Reading()
    assert in_memory(open_input(tmp_path / "a.mtx", "", how))[EVERYTHING].counts.toarray().tolist() == [[5, 0, 0, 0, 0]]
    assert any("1 entry at a place that has one already: added up" in note for note in how.notes)


@pytest.mark.parametrize("number", [1, len(COUNTS) + 1])
def test_topmost_has_a_label_for_each_document(tmp_path, number):
    topmost(tmp_path)
    (tmp_path / "train_labels.txt").write_text("a\n" * number)
    with pytest.raises(BadInput, match=rf"train_labels\.txt: expected {len(COUNTS)} labels, .* found {number}$"):
        in_memory(open_input(tmp_path, "npz", Reading()))
