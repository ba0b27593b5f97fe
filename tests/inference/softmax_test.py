import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax.data import batches
from dlgm_jax.inference.softmax import WHOLE, logsumexp_and_logits_at, logsumexp_linear
from tests.conftest import as_corpus

H, V = 5, 23


def inputs(rows, scale=1.0):
    rng = np.random.default_rng(0)
    return (scale * rng.normal(size=(*rows, H)), rng.normal(size=(H, V)), rng.normal(size=V))


def plain(h, weights, bias):
    return jax.nn.logsumexp(h @ weights + bias, axis=-1)


@pytest.mark.parametrize("block", [0, 1, 5, 22, 23, 100, None])
@pytest.mark.parametrize("rows", [(), (4,), (2, 3)], ids=["one", "batch", "batches"])
def test_value_and_every_gradient_are_autodiffs(x64, block, rows):
    h, weights, bias = map(jnp.asarray, inputs(rows))
    towards = jnp.asarray(np.random.default_rng(1).normal(size=rows))

    def total(function):
        return lambda *arguments: jnp.sum(towards * function(*arguments))

    ours = total(lambda *arguments: logsumexp_linear(*arguments, block=block))
    expected = jax.value_and_grad(total(plain), (0, 1, 2))(h, weights, bias)
    for way in (lambda f: f, jax.jit):
        found = way(jax.value_and_grad(ours, (0, 1, 2)))(h, weights, bias)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), found, expected)
    np.testing.assert_allclose(ours(h, weights, bias), expected[0], rtol=1e-12)


@pytest.mark.parametrize("block", [0, 1, 5, 22, 23, None])
def test_the_logits_at_entries_beside_the_normaliser_and_every_gradient_are_autodiffs(x64, block):
    h, weights, bias = map(jnp.asarray, inputs((4,)))
    rng = np.random.default_rng(1)
    counts = as_corpus(rng.poisson(0.4, (4, V)))
    (batch,) = batches.ordered_batches(counts, 4, sizes=batches.padded_sizes(4, counts))
    at, entries = batch.counts, int(batch.counts.row_ptr[-1])
    towards, also = jnp.asarray(rng.normal(size=4)), jnp.asarray(rng.normal(size=at.values.shape)).at[entries:].set(0)

    def ours(h, weights, bias):
        normalisers, logits = logsumexp_and_logits_at(h, weights, bias, at, block=block)
        return jnp.sum(towards * normalisers) + jnp.sum(also * logits)

    def expected(h, weights, bias):
        logits = h @ weights + bias
        return jnp.sum(towards * plain(h, weights, bias)) + jnp.sum(also * logits[at.rows, at.words])

    for way in (lambda f: f, jax.jit):
        found = way(jax.value_and_grad(ours, (0, 1, 2)))(h, weights, bias)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12),
            found,
            jax.value_and_grad(expected, (0, 1, 2))(h, weights, bias),
        )


@pytest.mark.parametrize("block", [0, 5])
def test_under_vmap_the_gradients_are_the_same(x64, block):
    h, weights, bias = map(jnp.asarray, inputs((4,)))

    def total(h, weights, bias):
        return jnp.sum(jax.vmap(lambda row: logsumexp_linear(row, weights, bias, block=block))(h))

    found = jax.grad(total, (0, 1, 2))(h, weights, bias)
    expected = jax.grad(lambda *a: jnp.sum(plain(*a)), (0, 1, 2))(h, weights, bias)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), found, expected)


@pytest.mark.parametrize("block", [0, 5])
@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_huge_logits_neither_overflow_nor_vanish(block, scale):
    h, weights, bias = (jnp.asarray(a, jnp.float32) for a in inputs((4,), scale))
    with jax.debug_nans(True):
        value, gradient = jax.value_and_grad(lambda h: jnp.sum(logsumexp_linear(h, weights, bias, block=block)))(h)
    best = np.argmax(h @ weights + bias, axis=-1)
    np.testing.assert_allclose(value, np.sum(np.max(h @ weights + bias, axis=-1)), rtol=1e-5)
    np.testing.assert_allclose(gradient, weights[:, best].T, rtol=1e-3)


@pytest.mark.parametrize("block", [0, 5])
def test_masked_words_count_nothing(x64, block):
    h, weights, bias = map(jnp.asarray, inputs((4,)))
    masked = bias.at[:7].set(-jnp.inf)
    found = logsumexp_linear(h, weights, masked, block=block)
    np.testing.assert_allclose(found, plain(h, weights[:, 7:], bias[7:]), rtol=1e-12)


def shapes(rows, words):
    return [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((rows, H), (H, words), (words,))]


@pytest.mark.parametrize(("words", "in_blocks"), [(WHOLE, False), (WHOLE + 1, True)])
def test_the_vocabulary_decides(words, in_blocks):
    assert ("scan[" in str(jax.make_jaxpr(logsumexp_linear)(*shapes(4, words)))) == in_blocks


def test_large_vocabularies_store_no_logits():
    rows, words = 64, 50_000

    def memory(block):
        gradient = jax.grad(lambda *a: jnp.sum(logsumexp_linear(*a, block=block)), (0, 1, 2))
        return jax.jit(gradient).lower(*shapes(rows, words)).compile().memory_analysis().temp_size_in_bytes

    assert memory(None) < 0.25 * rows * words * 4 < rows * words * 4 <= memory(0)
