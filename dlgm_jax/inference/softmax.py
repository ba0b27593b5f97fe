"""Normalisers over large vocabularies, and the logits of some words beside them, with explicit gradients.

d logsumexp(h W + b) / dh = softmax(h W + b) W^T: attention with query h whose keys and values are the columns of W.
"""

from functools import partial

import jax
import jax.numpy as jnp

from dlgm_jax import sparse
from dlgm_jax.types import Array, Csr

WHOLE, BLOCK = 4096, 2048  # on a CPU vocabularies up to WHOLE words are taken at once, larger ones in blocks
# Elsewhere every block is several launches, which cost more than its products where it is small.
LAUNCHED_WHOLE, LAUNCHED_BLOCK = 32768, 16384


def logsumexp_linear(h: Array, weights: Array, bias: Array, *, block: int | None = None) -> Array:
    """logsumexp(h W + b) in nats: h [..., H], W [H, V], b [V] -> [...], for reverse-mode differentiation.

    Blocks of `block` words keep a running maximum and sum, so that [..., V] is never stored, and gradients compute the
    logits again; `block=0` takes all words at once, and None decides by V.
    """
    vocab_size = bias.size
    block = _chosen(vocab_size) if block is None else block
    if 0 < block < vocab_size:
        return _blocked(h, weights, bias, block)
    return _whole(h, weights, bias)


def logsumexp_and_logits_at(
    h: Array, weights: Array, bias: Array, at: Csr, *, block: int | None = None
) -> tuple[Array, Array]:
    """`logsumexp_linear` of the rows h [B, H], [B], and the logits at the entries of `at`, a matrix [B, V]: [P].

    The values of `at` are not looked at. Blocks, and the result's derivatives, are as in `logsumexp_linear`.
    """
    block = _chosen(bias.size) if block is None else block
    if 0 < block < bias.size:
        return _blocked_at(h, weights, bias, at, block)
    logits = h @ weights + bias
    return jax.nn.logsumexp(logits, axis=-1), logits[at.rows, at.words]


def _chosen(vocab_size: int) -> int:
    whole, part = (WHOLE, BLOCK) if jax.default_backend() == "cpu" else (LAUNCHED_WHOLE, LAUNCHED_BLOCK)
    return part if vocab_size > whole else 0


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
    value, key, _ = _keyed(h, weights, bias, block)
    return value, (h, weights, bias, value, key)


def _keyed(h, weights, bias, block, at=None):
    """The normaliser, its gradient in h, and the logits at the entries of `at`, if any, in one pass over the words."""

    def add(running, start, size):
        top, total, key, found = running
        logits = _logits(h, weights, bias, start, size)
        higher = jnp.maximum(top, jnp.max(logits, axis=-1))
        terms = jnp.exp(logits - higher[..., None])
        fade = jnp.exp(top - higher)
        total = total * fade + jnp.sum(terms, axis=-1)
        key = key * fade[..., None] + terms @ _columns(weights, start, size).T
        if at is not None:
            column = at.words - start
            here = (column >= 0) & (column < size)
            found = jnp.where(here, logits[at.rows, jnp.clip(column, 0, size - 1)], found)
        return higher, total, key, found

    none = None if at is None else jnp.zeros(at.words.shape, h.dtype)
    top, total, key, found = _over_blocks(add, (*_start(h), jnp.zeros_like(h), none), bias.size, block)
    return top + jnp.log(total), key / total[..., None], found


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


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def _blocked_at(h, weights, bias, at, block):
    return _blocked_at_forward(h, weights, bias, at, block)[0]


def _blocked_at_forward(h, weights, bias, at, block):
    value, key, found = _keyed(h, weights, bias, block, at)
    return (value, found), (at, (h, weights, bias, value, key))


def _blocked_at_backward(block, kept, cotangents):
    at, (h, weights, *_) = kept
    of_normaliser, of_logits = cotangents
    of_h, of_weights, of_bias = _blocked_backward(block, kept[1], of_normaliser)
    entries = at._replace(values=of_logits)
    columns = sparse.transposed_product(entries, jnp.concatenate([h, jnp.ones_like(h[:, :1])], axis=1)).T
    return of_h + sparse.product(entries, weights.T), of_weights + columns[:-1], of_bias + columns[-1], None


_blocked_at.defvjp(_blocked_at_forward, _blocked_at_backward)


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
