import csv

import numpy as np
import pytest
from gensim.models import KeyedVectors

from dlgm_jax.export import escape, unescape, write_csv, write_npz, write_projector, write_word2vec

WORDS = ("bank", "12 Angry Men (1957)", "100% pure", "tab\there", "über\u00a0alles", "a%20b", 'quo"te, comma')
VECTORS = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
VECTORS[2] = [1e-9, 0, -1e20]


def test_escaped_keys_have_no_space_and_come_back():
    for word in WORDS:
        assert not any(letter.isspace() for letter in escape(word))
        assert unescape(escape(word)) == word
    assert len({escape(word) for word in WORDS}) == len(WORDS)


def test_gensim_loads_word2vec_text(tmp_path):
    write_word2vec(tmp_path / "vectors.txt", WORDS, VECTORS)
    loaded = KeyedVectors.load_word2vec_format(tmp_path / "vectors.txt", binary=False)
    assert [unescape(key) for key in loaded.index_to_key] == list(WORDS)
    np.testing.assert_array_equal(loaded.vectors, VECTORS)


def test_word2vec_text_is_a_header_and_a_line_a_word(tmp_path):
    write_word2vec(tmp_path / "vectors.txt", WORDS, VECTORS)
    header, *lines = (tmp_path / "vectors.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert header == "7 3"
    keys, rows = zip(*((line.split(" ")[0], line.split(" ")[1:]) for line in lines))
    assert tuple(map(unescape, keys)) == WORDS
    np.testing.assert_array_equal(np.array(rows, np.float32), VECTORS)


def test_the_projector_has_as_many_lines_as_words(tmp_path):
    write_projector(tmp_path, WORDS, VECTORS)
    rows = [line.split("\t") for line in (tmp_path / "vectors.tsv").read_text().splitlines()]
    np.testing.assert_array_equal(np.array(rows, np.float32), VECTORS)
    names = (tmp_path / "metadata.tsv").read_text(encoding="utf-8").split("\n")[:-1]
    assert tuple(map(unescape, names)) == WORDS
    write_projector(tmp_path, WORDS, VECTORS, count=range(7))
    lines = (tmp_path / "metadata.tsv").read_text(encoding="utf-8").split("\n")[:-1]
    assert lines[0] == "word\tcount"
    assert lines[1] == "bank\t0"
    assert len(lines) == 8


def test_csv_and_npz_come_back(tmp_path):
    write_csv(tmp_path / "vectors.csv", WORDS, VECTORS)
    with (tmp_path / "vectors.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["word", "z1", "z2", "z3"]
    assert tuple(row[0] for row in rows) == WORDS
    np.testing.assert_array_equal(np.array([row[1:] for row in rows], np.float32), VECTORS)
    write_npz(tmp_path / "vectors.npz", WORDS, VECTORS)
    with np.load(tmp_path / "vectors.npz", allow_pickle=False) as loaded:
        assert tuple(loaded["vocabulary"].tolist()) == WORDS
        np.testing.assert_array_equal(loaded["vectors"], VECTORS)


def test_another_number_of_words_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"vectors have shape \(7, 3\), expected \(6, K\)"):
        write_csv(tmp_path / "vectors.csv", WORDS[:6], VECTORS)


def test_words_that_stand_twice_are_refused_where_rows_go_by_word(tmp_path):
    with pytest.raises(ValueError, match="expected distinct words, found 1 again"):
        write_word2vec(tmp_path / "vectors.txt", ("a", "b", "a"), VECTORS[:3])
