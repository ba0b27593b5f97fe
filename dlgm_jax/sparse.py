"""Products of a flat CSR batch with a dense matrix: the only place where sparse data meet weights."""

import jax
import jax.numpy as jnp
from jax.experimental.sparse import BCSR

from dlgm_jax.types import Array, Csr


def row_sums(matrix: Csr, values: Array) -> Array:
    """Sums of `values` [P], which stand at the entries of `matrix`, over each row: [B]."""
    return jax.ops.segment_sum(values, matrix.rows, num_segments=matrix.row_ptr.size - 1)


def to_dense(matrix: Csr, dtype=None) -> Array:
    """The [B, V] matrix itself."""
    shape = (matrix.row_ptr.size - 1, matrix.word_ptr.size - 1)
    return jnp.zeros(shape, dtype or matrix.values.dtype).at[matrix.rows, matrix.words].add(matrix.values)


@jax.custom_vjp
def product(matrix: Csr, weights: Array) -> Array:
    """`matrix @ weights`: [B, V] @ [V, H] -> [B, H], differentiable in the weights only.

    On a CPU a CSR product, forward and backward (there by the transposed order); elsewhere the batch is
    scattered to a dense matrix on the device, where dense products are cheap.
    """
    return jax.lax.platform_dependent(
        matrix,
        weights,
        cpu=lambda m, w: BCSR((m.values, m.words, m.row_ptr), shape=(m.row_ptr.size - 1, w.shape[0])) @ w,
        default=lambda m, w: to_dense(m) @ w,
    )


def _forward(matrix, weights):
    return product(matrix, weights), (matrix, weights.shape[0])


def _backward(residuals, cotangent):
    matrix, _ = residuals
    gradient = jax.lax.platform_dependent(
        matrix,
        cotangent,
        cpu=lambda m, g: (
            BCSR((m.values[m.by_word], m.rows[m.by_word], m.word_ptr), shape=(m.word_ptr.size - 1, g.shape[0])) @ g
        ),
        default=lambda m, g: to_dense(m).T @ g,
    )
    return None, gradient


product.defvjp(_forward, _backward)
