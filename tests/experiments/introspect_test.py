import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from dlgm_jax import jacobian_mean, load_run
from experiments.assembly import INTROSPECT
from tests.experiments.conftest import SMALL

ROOT = Path(__file__).parent.parent.parent
QUICK = ["--samples=20", "--words=4", "--clusters=3", "--neighbours=2", "--documents=50"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, nvdm_folder):
    """A small run, trained once for all of these tests."""
    workdir = tmp_path_factory.mktemp("introspect") / "run"
    arguments = [*SMALL, f"--dataset={nvdm_folder}", "--M=4", "--epochs=2", f"--workdir={workdir}"]
    subprocess.run([sys.executable, "-m", "experiments.train", *arguments], cwd=ROOT, check=True, capture_output=True)
    return workdir


def similarity_file(path):
    path.write_text("w1\tw2\t5.0\nW3\tw4\t1.0\nw5\tw6\t3.5\nw1\tzebra\t9.0\n")
    return path


def scws_file(path):
    zeros = "\t0.0" * 10
    lines = [
        f"{n}\tw{n}\tn\tw{n + 1}\tn\tw3 <b> w{n} </b> w9\t<b> w{n + 1} </b> w7\t{n}.5{zeros}\n" for n in (1, 5, 8, 11)
    ]
    path.write_text("".join(lines))
    return path


def test_everything_is_shown_and_written(command, trained, tmp_path):
    files = f"{similarity_file(tmp_path / 'ws.txt')},{scws_file(tmp_path / 'scws.txt')}"
    (tmp_path / "questions.txt").write_text(": some\nw1 w2 w3 w4\nw1 w2 w3 zebra\n")
    code, out, err = command(
        "introspect",
        f"--workdir={trained}",
        *QUICK,
        "--map_words=12",
        "--query=w3,w5",
        "--context=w1 w2 w2; w9 zebra",
        f"--similarity={files}",
        f"--analogies={tmp_path / 'questions.txt'}",
    )
    assert code == 0, err
    folder = trained / "introspection"
    titles = [
        "Directions of the latent space in use",
        "Singular directions",
        "Nearest neighbours",
        "Clusters",
        "Neighbours in context",
        "Similarity of words",
        "Analogies",
        "Units in use",
        "Nearest documents",
    ]
    page = (folder / "report.html").read_text(encoding="utf-8")
    for title in titles:
        assert title in out
        assert f"<h2>{title}</h2>" in page
    assert page.count("data:image/png;base64,") == 2
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert "zebra" in out
    for name in ("vectors.txt", "vectors.csv", "vectors.npz", "projector/vectors.tsv", "spectrum.png", "map.png"):
        assert (folder / name).stat().st_size > 0
    assert "Results are in" in out


def test_the_vectors_are_the_mean_jacobian_of_the_asked_variant(command, trained):
    code, _, err = command("introspect", f"--workdir={trained}", *QUICK, "--map_words=0", "--variant=prob")
    assert code == 0, err
    run = load_run(trained)
    with np.load(trained / "introspection" / "vectors.npz") as loaded:
        vectors = loaded["vectors"]
        assert tuple(loaded["vocabulary"].tolist()) == run.vocabulary
    key = jax.random.fold_in(jax.random.key(0), INTROSPECT)
    expected = jacobian_mean(run.params, key, num_samples=20, variant="prob")
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_several_runs_are_compared(command, trained, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(trained, other)
    ws = similarity_file(tmp_path / "ws.txt")
    code, out, err = command(
        "introspect", f"--workdir={trained},{other}", *QUICK, "--map_words=0", f"--similarity={ws}"
    )
    assert code == 0, err
    rows = [line for line in out.splitlines() if f"({trained})" in line or f"({other})" in line]
    assert len(rows) == 6
    for first, second in zip(rows[::2], rows[1::2]):  # spectra, similarities, units
        assert first.replace(str(trained), str(other)).split() == second.split()


def test_without_the_corpus_the_rest_is_shown(command, trained, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(trained, moved)
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps(config | {"dataset": str(tmp_path / "gone")}))
    code, out, err = command("introspect", f"--workdir={moved}", *QUICK, "--map_words=0")
    assert code == 0, err
    assert "Note: documents are left out, and words go by the output bias: --dataset: expected" in out
    assert "Nearest neighbours" in out
    assert "Units in use" not in out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--query=w33"], "--query: expected a word of the vocabulary, found 'w33'; close to it are w3"),
        (["--query=zebra"], "--query: expected a word of the vocabulary, found 'zebra'"),
        (["--context=w1 w2"], "--context: expected to go with --query"),
        (["--query=w1", "--context=lion zebra"], "--context: expected words of the vocabulary, found 'lion zebra'"),
        (["--workdir=,"], "--workdir: expected folders of runs, each once, found ','"),
        (["--workdir=RUN,RUN"], "--workdir: expected folders of runs, each once"),
        (["--variant=odds"], "--variant: expected one of pot, log, prob, found 'odds'"),
        (["--affinity=dense"], "--affinity: expected one of cosine, neighbours, found 'dense'"),
        (["--samples=0"], "--samples: expected a whole number from 1, found 0"),
        (["--documents=-1"], "--documents: expected a whole number from 0, found -1"),
        (["--similarity=FILE"], "pairs.txt:1: expected two words and a rating by tabs"),
        (["--similarity=nowhere.txt"], "nowhere.txt: cannot be read"),
        (["--analogies=FILE"], "pairs.txt:1: expected four words"),
    ],
)
def test_bad_input_is_one_line(command, trained, tmp_path, flags, message):
    (tmp_path / "pairs.txt").write_text("w1;w2;5.0\n")
    flags = [flag.replace("FILE", str(tmp_path / "pairs.txt")).replace("RUN", str(trained)) for flag in flags]
    code, _, err = command("introspect", f"--workdir={trained}", *QUICK, "--map_words=0", *flags)
    assert code == 2
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_file_without_known_words_is_one_line(command, trained, tmp_path):
    (tmp_path / "pairs.txt").write_text("lion\tzebra\t5.0\n")
    code, _, err = command(
        "introspect", f"--workdir={trained}", *QUICK, "--map_words=0", f"--similarity={tmp_path / 'pairs.txt'}"
    )
    assert code == 2
    assert "pairs.txt: expected words of the vocabulary of" in err


def test_a_workdir_without_a_model_is_one_line(command, tmp_path):
    code, _, err = command("introspect", f"--workdir={tmp_path}", *QUICK)
    assert code == 2
    assert "found no config.json" in err
