"""RCV1-v2 as its token files have it."""

import bz2
import gzip
import lzma

import pytest

from dlgm_jax import BadInput
from dlgm_jax.data.inputs import looks_like, open_input
from dlgm_jax.data.source import Reading
from dlgm_jax.data.text import Text, Texts

TRAIN = ".I 2286\n.W\nrecov recov excit\nbank 1997\n\n.I 2287\n.W\n\n"
TEST = "\n.I 26151\n.W\nbank\n.I 7\n.W\ninterest"  # without the empty line behind a document and the end of the last
FOUND = [Text("2286", "", "recov recov excit bank 1997"), Text("2287", "", "")]
OTHERS = [Text("26151", "", "bank"), Text("7", "", "interest")]
PACKED = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}


def read(path, form=""):
    opened = open_input(path, form, Reading())
    assert isinstance(opened, Texts)
    assert list(opened.read()) == list(opened.read())  # it can be read again
    return list(opened.read())


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_file_is_seen_by_its_first_line(tmp_path, ending, ends):
    path = tmp_path / f"any{ending}"
    path.write_bytes(PACKED[ending](TRAIN.replace("\n", ends).encode()))
    assert looks_like(path, Reading()) == "lyrl2004"
    assert read(path) == FOUND


def test_the_files_of_a_folder_are_one_set(tmp_path):
    (tmp_path / "lyrl2004_tokens_train.dat.gz").write_bytes(gzip.compress(TRAIN.encode()))
    (tmp_path / "lyrl2004_tokens_test_pt0.dat").write_text(TEST)
    (tmp_path / "rcv1-v2.topics.qrels").write_text("E11 2286 1\n")
    (tmp_path / "lyrl2004_tokens_train.dat.md5").write_text("0\n")
    assert looks_like(tmp_path, Reading()) == "lyrl2004"
    assert read(tmp_path) == [*OTHERS, *FOUND]


@pytest.mark.parametrize("text", ["the .I 5\n", ".I\n.W\na\n", ".W\n.I 5\n"])
def test_a_file_of_another_first_line_is_no_such_file(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    assert looks_like(tmp_path / "a.txt", Reading()) == "text"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TRAIN + ".I 5\nbank\n", r"file:10: expected \.W after \.I 5, found 'bank'"),
        (TRAIN + ".I 5\n.I 6\n", r"file:10: expected \.W after \.I 5, found '\.I 6'"),
        (TRAIN + ".I 5\n\n", r"file:9: expected \.W after \.I 5, found the end of the file"),
        (TRAIN + ".I\n.W\n", r"file:9: expected \.I and the number of a document, from 0 to 2147483647, found '\.I'"),
        (TRAIN + ".I x7\n.W\n", r"file:9: expected \.I and the number of a document, .* found '\.I x7'"),
        (TRAIN + ".I 1 2\n.W\n", r"file:9: expected \.I and the number of a document, .* found '\.I 1 2'"),
        (TRAIN + f".I {2**31}\n.W\n", r"file:9: expected \.I and the number of a document, .* found '\.I 2147483648'"),
        (TRAIN + ".I 5\n.W\na\n.W\n", r"file:12: expected \.I and the number of a document, .* found '\.W'"),
        ("\nbank 7\n" + TRAIN, r"file:2: expected \.I and the number of a document, .* found 'bank 7'"),
        ("17\n" + TRAIN, r"file:1: expected \.I and the number of a document, .* found '17'"),
        (TRAIN + ".I 02286\n.W\na\n", "file:9: expected each document once, found 2286 again"),
        ("\n \n", "file: expected documents, found an empty file"),
    ],
)
def test_what_is_no_document_is_one_line(tmp_path, text, message):
    (tmp_path / "file").write_text(text)
    with pytest.raises(BadInput, match=message) as caught:
        read(tmp_path / "file", "lyrl2004")
    assert "\n" not in str(caught.value)


def test_a_document_of_two_files_is_refused(tmp_path):
    (tmp_path / "lyrl2004_tokens_train.dat").write_text(TRAIN)
    (tmp_path / "lyrl2004_tokens_train.dat.gz").write_bytes(gzip.compress(TRAIN.encode()))
    with pytest.raises(BadInput, match=r"train\.dat\.gz:1: expected each document once, found 2286 again"):
        read(tmp_path)


def test_a_folder_without_such_files_and_a_damaged_one_are_refused(tmp_path):
    with pytest.raises(
        BadInput, match=r"expected files lyrl2004_tokens_NAME\.dat \(or \.gz, \.xz, \.bz2\), found none"
    ):
        read(tmp_path, "lyrl2004")
    (tmp_path / "lyrl2004_tokens_train.dat.gz").write_bytes(gzip.compress(TRAIN.encode())[:-4])
    with pytest.raises(BadInput, match=r"train\.dat\.gz: expected a whole gzip file"):
        read(tmp_path)
