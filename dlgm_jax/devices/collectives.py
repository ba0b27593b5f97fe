"""What devices of a mesh tell each other, inside `shard_map`; an `axis` of None means that there is one device.

Along an axis a value is either the same on all devices, or each device has its own share of it. `summed` and `shared`
are the operators g and f of Megatron-LM (Shoeybi et al. 2019, section 3): with them gradients are those of the whole.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from dlgm_jax.types import Array

DATA, VOCAB = "data", "vocab"  # the axes of a mesh: documents of a batch, words of the vocabulary


def summed(x: Any, axis: str | None) -> Any:
    """The sum of the devices' own terms, the same on all; the gradient of every term is that of the sum."""
    return x if axis is None else _summed(x, axis)


def shared(x: Any, axis: str | None) -> Any:
    """x, the same on all, where each device goes on to use it for its own share; the gradients are summed."""
    return x if axis is None else _shared(x, axis)


def logsumexp_across(x: Array, axis: str | None) -> Array:
    """log sum_s exp(x_s) over the devices' own x, of any shape: the same on all."""
    if axis is None:
        return x
    top = jax.lax.pmax(jax.lax.stop_gradient(x), axis)
    return top + jnp.log(summed(jnp.exp(x - top), axis))


def agreed(flag: Array, axis: str | None) -> Array:
    """Whether it holds on all devices."""
    return flag if axis is None else jax.lax.pmin(flag.astype(jnp.int32), axis) > 0


def gathered(x: Any, axis: str | None) -> Any:
    """The devices' own rows one after another, on all; without gradients."""
    return x if axis is None else jax.lax.all_gather(x, axis, tiled=True)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _summed(x, axis):
    return jax.lax.psum(x, axis)


_summed.defvjp(lambda x, axis: (jax.lax.psum(x, axis), None), lambda axis, _, cotangent: (cotangent,))


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _shared(x, axis):
    return x


_shared.defvjp(lambda x, axis: (x, None), lambda axis, _, cotangent: (jax.lax.psum(cotangent, axis),))
