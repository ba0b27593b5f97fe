"""Messages of prepare and transform on an input whose format is not given."""

import gzip

import pytest

from dlgm_jax.data.datasets import load
from tests.data.formats_test import COUNTS


def test_parquet_is_prepared_without_a_flag(command, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    from pyarrow import table

    rows = [(f"d{d:02d}", f"w{w}", int(n)) for d, row in enumerate(COUNTS) for w, n in enumerate(row) if n]
    parquet.write_table(table(dict(zip(("document", "word", "count"), zip(*rows)))), tmp_path / "r.parquet")
    code, out, err = command("prepare", f"--input={tmp_path}/r.parquet", f"--output={tmp_path}/out", "--test_size=2")
    assert code == 0, err
    assert f"Reads {tmp_path}/r.parquet as triplets" in out
    dataset = load(str(tmp_path / "out"))
    assert int(dataset.train.lengths.sum() + dataset.test.lengths.sum()) == COUNTS.sum()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.pdf", b"%PDF-1.7\n%\xe2\xe3", "or text; its first bytes look like a PDF (b'%PDF-1.7')"),
        ("a.txt", "the river".encode("utf-16"), "its first bytes look like UTF-16 text, not UTF-8"),
        ("a.txt", b"", "a.txt: expected documents, found an empty file"),
        ("a.txt.gz", gzip.compress(b" \n"), "a.txt.gz: expected documents, found nothing but white space"),
        ("a.h5.gz", gzip.compress(b"\x89HDF\r\n\x1a\n"), "unpacked, its first bytes look like HDF5"),
        ("a.txt.gz", b"the river", "a.txt.gz: expected a whole gzip file, found: "),
        (
            "docs/a.log",
            b"x",
            "MovieLens, Synthea, MIMIC-III or texts; found 1 other, as",
        ),
    ],
)
def test_what_no_format_takes_is_one_line(command, tmp_path, name, data, said):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    given = path.parent if path.parent != tmp_path else path
    code, _, err = command("prepare", f"--input={given}", f"--output={tmp_path}/out")
    assert code == 2
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
