"""Documents whose words come in bursts, against SciPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

from dlgm_jax.data import batches
from dlgm_jax.evaluation.completion import completer
from dlgm_jax.features import reader
from dlgm_jax.inference import batched
from dlgm_jax.inference.batched import apart
from dlgm_jax.models import registry, sampling
from tests.conftest import as_corpus

V, K = 23, 3


def model_of(name="3", **settings):
    entry = registry.entry(name)
    small = {"K": K, "generative_widths": (5,), "inference_widths": (4,), "likelihood": "dirichlet_multinomial"}
    return entry.build(entry.made(small | settings), reader("norm", None))


def batch_of(counts):
    corpus = as_corpus(counts)
    (batch,) = batches.ordered_batches(corpus, len(counts), sizes=batches.padded_sizes(len(counts), corpus))
    return batch


@pytest.fixture
def counts():
    """Documents of many counts: none, all of 1, one word 4,000 times, and drawn ones."""
    found = np.random.default_rng(0).poisson(0.8, (7, V))
    found[0] = 0
    found[1] = 1
    found[2] = np.eye(V)[4] * 4000
    return found


def slow(log_alpha, counts):
    """log p of the words of one document in order, in float64: [B]."""
    alpha = np.exp(np.asarray(log_alpha, np.float64))
    A, N = alpha.sum(axis=1), counts.sum(axis=1)
    return gammaln(A) - gammaln(A + N) + (gammaln(alpha + counts) - gammaln(alpha)).sum(axis=1)


def potentials(model, params, z):
    return jax.vmap(lambda one: model.potentials(params, one))(z)


def test_it_is_scipy_s_mass_less_its_coefficient(counts):
    """The words in their order: the mass of the counts without the number of orders."""
    log_alpha, counts = np.random.default_rng(1).normal(size=(5, V)), counts[2:]
    N = counts.sum(axis=1)
    orders = gammaln(N + 1) - gammaln(counts + 1).sum(axis=1)
    mass = [stats.dirichlet_multinomial.logpmf(x, np.exp(a), n) for x, a, n in zip(counts, log_alpha, N)]
    np.testing.assert_allclose(slow(log_alpha, counts), np.array(mass) - orders, rtol=1e-10)


@pytest.mark.parametrize("widths", [(), (5,)])
def test_the_likelihood_and_its_gradients_are_those_of_float64(counts, widths):
    model = model_of(generative_widths=widths)
    params = jax.tree.map(lambda leaf: 10 * leaf, model.init(jax.random.key(0), V))
    z, batch = jax.random.normal(jax.random.key(1), (7, K)), batch_of(counts)

    def total(params, z):
        return jnp.sum(model.log_likelihood(params, z, model.evidence(params, batch)))

    def by_lgamma(params, z):
        log_alpha = potentials(model, params, z)
        alpha, x = jnp.exp(log_alpha), jnp.asarray(counts, jnp.float64)
        A, N = alpha.sum(axis=1), x.sum(axis=1)
        bursts = jax.lax.lgamma(alpha + x) - jax.lax.lgamma(alpha)
        return jnp.sum(jax.lax.lgamma(A) - jax.lax.lgamma(A + N)) + jnp.sum(bursts)

    found = model.log_likelihood(params, z, model.evidence(params, batch))
    expected = slow(potentials(model, params, z), counts)
    assert (np.abs(found - expected) <= 1e-3 + 1e-6 * (np.abs(expected) + counts.sum(axis=1))).all()
    gradients = jax.grad(total, (0, 1))(params, z)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (params, z))
        slow_gradients = jax.grad(by_lgamma, (0, 1))(*wide)
    ours, theirs = (jax.tree.leaves((of_params.theta, of_z)) for of_params, of_z in (gradients, slow_gradients))
    for found, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_a_great_concentration_is_the_multinomial(counts):
    bursty, plain = model_of(), model_of(likelihood="multinomial")
    params = plain.init(jax.random.key(0), V)
    great = params.theta.output._replace(bias=params.theta.output.bias + 30)
    params = params._replace(theta=params.theta._replace(output=great))
    z, batch = jax.random.normal(jax.random.key(1), (7, K)), batch_of(counts)
    found, expected = (m.log_likelihood(params, z, m.evidence(params, batch)) for m in (bursty, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


def test_documents_taken_apart_or_some_of_them_give_what_the_batch_gives(counts):
    model = model_of()
    params = jax.tree.map(lambda leaf: 10 * leaf, model.init(jax.random.key(0), V))
    z, batch = jax.random.normal(jax.random.key(1), (7, K)), batch_of(counts)
    evidence = model.evidence(params, batch)
    whole = model.log_likelihood(params, z, evidence)
    gradients = jax.grad(lambda z: jnp.sum(model.log_likelihood(params, z, evidence)))(z)
    documents, log_likelihood = apart(model, params, evidence)
    both = jax.value_and_grad(log_likelihood)

    def together(params):
        documents, log_likelihood = apart(model, params, model.evidence(params, batch))
        return jax.vmap(jax.value_and_grad(log_likelihood))(z, documents)

    in_groups = jax.lax.map(lambda one: both(*one), (z, documents), batch_size=3)
    for found in (jax.vmap(both)(z, documents), in_groups, jax.jit(together)(params)):
        np.testing.assert_allclose(found[0], whole, rtol=1e-5)
        np.testing.assert_allclose(found[1], gradients, rtol=1e-4, atol=1e-3)
    third = jax.tree.map(lambda leaf: leaf[3], documents)
    np.testing.assert_allclose(log_likelihood(z[3], third), whole[3], rtol=1e-5)
    several = jax.vmap(lambda z: log_likelihood(z, third))(z)
    np.testing.assert_allclose(several[3], whole[3], rtol=1e-5)


def test_refinement_does_not_depend_on_the_other_documents_of_the_batch(counts):
    model = model_of()
    params = model.init(jax.random.key(0), V)
    for refinement in (batched.adam(5), batched.preconditioned(3)):

        def refined(rows, refinement=refinement):
            batch = batch_of(rows)
            keys = batched.document_keys(jax.random.key(1), batch)

            def find(params, batch):
                features = model.features(batch.counts)
                return batched.infer(model, refinement, params, batch, features, keys, jax.random.key(2)).refined

            return jax.jit(find)(params, batch)

        both, first = refined(counts), refined(counts[:4])
        np.testing.assert_allclose(both.mean[:4], first.mean, rtol=1e-3, atol=1e-4)
        assert not np.allclose(both.mean[5], both.mean[6], atol=1e-3)


def test_samples_come_in_bursts():
    """A small A makes the counts of one z vary by (A + N) / (A + 1) times what the multinomial's do."""
    model = model_of(generative_widths=())
    params = jax.tree.map(jnp.zeros_like, model.init(jax.random.key(0), V))
    bias = jnp.full(V, jnp.log(2.0 / V))  # A = 2
    params = params._replace(theta=params.theta._replace(output=params.theta.output._replace(bias=bias)))
    drawn = jax.vmap(lambda key: sampling.sample(model, params, key, 50))(jax.random.split(jax.random.key(0), 20_000))
    assert (drawn.sum(axis=1) == 50).all()
    variance = 50 / V * (1 - 1 / V) * (2 + 50) / (2 + 1)
    assert np.asarray(drawn, np.float64).var(axis=0).mean() == pytest.approx(variance, rel=0.03)


def test_a_word_that_was_seen_is_likelier_to_come_again(counts):
    model = model_of()
    params = model.init(jax.random.key(0), V)
    z = jax.random.normal(jax.random.key(1), (K,))
    alpha = np.exp(np.asarray(model.potentials(params, z), np.float64))
    for seen in counts:
        expected = np.log((alpha + seen) / (alpha.sum() + seen.sum()))
        np.testing.assert_allclose(model.next_log_probs(params, z, jnp.asarray(seen, jnp.float32)), expected, rtol=1e-4)


def test_completion_predicts_by_the_words_observed(counts):
    """With a decoder that does not read z, by hand."""
    model, scored = model_of(generative_widths=()), np.roll(counts, 1, axis=0)
    params = jax.tree.map(jnp.zeros_like, model.init(jax.random.key(0), V))
    complete = completer(model, refinement=batched.adam(0), num_samples=2)
    found = complete(params, batch_of(counts), batch_of(scored), jax.random.key(1))
    next_words = np.log((1 + counts) / (V + counts.sum(axis=1, keepdims=True)))
    for own in (found.plug_in, found.predictive):
        np.testing.assert_allclose(own, (scored * next_words).sum(axis=1), rtol=1e-4, atol=1e-3)


def test_random_parameters_begin_at_the_frequencies_of_words():
    model = model_of()
    frequencies = np.arange(V).astype(np.float64)
    adapted = model.adapted(model.init(jax.random.key(0), V), frequencies)
    alpha = np.exp(np.asarray(adapted.theta.output.bias, np.float64))
    np.testing.assert_allclose(alpha, 200 * (frequencies + 1) / (frequencies + 1).sum(), rtol=1e-5)
