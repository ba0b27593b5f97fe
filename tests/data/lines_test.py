import bz2
import gzip
import lzma
import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlgm_jax import BadInput
from dlgm_jax.data import lines as module
from dlgm_jax.data.lines import beginning, first_bytes, lines, packing

TEXT = "first\r\nsecond über\n\nlast"
OPENERS = {".txt": open, ".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}


@pytest.mark.parametrize("ending", OPENERS)
def test_lines_of_any_compression(tmp_path, ending):
    path = tmp_path / f"text{ending}"
    with OPENERS[ending](path, "wb") as file:
        file.write(TEXT.encode())
    assert list(lines(path)) == ["first", "second über", "", "last"]


@pytest.mark.parametrize("ending", [".gz", ".xz", ".bz2"])
def test_a_truncated_archive_is_one_line(tmp_path, ending):
    path = tmp_path / f"text{ending}"
    with OPENERS[ending](path, "wb") as file:
        file.write(TEXT.encode() * 1000)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadInput, match=f"text{ending}: "):
        list(lines(path))
    path.write_bytes(b"no archive at all")
    with pytest.raises(BadInput, match=f"text{ending}: "):
        list(lines(path))


def test_other_encodings_and_missing_files_are_one_line(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("one\nzwei für\n".encode("latin-1"))
    with pytest.raises(BadInput, match=":2: expected UTF-8 text"):
        list(lines(path))
    assert list(lines(path, encoding="latin-1")) == ["one", "zwei für"]
    with pytest.raises(BadInput, match=r"nowhere\.txt: cannot be read: No such file"):
        list(lines(tmp_path / "nowhere.txt"))


@pytest.mark.parametrize("name", ["text.GZ", "text.Xz", "text.bZ2", "text.txt", "text", "text.csv"])
@pytest.mark.parametrize("kind", [".gz", ".xz", ".bz2"])
def test_archives_are_opened_by_their_ending_in_any_case_or_their_first_bytes(tmp_path, name, kind):
    path = tmp_path / name
    with OPENERS[kind](path, "wb") as file:
        file.write(TEXT.encode())
    if packing(path) == kind:
        assert list(lines(path)) == beginning(path).lines == ["first", "second über", "", "last"]
    else:  # an ending says more than first bytes: a .gz of bzip2 is no whole .gz
        with pytest.raises(BadInput, match=f"{name}: expected a whole (gzip|xz|bzip2) file"):
            list(lines(path))
        assert beginning(path) == ([], False)


@pytest.mark.parametrize("text", ["BZh9 river", "BZ", "7zXZ", "\x1f river"])
def test_texts_that_begin_almost_as_archives_are_texts(tmp_path, text):
    (tmp_path / "a").write_text(text)
    assert list(lines(tmp_path / "a")) == [text]


def test_a_pipe_is_read_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text("river\nbank\n"))
    writer.start()
    assert list(lines(tmp_path / "pipe")) == ["river", "bank"]  # as of `--vocab=<(cut -f1 words.tsv)`
    writer.join()
    assert first_bytes(tmp_path / "pipe") == b""


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_other_unicode_encodings_are_named(tmp_path, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes(("" if encoding in ("utf-16", "utf-32") else "\ufeff").encode(encoding) + TEXT.encode(encoding))
    with pytest.raises(BadInput, match=r"a\.txt:1: expected UTF-8 text, found the byte-order mark of UTF-16 or UTF-32"):
        list(lines(path))


PIECES = st.sampled_from(["\n", "\r\n", " ", "\ufeff", "1:1", "über", "\u2028", "x" * 40, "\0", "\x85"])
PACK = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}


@settings(deadline=None)
@given(
    text=st.lists(PIECES, max_size=20).map("".join),
    size=st.integers(8, 100),
    ending=st.sampled_from(list(PACK)),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_a_beginning_is_the_first_lines(tmp_path_factory, text, size, ending, mark):
    path = tmp_path_factory.mktemp("lines") / f"a{ending}"
    path.write_bytes(PACK[ending]((mark + text).encode()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BEGINNING", size)
        patch.setattr(first_bytes, "__defaults__", (size,))
        found, cut = beginning(path)
    every = list(lines(path))
    if cut:
        assert len((mark + text).encode()) >= size
        assert len(found) == 1
        assert every[0].startswith(found[0].encode("utf-8", "ignore").decode())
    else:
        assert found == every[: len(found)]
        fitting = (mark + text).encode()[:size].count(b"\n")
        assert len(found) == (len(every) if len((mark + text).encode()) < size else fitting)


@settings(deadline=None)
@given(data=st.binary(max_size=300), ending=st.sampled_from(["", ".gz", ".xz", ".bz2", ".txt"]))
def test_a_beginning_never_raises(tmp_path_factory, data, ending):
    path = tmp_path_factory.mktemp("bytes") / f"a{ending}"
    for sign in (b"", b"\x1f\x8b\x08\0", b"\xfd7zXZ\0", b"BZh91AY&SY", gzip.compress(b"river\n" * 99)[:40]):
        path.write_bytes(sign + data)
        assert not any("\n" in line for line in beginning(path).lines)


def test_an_archive_of_many_short_lines_that_hold_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ALWAYS", 1000)
    monkeypatch.setattr(module, "EXPANSION", 1)
    with gzip.open(tmp_path / "a.gz", "wb") as file:
        file.write(b"river\n" * 10_000)
    with pytest.raises(BadInput, match=r"a\.gz: expected"):
        list(lines(tmp_path / "a.gz"))
