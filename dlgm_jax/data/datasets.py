"""Corpora by name, and folders."""

import json
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.datasets import fetch_20newsgroups

from dlgm_jax.data import compact, docstrings
from dlgm_jax.data.corpus import Corpus, Documents
from dlgm_jax.data.formats import nvdm
from dlgm_jax.data.places import check_writable
from dlgm_jax.data.source import Reading, in_memory
from dlgm_jax.data.text import Text, count_words
from dlgm_jax.data.words import Words
from dlgm_jax.errors import BadInput

DOWNLOAD_TIMEOUT = 20  # seconds without a byte


class Dataset(NamedTuple):
    """A training and a test corpus over the same words."""

    train: Documents
    test: Documents
    origin: dict[str, str]  # what decided the counts: versions or the folder
    remark: str = ""  # one line that a reader of scores should know
    validation: Documents | None = None  # None: to be drawn from the training documents


def load(name: str) -> Dataset:
    """A named corpus (`docstrings`, `20news`), or a folder that `prepare` wrote or of NVDM. Raises BadInput."""
    if name in NAMED:
        return NAMED[name]()
    folder = Path(name)
    if not name or not os.path.isdir(folder):
        raise BadInput(f"--dataset: expected {', '.join(NAMED)} or a folder, found {name!r}, which is neither")
    origin, splits, how = {"folder": str(folder.resolve())}, dict[str, Documents](), Reading()
    if compact.holds(folder):
        stored, source = compact.load(folder)
        splits, origin = dict(stored), origin | source
    else:
        splits = dict(in_memory(nvdm.source(folder, how)))
    if not {"train", "test"} <= splits.keys():
        raise BadInput(f"{folder}: expected training and test documents, found only {', '.join(splits) or 'none'}")
    validation = splits.get("validation")
    notes = [note.removesuffix(".") for note in how.notes]
    if validation:
        notes.insert(0, "the validation documents are the corpus's own, so --valid_size is not read")
    return Dataset(splits["train"], splits["test"], origin, "; ".join(notes), validation)


def cache_folder() -> Path:
    """Where this user's caches go."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dlgm-jax"


def load_docstrings() -> Dataset:
    """The `docstrings` corpus, from the cache when it was built for the same versions before."""
    versions = docstrings.versions()
    decided = versions | docstrings.RULES | {"form": compact.FORM}
    key = sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_folder() / f"docstrings-{key}"
    if not folder.is_dir():
        check_writable(folder, "XDG_CACHE_HOME")
        _keep(folder, *docstrings.build(), versions)
    try:
        splits, _ = compact.load(folder)
        return Dataset(splits["train"], splits["test"], versions)
    except (BadInput, KeyError) as error:
        raise BadInput(f"{folder}: expected a cached corpus, found it damaged; delete the folder ({error})") from error


def _keep(folder: Path, train: Corpus, test: Corpus, versions: dict[str, str]) -> None:
    try:
        with compact.Writer(folder, train.vocabulary, versions) as writer:
            writer.add("train", train)
            writer.add("test", test)
    except (BadInput, OSError):
        if not folder.is_dir():  # where it is, another process has built the same meanwhile
            raise


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
    train, test = ([Text(*message) for message in _messages(bunch)] for bunch in bunches)
    corpora = count_words(train, test, vocab_size=2000, analyse=Words("[a-z]+", ""))
    remark = (
        "this vocabulary is this corpus's own 2,000 most frequent words, not the paper's: "
        "for Table 1 give --dataset the NVDM folder"
    )
    return Dataset(*corpora, {"source": "sklearn.datasets.fetch_20newsgroups"}, remark)


def _messages(bunch: Any) -> Iterator[tuple[str, str, str]]:
    """(name, label, text) of each message."""
    labels = (bunch.target_names[label] for label in bunch.target)
    yield from zip((Path(name).name for name in bunch.filenames), labels, bunch.data)


NAMED: dict[str, Callable[[], Dataset]] = {"docstrings": load_docstrings, "20news": load_20news}
