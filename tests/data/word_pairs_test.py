import gzip

import pytest

from dlgm_jax import BadInput
from dlgm_jax.data.word_pairs import RatedPair, read_analogies, read_pairs

SCWS = "1\tBrazil\tn\tnut\tn\tin <b> Brazil </b> there\ta <b> nut </b> fret\t1.1" + "\t0.0" * 10
SIMLEX = "word1\tword2\tPOS\tSimLex999\tconc(w1)\nold\tnew\tA\t1.58\t2.72\nsmart\tclever\tA\t9.2\t1.7\n"


def test_each_published_form_is_read(tmp_path):
    plain = tmp_path / "ws.txt"
    plain.write_text("love\tsex\t6.77\n\ntiger\tcat\t7.35\r\n")
    assert read_pairs(plain) == [RatedPair("love", "sex", 6.77), RatedPair("tiger", "cat", 7.35)]
    with gzip.open(tmp_path / "scws.txt.gz", "wt") as file:
        file.write(SCWS + "\n")
    assert read_pairs(tmp_path / "scws.txt.gz") == [
        RatedPair("Brazil", "nut", 1.1, "in <b> Brazil </b> there", "a <b> nut </b> fret")
    ]
    plain.write_text(SIMLEX)
    assert read_pairs(plain) == [RatedPair("old", "new", 1.58), RatedPair("smart", "clever", 9.2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("love\tsex\t6.77\nlove sex 6.77\n", r":2: expected two words and a rating by tabs.*found 'love sex 6.77'"),
        ("love\tsex\thigh\n", ":1: expected a rating, a number, found 'high'"),
        ("love\tsex\tnan\n", ":1: expected a rating, a number, found 'nan'"),
        (SCWS.replace("\t1.1", "\tx"), ":1: expected a rating"),
        (SIMLEX + "a\tb\n", ":4: expected two words"),
        ("", "expected rated pairs of words, found none"),
    ],
)
def test_another_form_is_one_line(tmp_path, text, message):
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        read_pairs(path)


def test_analogies_by_section(tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text(": capitals\nAthens Greece Paris France\n: empty\n: family\nboy girl man woman\nking queen a b\n")
    assert read_analogies(path) == {
        "capitals": [("Athens", "Greece", "Paris", "France")],
        "family": [("boy", "girl", "man", "woman"), ("king", "queen", "a", "b")],
    }
    path.write_text(": x\na b c\n")
    with pytest.raises(BadInput, match=":2: expected four words or `: section`, found 'a b c'"):
        read_analogies(path)
    path.write_text(": x\n")
    with pytest.raises(BadInput, match="expected analogies"):
        read_analogies(path)
