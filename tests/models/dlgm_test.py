import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from dlgm_jax import Gaussian, elbo, evidence, infer, init_params, log_likelihood, log_probs, refine, sample
from dlgm_jax.data.batches import gather
from dlgm_jax.models import dlgm
from tests import oracles
from tests.conftest import as_corpus

COUNTS = np.array([3, 0, 1, 0, 0, 2, 7, 0, 1])
PSI = Gaussian(np.array([0.4, -0.2, 1.1]), np.array([-0.5, 0.2, -1.0]))


def test_elbo_is_the_oracle(params64):
    theta = params64.theta
    key = jax.random.key(3)
    eps = jax.random.normal(key, (3,))
    for beta in (1.0, 0.25):
        expected = oracles.elbo(theta, *PSI, COUNTS, eps, beta)
        np.testing.assert_allclose(elbo(theta, PSI, COUNTS, key, beta=beta), expected, rtol=1e-10)


def test_gradients_of_the_elbo_are_finite_differences(params64):
    theta, key = params64.theta, jax.random.key(3)
    eps = jax.random.normal(key, (3,))
    ours = jax.grad(lambda psi: elbo(theta, psi, COUNTS, key))(Gaussian(*map(jnp.asarray, PSI)))
    mean = oracles.gradient(lambda m: oracles.elbo(theta, m, PSI.log_var, COUNTS, eps), PSI.mean)
    log_var = oracles.gradient(lambda s: oracles.elbo(theta, PSI.mean, s, COUNTS, eps), PSI.log_var)
    np.testing.assert_allclose(ours.mean, mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(ours.log_var, log_var, rtol=1e-6, atol=1e-6)


def test_gradient_in_theta_is_finite_differences(params64):
    theta, key = params64.theta, jax.random.key(3)
    eps = jax.random.normal(key, (3,))
    ours = jax.grad(lambda theta: elbo(theta, PSI, COUNTS, key))(theta)
    weights, bias = theta.output

    def with_bias(b):
        return oracles.elbo(theta._replace(output=theta.output._replace(bias=b)), *PSI, COUNTS, eps)

    def with_weights(w):
        output = theta.output._replace(weights=w.reshape(weights.shape))
        return oracles.elbo(theta._replace(output=output), *PSI, COUNTS, eps)

    np.testing.assert_allclose(ours.output.bias, oracles.gradient(with_bias, bias), rtol=1e-5, atol=1e-6)
    flat = oracles.gradient(with_weights, np.asarray(weights).ravel())
    np.testing.assert_allclose(ours.output.weights.ravel(), flat, rtol=1e-5, atol=1e-6)


def test_log_likelihood_is_scipys_multinomial_without_the_base_measure(params64):
    theta, z = params64.theta, np.array([0.3, -1.0, 0.8])
    mu = oracles.probabilities(theta, z)
    base_measure = special.gammaln(COUNTS.sum() + 1) - special.gammaln(COUNTS + 1).sum()
    expected = stats.multinomial(COUNTS.sum(), mu).logpmf(COUNTS) - base_measure
    np.testing.assert_allclose(log_likelihood(theta, z, evidence(theta, COUNTS)), expected, rtol=1e-9)
    np.testing.assert_allclose(log_probs(theta, z), np.log(mu), rtol=1e-10)


def test_infer_is_the_oracle(params64):
    phi, features = params64.phi, np.linspace(0, 1, 9)
    hidden = oracles.mlp(phi.hidden.layers, features)
    q = infer(phi, features)
    np.testing.assert_allclose(q.mean, hidden @ phi.mean.weights + phi.mean.bias, rtol=1e-10)
    np.testing.assert_allclose(q.log_var, hidden @ phi.log_var.weights + phi.log_var.bias, rtol=1e-10)


@pytest.mark.parametrize("num_steps", [0, 1, 12])
def test_refine_is_adam_as_published(params64, num_steps):
    theta, key = params64.theta, jax.random.key(9)
    start = Gaussian(*map(jnp.asarray, PSI))
    psi, info = refine(theta, start, COUNTS, key, num_steps=num_steps, learning_rate=0.05, b1=0.1)
    noise = [np.asarray(jax.random.normal(jax.random.fold_in(key, m), (3,))) for m in range(num_steps)]

    def bound(x, m):
        return oracles.elbo(theta, x[:3], x[3:], COUNTS, noise[m])

    x, trace = oracles.adam_ascent(bound, np.concatenate(PSI), num_steps, rate=0.05, b1=0.1)
    np.testing.assert_allclose(np.concatenate(psi), x, rtol=1e-5, atol=1e-6)
    assert info.elbo.shape == (num_steps,)
    np.testing.assert_allclose(info.elbo, trace, rtol=1e-7)


def test_refinement_raises_the_bound():
    params = jax.tree.map(lambda leaf: 3 * leaf, init_params(jax.random.key(0), 200, latent_dim=10))
    counts = sample(params, jax.random.key(1), 300)
    psi = Gaussian(jnp.zeros(10), jnp.zeros(10))
    refined, _ = refine(params.theta, psi, counts, jax.random.key(2), num_steps=300)
    keys = jax.random.split(jax.random.key(3), 200)
    before, after = (jax.vmap(lambda k, q=q: elbo(params.theta, q, counts, k))(keys).mean() for q in (psi, refined))
    assert after > before + 10


def test_public_functions_are_safe_under_jit_vmap_grad_and_debug_nans():
    params = init_params(jax.random.key(0), 12, latent_dim=4, generative_widths=(5,), inference_widths=(6,))
    counts = jnp.asarray(np.random.default_rng(0).poisson(1.0, (8, 12)).astype(np.float32)).at[2].set(0)
    keys = jax.random.split(jax.random.key(1), 8)

    def bound(params, x, key):
        psi = infer(params.phi, x)
        psi, _ = refine(params.theta, psi, x, key, num_steps=3)
        return elbo(params.theta, psi, x, key)

    with jax.debug_nans(True):
        batched = jax.jit(jax.vmap(bound, (None, 0, 0)))(params, counts, keys)
        np.testing.assert_allclose(batched, [bound(params, x, k) for x, k in zip(counts, keys)], rtol=1e-4, atol=1e-4)
        gradient = jax.grad(lambda p: bound(p, counts[0], keys[0]))(params)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))


def test_no_key_is_used_twice():
    with jax.debug_key_reuse(True):
        params = init_params(jax.random.key(0), 12, latent_dim=4)
        counts = sample(params, jax.random.key(1), 20)
        psi, _ = refine(params.theta, infer(params.phi, counts), counts, jax.random.key(2), num_steps=2)
        value = elbo(params.theta, psi, counts, jax.random.key(3))
    assert np.isfinite(value)


def test_sample_draws_the_model_s_words(params64):
    length = 40
    keys = jax.random.split(jax.random.key(5), 3000)
    draws = np.asarray(jax.jit(jax.vmap(lambda key: sample(params64, key, length)))(keys))
    assert np.all(draws.sum(1) == length)
    z = np.random.default_rng(0).standard_normal((20_000, 3))
    expected = np.mean([oracles.probabilities(params64.theta, one) for one in z[:4000]], axis=0)
    np.testing.assert_allclose(draws.sum(0) / draws.sum(), expected, atol=0.01)


def test_sample_is_multinomial_given_z():
    params = init_params(jax.random.key(0), 5, latent_dim=2, generative_widths=())
    still = params._replace(theta=jax.tree.map(jnp.zeros_like, params.theta))
    draws = jax.vmap(lambda key: sample(still, key, 1000))(jax.random.split(jax.random.key(1), 50))
    assert stats.chisquare(np.asarray(draws).sum(0)).pvalue > 1e-4


def test_jit_of_sample_takes_a_traced_length():
    params = init_params(jax.random.key(0), 5, latent_dim=2)
    assert jax.jit(sample)(params, jax.random.key(1), 7).sum() == 7


def test_params_describe_themselves():
    params = init_params(jax.random.key(0), 7, latent_dim=3, generative_widths=(4, 6), activation="tanh")
    assert (dlgm.latent_dim(params.theta), dlgm.vocab_size(params.theta)) == (3, 7)
    assert params.theta.hidden.activation == "tanh"
    moved = jax.tree.map(lambda leaf: leaf * 2, params)
    assert moved.theta.hidden.activation == "tanh"
    linear = init_params(jax.random.key(0), 7, latent_dim=3, generative_widths=())
    assert dlgm.latent_dim(linear.theta) == 3
    assert linear.theta.hidden.layers == ()


def test_initial_weights_are_uniform():
    weights = np.asarray(init_params(jax.random.key(0), 2000).theta.output.weights).ravel()
    assert stats.kstest(weights[:20_000], stats.uniform(-0.1, 0.2).cdf).pvalue > 1e-3


def test_the_paper_s_model_has_the_authors_number_of_parameters():
    shapes = jax.eval_shape(lambda: init_params(jax.random.key(0), 10_000))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 8_451_800


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: elbo(p.theta, infer(p.phi, jnp.ones(6)), jnp.ones((2, 6)), jax.random.key(0)), r"counts.*\(2, 6\)"),
        (lambda p: elbo(p.theta, infer(p.phi, jnp.ones(6)), jnp.ones(5), jax.random.key(0)), r"counts.*\(5,\)"),
        (lambda p: infer(p.phi, jnp.ones(7)), r"features.*\(7,\).*\(6,\)"),
        (
            lambda p: refine(p.theta, Gaussian(jnp.ones(1), jnp.ones(1)), jnp.ones(6), jax.random.key(0), num_steps=1),
            r"psi\.mean.*\(1,\).*\(3,\)",
        ),
        (
            lambda p: elbo(p.theta, Gaussian(jnp.ones(3), jnp.ones((3, 1))), jnp.ones(6), jax.random.key(0)),
            r"psi\.log_var.*\(3, 1\)",
        ),
        (
            lambda p: refine(p.theta, Gaussian(jnp.ones(3), jnp.ones(3)), jnp.ones(6), jax.random.key(0), num_steps=-1),
            "num_steps.*-1",
        ),
        (lambda p: init_params(jax.random.key(0), 6, activation="sine"), "activation.*sine"),
        (lambda p: init_params(jax.random.key(0), 0), "at least 1"),
        (lambda p: init_params(jax.random.key(0), 6, inference_widths=(4, 0)), "at least 1"),
    ],
)
def test_wrong_shapes_are_named(call, message):
    params = init_params(jax.random.key(0), 6, latent_dim=3, generative_widths=(4,), inference_widths=(5,))
    with pytest.raises(ValueError, match=message):
        call(params)


@pytest.mark.parametrize("inference_widths", [(), (6,), (6, 5)])
def test_batch_functions_are_those_of_each_document(inference_widths):
    counts = np.random.default_rng(0).poisson(0.5, (10, 9))
    counts[4] = 0
    params = init_params(jax.random.key(1), 9, latent_dim=3, generative_widths=(7,), inference_widths=inference_widths)
    batch = jax.tree.map(jnp.asarray, gather(as_corpus(counts), np.arange(10), 12, (1024,)))
    model = dlgm.dlgm(lambda counts: counts)
    x = jnp.asarray(counts, jnp.float32)
    encoded, expected = model.encode(params, batch.counts), jax.vmap(infer, (None, 0))(params.phi, x)
    np.testing.assert_allclose(encoded.mean[:10], expected.mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(encoded.log_var[:10], expected.log_var, rtol=1e-4, atol=1e-5)
    known, wanted = model.evidence(params, batch), jax.vmap(dlgm.evidence, (None, 0))(params.theta, x)
    for ours, theirs in zip(known, wanted):
        np.testing.assert_allclose(ours[:10], theirs, rtol=1e-4, atol=1e-5)


def test_whole_numbers_and_numpy_arrays_will_do():
    params = init_params(jax.random.key(0), 9, latent_dim=3, generative_widths=(4,), inference_widths=(5,))
    whole = Gaussian(np.array([1, 0, -1]), np.array([0, 0, 0]))
    floats = Gaussian(*(jnp.asarray(leaf, jnp.float32) for leaf in whole))
    key = jax.random.key(1)
    refined, _ = refine(params.theta, whole, COUNTS, key, num_steps=3)
    expected, _ = refine(params.theta, floats, jnp.asarray(COUNTS, jnp.float32), key, num_steps=3)
    np.testing.assert_array_equal(refined.mean, expected.mean)
    np.testing.assert_array_equal(
        elbo(params.theta, whole, COUNTS, key), elbo(params.theta, floats, jnp.asarray(COUNTS, jnp.float32), key)
    )


def test_defaults_are_the_paper_s():
    psi, x = Gaussian(jnp.zeros(3), jnp.zeros(3)), jnp.asarray(COUNTS, jnp.float32)
    theta, key = init_params(jax.random.key(0), 9, latent_dim=3).theta, jax.random.key(1)
    ours, _ = refine(theta, psi, x, key, num_steps=5)
    stated, _ = refine(theta, psi, x, key, num_steps=5, learning_rate=0.01, b1=0.1, beta=1.0)
    other, _ = refine(theta, psi, x, key, num_steps=5, learning_rate=0.02)
    np.testing.assert_array_equal(ours.mean, stated.mean)
    assert np.any(ours.mean != other.mean)


def test_a_second_eager_call_does_not_compile_again():
    params = init_params(jax.random.key(0), 9, latent_dim=3)
    psi = Gaussian(jnp.zeros(3), jnp.zeros(3))
    for number in range(3):
        refine(params.theta, psi, jnp.asarray(COUNTS), jax.random.key(number), num_steps=17)
        sample(params, jax.random.key(number), 5)
    before = refine._cache_size(), sample._cache_size()
    refine(params.theta, psi, jnp.asarray(COUNTS), jax.random.key(9), num_steps=17)
    sample(params, jax.random.key(9), 8)
    assert (refine._cache_size(), sample._cache_size()) == before
