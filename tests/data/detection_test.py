"""The format that an input is taken for, by first bytes, content and names of files; and messages for one of none."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
import scipy.sparse

from dlgm_jax import BadInput
from dlgm_jax.data import inputs
from dlgm_jax.data.inputs import FORMATS, OF_FOLDERS, looks_like, open_input
from dlgm_jax.data.lines import first_bytes
from dlgm_jax.data.signatures import SIGNATURES, signature
from dlgm_jax.data.source import EVERYTHING, Reading, Source, in_memory
from dlgm_jax.data.text import is_json
from tests.data.formats_test import COUNTS, WRITERS
from tests.data.formats_test import NAMES as FORMS
from tests.data.real_data_test import DATA, path_of

MARK = b"\xef\xbb\xbf"
PACKED = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}
WORDS = "river\nbank\nmoney\nloan\n"
MTX = b"%%MatrixMarket matrix coordinate integer general\n2 4 2\n1 1 2\n2 4 1\n"
GENSIM = b"3                   \n4                   \n3                   \n1 1 2\n1 3 1\n3 2 1\n"


def seen(path, **how):
    return looks_like(path, Reading(**how))


def written(folder, name, data):
    (folder / name).write_bytes(data)
    return folder / name


def read(path, form="", **how):
    opened = open_input(path, form, Reading(**how))
    return in_memory(opened) if isinstance(opened, Source) else list(opened.read())


def refused(path, form="", **how):
    with pytest.raises(BadInput) as caught:
        read(path, form, **how)
    said = str(caught.value)
    assert said.splitlines() == [said]
    assert str(path) in said
    assert len(said) - len(str(path)) < 300
    return said


def dense(path, form="", **how):
    return in_memory(open_input(path, form, Reading(**how)))[EVERYTHING].counts.toarray().tolist()


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"<xml/>")
    return file.getvalue()


def tarred():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("docs/a.txt"))
    return file.getvalue()


# first bytes


@pytest.mark.parametrize("name", ["r.parquet", "r.data", "r.csv", "r.jsonl", "docword.r.txt"])
def test_parquet_is_seen_whatever_it_is_called(tmp_path, name):
    pytest.importorskip("pyarrow")
    path, how = WRITERS["parquet"](tmp_path)
    path.rename(tmp_path / name)
    assert seen(tmp_path / name) == "triplets"
    assert looks_like(tmp_path / name, how) == "triplets"


@pytest.mark.parametrize("name", ["cells.h5", "cells", "cells.csv", "cells.jsonl"])
@pytest.mark.parametrize("before", [0, 512, 2048])
def test_hdf5_is_seen_by_its_signature_behind_a_block_of_others_too(tmp_path, name, before):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / name, "w", userblock_size=before) as file:
        file["X"] = COUNTS
    assert h5py.is_hdf5(tmp_path / name)
    assert seen(tmp_path / name) == "hdf5"
    assert dense(tmp_path / name) == COUNTS.tolist()


@pytest.mark.parametrize("name", ["counts.npz", "counts.NPZ", "counts", "counts.zip", "counts.txt"])
def test_sparse_matrices_are_seen_whatever_they_are_called(tmp_path, name):
    scipy.sparse.save_npz(tmp_path / "a.npz", scipy.sparse.csr_matrix([[1, 0, 2, 0]]))
    (tmp_path / "a.npz").rename(tmp_path / name)
    (tmp_path / "vocab.txt").write_text(WORDS)
    assert seen(tmp_path / name) == "npz"
    assert dense(tmp_path / name) == [[1, 0, 2, 0]]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"%PDF-1.7\n1 0 obj", "its first bytes look like a PDF (b'%PDF-1.7')"),
        (zipped("a.txt"), "its first bytes look like a zip archive (b'PK\\x03\\x04"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "its first bytes look like an Excel workbook (b'PK"),
        (zipped("[Content_Types].xml", "word/document.xml"), "its first bytes look like a Word document (b'PK"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504), "look like an old Excel workbook or another old Office"),
        (b"\x93NUMPY\x01\x00\x76\x00{'descr': '<i8'}", "look like a NumPy array (.npy) (b'\\x93NUMPY"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "look like a zstd archive"),
        (b"SQLite format 3\0\x10\x00", "look like an SQLite database"),
        (b"\x80\x04\x95\x10\0\0\0\0\0\0\0", "look like a Python pickle"),
        (gzip.compress(b"RDX3\nX\n\0\0\0\x03"), "unpacked, its first bytes look like R data (.RData) (b'RDX3"),
        (gzip.compress(b"X\n\0\0\0\x03\0\x04"), "unpacked, its first bytes look like R data (.rds)"),
        (tarred(), "its first bytes look like a tar archive (b'docs/a.t')"),
        (lzma.compress(tarred()), "unpacked, its first bytes look like a tar archive"),
        (
            gzip.compress(b"\x89HDF\r\n\x1a\n\0\0"),
            "unpacked, its first bytes look like HDF5 (b'\\x89HDF",
        ),
        ("the river".encode("utf-16"), "its first bytes look like UTF-16 text, not UTF-8 (b'\\xff\\xfet\\x00h"),
        ("the river".encode("utf-32"), "its first bytes look like UTF-32 text, not UTF-8"),
        (b"\xfe\xff" + "the river".encode("utf-16-be"), "its first bytes look like UTF-16 text, not UTF-8"),
        ("the river".encode("utf-16-le"), "its first bytes hold zeros, as no text does (b't\\x00h\\x00e"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "look like a PNG image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "look like a JPEG image"),
        (b"\x7fELF\x02\x01\x01", "look like a program (ELF)"),
        ("the caf\xe9 1\n".encode("latin-1"), "its first bytes are no UTF-8 text (b'\\xe9 1\\n' at byte 7)"),
    ],
)
@pytest.mark.parametrize("name", ["file", "file.txt", "file.csv", "file.svm"])
def test_what_no_format_takes_is_named_by_its_first_bytes(tmp_path, name, data, said):
    found = refused(written(tmp_path, name, data))
    assert f"{name}: expected one of hdf5, npz, uci, mtx" in found
    assert "svmlight, dense or text; " in found
    assert said in found


def test_signatures_are_told_apart():
    for sign, kind in SIGNATURES:
        assert signature(sign + b"\x07" * 8) == kind
    assert not signature(b"the river")


def test_texts_in_utf16_say_so_where_the_format_is_given(tmp_path):
    for data in ("1 1:2\n".encode("utf-16"), "1 1:2\r\n".encode("utf-32"), b"\xfe\xff\0a"):
        path = written(tmp_path, "a.txt", data)
        for form, how in (("text", {}), ("ldac", {}), ("svmlight", {"index_base": 1})):
            assert "a.txt:1: expected UTF-8 text, found the byte-order mark of UTF-16 or" in refused(path, form, **how)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "expected documents, found an empty file"),
        (MARK, "expected documents, found an empty file"),
        (b" \n\n\t\r\n", "expected documents, found nothing but white space"),
        (b"\n" * 70_000, "expected documents, found nothing but white space"),
        (MARK + b" \n", "expected documents, found nothing but white space"),
    ],
)
@pytest.mark.parametrize("name", ["a", "a.txt", "a.jsonl", "a.csv", "docword.a.txt", "a.txt.gz"])
def test_files_without_text_are_refused(tmp_path, name, data, said):
    assert said in refused(written(tmp_path, name, gzip.compress(data) if name.endswith(".gz") else data))
    assert seen(written(tmp_path, "b", b"\n" * 70_000 + b"river\n")) == "text"


# detectors never raise


def odd_paths(folder):
    """Paths that are no regular file or folder, or nothing that can be read."""
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "gone").symlink_to(folder / "nowhere")
    written(folder, "damaged.gz", gzip.compress(os.urandom(9999))[:500])
    written(folder, "none.gz", b"no archive")
    written(folder, "none.xz", b"\xfd7zXZ\0" + b"\xff" * 50)
    written(folder, "none.bz2", b"BZh91AY&SY" + b"\xff" * 50)
    written(folder, "none.npz", b"PK\x03\x04" + b"\xff" * 50)
    written(folder, "\udcff\n.txt", b"river\n")
    return [*sorted(folder.iterdir()), folder, folder / "none", folder / ("x" * 5000), Path("/dev/null"), Path("/\0")]


@pytest.mark.parametrize("name", FORMATS)
def test_a_detector_never_raises(tmp_path, name):
    assert [path for path in odd_paths(tmp_path) if FORMATS[name].holds(path)] in ([], [tmp_path / "none.npz"])


def test_what_cannot_be_read_says_why(tmp_path):
    odd_paths(tmp_path)
    for name in ("loop", "gone", "x" * 5000):
        assert "--input: expected a file or a folder, found no " in refused(tmp_path / name)
    for form in ("", "text", "ldac"):
        assert "found a pipe or a device; save it first" in refused(tmp_path / "pipe", form)
        assert "none.gz: expected a whole gzip file, found: " in refused(tmp_path / "none.gz", form)
        assert "none.xz: expected a whole xz file, found: " in refused(tmp_path / "none.xz", form)
    assert "expected a whole gzip file" in refused(written(tmp_path, "bare", b"\x1f\x8b\x08nothing"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_files_that_are_not_ours_to_read_say_so(tmp_path):
    path = written(tmp_path, "a", b"river")
    path.chmod(0)
    assert "cannot be read: Permission denied" in refused(path)


def test_detectors_read_little_and_know_nothing_of_long_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "lines", None)  # would read whole lines
    path = written(tmp_path, "a", b"river " * 10_000_000)  # one line of 60 MB
    assert seen(path) == "text"
    assert len(first_bytes(path)) == 2**16
    for first, form in ((b"20000 ", "ldac"), (b"1 ", "svmlight")):
        pairs = b" ".join(b"%d:1" % word for word in range(20_000))
        assert seen(written(tmp_path, "b", first + pairs + b"\n")) == form
    assert seen(written(tmp_path, "c", b"1 1:2\n" * 20_000 + b"\xff\0")) == "ldac"


# what a parser accepts its detector accepts


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_a_file_of_any_format_is_seen_in_upper_case(tmp_path, name):
    path, how = WRITERS[name](tmp_path)
    for file in list(tmp_path.iterdir()):
        file.rename(file.with_name(file.name.upper()))
    path = path if path == tmp_path else path.with_name(path.name.upper())
    assert looks_like(path, how) == FORMS.get(name, name)


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("mtx", MTX),
        ("mtx", MTX.replace(b"MatrixMarket matrix", b"MATRIXMARKET Matrix")),
        ("mtx", b"\r\n" + MTX),
        ("ldac", b"02 0:1 3:1.0\n000 \n"),
        ("ldac", b"2 0:1 3:1e+00\r\n"),
        ("lyrl2004", b".I\t5\n.W\nriver\n"),
        ("lyrl2004", b"\n\n.I   5 \n.W\nriver\n"),
        ("svmlight", b"# made by me\n\n+1 qid:3 1:1 # x\nsports\n"),
        ("svmlight", b"1,3 1:2.0 4:1e+03\n\n2 1:1\n"),
        ("uci", GENSIM),
        ("uci", b"\n\n  3\n4\n3\n 1 1 2.0\n\n1 3 1e+00\n3\t2 1\n"),
        ("triplets", b"document,word,count\na,b,1\n"),
    ],
)
@pytest.mark.parametrize("packed", ["", ".gz", ".GZ", ".Xz", ".BZ2", "unnamed"])
@pytest.mark.parametrize("mark", [b"", MARK])
def test_what_a_parser_reads_its_detector_takes(tmp_path, form, data, packed, mark):
    pack = {"": bytes, "unnamed": gzip.compress}.get(packed) or PACKED[packed.lower()]
    path = written(tmp_path, "input.dat" + packed.replace("unnamed", ""), pack(mark + data))
    (tmp_path / "vocab.input.txt").write_text(WORDS)
    how = {"index_base": 0} if form == "svmlight" else {}
    assert FORMATS[form].holds(path)
    assert seen(path) == form
    assert read(path, form, **how)


@pytest.mark.parametrize("name", ["a.JSONL", "a.Json.GZ", "a.ndjson.XZ", "a.jsonl.bz2"])
def test_json_endings_are_of_any_case(tmp_path, name):
    pack = PACKED.get(Path(name).suffix.lower(), bytes)
    path = written(tmp_path, name, pack(b'{"text": "1 1:2", "label": "x"}\n'))
    assert seen(path) == "text"
    assert [text.label for text in open_input(path, "", Reading()).read()] == ["x"]


def test_json_of_another_name_is_read_as_text_with_a_note(tmp_path):
    how = Reading()
    assert looks_like(written(tmp_path, "a.txt", b'{"text": "river"}\n'), how) == "text"
    assert how.notes == [
        f"{tmp_path}/a.txt looks like JSON and is read as plain text, since its name does not end in .json or .jsonl."
    ]


def test_gensims_file_is_seen_and_read(tmp_path):
    path = written(tmp_path, "testcorpus.uci", GENSIM)
    assert seen(path) == "uci"
    (tmp_path / "words").write_text(WORDS)
    assert dense(path, vocab=tmp_path / "words") == [[2, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    corpora = pytest.importorskip("gensim.corpora")
    corpora.UciCorpus.serialize(str(path), [[(0, 2), (2, 1)], [(1, 1), (3, 100_000)]])
    assert seen(path) == "uci"
    assert dense(path, vocab=tmp_path / "words") == [[2, 0, 1, 0], [0, 1, 0, 100_000]]


@pytest.mark.parametrize("name", ["docword.kos.txt", "DOCWORD.kos.TXT", "Docword.kos.txt.GZ", "docword.txt"])
def test_docwords_are_seen_by_name_in_any_case(tmp_path, name):
    path = written(tmp_path, name, gzip.compress(GENSIM) if name.endswith("GZ") else GENSIM)
    vocabulary = tmp_path / ("Vocab.txt" if name == "docword.txt" else "VOCAB.KOS.txt")
    vocabulary.write_text(WORDS)
    for there in (path, tmp_path):
        assert seen(there) == "uci"
        assert dense(there) == [[2, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]]


def test_files_whose_names_differ_by_case_are_both_there(tmp_path):
    for name in ("docword.kos.txt", "DOCWORD.KOS.TXT"):
        written(tmp_path, name, GENSIM)
    assert "expected one file docword.NAME.txt, found 2" in refused(tmp_path)


@pytest.mark.parametrize("names", [("train", "test"), ("TRAIN", "Test"), ("train", "valid"), ("test",)])
def test_topmost_is_seen_by_any_of_its_parts(tmp_path, names):
    for name in names:
        scipy.sparse.save_npz(tmp_path / f"{name}_bow.npz", scipy.sparse.csr_matrix([[1, 2, 0, 0]]))
        (tmp_path / f"{name}_labels.txt.GZ").write_bytes(gzip.compress(b"a\n"))
    (tmp_path / "vocab.txt").write_text(WORDS)
    assert seen(tmp_path) == "npz"
    splits = {"train": "train", "test": "test", "valid": "validation"}
    found = in_memory(open_input(tmp_path, "", Reading()))
    assert sorted(found) == sorted(splits[name.lower()] for name in names)
    assert all(corpus.labels == ("a",) for corpus in found.values())


# a format given by hand


@pytest.mark.parametrize("name", ["counts.txt", "counts.csv", "a.jsonl", "b", "docword.x.txt", "c.d.gz"])
@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("uci", GENSIM),
        ("ldac", b"2 0:2 2:1\n0\n1 1:1\n"),
        ("svmlight", b"1 0:2 2:1\n1\n1 1:1\n"),
        ("mtx", b"%%MatrixMarket matrix coordinate integer general\n3 4 3\n1 1 2\n1 3 1\n3 2 1\n"),
    ],
)
def test_a_format_given_by_hand_is_read_whatever_the_name(tmp_path, name, form, data):
    path = written(tmp_path, name, gzip.compress(data) if name.endswith(".gz") else data)
    (tmp_path / "words").write_text(WORDS)
    how = {"vocab": tmp_path / "words"} | ({"index_base": 0} if form == "svmlight" else {})
    assert dense(path, form, **how) == [[2, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]]


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_for_a_file_and_the_other_way_are_refused_in_one_line(tmp_path, form):
    path = written(tmp_path, "a", b"river\n")
    if form not in OF_FOLDERS:
        assert refused(tmp_path, form) == f"{tmp_path}: expected a file, since the format is {form}, found a folder"
    elif form in ("compact", "nvdm", "octis", "tables"):
        assert refused(path, form) == f"{path}: expected a folder, since the format is {form}, found a file"
    else:
        (tmp_path / "folder").mkdir()
        refused(tmp_path / "folder", form)


# folders of nothing


def test_a_folder_that_nothing_fits_says_what_it_holds(tmp_path):
    assert refused(tmp_path).endswith("MIMIC-III or texts; found an empty folder")
    for name in ("b.log", "a.log", "d\n.log", "c.log"):
        written(tmp_path, name, b"")
    (tmp_path / "raw").mkdir()
    assert refused(tmp_path).endswith("or texts; found 5 others, as 'a.log, b.log, c.log'")
    for name in ("a.log", "b.log", "c.log"):
        (tmp_path / name).unlink()
    assert refused(tmp_path).endswith("or texts; found 2 others, as 'd\\n.log, raw'")


def test_times_of_a_day_are_no_pairs(tmp_path):
    rows = '"234","F","2094-03-05 00:00:00","2165-08-12 00:00:00"\n'  # of MIMIC-III's patients
    assert seen(written(tmp_path, "a", rows.encode() * 3)) == "text"
    assert "expected a table" in refused(written(tmp_path, "a.csv.GZ", gzip.compress(rows.encode())))
    assert seen(written(tmp_path, "b", b"sports ball:2 bat:1\n")) == "svmlight"  # is refused there, not read as text


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("20news_nvdm", "nvdm"),
        ("20news_prodlda", "nvdm"),
        ("octis/BBC_News", "octis"),
        ("octis/DBLP", "octis"),
        ("octis/M10", "octis"),
        ("scrna/worm_neuron_cell.h5", "hdf5"),
        ("scrna/mouse_bladder_cell_select_2100.h5", "hdf5"),
        ("movielens_latest_small", "tables"),
        ("synthea", "tables"),
        ("mimic3_demo", "tables"),
        ("imdb/imdb_train.jsonl.xz", "text"),
        ("wiki_en_2018/wiki.jsonl.xz", "text"),
        ("20news_raw/20news_bydate.jsonl.xz", "text"),
        ("multi30k/raw/train.en.gz", "text"),
    ],
)
def test_real_corpora_are_seen(name, form):
    assert seen(path_of(name)) == form
    assert DATA.exists()


def test_a_table_under_another_name_is_said(tmp_path):
    (tmp_path / "visits.txt").write_text("".join(f"p{n}\tdrug {n}, daily\t{n}\n" for n in range(6)))
    how = Reading()
    assert looks_like(tmp_path / "visits.txt", how) == "text"
    assert "looks like a table with tabs between its fields, and each of its lines is read as a text" in how.notes[0]
    (tmp_path / "prose.txt").write_text("".join(f"a line, of prose{', ' * n}\n" for n in range(6)))
    how = Reading()
    assert looks_like(tmp_path / "prose.txt", how) == "text"
    assert not how.notes


def test_lines_of_an_old_mac_are_named(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"document,word\ru1,river\r")
    with pytest.raises(BadInput, match=r"a\.csv: expected lines that end with a line feed, found carriage returns"):
        looks_like(tmp_path / "a.csv", Reading())


@pytest.mark.parametrize(
    ("name", "form"), [("a.json.gz", True), ("a.JSONL", True), ("a.json.csv", False), ("a", False)]
)
def test_json_is_told_by_the_last_ending(name, form):
    assert is_json(Path(name)) == form
