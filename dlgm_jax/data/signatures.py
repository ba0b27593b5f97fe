"""Kinds of files that their first bytes tell."""

import codecs
import re

TAR = 257  # where `ustar` stands
SHOWN = 8  # bytes of a message
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"PAR1", "Parquet"),
    (b"PARE", "encrypted Parquet"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\x1f\x8b\x08", "a gzip archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"BZh91AY&SY", "a bzip2 archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x04\x22\x4d\x18", "an LZ4 archive"),
    (b"\x1f\x9d", "an archive of compress (.Z)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"%PDF-", "a PDF"),
    (b"{\\rtf", "an RTF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook or another old Office file (.xls, .doc)"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"ARROW1\0\0", "Arrow (Feather)"),
    (b"Obj\x01", "Avro"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"RDX2\n", "R data (.RData)"),
    (b"RDX3\n", "R data (.RData)"),
    (b"X\n\0\0\0", "R data (.rds)"),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file (.mat)"),
    (b"\xff\xfe\0\0", "UTF-32 text, not UTF-8"),
    (b"\0\0\xfe\xff", "UTF-32 text, not UTF-8"),
    (b"\xff\xfe", "UTF-16 text, not UTF-8"),
    (b"\xfe\xff", "UTF-16 text, not UTF-8"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"\x7fELF", "a program (ELF)"),
)
OFFICE = re.compile(rb"(xl|word|ppt)/(workbook|worksheets|theme|_rels|styles|document|presentation)")
OFFICE_NAMES = {b"xl": "an Excel workbook", b"word": "a Word document", b"ppt": "a PowerPoint presentation"}


def signature(data: bytes) -> str:
    """The kind of file that begins with some bytes, as `a PDF`; empty when it may be text, or nothing known."""
    if data[TAR : TAR + 5] == b"ustar":
        return "a tar archive"
    kind = next((kind for sign, kind in SIGNATURES if data.startswith(sign)), "")
    if kind == "a zip archive" and (office := OFFICE.search(data)):
        return OFFICE_NAMES[office[1]]
    return kind


def no_text(data: bytes) -> str:
    """The reason for which some first bytes are no text, after `its first bytes`; empty when they are."""
    if kind := signature(data):
        return f"look like {kind} ({data[:SHOWN]!r})"
    if b"\0" in data:
        return f"hold zeros, as no text does ({data[:SHOWN]!r})"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)  # a character may be cut at the end
    except UnicodeDecodeError as error:
        return f"are no UTF-8 text ({data[error.start : error.start + SHOWN]!r} at byte {error.start})"
    return ""
