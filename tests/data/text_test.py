import gzip
import json

import pytest

from dlgm_jax import BadInput
from dlgm_jax.data.source import EVERYTHING, in_memory
from dlgm_jax.data.text import (
    Text,
    chosen_words,
    count_words,
    encoded_with_others,
    read_texts,
    without_header,
    word_frequencies,
)
from dlgm_jax.data.words import ASCII_WORD, words_by


def counted(train, test=("river bank",), labels=None, **settings):
    names = labels or [""] * len(train)
    documents = [Text(str(place), label, text) for place, (text, label) in enumerate(zip(train, names))]
    tests = [Text("t", "", text) for text in test]
    return count_words(documents, tests, **{"vocab_size": 3, "analyse": words_by(ASCII_WORD)} | settings)


TEXTS = ["the river river river bank bank", "river bank money money", "the fire of a ship the the", "of the"]


def test_the_most_frequent_words_are_counted():
    train, test = counted(TEXTS)
    assert train.vocabulary == ("river", "bank", "money")
    assert train.counts.toarray().tolist() == [[3, 2, 0], [1, 1, 2]]
    assert test.counts.toarray().tolist() == [[1, 1, 0]]


def test_words_that_must_stay_and_words_that_are_too_rare():
    found = word_frequencies([Text("", "", text) for text in TEXTS], words_by(ASCII_WORD))
    # a stop word of scikit-learn stays when asked for; a word that never occurs does not come in
    assert chosen_words(found, vocab_size=2, kept={"fire", "zebra"}) == ("river", "bank", "fire")
    assert chosen_words(found, vocab_size=10, min_count=3) == ("river", "bank")
    assert chosen_words(found, vocab_size=10) == ("river", "bank", "money", "ship")


def test_labels_stay_with_their_documents():
    train, _ = counted(["of the", "river", "bank bank"], labels=["a", "b", "c"])
    assert (train.labels, train.ids) == (("b", "c"), ("1", "2"))


def test_a_folder_of_texts(tmp_path):
    for place, text in (("train/pos/1.txt", "good\nfilm"), ("train/neg/2.txt", "bad"), ("test/pos/3.txt", "fine")):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
    assert list(read_texts(tmp_path)) == [
        Text("test/pos/3", "pos", "fine", "test"),
        Text("train/neg/2", "neg", "bad", "train"),
        Text("train/pos/1", "pos", "good\nfilm", "train"),
    ]


def test_a_header_ends_with_the_first_empty_line():
    assert without_header(Text("1", "", "From: a\nTo: b\n\nbody\n\nmore")).text == "body\n\nmore"


def test_a_pattern_that_is_none_is_one_line():
    with pytest.raises(BadInput, match="--token_pattern: expected a regular expression"):
        words_by("(")


@pytest.mark.parametrize("texts", [["the of"], [""]])
def test_texts_without_words_are_one_line(texts):
    with pytest.raises(BadInput, match="texts: expected words"):
        counted(texts)


def test_lines_and_json_lines(tmp_path):
    rows = [{"id": 7, "label": "pos", "text": "good<br /><br />film"}, {"text": "über"}]
    with gzip.open(tmp_path / "films.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n\n" for row in rows)
    assert list(read_texts(tmp_path / "films.jsonl.gz")) == [
        Text("7", "pos", "good  film"),
        Text("films/3", "", "über"),
    ]
    (tmp_path / "plain.txt").write_text("one\n\ntwo three\n")
    assert [text.text for text in read_texts(tmp_path / "plain.txt")] == ["one", "two three"]


@pytest.mark.parametrize("line", ["not json", "[1]", '{"txt": "a"}', '{"text": 3}', "[" * 100_000])
def test_another_line_is_one_line(tmp_path, line):
    path = tmp_path / "films.jsonl"
    path.write_text('{"text": "fine"}\n' + line + "\n")
    with pytest.raises(BadInput, match=r"films.jsonl:2: expected a JSON object"):
        list(read_texts(path))


def test_compressed_texts_of_a_folder_and_headers_with_carriage_returns(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.txt.gz").write_bytes(gzip.compress(b"river"))
    assert list(read_texts(tmp_path)) == [Text("a/1", "a", "river")]
    assert without_header(Text("", "", "From: a\r\n\r\nbody\n\nmore")).text == "body\n\nmore"


def test_a_stop_word_of_the_vocabulary_is_counted_among_the_others():
    texts = [Text("1", "", "the river of the zebra")]
    found = in_memory(encoded_with_others(lambda: texts, words_by(ASCII_WORD), ("the", "river")))[EVERYTHING]
    assert found.counts.toarray().tolist() == [[2, 1, 1]]  # `of` is a stop word, zebra another one
