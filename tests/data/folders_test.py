"""Folders as strangers have them: hidden files, links, loops, names without endings, a README."""

import gzip
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlgm_jax import BadInput
from dlgm_jax.data.folders import survey
from dlgm_jax.data.inputs import looks_like, open_input
from dlgm_jax.data.source import Reading
from dlgm_jax.data.text import Text, read_texts


def make(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def read(folder):
    how = Reading()
    return list(read_texts(folder, how)), how.notes


def test_hidden_and_system_files_are_left_out_and_counted(tmp_path):
    files = {"pos/1.txt": "good", "neg/2.txt": "bad", ".git/3.txt": "x", ".git/objects/4.txt": "x", "pos/.5.txt": "x"}
    more = {
        "pos/.ipynb_checkpoints/1-checkpoint.txt": "good",
        "__MACOSX/pos/1.txt": "x",
        "Thumbs.db": "x",
        "neg/2~": "x",
    }
    make(tmp_path, files | more)
    texts, notes = read(tmp_path)
    assert texts == [Text("neg/2", "neg", "bad"), Text("pos/1", "pos", "good")]
    assert "Left out: 7 hidden or system files." in notes
    assert "A document is a file: 2 in the folders 'neg', 'pos', as 'neg/2.txt'." in notes


def test_links_inside_are_followed_and_those_that_lead_out_are_counted(tmp_path):
    folder, outside = tmp_path / "in", tmp_path / "elsewhere"
    make(folder, {"store/1.txt": "one", "pos/2.txt": "two"})
    make(outside, {"3.txt": "three"})
    (folder / "neg").symlink_to("store")
    (folder / "pos" / "4.txt").symlink_to("../store/1.txt")
    (folder / "far").symlink_to(outside)
    (folder / "pos" / "5.txt").symlink_to(outside / "3.txt")
    (folder / "pos" / "6.txt").symlink_to("nowhere")
    texts, notes = read(folder)
    assert [(text.name, text.text) for text in texts] == [
        ("neg/1", "one"),
        ("pos/2", "two"),
        ("pos/4", "one"),
        ("store/1", "one"),
    ]
    assert f"Left out: 3 links out of {folder}, or to nowhere." in notes
    assert f"Read twice, by links inside {folder}: 2 documents; remove the links if that is not meant." in notes


def test_loops_end(tmp_path):
    make(tmp_path, {"a/1.txt": "one", "b/2.txt": "two"})
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "a" / "b").symlink_to("../b")
    (tmp_path / "b" / "a").symlink_to("../a")
    texts, notes = read(tmp_path)
    assert {text.name for text in texts} >= {"a/1", "b/2", "a/b/2"}
    assert len(texts) < 8
    assert any("to a folder above, or to one read by another link" in note for note in notes)


def test_plain_files_of_label_folders_are_documents(tmp_path):
    make(tmp_path, {"sci.space/101": "orbit", "rec.autos/102": "car", "README": "about", "sci.space/logo.png": b"\0\1"})
    assert looks_like(tmp_path, Reading()) == "text"
    texts, notes = read(tmp_path)
    assert texts == [Text("rec.autos/102", "rec.autos", "car"), Text("sci.space/101", "sci.space", "orbit")]
    assert "Left out: 2 files, no documents, as 'README', 'logo.png'." in notes


def test_splits_above_labels_in_any_case(tmp_path):
    make(tmp_path, {"Train/pos/1": "good", "test/neg/2": "bad"})
    texts, _ = read(tmp_path)
    assert [(text.split, text.label) for text in texts] == [("train", "pos"), ("test", "neg")]


def test_a_readme_is_a_document_only_where_there_is_no_other(tmp_path):
    make(tmp_path, {"README.txt": "about this corpus", "data.bin": b"\0\1\2"})
    texts, notes = read(tmp_path)
    assert [text.name for text in texts] == ["README"]
    assert f"{tmp_path} holds no other text than README.txt: is that the corpus?" in notes
    assert "Left out: 1 file, no documents, as 'data.bin'." in notes
    make(tmp_path, {"1.txt": "river"})
    texts, notes = read(tmp_path)
    assert [text.name for text in texts] == ["1"]


def test_markup_is_said(tmp_path):
    (tmp_path / "reut.sgm").write_text("<!DOCTYPE lewis>\n<REUTERS>\n<BODY>Grain prices\n")
    texts, notes = read(tmp_path / "reut.sgm")
    assert len(texts) == 3
    assert any("looks like markup (SGML, HTML or XML): each line is a document" in note for note in notes)
    make(tmp_path / "pages", {"1.txt": "<html><p>river</p></html>", "2.txt": "bank"})
    _, notes = read(tmp_path / "pages")
    assert any("each file is a document, its tags words like others" in note for note in notes)


def test_names_keep_all_but_their_endings(tmp_path):
    make(tmp_path, {"a.1.txt": "one", "a.2.TXT": "two", "b.txt.gz": gzip.compress(b"three")})
    texts, _ = read(tmp_path)
    assert [(text.name, text.text) for text in texts] == [("a.1", "one"), ("a.2", "two"), ("b", "three")]


def test_a_folder_of_links_that_lead_out_is_refused(tmp_path):
    make(tmp_path / "elsewhere", {"1.txt": "one"})
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "pos").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="expected a folder of NVDM"):
        looks_like(tmp_path / "in", Reading())


def test_documents_about_changes_are_documents(tmp_path):
    make(tmp_path, {"changes in the law.txt": "law", "Authors and their books.txt": "books", "CHANGES.txt": "1.0"})
    texts, notes = read(tmp_path)
    assert [text.name for text in texts] == ["Authors and their books", "changes in the law"]
    assert "Left out: 1 file, no documents, as 'CHANGES.txt'." in notes


def test_folders_of_tables_are_no_texts(tmp_path):
    make(tmp_path, {"one/ratings.csv": "user,film\n1,2\n", "two/ratings.csv": "user,film\n1,3\n"})
    with pytest.raises(BadInput, match="expected a folder of NVDM"):
        looks_like(tmp_path, Reading())
    make(tmp_path, {"one/a.txt": b"binary \0\1", "two/b.txt": "river"})
    texts, notes = read(tmp_path)
    assert [text.name for text in texts] == ["two/b"]
    assert "Left out: 3 files, no documents, as 'a.txt', 'ratings.csv', 'ratings.csv'." in notes


def test_a_link_to_a_folder_beside_of_a_like_name_leads_out(tmp_path):
    make(tmp_path, {"in/1.txt": "one", "in2/2.txt": "two"})
    (tmp_path / "in" / "other").symlink_to(tmp_path / "in2")
    texts, notes = read(tmp_path / "in")
    assert [text.name for text in texts] == ["1"]
    assert f"Left out: 1 link out of {tmp_path / 'in'}, or to nowhere." in notes


def test_a_second_link_to_one_folder_is_counted(tmp_path):
    make(tmp_path, {"real/1.txt": "one"})
    (tmp_path / "alink").symlink_to("real")
    (tmp_path / "blink").symlink_to("real")
    texts, notes = read(tmp_path)
    assert [text.name for text in texts] == ["alink/1", "real/1"]
    assert "Left out: 1 link to a folder above, or to one read by another link." in notes


def test_fields_of_json_lines_that_are_missing_or_stand_twice_are_named(tmp_path):
    for line, message in (
        ('{"review_text": "a", "stars": 5}', r"a\.jsonl:1: expected .* in its field text, found review_text, stars"),
        ('{"text": "aa", "text": "bb"}', r"a\.jsonl:1: expected a JSON object, found"),
    ):
        (tmp_path / "a.jsonl").write_text(line)
        with pytest.raises(BadInput, match=message):
            list(read_texts(tmp_path / "a.jsonl"))


@pytest.mark.parametrize(
    ("rows", "labels"),
    [
        (['{"text": "a", "label": null}', '{"text": "b", "label": NaN}', '{"text": "c"}'], ["", "", ""]),
        (
            ['{"text": "a", "label": 1}', '{"text": "b", "label": 1.0}', '{"text": "c", "label": 1.5}'],
            ["1", "1", "1.5"],
        ),
        (
            ['{"text": "a", "label": true}', '{"text": "b", "label": "nan"}', '{"text": "c", "label": " "}'],
            ["True", "nan", ""],
        ),
    ],
)
def test_labels_of_json_lines(tmp_path, rows, labels):
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    assert [text.label for text in read_texts(tmp_path / "a.jsonl")] == labels


def test_a_list_of_labels_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": ["x", "y"]}')
    with pytest.raises(BadInput, match=r"a\.jsonl:1: label: expected text or a number, found .*'x', 'y'"):
        list(read_texts(tmp_path / "a.jsonl"))


NAMES = st.sampled_from(
    ["a", "b.txt", "c.TXT", ".d", ".e.txt", "f~", "README", "README.txt", "g.1.txt", "h.csv", "train"]
)
FOLDERS = st.lists(st.lists(NAMES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=8, unique=True)


@given(places=FOLDERS, binary=st.sets(st.integers(0, 7)))
def test_folders_come_back_or_are_said(tmp_path_factory, places, binary):
    folder = tmp_path_factory.mktemp("folder")
    files = {}
    for number, place in enumerate(places):
        path = folder.joinpath(*place)
        if any(os.path.isfile(folder.joinpath(*place[:depth])) for depth in range(1, len(place))) or path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        files[place] = b"\0" if number in binary else f"text {number}".encode()
        path.write_bytes(files[place])
    seen = {place: text for place, text in files.items() if not any(n.startswith(".") or n == "f~" for n in place)}
    named = [place for place in seen if place[-1].lower().endswith(".txt") and seen[place] != b"\0"]
    if not named:
        below = [place for place in seen if len(place) > 1 and seen[place] != b"\0"]
        named = [place for place in below if place[-1] not in ("README", "README.txt", "h.csv")]
    expected = sorted([p for p in named if not p[-1].startswith("README")] or named)
    found = survey(folder)
    assert [path.relative_to(folder).parts for path in found.documents] == expected
    assert len(found.documents) + len(found.others) + found.hidden == len(files)  # none is lost
    if expected:
        texts = list(open_input(folder, "text", Reading()).read())
        assert [text.text.encode() for text in texts] == [seen[place] for place in expected]
