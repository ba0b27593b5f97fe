"""Models made by hand, and runs that no training is needed for."""

import csv
from functools import partial
from types import SimpleNamespace

import jax
import numpy as np

from dlgm_jax import init_params, jacobian_mean, load_run
from dlgm_jax.features import reader
from dlgm_jax.models.dlgm import dlgm
from dlgm_jax.storage.checkpoints import Checkpoints
from experiments.findings.model import Learned, cut_by
from experiments.flags.config import Config
from experiments.workdir.assembly import INTROSPECT, assemble
from experiments.workdir.workdir import claim

WORDS = ("river", "bank", "money", "loan", "fish", "new york")
KEY = jax.random.key(3)


def learned(words=WORDS, *, label="toy", features="tfidf", vectors=None, log_vectors=None, assembly=None, seed=0):
    """A model with lively weights whose Jacobian vectors are what they are told to be: random, and not alike."""
    params = init_params(KEY, len(words), latent_dim=3, generative_widths=(5,), inference_widths=(4,))
    params = jax.tree.map(lambda leaf: 6 * leaf, params)
    idf = np.linspace(1, 2, len(words))
    model = dlgm(reader(features, idf), latent_dim=3)
    run = SimpleNamespace(params=params, idf=idf, vocabulary=tuple(words), model=model)
    config = SimpleNamespace(features=features, settings=SimpleNamespace(K=3), name=label)
    drawn = np.random.default_rng(seed).normal(size=(2, len(words), 3))
    given = [own if told is None else np.asarray(told, float) for own, told in zip(drawn, (vectors, log_vectors))]
    model = Learned(label, label, run, config, *given, KEY, jax.random.fold_in(KEY, 1), jax.random.fold_in(KEY, 2))
    model.__dict__["assembly"] = assembly
    model.__dict__["cut"] = cut_by({})  # by the ASCII pattern, as in a corpus that names none
    return model


def asked(**own):
    """A command as introspect parses it."""
    flags = {"neighbours": 2, "plurals": True, "variant": "log", "context": "", "documents": 50, "words": 3}
    return SimpleNamespace(own=flags | own, given={})


def made(dataset, workdir, *, seed=0, K=3, scale=3):
    """A run whose model is where training would begin, but with livelier words."""
    sizes = {"K": K, "generative_widths": (8,), "inference_widths": (8,)}
    config = Config.of(dataset=str(dataset), valid_size=40, batch_size=50, eval_M=5, M=1, seed=seed, **sizes)
    assembly = assemble(config)
    init = jax.jit(partial(assembly.model.init, vocab_size=assembly.train.vocab_size))
    params = jax.tree.map(lambda leaf: scale * leaf, init(jax.random.key(seed)))
    claim(workdir, assembly)
    best = Checkpoints(workdir / "best")
    best.save(1, params, {})
    best.wait()
    return workdir


def vectors_of(workdir, variant):
    """The mean Jacobian vectors of a run with the seed 0: [V, K]."""
    key = jax.random.fold_in(jax.random.key(0), INTROSPECT)
    return np.asarray(jacobian_mean(load_run(workdir).params, key, num_samples=400, variant=variant))


def cosines(vectors):
    """Of all pairs of rows: [V, V]."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def rows(table):
    """By the names of its columns."""
    return [dict(zip(table.header, row)) for row in table.rows]


def write_csv(path, header, lines):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *lines])
