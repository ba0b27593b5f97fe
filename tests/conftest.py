import os
from dataclasses import fields

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# tests compile more than they run
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

import jax
import numpy as np
import pytest
import scipy.sparse
from hypothesis import settings

from dlgm_jax import init_params
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.settings import CHECKS, LIKELIHOODS, wrong

QUICK = os.environ["XLA_FLAGS"]
# files that take longest, which begin first, so that no worker is left alone with one; each file is one worker's
LONGEST = ("meshes", "table1", "faults", "hosts", "tables", "steps", "train", "resume", "dlgm", "fisher")


def pytest_collection_modifyitems(items):
    """The longest files first, the others in their order."""
    places = {f"{name}_test.py": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_make_parametrize_id(val, argname):
    """Bytes are named by their parameter. Archives hold the time they were made at, and a name that holds them differs
    between two workers that collected in different seconds.
    """
    return argname if isinstance(val, bytes) else None


# `HYPOTHESIS_PROFILE=long` asks property tests for 10,000 examples, other ones each time; the suite is always the same.
settings.register_profile("suite", max_examples=200, deadline=None, derandomize=True)
settings.register_profile("long", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@pytest.fixture(autouse=True, scope="module")
def compiled_functions_are_dropped():
    """After each file. Every compiled function is some memory maps, of which Linux gives a process 65,530: with all
    files in one process the suite needs more, and the process dies of it.
    """
    yield
    jax.clear_caches()


@pytest.fixture
def x64():
    """Everything inside runs in float64."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=[(), (6,), (7, 5)], ids=["log-linear", "one-layer", "two-layers"])
def params64(request, x64):
    """A small model in float64, of each depth."""
    return init_params(
        jax.random.key(1), 9, latent_dim=3, generative_widths=request.param, inference_widths=(8,), dtype=np.float64
    )


def log_linear_corpus(num_documents, weights, bias, seed, mean_length=60):
    """Counts drawn from a log-linear model, and the z they were drawn with; every seventh document is short."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((num_documents, weights.shape[0]))
    logits = z @ weights + bias
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    lengths = 1 + rng.poisson(mean_length, num_documents)
    lengths[::7] = 3
    counts = np.stack([rng.multinomial(n, p) for n, p in zip(lengths, probabilities)])
    return counts, z


def likelihoods_of(entry):
    """Those that a model of the registry has, its default first."""
    for item in fields(entry.settings):
        if item.name == "likelihood":
            check = CHECKS.get(item.metadata["check"], item.metadata["check"])
            return tuple(name for name in (*LIKELIHOODS, "gaussian") if not wrong(name, check))
    return ()


def as_corpus(counts):
    counts = np.asarray(counts)
    words = tuple(f"w{v}" for v in range(counts.shape[1]))
    return Corpus(scipy.sparse.csr_matrix(counts), words, tuple(f"d{d}" for d in range(len(counts))))


def write_feat(path, counts, label="1"):
    """A .feat file of dense counts."""
    lines = []
    for row in counts:
        pairs = " ".join(f"{v + 1}:{row[v]}" for v in np.flatnonzero(row))
        lines.append(f"{label} {pairs}".strip())
    path.write_text("\n".join(lines) + "\n")


def write_nvdm(folder, train, test):
    folder.mkdir(parents=True, exist_ok=True)
    write_feat(folder / "train.feat", train)
    write_feat(folder / "test.feat", test)
    (folder / "vocab.new").write_text("".join(f"w{v} {n}\n" for v, n in enumerate(train.sum(0))))
    return folder


@pytest.fixture(scope="session")
def nvdm_folder(tmp_path_factory):
    """400 + 60 small documents over 30 words, in the NVDM form."""
    rng = np.random.default_rng(5)
    weights, bias = rng.normal(0, 1, (4, 30)), rng.normal(0, 0.5, 30)
    train, _ = log_linear_corpus(400, weights, bias, seed=1, mean_length=25)
    test, _ = log_linear_corpus(60, weights, bias, seed=2, mean_length=25)
    return write_nvdm(tmp_path_factory.mktemp("nvdm") / "small", train, test)
