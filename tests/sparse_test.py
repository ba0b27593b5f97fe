import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import sparse
from dlgm_jax.data.batches import gather
from tests.conftest import as_corpus

COUNTS = np.random.default_rng(3).poisson(0.3, (12, 20))
COUNTS[4] = 0
WEIGHTS = np.random.default_rng(4).normal(size=(20, 7)).astype(np.float32)


@pytest.fixture
def batch():
    return jax.tree.map(jnp.asarray, gather(as_corpus(COUNTS), np.arange(12), 16, (1024,))).counts


def test_to_dense_is_the_matrix(batch):
    np.testing.assert_array_equal(sparse.to_dense(batch), np.vstack([COUNTS, np.zeros((4, 20))]))


def test_row_sums(batch):
    np.testing.assert_allclose(sparse.row_sums(batch, batch.values**2)[:12], (COUNTS**2).sum(1))


def test_every_backend_multiplies_alike(batch):
    cotangent = jnp.asarray(np.random.default_rng(5).normal(size=(16, 7)), jnp.float32)
    for product in (sparse._csr_product, sparse._dense_product):
        np.testing.assert_allclose(product(batch, WEIGHTS)[:12], COUNTS @ WEIGHTS, rtol=1e-5, atol=1e-5)
    for gradient in (sparse._csr_gradient, sparse._dense_gradient):
        np.testing.assert_allclose(gradient(batch, cotangent), COUNTS.T @ cotangent[:12], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_product_and_its_gradient_are_the_dense_ones(batch, wrap):
    cotangent = np.random.default_rng(5).normal(size=(16, 7)).astype(np.float32)
    value, pull = jax.vjp(wrap(lambda w: sparse.product(batch, w)), jnp.asarray(WEIGHTS))
    np.testing.assert_allclose(value[:12], COUNTS @ WEIGHTS, rtol=1e-5, atol=1e-5)
    assert not np.any(value[12:])
    np.testing.assert_allclose(pull(cotangent)[0], COUNTS.T @ cotangent[:12], rtol=1e-5, atol=1e-5)
