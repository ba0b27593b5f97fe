"""The page and the terminal's tables, from the same rows."""

from html.parser import HTMLParser

import pytest

from experiments.report.page import WIDTH, Figure, Table, page, plain, shown

HOSTILE = "<script>alert(\"x\")</script> & 'more'"
TABLE = Table("Title <i>", "note & more", ("word", "near", "number"), [(HOSTILE, "a, b", 3.14159), ("bank", "c", 1e4)])


class Cells(HTMLParser):
    """What a browser would show in the cells, and the tags it met."""

    def __init__(self):
        super().__init__()
        self.cells, self.tags, self.open = [], [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open = tag in ("td", "th")
        if self.open:
            self.cells.append("")

    def handle_endtag(self, tag):
        self.open = False

    def handle_data(self, data):
        if self.open:
            self.cells[-1] += data


def test_a_page_shows_every_cell_and_runs_nothing(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"png")
    text = page("Name <&>", "lead", [TABLE, Figure("Picture", "", tmp_path / "picture.png")])
    parser = Cells()
    parser.feed(text)
    assert parser.cells == ["word", "near", "number", HOSTILE, "a, b", "3.14", "bank", "c", "10,000.0"]
    assert "script" not in parser.tags
    assert parser.tags.count("img") == 1
    assert "data:image/png;base64,cG5n" in text


def test_a_terminal_s_table_is_aligned():
    title, header, first, second, note = plain(TABLE).splitlines()
    assert title == "Title <i>"
    assert header.index("near") == first.index("a, b") == second.index("c  ")
    assert len(header) == len(first) == len(second)
    assert note == "note & more"
    assert max(map(len, plain(TABLE._replace(note="missing words " * 30)).splitlines())) <= WIDTH


@pytest.mark.parametrize(
    ("value", "text"),
    [(float("nan"), "-"), (0.12345, "0.123"), (12345.678, "12,345.7"), (20304, "20,304"), ("word", "word")],
)
def test_cells(value, text):
    assert shown(value) == text
