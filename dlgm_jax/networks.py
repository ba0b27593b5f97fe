"""Multilayer perceptrons as plain pytrees."""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from itertools import pairwise
from typing import Protocol

import jax
import jax.numpy as jnp

from dlgm_jax.types import Array, Dense, Mlp


class Decoder(Protocol):
    """gamma(z) = output(hidden(z)): what generates documents, as parameters."""

    @property
    def hidden(self) -> Mlp:
        """Hidden layers; none is the log-linear model."""
        ...

    @property
    def output(self) -> Dense:
        """The linear output, weights [H, V]."""
        ...


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


def potentials(decoder: Decoder, z: Array) -> Array:
    """gamma(z): [K] -> [V]."""
    return affine(decoder.output, mlp(decoder.hidden, z))


def check_of_counts(decoder: Decoder) -> None:
    """Raises ValueError for a decoder of real rows, which has a variance besides its layers."""
    if hasattr(decoder, "log_var"):
        raise ValueError(
            f"theta: expected that of a model of counts, found {type(decoder).__name__}; `Run.model`, `mean_jacobian` "
            "and `LatentModel` take any model"
        )


def latent_dim(decoder: Decoder) -> int:
    """K, read off the parameters."""
    return (*decoder.hidden.layers, decoder.output)[0].weights.shape[0]


def vocab_size(decoder: Decoder) -> int:
    """V, read off the parameters."""
    return decoder.output.weights.shape[1]
