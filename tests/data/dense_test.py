"""Dense tables of counts, and tables of ids, which are never taken for one."""

import csv
import re

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlgm_jax import BadInput
from dlgm_jax.data.formats import dense
from dlgm_jax.data.inputs import looks_like, open_input
from dlgm_jax.data.source import EVERYTHING, Reading, in_memory
from tests.data.formats_test import COUNTS, WORDS

NAMES = [f"d{row}" for row in range(len(COUNTS))]
FRAME = pandas.DataFrame(COUNTS, NAMES, list(WORDS))
WIDE = pandas.DataFrame(np.arange(150).reshape(5, 30) % 4, range(5), [f"g{place}" for place in range(30)])


def read(path, **how):
    reading = Reading(**how)
    return in_memory(open_input(path, "dense", reading))[EVERYTHING], reading.notes


def equal(corpus, frame):
    assert corpus.counts.toarray().tolist() == frame.to_numpy().tolist()
    assert (corpus.ids, corpus.vocabulary) == (tuple(frame.index), tuple(frame.columns))


@pytest.mark.parametrize(
    "how", [{}, {"sep": "\t"}, {"sep": ";"}, {"index_label": "Doc"}, {"index_label": "who"}, {"quoting": csv.QUOTE_ALL}]
)
def test_a_table_of_pandas_is_read(tmp_path, how):
    FRAME.to_csv(tmp_path / "a.csv", **how)
    corpus, notes = read(tmp_path / "a.csv")
    equal(corpus, FRAME)
    said = (
        f"{tmp_path / 'a.csv'}: documents are the 12 rows, as 'd0', and words the 5 columns, as 'river', with counts "
    )
    assert notes[-1] == f"{said}up to {COUNTS.max()}; --transposed turns the table."
    assert len(notes) == 1 + (how.get("sep", ",") != ",")
    how |= {"index_label": "Gene"} if how.get("index_label") == "Doc" else {}
    FRAME.T.to_csv(tmp_path / "a.csv.xz", **how)
    equal(read(tmp_path / "a.csv.xz", transposed=True)[0], FRAME)
    if "index_label" not in how:
        assert looks_like(tmp_path / "a.csv", Reading()) == looks_like(tmp_path / "a.csv.xz", Reading()) == "dense"


def test_the_sides_of_a_table_are_said(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",total,b\nSum,1,2000\n")
    notes = read(path, transposed=True)[1]
    assert notes == [
        f"{path}: words are the 1 row, as 'Sum', and documents the 2 columns, as 'total', with counts up to 2,000; "
        "without --transposed the table would be turned.",
        f"{path}: these columns count as documents, though they may be none: total.",
        f"{path}: these rows count as words, though they may be none: Sum.",
    ]
    path.write_text("label,a,Class\n0,1,2\n1,0,2\n1,5,2\n")
    corpus, notes = read(path)
    assert corpus.vocabulary == ("label", "a", "Class")
    assert f"{path}: these columns count as words, though they may be none: label, Class." in notes


@pytest.mark.parametrize("heading", ["gene", "Gene_ID", "geneid", "SYMBOL", "gene symbol"])
def test_genes_in_rows_are_no_documents(tmp_path, heading):
    (tmp_path / "a.csv").write_text(f"{heading},c1,c2\ng1,1,2\ng2,0,1\n")
    with pytest.raises(BadInput, match=f"a.csv:1: expected documents in rows, found '{heading}'; use --transposed$"):
        read(tmp_path / "a.csv")
    assert read(tmp_path / "a.csv", transposed=True)[0].vocabulary == ("g1", "g2")


@pytest.mark.parametrize("heading", ["cell", "Barcode", "sample", "DOCUMENT", "doc", "cell_id", "Doc ID"])
def test_documents_in_rows_are_no_words(tmp_path, heading):
    (tmp_path / "a.csv").write_text(f"{heading},a,b\n7,1,2\n8,0,1\n")
    with pytest.raises(BadInput, match=f"a.csv:1: expected words in rows, found '{heading}'; leave --transposed out$"):
        read(tmp_path / "a.csv", transposed=True)
    assert read(tmp_path / "a.csv")[0].ids == ("7", "8")


@pytest.mark.parametrize("heading", ["doc_id", "user_id", "doc id", "DocID", "userId", "item-ID", "docid"])
def test_headings_of_ids_head_names(tmp_path, heading):
    (tmp_path / "a.csv").write_text(f"{heading},a,b\n7,1,2\n8,0,1\n")
    corpus = read(tmp_path / "a.csv")[0]
    assert (corpus.ids, corpus.vocabulary) == (("7", "8"), ("a", "b"))
    for word in ("acid", "PAID", "valid"):
        (tmp_path / "a.csv").write_text(f"{word},a,b\n7,1,2\n8,0,1\n")
        assert read(tmp_path / "a.csv")[0].vocabulary == (word, "a", "b")


@pytest.mark.parametrize(
    "text", ["d0,5,6\nd1,1,2\n", ",5,6\nd1,1,2\n", "5,6\nd1,1,2\n", "4,5,6\n1,1,2\n", "id,2,3\n1,1,2\n"]
)
@pytest.mark.parametrize("transposed", [False, True])
def test_a_first_row_of_counts_is_no_header(tmp_path, text, transposed):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BadInput, match=r"a.csv:1: expected a header of words, found numbers alone: .* could be counts"):
        read(tmp_path / "a.csv", transposed=transposed)


@pytest.mark.parametrize("text", [",0,1\nd1,1,2\n", ",1,2\nd1,1,2\n", "0,1\nd1,1,2\n", "doc_id,1,2\n7,1,2\n"])
def test_headers_that_count_their_columns_are_words(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    assert read(tmp_path / "a.csv")[0].counts.toarray().tolist() == [[1, 2]]


@pytest.mark.parametrize("text", ["x;a;b\nd;1.000;2\n", "a;b\n1.000;2\n", ";a;b\nd;12.345.000;2\n"])
def test_a_dot_between_semicolons_may_divide_thousands(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BadInput, match=r"a.csv:2: column 'a': expected a count without a dot, found '.*000', which"):
        read(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(",a,b\nd,1.000,2\n")
    assert read(tmp_path / "a.csv")[0].counts.toarray().tolist() == [[1, 2]]


def test_rows_over_several_lines_are_said(tmp_path):
    (tmp_path / "a.csv").write_text(',a,b\n"d1,1,2\nd2",3,4\n')
    corpus, notes = read(tmp_path / "a.csv")
    assert corpus.ids == ("d1,1,2\nd2",)
    assert notes[0] == f"{tmp_path / 'a.csv'}: read with a quoted field that goes over several lines: 1 row."


def test_a_table_of_r_has_no_heading_above_its_names(tmp_path):
    text = FRAME.to_csv(sep="\t", quoting=csv.QUOTE_NONNUMERIC)
    (tmp_path / "a.tsv").write_text(text.replace('""\t', "", 1))
    assert looks_like(tmp_path / "a.tsv", Reading()) == "dense"
    equal(read(tmp_path / "a.tsv")[0], FRAME)


def test_whole_numbers_may_be_written_as_others(tmp_path):
    (tmp_path / "a.csv").write_text(",a,b\nx,1.0,1e+05\ny, 0 ,0.0\n")
    assert looks_like(tmp_path / "a.csv", Reading()) == "dense"
    assert read(tmp_path / "a.csv")[0].counts.toarray().tolist() == [[1, 100_000], [0, 0]]


def test_rows_without_names_are_numbered(tmp_path):
    FRAME.to_csv(tmp_path / "a.csv", index=False)
    corpus, notes = read(tmp_path / "a.csv")
    equal(corpus, FRAME.set_index(pandas.Index([f"a/{row}" for row in range(1, 13)])))
    assert (
        "have no names, so its documents are numbered from 1; its first column, 'river', is taken to hold" in notes[0]
    )
    FRAME.T.to_csv(tmp_path / "b.csv", index=False)
    corpus, notes = read(tmp_path / "b.csv", transposed=True)
    equal(corpus, FRAME.set_axis([*"12345"], axis=1))
    assert "so its words are numbered from 1" in notes[0]


def test_names_that_are_numbers_are_said(tmp_path):
    (tmp_path / "a.csv").write_text("id,a,b\n7,1,2\n7,0,1\n")
    corpus, notes = read(tmp_path / "a.csv")
    assert (corpus.ids, corpus.vocabulary, corpus.counts.toarray().tolist()) == (
        ("7", "7"),
        ("a", "b"),
        [[1, 2], [0, 1]],
    )
    assert "is taken to name its rows, though it holds numbers" in notes[0]


@pytest.mark.parametrize("heading", ["", "id", "Unnamed: 0", "gene"])
def test_many_columns_are_seen(tmp_path, heading):
    WIDE.to_csv(tmp_path / "a.csv", index_label=heading)
    assert looks_like(tmp_path / "a.csv", Reading()) == "dense"
    found = read(tmp_path / "a.csv", transposed=heading == "gene")[0].counts.toarray()
    assert (found.T if heading == "gene" else found).tolist() == WIDE.to_numpy().tolist()


@pytest.mark.parametrize(
    "text",
    [
        "userId,movieId,rating,timestamp\n1,31,2,8\n1,32,3,9\n",
        ",userId,movieId,rating\n0,1,31,2\n1,1,32,3\n",  # with the numbers of rows that pandas writes
        '"userId","movieId"\n"1",1,31\n"2",1,32\n',  # and R
        "id,a,b\n1,2,3\n",
        "word,count\nriver,5\n",
        ",count\nriver,5\nbank,2\n",
        ",a,b\nx,1,2\ny,1\n",
        ",a,b\nx,1,0.5\n",
        ",a,a\nx,1,2\n",
        ",a,b\n",
        "a,b;c\nx,1;2\n",
    ],
)
def test_what_could_be_ids_is_no_dense_table(tmp_path, text):
    (tmp_path / "a").write_text(text)
    assert not dense.holds(tmp_path / "a")
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BadInput, match="expected"):
        looks_like(tmp_path / "a.csv", Reading())


def test_many_columns_of_ids_or_without_a_header_are_not_seen(tmp_path):
    WIDE.to_csv(tmp_path / "a.csv", index_label="patient")
    assert not dense.holds(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("\n".join(",".join(map(str, range(row, row + 25))) for row in (3, 4, 4)))
    assert not dense.holds(tmp_path / "a.csv")


@given(
    rows=st.lists(st.lists(st.integers(0, 10**6), min_size=19, max_size=19), min_size=1, max_size=5),
    width=st.integers(1, 19),
    index=st.booleans(),
)
@settings(deadline=None)
def test_tables_of_ids_are_never_seen(tmp_path_factory, rows, width, index):
    path = tmp_path_factory.mktemp("ids") / "a"
    frame = pandas.DataFrame([row[: width - index or 1] for row in rows]).add_prefix("c")
    frame.to_csv(path, index=index)
    assert not dense.holds(path)


@pytest.mark.parametrize(
    ("text", "message", "how"),
    [
        (",a,b\nx,1,2\n\ny,1,2,3\n", "a.csv:4: expected 3 fields, found 4; the header has 3", {}),
        ("a,b\nx,1,2\ny,1\n", "a.csv:3: expected 3 fields, found 2; the header has 2", {}),
        (",a,b\nx,1,2\ny,1,\n", "a.csv:3: column 'b': expected a count from 0 .* found ''", {}),
        (",a,b\nx,1,2\ny,0.5,1\n", "a.csv:3: column 'a': expected a count .* found '0.5'", {}),
        (",a,b\nx,1,NA\n", "a.csv:2: column 'b': expected a count .* found 'NA'", {}),
        (",a,b\nx,1,-2\n", "a.csv:2: column 'b': expected a count", {}),
        (",a,b, a\nx,1,2,3\n", "a.csv:1: expected distinct words, found 'a' as word 1 and 3", {}),
        (",a,b,\nx,1,2,3\n", "a.csv:1: expected words, found an empty one as word 3", {}),
        (",c1,c1\ng,1,2\ng,3,4\n", "a.csv: the first column: expected distinct words, found 'g'", {"transposed": True}),
        ("gene,a\nx,1,2\n", "a.csv:2: expected 2 fields, as the header has, which begins with a heading", {}),
        (",a\nx,1\n,2\n", "a.csv:3: expected a name or a count first, found nothing", {}),
        (",a,b\n", "a.csv: expected a header of words and rows of counts, found one line", {}),
        ("", "a.csv: expected a table, found an empty file", {}),
        ("x\ny\n", "a.csv:1: expected columns of counts, found none", {}),
        ("a,b;c\nx,1;2\n", "a.csv:1: expected one delimiter between fields, found commas and semicolons", {}),
        ("7,4,9\n1,2,3\n2,2,3\n", "a.csv:1: expected a header of words, found numbers alone: '7, 4, 9'", {}),
        (
            "patient,a\n" + "".join(f"{row},1\n" for row in range(12)),
            "a.csv:1: expected counts below 'patient', found 12 different numbers, which could be ids; call that",
            {},
        ),
        ('a,"b\nx,1,2\n', "a.csv:1: expected comma-separated values", {}),
    ],
)
def test_dense_tables_that_are_none_are_refused(tmp_path, text, message, how):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BadInput, match=message) as caught:
        read(tmp_path / "a.csv", **how)
    assert "\n" not in str(caught.value)


def test_documents_may_share_a_name(tmp_path):
    (tmp_path / "a.csv").write_text(",a,b\nx,1,2\nx,3,4\n")
    assert read(tmp_path / "a.csv")[0].ids == ("x", "x")
    (tmp_path / "a.csv").write_text(",x,x\na,1,3\nb,2,4\n")
    found = read(tmp_path / "a.csv", transposed=True)[0]
    assert (found.ids, found.vocabulary) == (("x", "x"), ("a", "b"))
    assert found.counts.toarray().tolist() == [[1, 2], [3, 4]]


def test_headings_of_pandas_numbers_are_words(tmp_path):
    (tmp_path / "a.csv").write_text("0,1\n3,1\n3,0\n")
    assert read(tmp_path / "a.csv")[0].counts.toarray().tolist() == [[3, 1], [3, 0]]


WRITTEN = {0: ("0", "0.0"), 1: ("1", "1.0", "1."), 2: ("2",), 100_000: ("1e+05", "100000")}
LETTERS = st.text("abc ,;\t|\"'\nü:", min_size=1, max_size=5).map(lambda text: f"w{text}w")


@settings(deadline=None)
@given(data=st.data(), form=st.sampled_from(["pandas", "r", "heading", "none"]), transposed=st.booleans())
def test_generated_dense_tables_come_back_or_are_refused(tmp_path_factory, data, form, transposed):
    delimiter = data.draw(st.sampled_from(",\t;|"))
    columns = data.draw(st.lists(LETTERS, min_size=2, max_size=5, unique=True))
    names = data.draw(st.lists(LETTERS | st.sampled_from("123"), min_size=1, max_size=5, unique=transposed))
    counts = [[data.draw(st.sampled_from(sorted(WRITTEN))) for _ in columns] for _ in names]
    header = {
        "pandas": ["", *columns],
        "r": columns,
        "heading": ["Gene" if transposed else "Barcode", *columns],
        "none": columns,
    }[form]
    rows = [[data.draw(st.sampled_from(WRITTEN[count])) for count in row] for row in counts]
    rows = rows if form == "none" else [[name, *row] for name, row in zip(names, rows)]
    damage = data.draw(st.sampled_from(["", "", "", "short", "long", "count", "twice"]))
    place = data.draw(st.integers(0, len(rows) - 1))
    if damage in ("short", "long") and place == 0 and form in ("r", "none"):
        damage = ""  # the first row says which form it is
    if damage == "short":
        rows[place].pop()
    elif damage == "long":
        rows[place].append("1")
    elif damage == "count":
        rows[place][-1] = data.draw(st.sampled_from(["1.5", "x", "-1", "", "nan"]))
    elif damage == "twice":
        header[-1] = header[-2]
    path = tmp_path_factory.mktemp("dense") / "a.csv"
    with path.open("w", newline="", encoding=data.draw(st.sampled_from(["utf-8", "utf-8-sig"]))) as file:
        quoting = data.draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
        ends = data.draw(st.sampled_from(["\n", "\r\n"]))
        csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=ends).writerows([header, *rows])
    try:
        corpus, _ = read(path, transposed=transposed)
    except BadInput as error:
        # words that hold other delimiters than the one in use may hide which that is, unless they stand in quotes
        long = delimiter in "\t|" and "\n" in "".join(columns + names)
        assert damage or long or quoting == csv.QUOTE_MINIMAL, error
        assert re.match(rf"{path}:[0-9 ]+: |{path}: the first column", str(error))
    else:
        assert not damage or (damage == "twice" and transposed)
        numbered = [str(row) if transposed else f"a/{row}" for row in range(1, len(rows) + 1)]
        of_rows = numbered if form == "none" else names
        of_columns = [*columns[:-1], columns[-2]] if damage else columns
        found = corpus.counts.toarray().T if transposed else corpus.counts.toarray()
        assert found.tolist() == counts
        sides = (corpus.vocabulary, corpus.ids) if transposed else (corpus.ids, corpus.vocabulary)
        assert sides == (tuple(of_rows), tuple(of_columns))
