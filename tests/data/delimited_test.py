"""Tables of text: nothing is cut, no title merged, and what was taken for what is said."""

import csv
import gzip
import io
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlgm_jax import BadInput
from dlgm_jax.data.delimited import delimiter_of
from dlgm_jax.data.formats import triplets
from dlgm_jax.data.inputs import looks_like, open_input
from dlgm_jax.data.source import EVERYTHING, Reading, in_memory

DELIMITERS = (",", "\t", ";", "|", "::")
FIELDS = st.text("ab ,;|\t:\"'\n#ü1", max_size=6)
PLAIN = st.text("ab ,;|\t'#ü1", max_size=6)  # of files with `::`, which know no quotes
COUNTS = st.sampled_from([("3", 3), ("2.0", 2), ("0", 0), ("7.", 7), ("1e+05", 10**5), ("1.5", None), ("", None)])


def read(path, text, form="triplets", mark="", **how):
    """Counts by document and word, and the notes."""
    path.write_text(mark + text, encoding="utf-8", newline="")
    reading = Reading(**how)
    corpus = in_memory(triplets.source(path, reading))[EVERYTHING]
    return pairs(corpus), reading.notes


def pairs(corpus):
    counts = corpus.counts.tocoo()
    found = {(corpus.ids[d], corpus.vocabulary[w]): int(n) for d, w, n in zip(counts.row, counts.col, counts.data)}
    return found, set(corpus.ids), set(corpus.vocabulary)


def refused(path, text, message, **how):
    with pytest.raises(BadInput, match=message) as caught:
        read(path, text, **how)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "document,word\nu1,American President, The\n",
            "a.csv:2: expected 2 fields, as the header has, found 3; a field that holds a comma needs quotes",
        ),
        (
            'document,word,count\nu1,"two\n\nlines",1\n\nu1,x,1,2\n',
            "a.csv:6: expected 3 fields, as the header has, found 4",
        ),
        ("document,word,x\nu1\n", "a.csv:2: expected 3 fields, found fewer: 1"),
        ("document,word, word\nu1,a,b\n", "a.csv:1: expected distinct names in the header, found 'word' as columns 2"),
        ("\ufeff\ufeffdocument,word,document\nu1,a,b\n", "a.csv:1: expected distinct names in the header"),
        ("Document,WORD,Word\nu1,a,b\n", "a.csv:1: expected one column .word., found WORD, Word"),
        ('document,word\nu1,"two\nlines"x\n', "a.csv:2: expected comma-separated values"),
        ("document;word,count\n", "a.csv:1: expected one delimiter between fields, found commas and semicolons"),
        ("document,word,count\nu1,a,1.5\n", "a.csv:2: expected a count from 0 to 2147483647, found '1.5'"),
        ("document,word,count\nu1,a,nan\n", "a.csv:2: expected a count"),
        ("document,word,count\nu1,a,-1\n", "a.csv:2: expected a count"),
        ('document,word\n"","a\nb"\n', "a.csv:2: expected a document and a word, found '' and"),
        ("", "a.csv: expected a table, found an empty file"),
        ('""\n', "a.csv:1: expected a header"),
    ],
)
def test_what_would_lose_something_is_refused(tmp_path, text, message):
    refused(tmp_path / "a.csv", text, message)


@pytest.mark.parametrize("delimiter", ["\t", "|"])
def test_a_lone_quotation_mark_swallows_no_rows(tmp_path, delimiter):
    text = 'document,word,count,comment\nd1,a,1,"nice\nd2,a,2,ok\nd2,b,5,ok\nd3,b,4,bad"\nd4,a,1,x\n'
    message = "a:2: expected a row on one line, found a quotation mark that opens in it and closes in line 5$"
    refused(tmp_path / "a", text.replace(",", delimiter), message)
    for legal in ",;":
        found, notes = read(tmp_path / "a", text.replace(",", legal))
        assert found[1] == {"d1", "d4"}
        assert f"{tmp_path / 'a'}: read with a quoted field that goes over several lines: 1 row." in notes


@pytest.mark.parametrize("delimiter", [",", ";", "|"])
def test_blanks_may_stand_before_quotes(tmp_path, delimiter):
    text = 'document, word, count\nd1, "apple", 1\nd1,  "a,;| ""b""", 2\n'
    text = text.replace(", ", f"{delimiter} ").replace(",  ", f"{delimiter}  ")
    assert read(tmp_path / "a", text)[0][0] == {("d1", "apple"): 1, ("d1", 'a,;| "b"'): 2}


@pytest.mark.parametrize("written", ["1.000", "12.345.000", "999.000"])
def test_a_dot_between_semicolons_may_divide_thousands(tmp_path, written):
    message = f"a:2: expected a count without a dot, found '{written}', which could be a thousand"
    refused(tmp_path / "a", f"document;word;count\nd1;a;{written}\n", message)


def test_other_dots_divide_no_thousands(tmp_path):
    for written, count in (("1.0", 1), ("1.0000", 1), ("1000.000", 1000), ("0.000", None)):
        found = read(tmp_path / "a", f"document;word;count\nd1;a;{written}\n")[0][0]
        assert found.get(("d1", "a")) == count
    assert read(tmp_path / "a", "document,word,count\nd1,a,1.000\n")[0][0] == {("d1", "a"): 1}


def test_documents_that_may_stand_for_a_missing_value_are_counted(tmp_path):
    found, notes = read(tmp_path / "a", "document,word\nNA,x\nNA,y\nu,NA\nnan,x\n")
    assert found[1] == {"NA", "u", "nan"}
    said = f"{tmp_path / 'a'}: of the document {{}}, which is taken as written, though it may stand for none: {{}}."
    assert notes == [said.format("NA", "2 rows"), said.format("nan", "1 row")]


def test_empty_fields_and_rows_may_be_too_many(tmp_path):
    found, notes = read(tmp_path / "a.csv", 'document,word,,\n\nu1,"The, a",,,,\n   \nu1,b\n')
    assert found[0] == {("u1", "The, a"): 1, ("u1", "b"): 1}
    assert notes == []


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiters_are_seen_by_the_columns(tmp_path, delimiter, mark):
    header = delimiter.join([" document ", "Word", "COUNT", "a,b;c|d" if len(delimiter) > 1 else '"a,b;c|d\te::f"'])
    found, notes = read(tmp_path / "a", f"{header}\r\nu1{delimiter}x{delimiter}1e+05{delimiter}\r\n", mark=mark)
    assert found[0] == {("u1", "x"): 100_000}
    kinds = {"\t": "tabs", ";": "semicolons", "|": "bars", "::": "double colons"}
    said = [f"The fields of {tmp_path / 'a'} are taken to stand between {kinds.get(delimiter)}."]
    assert notes == ([] if delimiter == "," else said)
    assert looks_like(tmp_path / "a", Reading()) == "triplets"


def test_recbole_files_have_types_in_their_headers(tmp_path):
    text = "user_id:token\titem_id:token\trating:float\n1\tx\t4.5\n1\tx\t3\n"
    found, notes = read(tmp_path / "a.inter", text)
    assert found[0] == {("1", "x"): 2}
    assert any("columns user_id and item_id are taken, and rating:float not; --columns=" in note for note in notes)
    assert looks_like(tmp_path / "a.inter", Reading()) == "triplets"
    found, notes = read(tmp_path / "a.inter", text.replace("4.5", "4"), columns=("user_id", "item_id", "rating"))
    assert found[0] == {("1", "x"): 7}
    assert len(notes) == 1  # of the tabs


def test_columns_that_are_left_are_named(tmp_path):
    _, notes = read(tmp_path / "a.csv", "document,word,n\nu1,a,3\n")
    assert "columns document and word are taken, and n not; --columns=document,word,COLUMN" in notes[0]


def test_numbers_are_columns_where_there_is_no_header(tmp_path):
    text = "1::1193::5::978300760\n1::661::3::978302109\n"
    found, notes = read(tmp_path / "ratings.dat", text, columns=("1", "2", "3"))
    assert found[0] == {("1", "1193"): 5, ("1", "661"): 3}
    assert "The first line of" in notes[1]
    assert "is taken as data, not as a header: '1::1193::5::978300760'" in notes[1]
    found, _ = read(tmp_path / "a", "5,a,u\n3,b,u\n", columns=("3", "2", "1"))
    assert found[0] == {("u", "a"): 5, ("u", "b"): 3}
    found, notes = read(tmp_path / "a", "x,2,1\na,b,c\n", columns=("2", "1"))
    assert found[0] == {("b", "c"): 1}
    assert "--columns=2,1 are taken as names" in notes[0]
    assert read(tmp_path / "a", "x, y\na,b\n", columns=("y", " x"))[0][0] == {("b", "a"): 1}


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("a,b\nc,d\n", ("0", "1"), "expected numbers of columns from 1 to .* found '0'"),
        ("a,b\nc,d\n", ("1", "3"), "a.csv:1: expected rows of 3 fields or more"),
        ("a,b\nc,d\n", ("2", "2"), "--columns: expected different columns, found 2,2 for .*a.csv"),
        ("a,b\nc,d\n", ("2", "02"), "--columns: expected different columns, found 2,02 for .*a.csv"),
        ("u\tHeat, The, 1995\t3\n", ("1", "2", "3"), "a.csv:1: .* these could be it: commas and tabs"),
        ("a,b\n" * 60 + "u,American President, The\n", ("1", "2"), "a.csv:61: expected 2 fields, as the first row has"),
        ("a,b\nc,d\n", ("a", "a"), "--columns: expected different columns"),
        ("A,b\nc,d\n", ("a", "A"), "a.csv:1: expected different columns, found a, A"),
        ("A,a ,b\nc,d,e\n", ("á", "b"), "a.csv:1: expected the columns á, b, found no á in 'A, a, b'"),
    ],
)
def test_columns_that_cannot_be_are_refused(tmp_path, text, columns, message):
    refused(tmp_path / "a.csv", text, message, columns=columns)


def test_a_tab_wins_over_the_commas_of_titles(tmp_path):
    text = "u1\tAmerican President, The\t3\nu1\tHeat\t2\n"
    found, _ = read(tmp_path / "a", text, columns=("1", "2", "3"))
    assert found[0] == {("u1", "American President, The"): 3, ("u1", "Heat"): 2}


RATINGS = "user,film,n\nu1,1,2\nu1,2,3\nu2,3,1\nu2,9,1\n"


def named(tmp_path, names, **how):
    (tmp_path / "names").write_text(names)
    return read(tmp_path / "a.csv", RATINGS, columns=("user", "film", "n"), names=tmp_path / "names", **how)


def test_names_stand_for_ids(tmp_path):
    found, notes = named(tmp_path, "year;film;label\n1;1;Heat\n2;2;Twin\n3;3;Twin\n4;4;Rest\n5;5;\n")
    assert found[0] == {("u1", "Heat"): 2, ("u1", "Twin #2"): 3, ("u2", "Twin #3"): 1, ("u2", "9"): 1}
    for said in (
        "its column film holds the ids and label the names",
        "without a name, called by their ids: 1 of 4 words.",
        "named as another id is, and so written `name #id`: 2 words.",
        "between semicolons",
    ):
        assert any(said in note for note in notes), said


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        ("id,year,Title\n1,x,Heat\n", "id holds the ids and Title"),
        ("key,what\n1,Heat\n", "key holds the ids and what"),
        ("film:token\ttitle:token_seq\n1\tHeat\n", "film:token holds the ids and title:token_seq"),
        ("1::Heat::Crime|War\n8::Other::x|y\n", "its first column holds the ids and its second one the names"),
        ('1|"Heat"|x\n', "its first column"),
    ],
)
def test_which_columns_are_names_is_said(tmp_path, names, taken):
    found, notes = named(tmp_path, names)
    assert found[0]["u1", "Heat"] == 2
    assert any(taken in note for note in notes)


@pytest.mark.parametrize(
    "names",
    [
        ",id,title\n0,1,Heat\n1,2,Twin\n2,3,Rest\n",
        '"","item_id","title"\n"1",1,"Heat"\n"2",2,"Twin"\n"3",3,"Rest"\n',
        "Unnamed: 0,title,id\n0,Heat,1\n1,Twin,2\n2,Rest,3\n",
        "title,id\nHeat,1\nTwin,2\nRest,3\n",
    ],
)
def test_numbers_of_rows_name_no_words(tmp_path, names):
    found, notes = named(tmp_path, names)
    assert found[0] == {("u1", "Heat"): 2, ("u1", "Twin"): 3, ("u2", "Rest"): 1, ("u2", "9"): 1}
    assert any("the numbers of the rows and is left out" in note for note in notes) == (not names.startswith("title"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("id,name\n1,Heat\n\n1,Fire\n", "names:4: expected one name of '1', found 'Heat' and 'Fire'"),
        ("id,name\n1,Heat, The\n", "names:2: expected 2 fields, as the header has, found 3"),
        ("id,name\n,Heat\n", "names:2: expected an id, found none for 'Heat'"),
        ("id\n1\n", "names:1: expected a column of names behind that of ids, found id"),
        (",id,name\n5,1,Heat\n6,2,Fire\n", "names:1: expected one column of ids, .* found different values at 2"),
        ("id,name\nx,Heat\n", "names: expected names of words as '1', found names of others, as 'x'"),
        ("id,name\n1,9\n", "names: expected distinct names, found '9' for the ids '1' and '9'"),
        ("id,name,id\n1,2,3\n", "names:1: expected distinct names in the header"),
        ("", "names: expected a table, found an empty file"),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path, names, message):
    with pytest.raises(BadInput, match=message):
        named(tmp_path, names)


def test_detectors_never_raise(tmp_path):
    from dlgm_jax.data.formats import dense

    (tmp_path / "a.gz").write_bytes(gzip.compress(b"document,word\na,b\n" * 900)[:40])
    (tmp_path / "b.xz").write_bytes(b"nothing")
    (tmp_path / "c").write_bytes(b"document,word\xff\n\r\r")
    (tmp_path / "d").write_bytes(b"PAR1")
    (tmp_path / "e").write_bytes(b"")
    for path in (*tmp_path.iterdir(), tmp_path, tmp_path / "nowhere", tmp_path / ("x" * 300)):
        assert triplets.holds(path) == (path.name == "d")
        assert not dense.holds(path)


@settings(deadline=None)
@given(data=st.binary(max_size=60) | FIELDS.map(str.encode))
def test_any_bytes_are_judged(tmp_path_factory, data):
    from dlgm_jax.data.formats import dense

    path = tmp_path_factory.mktemp("any") / "a"
    path.write_bytes(data)
    assert triplets.holds(path) in (True, False)
    assert dense.holds(path) in (True, False)


@st.composite
def tables(draw):
    """The text of a table, its delimiter, and the columns that are asked for."""
    delimiter = draw(st.sampled_from(DELIMITERS))
    names = draw(st.permutations(["document", "word", "count", "extra"]))
    if draw(st.booleans()) and draw(st.booleans()):
        names = [*names, draw(st.sampled_from(["word", " count", "", "extra", "Word"]))]
    field = PLAIN if delimiter == "::" else FIELDS
    rows = [names]
    for _ in range(draw(st.integers(0, 5))):
        row = {name: draw(field) for name in names}
        row |= {"document": draw(st.sampled_from(["u", "v"])), "count": draw(COUNTS.filter(lambda c: c[1]) | COUNTS)[0]}
        more = draw(st.sampled_from([[], [], [], [], [""], ["", " "], ["x"], ["", "y"]]))
        rows.append([*(row[name] for name in names), *more][: draw(st.sampled_from([9, 9, 9, 9, 3]))])
    if delimiter == "::":
        return "".join("::".join(row) + "\n" for row in rows), delimiter, names
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue(), delimiter, names


def slowly(text, delimiter, places, headed=True):
    """Counts by the csv module and loops; None where something would be lost or is no count."""
    if delimiter in "\t|" and any(line.count('"') % 2 for line in text.split("\n")):
        return None  # a row over several lines
    if delimiter == "::":
        rows = [line.split("::") for line in text.split("\n") if line.strip()]
    else:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if "".join(row).strip() or row[1:]]
    width, found = len(rows[0]), Counter()
    for row in rows[headed:]:
        if "".join(row[width:]).strip() or len(row) <= max(places):
            return None
        document, word, count = (row[place].strip() for place in places)
        if not (document and word and re.fullmatch(r"[0-9]+\.?0*|1e\+05", count)):
            return None
        found[document, word] += int(float(count))
    if len(rows) == headed:
        return None
    return found


@settings(deadline=None)
@given(table=tables(), mark=st.sampled_from(["", "\ufeff"]), ends=st.sampled_from(["\n", "\r\n"]), spare=st.booleans())
def test_generated_tables_come_back_or_are_refused(tmp_path_factory, table, mark, ends, spare):
    text, delimiter, names = table
    path = tmp_path_factory.mktemp("tables") / "a.csv"
    stripped = [name.strip() for name in names]
    twice = len(set(filter(None, stripped))) < len(list(filter(None, stripped)))
    expected = None if twice else slowly(text, delimiter, list(map(names.index, ("document", "word", "count"))))
    written = (text + "\n" * spare).replace("\n", ends)
    try:
        (found, documents, words), _ = read(path, written, mark=mark)
    except BadInput as error:
        assert expected is None, error
        assert re.match(rf"{path}:[0-9]+: ", str(error)) or "empty tables" in str(error)
    else:
        assert expected is not None
        assert found == {pair: count for pair, count in expected.items() if count}
        assert (documents, words) == ({document for document, _ in expected}, {word for _, word in expected})


@settings(deadline=None)
@given(table=tables(), places=st.permutations(range(4)))
def test_generated_tables_without_a_header_come_back_or_are_refused(tmp_path_factory, table, places):
    text, delimiter, _ = table
    text = text.partition("\n")[2]
    path = tmp_path_factory.mktemp("tables") / "a.csv"
    expected = slowly(text, delimiter, places[:3], headed=False) if text.strip() else None
    try:
        (found, _, _), _ = read(path, text, columns=tuple(str(place + 1) for place in places[:3]))
    except BadInput as error:  # also where the first rows could be divided in two ways
        assert str(path) in str(error)
    else:
        assert expected is not None
        assert found == {pair: count for pair, count in expected.items() if count}


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from("12345"), st.text("ab ", max_size=2), st.text("x,", max_size=2))),
    delimiter=st.sampled_from(",\t;|"),
    order=st.permutations(range(3)),
)
def test_generated_names_come_back_or_are_refused(tmp_path_factory, rows, delimiter, order):
    folder = tmp_path_factory.mktemp("names")
    header = [("film", "name", "more")[place] for place in order]
    with (folder / "names").open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *([row[place] for place in order] for row in rows)])
    named = [(key, name.strip()) for key, name, _ in rows]
    names = {key: name for key, name in named if name}
    expected = {}
    for film, number in (("1", 2), ("2", 3), ("3", 1), ("9", 1)):
        name = names.get(film, film)
        expected[f"{name} #{film}" if list(names.values()).count(name) > 1 else name] = number
    refusal = len(set(named)) > len(dict(named)) or not names.keys() & set("1239")
    (folder / "a.csv").write_text(RATINGS)
    how = Reading(columns=("user", "film", "n"), names=folder / "names")
    try:
        corpus = in_memory(triplets.source(folder / "a.csv", how))[EVERYTHING]
    except BadInput as error:
        assert refusal, error
        assert f"{folder / 'names'}:" in str(error)
    else:
        assert not refusal
        assert dict(zip(corpus.vocabulary, corpus.counts.sum(axis=0).tolist()[0])) == expected


def test_the_most_frequent_delimiter_is_the_one():
    assert delimiter_of('a;b;"c,d,e,f"', "x", lambda names: False) == ";"
    assert delimiter_of("alone", "x", lambda names: False) == ","


def test_a_header_that_comes_again_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("document,word\nu1,a\ndocument,word\nu2,b\n")
    with pytest.raises(BadInput, match=r"a\.csv:3: expected a row, found the header again"):
        in_memory(open_input(tmp_path / "a.csv", "", Reading()))
