import gzip
import json

import pytest

from dlgm_jax import BadInput
from dlgm_jax.data.text import WORD, Text, count_words, read_texts


def counted(train, test=("river bank",), **settings):
    names = [str(place) for place in range(len(train))]
    given = {"vocab_size": 3, "token_pattern": WORD, "train_labels": None, "test_labels": None} | settings
    return count_words(train, test, train_ids=names, test_ids=["t"] * len(test), **given)


def test_the_most_frequent_words_and_those_that_must_stay():
    texts = ["the river river river bank bank", "river bank money money", "the fire of a ship the the", "of the"]
    train, test = counted(texts)
    assert train.vocabulary == ("river", "bank", "money")
    assert train.counts.toarray().tolist() == [[3, 2, 0], [1, 1, 2]]
    assert test.counts.toarray().tolist() == [[1, 1, 0]]
    train, _ = counted(texts, kept={"fire", "zebra"}, vocab_size=2)
    assert train.vocabulary == ("river", "bank", "fire")  # a stop word of scikit-learn, and one that never occurs
    train, _ = counted(texts, min_count=3, vocab_size=10)
    assert train.vocabulary == ("river", "bank")


def test_labels_stay_with_their_documents():
    train, _ = counted(["of the", "river", "bank bank"], train_labels=["a", "b", "c"], test_labels=["x"])
    assert (train.labels, train.ids) == (("b", "c"), ("1", "2"))


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
