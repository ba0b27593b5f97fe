"""Products of a flat CSR batch with a dense matrix: the only place where sparse data meet weights."""

import jax
import jax.numpy as jnp
from jax.experimental.sparse import BCSR

from dlgm_jax.types import Array, Csr


def row_sums(matrix: Csr, values: Array) -> Array:
    """Sums of `values` [P], which stand at the entries of `matrix`, over each row: [B]."""
    return jax.ops.segment_sum(values, matrix.rows, num_segments=matrix.row_ptr.size - 1)


def to_dense(matrix: Csr) -> Array:
    """The [B, V] matrix itself."""
    return jnp.zeros(_shape(matrix), matrix.values.dtype).at[matrix.rows, matrix.words].add(matrix.values)


def select_rows(matrix: Csr, chosen: Array) -> Csr:
    """The rows at the places `chosen` [D], each there once, as a matrix [D, V] with as much room for entries."""
    matrix = jax.tree.map(jnp.asarray, matrix)
    (size, words), D = _shape(matrix), chosen.size
    place = jnp.full(size, D, jnp.int32).at[chosen].set(jnp.arange(D, dtype=jnp.int32))
    rows = jnp.where(jnp.arange(matrix.rows.size) < matrix.row_ptr[-1], place[matrix.rows], D)
    order = jnp.argsort(rows, stable=True)
    rows, columns, values = rows[order], matrix.words[order], matrix.values[order]
    columns = jnp.where(rows < D, columns, words)
    by_word = jnp.argsort(columns, stable=True)
    return Csr(
        values=jnp.where(rows < D, values, 0),
        words=jnp.where(rows < D, columns, 0),
        rows=jnp.where(rows < D, rows, 0),
        row_ptr=jnp.searchsorted(rows, jnp.arange(D + 1)).astype(jnp.int32),
        by_word=by_word,
        word_ptr=jnp.searchsorted(columns[by_word], jnp.arange(words + 1)).astype(jnp.int32),
    )


@jax.custom_vjp
def product(matrix: Csr, weights: Array) -> Array:
    """`matrix @ weights`: [B, V] @ [V, H] -> [B, H], differentiable in the weights only.

    On a CPU a CSR product, forward and backward (there by the transposed order); elsewhere the batch is
    scattered to a dense matrix on the device, where dense products are cheap.
    """
    return jax.lax.platform_dependent(matrix, weights, cpu=_csr_product, default=_dense_product)


def transposed_product(matrix: Csr, dense: Array) -> Array:
    """`matrix.T @ dense`: [V, B] @ [B, H] -> [V, H], as `product`; no derivatives."""
    return jax.lax.platform_dependent(matrix, dense, cpu=_csr_gradient, default=_dense_gradient)


def _csr_product(matrix, weights):
    return BCSR((matrix.values, matrix.words, matrix.row_ptr), shape=_shape(matrix)) @ weights


def _dense_product(matrix, weights):
    return to_dense(matrix) @ weights


def _csr_gradient(matrix, cotangent):
    values, rows = matrix.values[matrix.by_word], matrix.rows[matrix.by_word]
    return BCSR((values, rows, matrix.word_ptr), shape=_shape(matrix)[::-1]) @ cotangent


def _dense_gradient(matrix, cotangent):
    return to_dense(matrix).T @ cotangent


def _shape(matrix: Csr) -> tuple[int, int]:
    return matrix.row_ptr.size - 1, matrix.word_ptr.size - 1


def _forward(matrix, weights):
    return product(matrix, weights), matrix


def _backward(matrix, cotangent):
    return None, transposed_product(matrix, cotangent)


product.defvjp(_forward, _backward)
