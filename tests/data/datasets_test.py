import os
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest

from dlgm_jax import BadInput
from dlgm_jax.data import datasets, docstrings
from dlgm_jax.data.formats import nvdm
from dlgm_jax.evaluation.perplexity import unigram_perplexity

DATA = Path(os.environ.get("DLGM_DATA", Path(__file__).parents[3] / "shared" / "data"))
WORDS = "alpha beta gamma delta epsilon zeta theta iota kappa lambda"

MODULE = f'''"""{WORDS} {WORDS} module words."""

def documented():
    """{WORDS} {WORDS}
    function words; the and of are stop words.
    """

async def awaited():
    """Too short."""

class Twice:
    """{WORDS} {WORDS} module words."""

    def method(self):
        """{WORDS} {WORDS} Method_words x1 don't."""
'''


@pytest.fixture
def modules(tmp_path, monkeypatch):
    (tmp_path / "one.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("def (:")
    files = [("one", "one.py", tmp_path / "one.py"), ("broken", "broken.py", tmp_path / "broken.py")]
    monkeypatch.setattr(docstrings, "_source_files", lambda: iter(files))
    monkeypatch.setattr(docstrings, "TEST_SHARE", 0.5)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_docstrings_of_enough_words_without_duplicates_and_stop_words(modules):
    train, test = docstrings.build()
    assert train.num_documents + test.num_documents == 3
    assert set(train.labels + test.labels) == {"one"}
    assert len(set(train.ids + test.ids)) == 3
    assert {"alpha", "words"} <= set(train.vocabulary)
    assert not {"the", "and", "of", "x", "short"} & set(train.vocabulary)
    frequencies = train.word_frequencies()
    assert np.all(np.diff(frequencies) <= 0)


def test_docstrings_are_built_once(modules, monkeypatch):
    first = datasets.load("docstrings")
    monkeypatch.setattr(docstrings, "build", lambda: pytest.fail("built twice"))
    second = datasets.load("docstrings")
    assert first.train.fingerprint() == second.train.fingerprint()
    assert first.test.ids == second.test.ids
    assert second.origin["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"jax", "numpy", "tqdm"} <= set(second.origin)


def test_the_libraries_are_these_whatever_the_project_depends_on(monkeypatch):
    twelve = [
        "absl-py",
        "flax",
        "jax",
        "jaxlib",
        "matplotlib",
        "numpy",
        "optax",
        "orbax-checkpoint",
        "scikit-learn",
        "scipy",
        "threadpoolctl",
        "tqdm",
    ]
    assert list(docstrings.LIBRARIES) == twelve
    versions, files = docstrings.versions(), [name for _, name, _ in docstrings._source_files()]
    requires = docstrings.metadata.requires("dlgm-jax")
    monkeypatch.setattr(docstrings.metadata, "requires", lambda name: [*requires, "pytest>=8.3"])
    assert list(versions) == ["python", *twelve]
    assert docstrings.versions() == versions
    assert [name for _, name, _ in docstrings._source_files()] == files
    assert not any(name.startswith(("regex/", "_pytest/")) for name in files)


def test_a_library_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setattr(docstrings, "LIBRARIES", ("no-such-library",))
    with pytest.raises(BadInput, match="docstrings: expected no-such-library to be installed, found it is not"):
        docstrings.versions()


def test_a_damaged_cache_is_named(modules):
    datasets.load("docstrings")
    for path in (modules / "cache").rglob("train-00000.words"):
        path.write_bytes(b"nothing")
    with pytest.raises(BadInput, match="delete the folder"):
        datasets.load("docstrings")


def test_the_real_source_files_leave_out_tests():
    files = list(docstrings._source_files())
    labels = {label for label, _, _ in files}
    assert {"json", "argparse", "numpy", "jax", "sklearn"} <= labels
    assert not {"test", "tests", "idlelib", "tkinter", "site-packages"} & labels
    assert all(path.is_file() for _, _, path in files[::50])
    assert "/tests/" not in "".join(name for _, name, _ in files)


def bunch(texts, labels):
    names = [f"/x/{label}/{number}" for number, label in enumerate(labels)]
    return SimpleNamespace(data=texts, target=np.array(labels), target_names=["space", "guns"], filenames=names)


def test_20news_is_runs_of_letters(monkeypatch):
    splits = {
        "train": bunch(["Rocket_1 orbit, ORBIT the a", "gun gun2rocket", "!!"], [0, 1, 0]),
        "test": bunch(["orbit unseen"], [0]),
    }
    asked = []

    def fetch(subset, **settings):
        asked.append(settings["remove"])
        return splits[subset]

    monkeypatch.setattr(datasets, "fetch_20newsgroups", fetch)
    found = datasets.load("20news")
    assert asked == [("headers",)] * 2
    columns = {word: column for column, word in enumerate(found.train.vocabulary)}
    assert set(columns) == {"rocket", "orbit", "gun"}
    assert found.train.num_documents == 2
    assert found.train.counts[1, columns["gun"]] == 2
    assert found.train.counts[0, columns["orbit"]] == 2
    assert list(found.train.labels) == ["space", "guns"]
    assert found.test.counts.sum() == 1
    assert "not the paper's" in found.remark


def test_20news_without_a_network_is_one_line(monkeypatch):
    def fetch(**settings):
        assert settings["n_retries"] == 1
        raise URLError("no route")

    monkeypatch.setattr(datasets, "fetch_20newsgroups", fetch)
    with pytest.raises(BadInput, match="--dataset=20news: expected to download") as caught:
        datasets.load("20news")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not (DATA / "20news_nvdm").is_dir(), reason="needs 20news_nvdm in $DLGM_DATA")
def test_unigram_on_the_paper_s_20news():
    train, test = nvdm.read(DATA / "20news_nvdm")
    assert (train.num_documents, test.num_documents, train.vocab_size) == (11_268, 7_505, 2000)
    assert (train.counts.sum(), test.counts.nnz) == (1_128_881, 477_078)
    assert unigram_perplexity(train, test) == pytest.approx(1205.7, abs=0.7)


def test_a_corpus_that_another_process_built_meanwhile_is_taken(modules, monkeypatch):
    build = docstrings.build

    def slow():
        built = build()
        monkeypatch.setattr(docstrings, "build", build)
        datasets.load("docstrings")  # the other process
        return built

    monkeypatch.setattr(docstrings, "build", slow)
    dataset = datasets.load("docstrings")
    assert dataset.train.num_documents + dataset.test.num_documents == 3
