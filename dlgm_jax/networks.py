"""Multilayer perceptrons as plain pytrees."""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from itertools import pairwise

import jax
import jax.numpy as jnp

from dlgm_jax.types import Array, Dense, Mlp

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "softplus": jax.nn.softplus,
    "gelu": jax.nn.gelu,
    "elu": jax.nn.elu,
}


def init_dense(key: Array, inputs: int, outputs: int, *, dtype=jnp.float32) -> Dense:
    """Weights [inputs, outputs] and bias [outputs], all from U(-0.1, 0.1) as in the authors' code."""
    weights_key, bias_key = jax.random.split(key)
    uniform = partial(jax.random.uniform, dtype=dtype, minval=-0.1, maxval=0.1)
    return Dense(uniform(weights_key, (inputs, outputs)), uniform(bias_key, (outputs,)))


def init_mlp(key: Array, inputs: int, widths: Sequence[int], activation: str, *, dtype=jnp.float32) -> Mlp:
    """Hidden layers of the given widths."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation is one of {', '.join(ACTIVATIONS)}; found {activation!r}")
    sizes = (inputs, *widths)
    layers = tuple(init_dense(jax.random.fold_in(key, n), *pair, dtype=dtype) for n, pair in enumerate(pairwise(sizes)))
    return Mlp(layers, activation)


def affine(layer: Dense, x, *, product: Callable[..., Array] = jnp.matmul) -> Array:
    """x W + b, `[..., inputs] -> [..., outputs]`; `product` multiplies x with the weights."""
    return product(x, layer.weights) + layer.bias


def mlp(network: Mlp, x, *, product: Callable[..., Array] = jnp.matmul) -> Array:
    """`[..., inputs] -> [..., outputs]`; `product` is used for the first layer, where x may be sparse."""
    if not network.layers:
        return x
    activation = ACTIVATIONS[network.activation]
    first, *rest = network.layers
    hidden = activation(affine(first, x, product=product))
    return reduce(lambda h, layer: activation(affine(layer, h)), rest, hidden)
