import json
import re
import shutil

import jax
import numpy as np
import pytest

from dlgm_jax import jacobian_mean, load_run
from dlgm_jax.embeddings.word_similarity import finder, word_similarity
from dlgm_jax.introspection.spectrum import active_directions, log_singular_values
from experiments import introspect
from experiments.workdir.assembly import INTROSPECT
from tests.conftest import write_feat
from tests.experiments.toys import made

QUICK = ["--samples=20", "--words=4", "--clusters=3", "--neighbours=2"]
BRIEF = [*QUICK, "--map_words=0", "--documents=0"]
TITLES = [
    "Directions of the latent space in use",
    "Singular directions",
    "Nearest neighbours",
    "Clusters",
    "Neighbours in context",
    "Similarity of words",
    "Analogies of questions.txt",
    "Units in use",
    "Nearest documents",
    "Nearest documents, as asked",
    "Labels from documents",
]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """120 + 30 documents of two groups, words w0 to w9 and w10 to w19."""
    folder = tmp_path_factory.mktemp("labelled")
    rng = np.random.default_rng(0)
    for name, number in (("train", 120), ("test", 30)):
        counts = np.zeros((number, 20), int)
        for row in range(number):
            counts[row, 10 * (row % 2) : 10 * (row % 2) + 10] = rng.integers(0, 4, 10)
        counts[:, ::10] += 1
        for group in range(2):
            write_feat(folder / f"{group}.feat", counts[group::2], label=f"g{group}")
        (folder / f"{name}.feat").write_text("".join((folder / f"{group}.feat").read_text() for group in range(2)))
    (folder / "vocab.new").write_text("".join(f"w{v} 9\n" for v in range(20)))
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory, labelled):
    """Two different models of one corpus."""
    folder = tmp_path_factory.mktemp("introspect")
    return made(labelled, folder / "one"), made(labelled, folder / "two", seed=1, scale=4)


def similarity_file(path):
    path.write_text("w1\tw2\t5.0\nW3\tw4\t1.0\nw5\tw6\t3.5\nw1\tw9\t4.0\nw1\tzebra\t9.0\n")
    return path


@pytest.fixture
def tables(monkeypatch):
    """What is on the page, by title."""
    found, page = {}, introspect.page.page

    def keep(title, lead, parts):
        found.update({part.title: part for part in parts})
        return page(title, lead, parts)

    monkeypatch.setattr(introspect.page, "page", keep)
    return found


def test_everything_is_shown_and_written_of_two_runs(command, runs, tmp_path, tables):
    ws = similarity_file(tmp_path / "ws.txt")
    more = similarity_file(tmp_path / "more.txt")
    (tmp_path / "questions.txt").write_text(": some\nw1 w2 w3 w4\nw1 w2 w3 zebra\n: more\nw5 w6 w7 w8\n")
    code, out, err = command(
        "introspect",
        f"--workdir={runs[0]},{runs[1]}",
        *QUICK,
        "--map_words=12",
        "--variant=pot",
        "--query=W3,w5",
        "--context=w1, w2 w9 zebra",
        f"--similarity={ws}",
        f"--similarity={more}",
        f"--analogies={tmp_path / 'questions.txt'}",
        "--document=2",
    )
    assert code == 0, err
    folder = runs[0] / "introspection"
    page = (folder / "report.html").read_text(encoding="utf-8")
    for title in TITLES:
        assert f"\n{title}\n" in out
        assert f"<h2>{title}</h2>" in page
    assert page.count("data:image/png;base64,") == 2
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert "'W3' is read as 'w3'" in out
    assert "Not in the vocabulary: 'w1, w2 w9 zebra': zebra" in out
    assert (folder / "missing_words.txt").read_text() == "file\tword\nws.txt\tzebra\nmore.txt\tzebra\n"
    names = ("vectors.txt", "vectors.csv", "projector/vectors.tsv", "spectrum.png", "map.png")
    for name in (*names, "spectrum.csv", "units.csv"):
        assert (folder / name).stat().st_size > 0
    check_cells(runs, ws, tables)


def check_cells(runs, ws, tables):
    """Cells of every run beside what the library says of its model."""
    pairs = [(first, second, float(rating)) for first, second, rating in map(str.split, ws.read_text().splitlines())]
    used, likeness = tables["Directions of the latent space in use"].rows, tables["Similarity of words"].rows
    for place, folder in enumerate(runs):
        run = load_run(folder)
        key = jax.random.fold_in(jax.random.key(place), INTROSPECT)
        log, pot = (np.asarray(jacobian_mean(run.params, key, num_samples=20, variant=v)) for v in ("log", "pot"))
        values = log_singular_values(log)
        assert used[place][1:4] == (active_directions(values), 3, pytest.approx(values[0], rel=1e-5))
        expected = word_similarity(pot, finder(run.vocabulary), pairs)
        assert likeness[place][2] == pytest.approx(100 * expected.spearman)
        assert likeness[place][4:] == (4, 1)
        if place == 0:
            with np.load(folder / "introspection" / "vectors.npz") as loaded:
                assert tuple(loaded["vocabulary"].tolist()) == run.vocabulary
                np.testing.assert_allclose(loaded["vectors"], pot, atol=1e-5)
    assert used[0][3] != used[1][3]
    first, second = tables["Units in use"].rows
    assert first[3] != second[3]
    label_rows = tables["Labels from documents"].rows
    assert [row[0] for row in label_rows] == ["posterior means", "tf-idf, SVD to 3"]
    assert min(*label_rows[0][1:], *label_rows[1][1:]) > 60  # chance is 50
    assert len(tables["Nearest documents, as asked"].rows) == 6


def test_a_collapsed_model_of_one_dimension_is_shown(command, labelled, tmp_path):
    for folder, K in (("one", 1), ("none", 3)):
        workdir = made(labelled, tmp_path / folder, K=K, scale=0 if folder == "none" else 3)
        code, out, err = command("introspect", f"--workdir={workdir}", *QUICK, "--documents=0", "--map_words=10")
        assert code == 0, err
        assert "Note: there is no map of words: " in out
        assert "Results are in" in out


def test_tables_are_printed_before_a_late_failure(command, runs, monkeypatch):
    def fails(*_, **__):
        raise OSError(28, "No space left on device", "map.png")

    monkeypatch.setattr(introspect.vectors.plots, "plot_map", fails)
    code, out, err = command("introspect", f"--workdir={runs[0]}", *QUICK, "--documents=0", "--map_words=10")
    assert (code, err) == (2, "error: map.png: No space left on device\n")
    assert "Singular directions" in out
    assert "Clusters" in out


def test_without_the_corpus_the_rest_is_shown(command, runs, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(runs[0], moved)
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps(config | {"dataset": str(tmp_path / "gone")}))
    code, out, err = command("introspect", f"--workdir={moved}", *QUICK, "--map_words=0")
    assert code == 0, err
    assert "Note: documents are left out, and words go by the model's own frequencies: --dataset: expected" in out
    assert "Nearest neighbours" in out
    assert "Units in use" not in out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--query=w33"], "--query: expected a word of the vocabulary, found 'w33'; close to it are w3"),
        (["--query=zebra"], "--query: expected a word of the vocabulary, found 'zebra'"),
        (["--context=w1 w2"], "--context: expected to go with --query"),
        (["--query=w1", "--context=;"], "--context: expected words, found ';'"),
        (["--query=w1", "--context=lion zebra"], "--context: expected words of the vocabulary, found 'lion zebra'"),
        (["--workdir=,"], "--workdir: expected folders of runs, each once, found ','"),
        (["--workdir=RUN,RUN"], "--workdir: expected folders of runs, each once"),
        (["--workdir=RUN", "--workdir=RUN"], "--workdir: expected once, found 2 times"),
        (["--seed=1", "--seed=2"], "--seed: expected once, found 2 times"),
        (["--plurals", "--noplurals"], "--plurals: expected once, found 2 times"),
        (["--variant=odds"], "--variant: expected one of pot, log, prob, found 'odds'"),
        (["--affinity=dense"], "--affinity: expected one of cosine, neighbours, found 'dense'"),
        (["--samples=0"], "--samples: expected a whole number from 1, found 0"),
        (["--documents=-1"], "--documents: expected a whole number from 0, found -1"),
        (["--map_words=3"], "--map_words: expected 0 or a whole number from 4, found 3"),
        (["--documents=9", "--document=31"], "--document: expected an id, or a number from 1 to 30, found '31'"),
        (
            ["--similarity=FILE"],
            "pairs.txt:1: expected two words and a rating, a number, by tabs, commas or semicolons",
        ),
        (["--similarity=nowhere.txt", "--similarity=FILE"], "nowhere.txt: cannot be read"),
        (["--similarity=LIONS"], "lions.txt: expected words of the vocabulary of"),
        (["--analogies=FILE"], "pairs.txt:1: expected four words"),
    ],
)
def test_bad_input_is_one_line(command, runs, tmp_path, flags, message):
    (tmp_path / "pairs.txt").write_text("w1 w2 5.0\n")
    (tmp_path / "lions.txt").write_text("lion\tzebra\t5.0\n")
    places = {"FILE": tmp_path / "pairs.txt", "LIONS": tmp_path / "lions.txt", "RUN": runs[0]}
    for name, path in places.items():
        flags = [flag.replace(name, str(path)) for flag in flags]
    given = {flag.split("=")[0] for flag in flags}
    others = [flag for flag in [f"--workdir={runs[0]}", *BRIEF] if flag.split("=")[0] not in given]
    code, _, err = command("introspect", *others, *flags)
    assert code == 2
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_workdir_without_a_model_is_one_line(command, tmp_path):
    code, _, err = command("introspect", f"--workdir={tmp_path}", *QUICK)
    assert code == 2
    assert "found no config.json" in err
