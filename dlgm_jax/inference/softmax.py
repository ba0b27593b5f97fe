"""Normalisers over large vocabularies, with explicit gradients.

d logsumexp(h W + b) / dh = softmax(h W + b) W^T: attention with query h whose keys and values are the columns of W.
"""

from functools import partial

import jax
import jax.numpy as jnp

from dlgm_jax.types import Array

WHOLE, BLOCK = 4096, 2048  # on a CPU vocabularies up to WHOLE words are taken at once, larger ones in blocks
# Elsewhere every block is several launches, which cost more than its products where it is small.
LAUNCHED_WHOLE, LAUNCHED_BLOCK = 32768, 16384


def logsumexp_linear(h: Array, weights: Array, bias: Array, *, block: int | None = None) -> Array:
    """logsumexp(h W + b) in nats: h [..., H], W [H, V], b [V] -> [...], for reverse-mode differentiation.

    Blocks of `block` words keep a running maximum and sum, so that [..., V] is never stored, and gradients compute the
    logits again; `block=0` takes all words at once, and None decides by V.
    """
    vocab_size = bias.size
    if block is None:
        whole, part = (WHOLE, BLOCK) if jax.default_backend() == "cpu" else (LAUNCHED_WHOLE, LAUNCHED_BLOCK)
        block = part if vocab_size > whole else 0
    if 0 < block < vocab_size:
        return _blocked(h, weights, bias, block)
    return _whole(h, weights, bias)


@jax.custom_vjp
def _whole(h, weights, bias):
    return _whole_forward(h, weights, bias)[0]


def _whole_forward(h, weights, bias):
    logits = h @ weights + bias
    top = jnp.max(logits, axis=-1, keepdims=True)
    terms = jnp.exp(logits - top)
    total = jnp.sum(terms, axis=-1, keepdims=True)
    return (top + jnp.log(total))[..., 0], (h, weights, terms, total)


def _whole_backward(kept, cotangent):
    h, weights, terms, total = kept
    scale = cotangent[..., None] / total
    return scale * (terms @ weights.T), *_theta_gradient(scale * h, scale, terms)


def _theta_gradient(scaled_h, scale, terms):
    rows = terms.reshape(-1, terms.shape[-1])
    return scaled_h.reshape(len(rows), -1).T @ rows, scale.reshape(len(rows)) @ rows


_whole.defvjp(_whole_forward, _whole_backward)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _blocked(h, weights, bias, block):
    def add(running, start, size):
        top, total = running
        logits = _logits(h, weights, bias, start, size)
        higher = jnp.maximum(top, jnp.max(logits, axis=-1))
        total = total * jnp.exp(top - higher) + jnp.sum(jnp.exp(logits - higher[..., None]), axis=-1)
        return higher, total

    top, total = _over_blocks(add, _start(h), bias.size, block)
    return top + jnp.log(total)


def _blocked_forward(h, weights, bias, block):
    def add(running, start, size):
        top, total, key = running
        logits = _logits(h, weights, bias, start, size)
        higher = jnp.maximum(top, jnp.max(logits, axis=-1))
        terms = jnp.exp(logits - higher[..., None])
        fade = jnp.exp(top - higher)
        total = total * fade + jnp.sum(terms, axis=-1)
        key = key * fade[..., None] + terms @ _columns(weights, start, size).T
        return higher, total, key

    top, total, key = _over_blocks(add, (*_start(h), jnp.zeros_like(h)), bias.size, block)
    value = top + jnp.log(total)
    return value, (h, weights, bias, value, key / total[..., None])


def _blocked_backward(block, kept, cotangent):
    h, weights, bias, value, key = kept
    scale = cotangent[..., None]

    def add(gradients, start, size):
        terms = jnp.exp(_logits(h, weights, bias, start, size) - value[..., None])
        parts = _theta_gradient(scale * h, scale, terms)
        return tuple(
            jax.lax.dynamic_update_slice_in_dim(whole, part, start, axis=-1) for whole, part in zip(gradients, parts)
        )

    empty = jnp.zeros_like(weights), jnp.zeros_like(bias)
    return scale * key, *_over_blocks(add, empty, bias.size, block)


_blocked.defvjp(_blocked_forward, _blocked_backward)


def _over_blocks(add, carry, vocab_size, block):
    whole_blocks, rest = divmod(vocab_size, block)
    carry, _ = jax.lax.scan(lambda c, n: (add(c, n * block, block), None), carry, jnp.arange(whole_blocks))
    return add(carry, vocab_size - rest, rest) if rest else carry


def _start(h):
    shape = h.shape[:-1]
    return jnp.full(shape, jnp.finfo(h.dtype).min), jnp.zeros(shape, h.dtype)


def _columns(weights, start, size):
    return jax.lax.dynamic_slice_in_dim(weights, start, size, axis=-1)


def _logits(h, weights, bias, start, size):
    return h @ _columns(weights, start, size) + _columns(bias, start, size)
