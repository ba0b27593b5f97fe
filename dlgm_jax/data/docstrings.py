"""The `docstrings` corpus: how Python and twelve libraries explain themselves.

One document for each docstring of at least 20 words in the standard library and in these libraries, which are
installed with this project; the label is the top-level package. It needs no network, and is the same for the same
versions.
"""

import ast
import platform
import sysconfig
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.text import Text, count_words
from dlgm_jax.data.words import ASCII_WORD, words_by
from dlgm_jax.errors import BadInput

# A fixed list, not what pyproject.toml lists: one more dependency must not change the corpus and every figure of it.
LIBRARIES = (
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
)
MIN_WORDS = 20
VOCAB_SIZE = 2000
TEST_SHARE = 0.1
RULES = {"rules": f"2: {MIN_WORDS} words, {VOCAB_SIZE} kept, {TEST_SHARE} test, {ASCII_WORD}"}  # 2: of this file
OMITTED = frozenset({"test", "tests", "idlelib", "tkinter", "site-packages", "dist-packages", "__pycache__"})


def versions() -> dict[str, str]:
    """The versions that decide the corpus: Python's and each library's. Raises BadInput for one not installed."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError as error:
            raise BadInput(f"docstrings: expected {name} to be installed, found it is not; pip install -e .") from error
    return found


def build() -> tuple[Corpus, Corpus]:
    """Training and test corpus (a tenth, drawn by a fixed seed), read with a progress bar."""
    files = list(_source_files())
    texts: dict[str, Text] = {}
    cut = words_by(ASCII_WORD)
    for label, name, path in tqdm(files, desc="reading docstrings", unit="file", dynamic_ncols=True):
        for position, text in _docstrings(path):
            if len(cut(text)) >= MIN_WORDS:
                words = " ".join(text.split())
                texts.setdefault(words, Text(f"{name}:{position}", label, words))
    documents = list(texts.values())
    is_test = np.random.default_rng(0).random(len(documents)) < TEST_SHARE
    train, test = ([text for text, drawn in zip(documents, is_test) if drawn == split] for split in (False, True))
    return count_words(train, test, vocab_size=VOCAB_SIZE, analyse=cut)


def _source_files() -> Iterator[tuple[str, str, Path]]:
    """(label, name, path) of every module, in a fixed order."""
    library = Path(sysconfig.get_path("stdlib"))
    for path in sorted(library.rglob("*.py")):
        inside = path.relative_to(library)
        if not OMITTED.intersection(inside.parts):
            yield inside.parts[0].removesuffix(".py"), inside.as_posix(), path
    for name in LIBRARIES:
        installed = metadata.files(name)
        if installed is None:
            raise BadInput(f"docstrings: expected {name} to list its files, found none; install it with pip")
        modules = [file for file in installed if file.suffix == ".py" and ".." not in file.parts]
        for file in sorted(modules, key=str):
            if not OMITTED.intersection(file.parts):
                yield file.parts[0].removesuffix(".py"), file.as_posix(), Path(str(file.locate()))


def _docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of each docstring of a module; a file that is not Python of this version has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text
