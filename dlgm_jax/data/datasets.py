"""Corpora by name, and folders."""

import json
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import scipy.sparse
from sklearn.datasets import fetch_20newsgroups

from dlgm_jax.data import docstrings
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.formats import nvdm
from dlgm_jax.data.text import count_words
from dlgm_jax.types import BadInput

DOWNLOAD_TIMEOUT = 20  # seconds without a byte


class Dataset(NamedTuple):
    """A training and a test corpus over the same words."""

    train: Corpus
    test: Corpus
    origin: dict[str, str]  # what decided the counts: versions or the folder
    remark: str = ""  # one line that a reader of scores should know


def load(name: str) -> Dataset:
    """A named corpus (`docstrings`, `20news`) or a folder in the NVDM form. Raises BadInput."""
    if name in NAMED:
        return NAMED[name]()
    folder = Path(name)
    if not name or not os.path.isdir(folder):
        raise BadInput(f"--dataset: expected {', '.join(NAMED)} or a folder, found {name!r}, which is neither")
    train, test = nvdm.read(folder)
    return Dataset(train, test, {"folder": str(folder.resolve())})


def cache_folder() -> Path:
    """Where this user's caches go."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dlgm-jax"


def load_docstrings() -> Dataset:
    """The `docstrings` corpus, from the cache when it was built for the same versions before."""
    versions = docstrings.versions()
    key = sha256(json.dumps(versions | docstrings.RULES, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_folder() / f"docstrings-{key}"
    if not folder.is_dir():
        _write_whole(folder, docstrings.build())
    train, test = (_read_cached(folder, split) for split in ("train", "test"))
    return Dataset(train, test, versions)


def load_20news() -> Dataset:
    """20 Newsgroups through scikit-learn: headers dropped, runs of [a-z], the 2,000 most frequent words."""
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn's word of its retries
            bunches: Any = tuple(
                fetch_20newsgroups(subset=subset, shuffle=False, remove=("headers",), n_retries=1)
                for subset in ("train", "test")
            )
    except OSError as error:
        raise BadInput(
            "--dataset=20news: expected to download 20 Newsgroups, found no way to it "
            f"({getattr(error, 'reason', None) or error}); with a network it is fetched once and cached"
        ) from error
    finally:
        socket.setdefaulttimeout(patience)
    train, test = bunches
    corpora = count_words(
        train.data,
        test.data,
        vocab_size=2000,
        token_pattern="[a-z]+",
        train_labels=[train.target_names[label] for label in train.target],
        test_labels=[test.target_names[label] for label in test.target],
        train_ids=[Path(name).name for name in train.filenames],
        test_ids=[Path(name).name for name in test.filenames],
    )
    remark = (
        "this vocabulary is this corpus's own 2,000 most frequent words, not the paper's: "
        "for Table 1 give --dataset the NVDM folder"
    )
    return Dataset(*corpora, {"source": "sklearn.datasets.fetch_20newsgroups"}, remark)


NAMED: dict[str, Callable[[], Dataset]] = {"docstrings": load_docstrings, "20news": load_20news}


def _write_whole(folder: Path, corpora: tuple[Corpus, Corpus]) -> None:
    """Writes a cache folder so that it is whole or not there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        for split, corpus in zip(("train", "test"), corpora):
            scipy.sparse.save_npz(new / f"{split}.npz", corpus.counts)
            names = {"vocabulary": corpus.vocabulary, "ids": corpus.ids, "labels": corpus.labels}
            (new / f"{split}.json").write_text(json.dumps(names), encoding="utf-8")
        if not folder.exists():
            shutil.move(new, folder)


def _read_cached(folder: Path, split: str) -> Corpus:
    try:
        counts = scipy.sparse.load_npz(folder / f"{split}.npz")
        names = json.loads((folder / f"{split}.json").read_text(encoding="utf-8"))
        return Corpus(counts, **names)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise BadInput(f"{folder}: expected a cached corpus, found it damaged; delete the folder ({error})") from error
