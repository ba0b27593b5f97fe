"""Meshes of devices: an axis `data` for the documents of a batch and an axis `vocab` for the words of the vocabulary.

Parameters and their moments are whole on every device along `data`. Along `vocab` those arrays are cut that a model
names, each along its axis of words; everything else is whole there too.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from dlgm_jax.data.batches import Blocks
from dlgm_jax.devices.collectives import DATA, VOCAB
from dlgm_jax.errors import BadInput, shown
from dlgm_jax.types import Batch, Csr

# the path to an array of params -> its axis of words, if it has one; None: of a model that is not cut along words
WordAxis = Callable[[tuple[str, ...]], int | None] | None
PARTS = Batch(counts=P(DATA, VOCAB), length=P(DATA), document=P(DATA), mask=P(DATA))  # type: ignore[arg-type]


def mesh(text: str, batch_size: int) -> Mesh | None:
    """The mesh that a text asks for, as data:4,vocab:2; None is one device.

    "auto" means all devices along `data` where the batch size is a multiple of them, else one. Raises BadInput.
    """
    devices = jax.devices()
    automatic = {DATA: len(devices) if batch_size % len(devices) == 0 else 1}
    sizes = automatic if text == "auto" else _sizes(text)
    data, vocab = sizes.get(DATA, 1), sizes.get(VOCAB, 1)
    if data * vocab > len(devices):
        raise BadInput(f"--mesh: expected at most {len(devices)} devices, found {text} for {data * vocab}")
    if data * vocab < len(devices) and jax.process_count() > 1:
        raise BadInput(f"--mesh: expected all {len(devices)} devices of the processes, found {data * vocab} in {text}")
    return Mesh(np.array(devices[: data * vocab]).reshape(data, vocab), (DATA, VOCAB)) if data * vocab > 1 else None


def data_size(text: str) -> int:
    """Devices along `data` of what a text asks for; of "auto" all that there are. Raises BadInput."""
    return len(jax.devices()) if text == "auto" else _sizes(text).get(DATA, 1)


def axis(mesh: Mesh | None, name: str) -> str | None:
    """The name of an axis, where there are several devices along it."""
    return name if mesh and mesh.shape[name] > 1 else None


def check(mesh: Mesh | None, batch_size: int, vocab_size: int) -> None:
    """Raises BadInput when a batch or the vocabulary does not fall into equal parts."""
    if mesh and batch_size % mesh.shape[DATA]:
        raise BadInput(
            f"--mesh, --batch_size: expected batches of a multiple of the {mesh.shape[DATA]} devices along {DATA}, "
            f"found {batch_size}"
        )
    if mesh and vocab_size % mesh.shape[VOCAB]:
        raise BadInput(
            f"--mesh: expected a vocabulary of a multiple of the {mesh.shape[VOCAB]} devices along {VOCAB}, "
            f"found {vocab_size} words"
        )


def specs(mesh: Mesh, tree: Any, word_axis: WordAxis) -> Any:
    """The places of the arrays of parameters, of moments or of a state on a mesh, as PartitionSpec.

    Moments lie as what they are of: the path to an array ends as the path to it within the parameters.
    """

    def spec(path, leaf) -> P:
        words = word_axis(_name(path)) if word_axis and axis(mesh, VOCAB) else None
        return P() if words is None else P(*(None,) * words, VOCAB)

    return jax.tree_util.tree_map_with_path(spec, tree)


def shardings(mesh: Mesh, tree: Any, word_axis: WordAxis) -> Any:
    """`specs` on a mesh."""
    return jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs(mesh, tree, word_axis))


def shapes(mesh: Mesh | None, make: Callable[[], Any], word_axis: WordAxis) -> Any:
    """What `make` would give, abstractly, and where it would lie: jax.ShapeDtypeStruct."""
    tree = jax.eval_shape(make)
    if mesh is None:
        return tree
    return jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
        tree,
        shardings(mesh, tree, word_axis),
    )


def made(mesh: Mesh | None, make: Callable[[], Any], word_axis: WordAxis) -> Any:
    """What `make` gives, each device making its own share; the values are the same on every mesh."""
    return make() if mesh is None else jax.jit(make, out_shardings=shardings(mesh, jax.eval_shape(make), word_axis))()


def whole(tree: Any) -> Any:
    """A tree of any mesh as NumPy arrays, on every process."""
    return multihost_utils.process_allgather(tree, tiled=True) if jax.process_count() > 1 else jax.device_get(tree)


def together(where: str) -> None:
    """Waits until all processes are here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(where)


def same(text: str) -> bool:
    """Whether this process has the text that the first one has."""
    if jax.process_count() == 1:
        return True
    mine = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)
    return np.array_equal(multihost_utils.broadcast_one_to_all(mine), mine)


def blocks(mesh: Mesh) -> Blocks:
    """How batches are split for a mesh, and which parts of them the devices of this process need."""
    here = jax.process_index()
    parts = [part for part, row in enumerate(mesh.devices) if any(device.process_index == here for device in row)]
    return Blocks(mesh.shape[DATA], mesh.shape[VOCAB], tuple(parts))


def placed(batch: Batch, mesh: Mesh) -> Batch:
    """A batch in `blocks`, its counts on their devices; the other arrays stay whole on the host."""
    data, vocab, parts = blocks(mesh)

    def place(leaf: np.ndarray) -> jax.Array:
        def block(index):
            return leaf[parts.index(index[0].start or 0)][None, index[1]]

        shape = (data, vocab, *leaf.shape[2:])
        return jax.make_array_from_callback(shape, NamedSharding(mesh, P(DATA, VOCAB)), block)

    return batch._replace(counts=Csr(*map(place, batch.counts)))


def over(mesh: Mesh | None, function: Callable, word_axis: WordAxis, *, gives: Callable[[Any], Any], **how) -> Callable:
    """`function(tree, batch, key)`, jitted; on a mesh each device runs it on its share of the tree and of the batch.

    `gives(specs of the tree)` are the specs of what it gives; `how` are keyword arguments of `jax.jit`.
    """
    if mesh is None:
        return jax.jit(function, **how)

    def on_a_device(tree, batch: Batch, key):
        return function(tree, batch._replace(counts=jax.tree.map(lambda leaf: leaf[0, 0], batch.counts)), key)

    def on_all(tree, batch: Batch, key):
        share = specs(mesh, tree, word_axis)
        return jax.shard_map(
            on_a_device, mesh=mesh, in_specs=(share, PARTS, P()), out_specs=gives(share), check_vma=False
        )(tree, batch, key)

    return jax.jit(on_all, **how)


def _sizes(text: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for part in text.split(","):
        form = re.fullmatch(rf" *({DATA}|{VOCAB}) *: *([1-9][0-9]{{0,8}}) *", part)
        if not form:
            raise BadInput(f"--mesh: expected auto, or axes as data:4,vocab:2 with sizes from 1, found {shown(text)}")
        if form[1] in sizes:
            raise BadInput(f"--mesh: expected every axis once, found {form[1]} twice in {shown(text)}")
        sizes[form[1]] = int(form[2])
    return sizes


def _name(path) -> tuple[str, ...]:
    return tuple(jax.tree_util.keystr((part,), simple=True) for part in path)
