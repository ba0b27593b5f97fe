from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import Gaussian, init_params, jacobian_at, jacobian_mean, jacobian_posterior, jacobian_rows
from dlgm_jax.introspection.jacobian import BLOCK, VARIANTS
from dlgm_jax.introspection.spectrum import active_directions, log_singular_values
from dlgm_jax.models.dlgm import log_probs, potentials
from tests import oracles

quick_jit = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # compiles twice as fast
KEY = jax.random.key(4)
Z = np.array([0.7, -0.3, 1.2])
FUNCTIONS = {
    "pot": oracles.potentials,
    "log": lambda theta, z: np.log(oracles.probabilities(theta, z)),
    "prob": oracles.probabilities,
}
DECODERS = [(widths, activation) for widths in ((), (6,), (7, 5), (6, 7, 5)) for activation in ("relu", "tanh")]


def params_of(scale, vocab_size, **settings):
    """Parameters from U(-scale, scale), drawn by NumPy, which has nothing to compile."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(partial(init_params, vocab_size=vocab_size, inference_widths=(8,), **settings), KEY)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.uniform(-scale, scale, leaf.shape), leaf.dtype), shapes)


def strong_params(widths, activation):
    """A model of 9 words in float64 whose softmax is far from uniform."""
    return params_of(0.8, 9, latent_dim=3, generative_widths=widths, activation=activation, dtype=np.float64)


def wide_params():
    return params_of(0.1, 500, latent_dim=20, generative_widths=(8, 8))


def prior_samples(num_samples):
    return np.stack([jax.random.normal(jax.random.fold_in(KEY, s), (3,)) for s in range(num_samples)])


def full_jacobians(params, zs):
    """The definition: all of [V, K] by automatic differentiation of each variant, at each row of zs."""

    def functions(z):
        log = log_probs(params.theta, z)
        return {"pot": potentials(params.theta, z), "log": log, "prob": jnp.exp(log)}

    return jax.vmap(jax.jacfwd(functions))(zs)


@pytest.mark.parametrize("variant", VARIANTS)
def test_jacobian_is_finite_differences(params64, variant):
    expected = oracles.jacobian(lambda z: FUNCTIONS[variant](params64.theta, z), Z)
    np.testing.assert_allclose(jacobian_at(params64, jnp.asarray(Z), variant=variant), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("widths", "activation"), DECODERS)
@pytest.mark.usefixtures("x64")
def test_the_factors_give_the_full_jacobians(widths, activation):
    params, num_samples = strong_params(widths, activation), 2 * BLOCK + 7
    zs = prior_samples(num_samples)
    at = quick_jit(lambda p, z: {v: jacobian_at(p, z, variant=v) for v in VARIANTS})(params, zs[0])
    mean = quick_jit(lambda p, k: {v: jacobian_mean(p, k, num_samples=num_samples, variant=v) for v in VARIANTS})
    mean, expected = mean(params, KEY), quick_jit(full_jacobians)(params, zs)
    for variant in VARIANTS:
        np.testing.assert_allclose(at[variant], expected[variant][0], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(mean[variant], np.mean(expected[variant], axis=0), rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("x64")
def test_the_mean_of_one_sample_is_the_jacobian_there():
    params = strong_params((7, 5), "relu")
    expected = jacobian_at(params, prior_samples(1)[0])
    np.testing.assert_allclose(jacobian_mean(params, KEY, num_samples=1), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("widths", "activation"), [((), "relu"), ((6,), "tanh"), ((7, 5), "relu"), ((6, 7, 5), "tanh")]
)
@pytest.mark.usefixtures("x64")
def test_the_gradient_of_the_mean_is_that_of_the_full_jacobians(widths, activation):
    params, num_samples = strong_params(widths, activation), BLOCK + 3
    directions = dict(zip(("log", "prob"), np.random.default_rng(0).normal(size=(2, 9, 3))))
    zs = prior_samples(num_samples)

    def along(params):
        means = {v: jacobian_mean(params, KEY, num_samples=num_samples, variant=v) for v in directions}
        return sum(jnp.sum(directions[v] * means[v]) for v in directions)

    def expected_along(params):
        full = full_jacobians(params, zs)
        return sum(jnp.sum(directions[v] * jnp.mean(full[v], axis=0)) for v in directions)

    ours, expected = (quick_jit(jax.grad(function))(params) for function in (along, expected_along))
    assert np.any(ours.theta.output.weights)
    for leaf, other in zip(jax.tree.leaves(ours), jax.tree.leaves(expected)):
        assert np.all(np.isfinite(leaf))
        np.testing.assert_allclose(leaf, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("variant", VARIANTS)
def test_rows_are_those_of_the_whole_jacobian(params64, variant):
    zs, ids = jnp.stack([Z, -Z, 2 * Z]), np.array([4, 0, 8, 4], np.int8)
    whole = quick_jit(jax.vmap(lambda z: jacobian_at(params64, z, variant=variant)))(zs)
    rows = partial(jacobian_rows, variant=variant)
    np.testing.assert_allclose(rows(params64, zs[0], ids), whole[0][ids], rtol=1e-10, atol=1e-14)
    batched = quick_jit(jax.vmap(rows, in_axes=(None, 0, None)))(params64, zs, ids)
    np.testing.assert_allclose(batched, whole[:, ids], rtol=1e-10, atol=1e-14)


def test_rows_of_no_words_and_of_words_outside_the_vocabulary():
    params, z = wide_params(), jnp.ones(20)
    assert jacobian_rows(params, z, np.array([], int)).shape == (0, 20)
    outside = jacobian_rows(params, z, np.array([-1, 500, 499]))
    np.testing.assert_array_equal(np.isnan(outside), np.repeat([[True], [True], [False]], 20, axis=1))


def test_rows_never_form_the_whole_jacobian():
    lowered = jacobian_rows.lower(wide_params(), jnp.ones(20), jnp.arange(4), variant="prob")
    assert lowered.compile().memory_analysis().temp_size_in_bytes < 500 * 20 * 4 / 2


def test_variants_follow_from_each_other(params64):
    pot, log, prob = (np.asarray(jacobian_at(params64, jnp.asarray(Z), variant=v)) for v in VARIANTS)
    mu = oracles.probabilities(params64.theta, Z)
    np.testing.assert_allclose(log, pot - np.outer(np.ones(len(mu)), mu @ pot), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(prob, mu[:, None] * log, rtol=1e-10, atol=1e-14)


@pytest.mark.usefixtures("x64")
def test_the_log_linear_jacobian_is_the_weights():
    params = strong_params((), "relu")
    mean = jacobian_mean(params, KEY, num_samples=7, variant="pot")
    np.testing.assert_allclose(mean, params.theta.output.weights.T, rtol=1e-12)


def test_it_works_with_nothing_else_given_and_under_transformations():
    params = wide_params()
    plain = jacobian_mean(params, KEY)
    assert plain.shape == (500, 20)
    assert plain.dtype == jnp.float32
    np.testing.assert_array_equal(plain, jacobian_mean(params, KEY, num_samples=400, variant="log"))
    assert jacobian_at(params, np.arange(20)).shape == (500, 20)
    keys = jax.random.split(KEY, 3)
    batched = jax.vmap(lambda key: jacobian_mean(params, key))(keys)
    np.testing.assert_allclose(batched[0], jacobian_mean(params, keys[0]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("variant", ["log", "prob"])
def test_all_samples_are_never_held_at_once(variant):
    def loss(params):
        return jnp.sum(jacobian_mean(params, KEY, num_samples=2000, variant=variant) ** 2)

    compiled = jax.jit(jax.grad(loss)).lower(wide_params()).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 2000 * 500 * 4 / 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: jacobian_at(p, jnp.ones(2)), r"z has shape \(2,\), expected \(20,\)"),
        (lambda p: jacobian_at(p, jnp.ones(20), variant="odds"), "pot, log, prob.*odds"),
        (lambda p: jacobian_rows(p, jnp.ones(2), np.array([1])), r"z has shape \(2,\), expected \(20,\)"),
        (lambda p: jacobian_rows(p, jnp.ones(20), np.array([1]), variant="odds"), "pot, log, prob.*odds"),
        (lambda p: jacobian_rows(p, jnp.ones(20), np.array([[1, 2]])), r"shape \(1, 2\).*expected \(n,\)"),
        (lambda p: jacobian_rows(p, jnp.ones(20), 1), r"shape \(\).*expected \(n,\)"),
        (lambda p: jacobian_rows(p, jnp.ones(20), np.ones(2, np.float32)), "dtype float32, expected .* integer"),
        (lambda p: jacobian_rows(p, jnp.ones(20), np.ones(5, bool)), "dtype bool, expected .* integer"),
        (lambda p: jacobian_mean(p, KEY, variant="odds"), "pot, log, prob.*odds"),
        (lambda p: jacobian_mean(p, KEY, num_samples=0), "num_samples.*0"),
        (lambda p: jacobian_posterior(p, Gaussian(jnp.ones(2), jnp.ones(20)), KEY), r"psi.mean has shape \(2,\)"),
        (lambda p: jacobian_posterior(p, Gaussian(jnp.ones(20), jnp.ones(1)), KEY), r"psi.log_var has shape \(1,\)"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(wide_params())


def test_log_singular_values_are_those_of_a_known_matrix():
    left, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 4)))
    right, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))
    values = log_singular_values(left @ np.diag([7.0, 2.0, 1.5, 0.25]) @ right)
    np.testing.assert_allclose(values, np.log([7.0, 2.0, 1.5, 0.25]), rtol=1e-10)
    assert active_directions(values) == 3


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_posterior_jacobian_is_the_mean_over_its_draws(params64, variant):
    psi = Gaussian(jnp.asarray(Z), jnp.array([0.5, -1.0, -3.0]))
    keys = [jax.random.fold_in(KEY, s) for s in range(6)]
    zs = [psi.mean + jnp.exp(psi.log_var / 2) * jax.random.normal(key, (3,)) for key in keys]
    expected = np.mean([jacobian_at(params64, z, variant=variant) for z in zs], axis=0)
    find = partial(jacobian_posterior, params64, psi, KEY, num_samples=6, variant=variant)
    np.testing.assert_allclose(find(), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(find(ids=np.array([8, 0])), expected[[8, 0]], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_at_a_point_mass_the_posterior_jacobian_is_that_of_the_point(params64, variant):
    psi = Gaussian(jnp.asarray(Z), jnp.full(3, -60.0))
    found = jacobian_posterior(params64, psi, KEY, num_samples=3, variant=variant)
    np.testing.assert_allclose(found, jacobian_at(params64, jnp.asarray(Z), variant=variant), rtol=1e-9, atol=1e-12)


def test_contexts_are_batched_by_vmap():
    params = wide_params()
    rng = np.random.default_rng(0)
    psi = Gaussian(*jnp.asarray(rng.normal(size=(2, 3, 20)), jnp.float32))
    keys, ids = jax.random.split(KEY, 3), jnp.array([[1], [7], [7]])
    one = partial(jacobian_posterior, params)
    batched = jax.jit(jax.vmap(lambda psi, key, ids: one(psi, key, ids=ids)))(psi, keys, ids)
    assert batched.shape == (3, 1, 20)
    third = one(jax.tree.map(lambda leaf: leaf[2], psi), keys[2])[7]
    np.testing.assert_allclose(batched[2, 0], third, rtol=1e-4, atol=1e-6)


def test_a_prior_as_posterior_is_the_mean():
    params, prior = wide_params(), Gaussian(jnp.zeros(20), jnp.zeros(20))
    found = jacobian_posterior(params, prior, KEY, num_samples=150)
    np.testing.assert_allclose(found, jacobian_mean(params, KEY, num_samples=150), rtol=1e-5, atol=1e-7)
