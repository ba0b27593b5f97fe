import bz2
import gzip
import lzma

import pytest

from dlgm_jax import BadInput
from dlgm_jax.data.lines import lines

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
