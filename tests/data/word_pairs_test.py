import csv
import gzip
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlgm_jax import BadInput
from dlgm_jax.data.word_pairs import RatedPair, read_analogies, read_pairs
from tests.data.real_data_test import path_of

SCWS = "1\tBrazil\tn\tnut\tn\tin <b> Brazil </b> there\ta <b> nut </b> fret\t1.1" + "\t0.0" * 10
SIMLEX = "word1\tword2\tPOS\tSimLex999\tconc(w1)\nold\tnew\tA\t1.58\t2.72\nsmart\tclever\tA\t9.2\t1.7\n"
LOVE, TIGER = RatedPair("love", "sex", 6.77), RatedPair("tiger", "cat", 7.35)


@pytest.fixture
def written(tmp_path):
    """A file that holds a text."""

    def write(text):
        path = tmp_path / "words.txt"
        path.write_text(text, newline="")
        return path

    return write


def test_each_published_form_is_read(tmp_path, written):
    plain = written("love\tsex\t6.77\n\ntiger\tcat\t7.35\r\n")
    assert read_pairs(plain) == [LOVE, TIGER]
    with gzip.open(tmp_path / "scws.txt.gz", "wt") as file:
        file.write(SCWS + "\n")
    assert read_pairs(tmp_path / "scws.txt.gz") == [
        RatedPair("Brazil", "nut", 1.1, "in <b> Brazil </b> there", "a <b> nut </b> fret")
    ]
    assert read_pairs(written(SIMLEX)) == [RatedPair("old", "new", 1.58), RatedPair("smart", "clever", 9.2)]


@pytest.mark.parametrize(
    "text",
    [
        "Word 1,Word 2,Human (mean)\nlove,sex,6.77\ntiger,cat,7.35\n",
        "\ufeffWord 1,Word 2,Human (mean),1,2\r\nlove,sex,6.77,9,6\r\ntiger,cat,7.35,9,7\r\n",
        "word1;word2;score\nlove;sex;6.77\ntiger;cat;7.35\n",
        "Score\tWord 1\tWord 2\n6.77\tlove\tsex\n\n7.35\ttiger\tcat\n",
        '"word1","word2","sim"\n"love","sex","6.77"\n"tiger","cat",7.35\n',
        ",word_1,word_2,rating\n0,love,sex,6.77\n1,tiger,cat,7.35,\n",
        "a;b;similarity;;\nlove;sex;6.77;;\ntiger;cat;7.35;;\n",
        "love,sex,6.77\ntiger,cat,7.35\n",
        "love;sex;6.77\ntiger;cat;7.35\n",
        "tiger,cat,7.35",
    ],
)
def test_tables_are_read_by_their_columns(written, text):
    assert read_pairs(written(text)) == [LOVE, TIGER][-text.count("7.35") - text.count("6.77") :]


def test_a_quoted_field_may_hold_the_delimiter(written):
    text = 'word1,word2,mean\n"Good, the Bad",cat,7\n"a ""b""",c,1\n'
    assert read_pairs(written(text)) == [RatedPair("Good, the Bad", "cat", 7), RatedPair('a "b"', "c", 1)]
    assert read_pairs(written('"\tinch\t5\n')) == [RatedPair('"', "inch", 5)]


COMMAS = "word1,word2,score\nlove,sex,6.77\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("love\tsex\t6.77\nlove sex 6.77\n", r":2: expected two words and a rating.*found 'love sex 6.77'"),
        ("love\tsex\t6.77\nlove,sex,6.77\n", r":2: expected two words and a rating.*found 'love,sex,6.77'"),
        ("love sex 6.77\n", r":1: expected two words and a rating.*found 'love sex 6.77'"),
        ("love\tsex\thigh\n", ":1: expected two words and a rating, a number.*found 'love', 'sex', 'high'"),
        ("a\tb\t1\nlove\tsex\thigh\n", ":2: expected a rating, a number, found 'high'"),
        ("love\tsex\tnan\n", ":1: expected a rating, a number, found 'nan'"),
        (SCWS.replace("\t1.1", "\tx"), ":1: expected .*header"),
        (SCWS + "\n" + SCWS.replace("\t1.1", "\tx"), ":2: expected a rating"),
        (SIMLEX + "a\tb\n", ":4: expected the 5 fields of the header, found 2"),
        (COMMAS + "tiger,cat,7.35,9\n", ":3: expected the 3 fields of the header, found 4"),
        (COMMAS + "tiger,cat\n", ":3: expected the 3 fields of the header, found 2"),
        (COMMAS + "tiger,,7.35\n", ":3: expected two words, found 'tiger,,7.35'"),
        (COMMAS + '"tiger,cat,7.35\n', ":3: expected fields, quoted or not, found"),
        (COMMAS + "tiger,cat,\n", ":3: expected a rating, a number, found ''"),
        (
            "word1,word2,score,Score\na,b,1,2\n",
            ":1: expected a header that names each column once, found 'score' twice",
        ),
        ("word1,word2,score,rating\na,b,1,2\n", ":1: expected .*found 'word1', 'word2', 'score', 'rating'"),
        ("left,right,value\na,b,1\n", ":1: expected .*word1, word2 and score, found 'left', 'right', 'value'"),
        ("word1,word2\na,b\n", ":1: expected .*word1, word2 and score, found 'word1', 'word2'"),
        ("word1,word2,5\na,b,1\n", ":1: expected .*word1, word2 and score, found 'word1', 'word2', '5'"),
        ("word1,word2,score\n", "expected rated pairs of words, found none"),
        ("a" * 200_000 + ",b,1\n", ":1: expected fields, quoted or not, found"),
        ("", "expected rated pairs of words, found none"),
    ],
)
def test_another_form_is_one_line(written, text, message):
    with pytest.raises(BadInput, match=message) as caught:
        read_pairs(written(text))
    assert "\n" not in str(caught.value)


def test_analogies_by_section(written):
    text = ": capitals\nAthens Greece Paris France\n: empty\n: family\nboy girl man woman\nking queen a b\n"
    assert read_analogies(written(text)) == {
        "capitals": [("Athens", "Greece", "Paris", "France")],
        "family": [("boy", "girl", "man", "woman"), ("king", "queen", "a", "b")],
    }
    with pytest.raises(BadInput, match=":2: expected four words or `: section`, found 'a b c'"):
        read_analogies(written(": x\na b c\n"))
    with pytest.raises(BadInput, match="expected analogies"):
        read_analogies(written(": x\n"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_analogies_of_a_table_are_read_by_their_columns(written, delimiter):
    family = ("boy", "girl", "man", "woman")
    rows = "category,word1,word2,word3,word4\nfamily,boy,girl,man,woman\nx,a,b,c,d\n\nfamily,man,woman,boy,girl,\n"
    assert read_analogies(written(rows.replace(",", delimiter))) == {
        "family": [family, (*family[2:], *family[:2])],
        "x": [("a", "b", "c", "d")],
    }
    assert read_analogies(written("A,B,C,D\nboy,girl,man,woman\n".replace(",", delimiter))) == {"": [family]}
    rows = 'd,c,"b",a,note\nwoman,"man",girl,boy,1\n'
    assert read_analogies(written(rows.replace(",", delimiter))) == {"": [family]}
    assert read_analogies(written("boy\tgirl\tman\twoman\n")) == {"": [family]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c,d\nboy,girl,man\n", ":2: expected the 4 fields of the header, found 3"),
        ("a,b,c,d\nboy,girl,man,woman,child\n", ":2: expected the 4 fields of the header, found 5"),
        ("a,b,c,d\nboy,girl,,woman\n", ":2: expected four words"),
        ("a,b,c,d\n: family\n", ":2: expected the 4 fields of the header, found 1"),
        ("a,b,c,c\nboy,girl,man,woman\n", ":1: expected a header that names each column once, found 'c' twice"),
        ("boy,girl,man,woman\n", ":1: expected .*word1 to word4.* found 'boy', 'girl', 'man', 'woman'"),
        ("a b c d\nboy girl man woman\n", ":1: expected .*word1 to word4.* found 'a b c d'"),
        ("word1 word2 word3 word4\nboy girl man woman\n", ":1: expected .*word1 to word4"),
        ("type\tword1\tword2\tword3\nx\tboy\tgirl\tman\n", ":1: expected .*found 'type', 'word1', 'word2', 'word3'"),
        ("a,b,c,d\n", "expected analogies, four words a line, found none"),
    ],
)
def test_another_table_of_analogies_is_one_line(written, text, message):
    with pytest.raises(BadInput, match=message):
        read_analogies(written(text))


COUNTS = {"MC-30": 30, "MEN-TR-3k": 3000, "MTurk-287": 287, "RG-65": 65, "RW-STANFORD": 2034, "SIMLEX-999": 999}
COUNTS |= {"WS-353-ALL": 353, "WS-353-REL": 252, "WS-353-SIM": 203, "YP-130": 130}


def test_the_published_files_are_read_whole():
    folder = path_of("wordsim")
    files = {folder / f"EN-{name}.txt": number for name, number in COUNTS.items()}
    files |= {folder / "SimLex-999_full.txt": 999, folder / "scws_ratings.txt.gz": 2003}
    assert {path.name: len(read_pairs(path)) for path in files} == {path.name: files[path] for path in files}
    assert read_pairs(folder / "SimLex-999_full.txt") == read_pairs(folder / "EN-SIMLEX-999.txt")
    questions = read_analogies(folder / "questions-words.txt.gz")
    assert (len(questions), sum(map(len, questions.values()))) == (14, 19_544)


WORD = st.text(string.ascii_letters + "é ,;\"'-:<>#0123456789", min_size=1).map(str.strip).filter(bool)
NUMBER = st.floats(allow_nan=False, allow_infinity=False, width=32)
TABLES = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def as_table(path, header, rows, delimiter, surplus):
    """Writes a table; `surplus` are fields behind the last row."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([header, *rows[:-1], [*rows[-1], *surplus]])


def read_or_refused(read, path, expected, surplus):
    if any(surplus):
        with pytest.raises(BadInput, match=rf"{path.name}:\d+: expected the \d fields of the header, found"):
            read(path)
    else:
        assert read(path) == expected


@given(
    pairs=st.lists(st.tuples(WORD, WORD, NUMBER, WORD), min_size=1),
    order=st.permutations(["Word 1", "word2", "Score", "note"]),
    delimiter=st.sampled_from(",;\t"),
    surplus=st.lists(st.sampled_from(["", "x"]), max_size=2),
)
@TABLES
def test_any_table_of_pairs_comes_back_or_is_refused(tmp_path, pairs, order, delimiter, surplus):
    names = ["Word 1", "word2", "Score", "note"]
    rows = [[pair[names.index(name)] for name in order] for pair in pairs]
    as_table(tmp_path / "table.csv", order, rows, delimiter, surplus)
    expected = [RatedPair(first, second, rating) for first, second, rating, _ in pairs]
    read_or_refused(read_pairs, tmp_path / "table.csv", expected, surplus)


@given(
    questions=st.lists(st.tuples(WORD, WORD, WORD, WORD, WORD), min_size=1),
    order=st.permutations([0, 1, 2, 3, 4]),
    delimiter=st.sampled_from(",;\t"),
    surplus=st.lists(st.sampled_from(["", "x"]), max_size=2),
)
@TABLES
def test_any_table_of_analogies_comes_back_or_is_refused(tmp_path, questions, order, delimiter, surplus):
    header = ["a", "b", "c", "d", "category"]
    rows = [[question[place] for place in order] for question in questions]
    as_table(tmp_path / "table.csv", [header[place] for place in order], rows, delimiter, surplus)
    expected = {}
    for *words, section in questions:
        expected.setdefault(section, []).append(tuple(words))
    read_or_refused(read_analogies, tmp_path / "table.csv", expected, surplus)


@given(text=st.text('ab1.,;\t" :\n', max_size=60), read=st.sampled_from([read_pairs, read_analogies]))
@TABLES
def test_any_text_is_read_row_by_row_or_refused(tmp_path, text, read):
    path = tmp_path / "any.txt"
    path.write_text(text, newline="")
    try:
        found = read(path)
    except BadInput as error:
        assert str(error).startswith(str(path))
        return
    rows = [line for line in text.split("\n") if line.strip()]
    if read is read_pairs:
        assert len(rows) - len(found) in (0, 1)
    else:
        sections = sum(line.startswith(":") for line in rows)
        assert len(rows) - sum(map(len, found.values())) in (sections, sections + 1)
