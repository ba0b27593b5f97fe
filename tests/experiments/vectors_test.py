"""Tables and pictures of word vectors, of models made by hand."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest

from dlgm_jax import log_probs
from dlgm_jax.errors import BadInput
from dlgm_jax.introspection.spectrum import active_directions, directions, log_singular_values
from experiments.findings import vectors
from experiments.findings.model import pieces
from experiments.report import plots
from tests.experiments.toys import WORDS, learned


def test_spectra_are_each_model_s_own_of_the_log_jacobian(tmp_path):
    doubled = np.random.default_rng(5).normal(size=(6, 3))
    doubled[:, 2] = -3 * doubled[:, 1]
    models = [learned(label="one"), learned(label="two", log_vectors=doubled)]
    table, figure = vectors.spectra(models, tmp_path)
    assert figure.path.stat().st_size > 0
    for model, row in zip(models, table.rows):
        values = log_singular_values(model.log_vectors)
        assert row[:4] == (model.label, active_directions(values), 3, pytest.approx(values[0]))
        assert values[0] != pytest.approx(log_singular_values(model.vectors)[0])
    assert [row[4] for row in table.rows] == ["none", "z2~z3 (-1.00)"]
    with (tmp_path / "spectrum.csv").open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["run", "place", "log singular value"]
    assert [line[:2] for line in lines] == [[name, place] for name in ("one", "two") for place in "123"]
    np.testing.assert_allclose(float(lines[4][2]), log_singular_values(doubled)[1])


def test_directions_are_of_the_log_jacobian():
    model = learned()
    first, *_ = vectors.direction_table(model).rows
    expected = directions(model.log_vectors, num_directions=1, num_words=6)[0]
    other = directions(model.vectors, num_directions=1, num_words=6)[0]
    names = [", ".join(WORDS[row] for row in end) for end in (expected.top, expected.bottom)]
    assert first == (1, expected.log_singular_value, *names)
    assert expected.log_singular_value != other.log_singular_value


def test_frequent_words_come_first_with_and_without_the_corpus():
    frequencies = SimpleNamespace(train=SimpleNamespace(word_frequencies=lambda: np.array([3, 9, 1, 9, 2, 8])))
    assert learned(assembly=frequencies).frequent.tolist() == [1, 3, 5, 0, 4, 2]
    model = learned()
    theta = model.run.params.theta
    bias = theta.output.bias.at[4].set(50.0)
    model.run.params = model.run.params._replace(theta=theta._replace(output=theta.output._replace(bias=bias)))
    assert model.frequent[0] == 4
    assert model.frequent.tolist() == np.argsort(-np.asarray(log_probs(model.run.params.theta, np.zeros(3)))).tolist()


def test_neighbours_are_as_many_without_their_plurals():
    words = ("cat", "cats", "dog", "dogs", "bird", "stone")
    angles = 0.1 * np.arange(6)
    rows = np.column_stack([np.cos(angles), np.sin(angles), 0 * angles])
    model = learned(words, vectors=rows)
    assert vectors.neighbours(model, rows, [0], 3, plurals=False) == [[2, 4, 5]]
    assert vectors.neighbours(model, rows, [0], 3, plurals=True) == [[1, 2, 3]]
    assert vectors.neighbour_table(model, [0], 2, plurals=False).rows == [("cat", "dog, bird")]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (np.zeros((6, 3)), "the vectors point in 0 directions"),
        (np.outer([1, -1, 2, -2, 0, 3], [1.0, 2, 3]), "the vectors point in 2 directions"),
        (np.ones((6, 1)), "there is one latent dimension"),
        (np.eye(3), "the vocabulary has 3 words, and a map takes 4"),
        (np.eye(3)[[0, 1, *[2] * 20]], ""),
    ],
)
def test_a_map_is_drawn_where_there_is_one(rows, reason, tmp_path, capsys):
    words = [f"w{row}" for row in range(len(rows))]
    model = learned(words, vectors=rows)
    (tmp_path / "map.png").write_bytes(b"old")
    found = list(vectors.map_of_words(model, 30, np.zeros(len(words), int), tmp_path))
    assert plots.unmappable(rows).startswith(reason)
    assert len(found) == (not reason) == (tmp_path / "map.png").exists()
    assert ("Note: there is no map of words: " + reason in capsys.readouterr().out) == bool(reason)


def test_an_old_map_does_not_outlive_a_run_without_one(tmp_path, capsys):
    (tmp_path / "map.png").write_bytes(b"old")
    assert list(vectors.map_of_words(learned(), 0, np.zeros(6, int), tmp_path)) == []
    assert not (tmp_path / "map.png").exists()
    assert not capsys.readouterr().out


def test_queries_say_what_they_are_read_as(capsys):
    model = learned(("bank", "co-op", "coop", "Alien (1979)", "Lambs, The (1991)"))
    assert model.rows("query", "bank, co-op") == [0, 1]
    assert model.rows("query", "Lambs, The (1991)") == [4]
    assert model.rows("query", "bank,coop;Alien (1979);Lambs, The (1991);bank") == [0, 2, 3, 4]
    assert not capsys.readouterr().out
    assert model.rows("query", "Bank; Co-Op; CO-op,ba-nk") == [0, 1]
    assert capsys.readouterr().out.splitlines() == [
        "--query: 'Bank' is read as 'bank'",
        "--query: 'Co-Op' is read as 'co-op'",
        "--query: 'CO-op' is read as 'co-op'",
        "--query: 'ba-nk' is read as 'bank'",
    ]
    with pytest.raises(BadInput, match=r"--query: expected a word of the vocabulary, found 'banks'; close to it are"):
        model.rows("query", "banks")


def test_pieces_keep_entries_with_commas():
    known = {"a", "b", "c, d"}.__contains__
    assert list(pieces("a, b", known)) == ["a", "b"]
    assert list(pieces("c, d", known)) == ["c, d"]
    assert list(pieces("a,b; c, d;; e, f", known)) == ["a", "b", "c, d", "e, f"]
