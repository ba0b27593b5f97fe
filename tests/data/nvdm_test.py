import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlgm_jax import BadInput
from dlgm_jax.data.formats import nvdm

WORDS = ("one", "two", "three")


def read_feat(path):
    """A training file between whole others."""
    (path.parent / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))
    (path.parent / "test.feat").write_text("1:1\n")
    return nvdm.read(path.parent)[0]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "vocab.new").write_text("one 10\ntwo 5\nthree 1\n")
    (tmp_path / "train.feat").write_text("4 1:2 3:1\n7 2:1 2:3\n4\n")
    (tmp_path / "test.feat").write_text("1:1\n\n3:9\n")
    return tmp_path


def test_a_folder_is_read(folder):
    train, test = nvdm.read(folder)
    assert train.vocabulary == test.vocabulary == WORDS
    np.testing.assert_array_equal(train.counts.toarray(), [[2, 0, 1], [0, 4, 0], [0, 0, 0]])
    np.testing.assert_array_equal(test.counts.toarray(), [[1, 0, 0], [0, 0, 0], [0, 0, 9]])
    assert train.labels == ("4", "7", "4")
    assert test.labels is None
    assert train.ids == ("train/1", "train/2", "train/3")


def test_whole_lines_are_words_in_vocab_txt(folder):
    (folder / "vocab.new").unlink()
    (folder / "vocab.txt").write_text("new york\ntwo\nthree\n")
    assert nvdm.read(folder)[0].vocabulary == ("new york", "two", "three")


def test_gzip_byte_order_mark_and_line_ends(folder):
    plain = nvdm.read(folder)
    for name in ("vocab.new", "train.feat", "test.feat"):
        text = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / f"{name}.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")))
    for ours, theirs in zip(nvdm.read(folder), plain):
        assert ours.fingerprint() == theirs.fingerprint()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train.feat", "1 1:1\n1 banana:2\n", r"train\.feat:2: .*'banana:2'"),
        ("train.feat", "1 1:1 2\n", r"train\.feat:1: expected pairs.*'2'"),
        ("train.feat", "1 1:1\n\n1 4:1\n", r"train\.feat:3: expected an id from 1 to 3.*'4:1'"),
        ("train.feat", "1 0:1\n", r"train\.feat:1: expected ids from 1, found '0:1'.*0-based"),
        ("train.feat", "1 -1:1\n", r"train\.feat:1: .*'-1:1'"),
        ("train.feat", "1 1:-2\n", r"train\.feat:1: expected a count.*'1:-2'"),
        ("train.feat", "1 1:0.5\n", r"train\.feat:1: expected a count.*'1:0\.5'"),
        ("train.feat", "1 1:nan\n", r"train\.feat:1: expected a count.*'1:nan'"),
        ("train.feat", "1 1:99999999999\n", r"train\.feat:1: expected a count from 0 to"),
        ("train.feat", "1 1:\u0663\n", r"train\.feat:1: expected a count"),
        ("train.feat", "", r"train\.feat: .*empty file"),
        ("train.feat", "1 1:2147483647 1:1\n", r"train\.feat:1: expected counts up to 2147483647.* of id 1"),
        ("train.feat", f"1 {'9' * 5000}:1\n", r"train\.feat:1: expected an id from 1 to 3.*'99+\.\.\.'"),
        ("train.feat", f"1 1:{'9' * 5000}\n", r"train\.feat:1: expected a count from 0 to"),
        ("train.feat", "1 2:1\r1 3:1\n", r"train\.feat:1: expected lines to end with a line feed, found a carriage"),
        ("vocab.new", "one 1\ntw\ro 1\nthree 1\n", r"vocab\.new:2: .*carriage return"),
        ("train.feat", "1 2:1\n1;2 2:1\n", r"train\.feat:2: expected a label or id:count, found '1;2'"),
        ("train.feat", "1 2:1\n2:1 3:1\n", r"train\.feat:2: expected a label first.*'2:1'"),
        ("train.feat", "2:1 3:1\n4 1:1\n", r"train\.feat:2: expected no label.*'4'"),
        ("test.feat", "1 9:1\n", r"test\.feat:1: expected an id from 1 to 3, found '9:1'"),
        ("vocab.new", "one 1\ntwo 1\none 1\n", r"vocab\.new: expected distinct words, found 'one' as word 1 and 3"),
        ("vocab.new", "one 1\n", r"train\.feat:1: expected an id from 1 to 1, found '3:1'"),
        ("vocab.new", "one 1\n\nthree 1\n", r"vocab\.new:2: expected a word"),
        ("vocab.new", "", r"vocab\.new: .*empty"),
    ],
)
def test_bad_input_names_file_and_line(folder, name, text, message):
    (folder / name).write_text(text, encoding="utf-8", newline="")
    with pytest.raises(BadInput, match=message) as caught:
        nvdm.read(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["train.feat", "test.feat", "vocab.new"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(BadInput, match=f"expected a file {name}"):
        nvdm.read(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere: expected a folder"):
        nvdm.read(tmp_path / "nowhere")


def test_damaged_files_are_named(folder):
    (folder / "train.feat").write_bytes(b"1 1:1\n" * 20_000 + b"1 1:\xff\xfe\n")
    with pytest.raises(BadInput, match=r"train\.feat:20001: expected UTF-8"):
        nvdm.read(folder)
    (folder / "train.feat").unlink()
    (folder / "train.feat").mkdir()
    with pytest.raises(BadInput, match=r"expected a file train\.feat .*found none"):
        nvdm.read(folder)
    (folder / "train.feat").rmdir()
    (folder / "train.feat").write_text("")
    (folder / "train.feat").unlink()
    for damaged in (gzip.compress(b"1 1:1\n" * 1000)[:-30], b"not gzip at all"):
        (folder / "train.feat.gz").write_bytes(damaged)
        with pytest.raises(BadInput, match=r"train\.feat\.gz: expected a whole gzip file"):
            nvdm.read(folder)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("bytes") / "train.feat"
    path.write_bytes(data)
    try:
        corpus = read_feat(path)
    except BadInput as error:
        assert "\n" not in str(error)
    else:
        assert corpus.vocab_size == 3


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=8))
def test_what_is_written_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "train.feat"
    lines = ["x " + " ".join(f"{v + 1}:{n}" for v, n in enumerate(row)) for row in rows]
    path.write_text("\n".join(lines))
    np.testing.assert_array_equal(read_feat(path).counts.toarray(), rows)
