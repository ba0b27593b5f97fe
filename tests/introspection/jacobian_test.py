import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import init_params, jacobian_at, jacobian_mean
from dlgm_jax.introspection.spectrum import active_directions, log_singular_values
from tests import oracles

Z = np.array([0.7, -0.3, 1.2])
FUNCTIONS = {
    "pot": oracles.potentials,
    "log": lambda theta, z: np.log(oracles.probabilities(theta, z)),
    "prob": oracles.probabilities,
}


@pytest.mark.parametrize("variant", ["pot", "log", "prob"])
def test_jacobian_is_finite_differences(params64, variant):
    expected = oracles.jacobian(lambda z: FUNCTIONS[variant](params64.theta, z), Z)
    np.testing.assert_allclose(jacobian_at(params64, jnp.asarray(Z), variant=variant), expected, rtol=1e-6, atol=1e-8)


def test_variants_follow_from_each_other(params64):
    pot, log, prob = (np.asarray(jacobian_at(params64, jnp.asarray(Z), variant=v)) for v in ("pot", "log", "prob"))
    mu = oracles.probabilities(params64.theta, Z)
    np.testing.assert_allclose(log, pot - np.outer(np.ones(len(mu)), mu @ pot), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(prob, mu[:, None] * log, rtol=1e-10, atol=1e-14)


def test_the_log_linear_jacobian_is_the_weights():
    params = init_params(jax.random.key(0), 9, latent_dim=3, generative_widths=())
    np.testing.assert_allclose(
        jacobian_mean(params, jax.random.key(1), num_samples=7, variant="pot"), params.theta.output.weights.T, rtol=1e-5
    )


@pytest.mark.parametrize("variant", ["pot", "log", "prob"])
def test_the_mean_is_the_mean_of_jacobians(params64, variant):
    key = jax.random.key(4)
    total = 0
    for sample in range(6):
        z = jax.random.normal(jax.random.fold_in(key, sample), (3,))
        total = total + oracles.jacobian(lambda z: FUNCTIONS[variant](params64.theta, z), z)
    ours = jacobian_mean(params64, key, num_samples=6, variant=variant)
    np.testing.assert_allclose(ours, total / 6, rtol=1e-6, atol=1e-8)


def test_it_works_with_nothing_else_given_and_under_transformations():
    params = init_params(jax.random.key(0), 11, latent_dim=4, generative_widths=(6, 5), inference_widths=(6,))
    plain = jacobian_mean(params, jax.random.key(1))
    assert plain.shape == (11, 4)
    np.testing.assert_array_equal(plain, jacobian_mean(params, jax.random.key(1), num_samples=400, variant="log"))
    assert jacobian_at(params, np.array([1, 0, 0, 2])).shape == (11, 4)
    keys = jax.random.split(jax.random.key(2), 3)
    batched = jax.vmap(lambda key: jacobian_mean(params, key))(keys)
    np.testing.assert_allclose(batched[0], jax.jit(jacobian_mean)(params, keys[0]), rtol=1e-5, atol=1e-6)
    gradient = jax.grad(lambda p: jnp.sum(jacobian_mean(p, keys[0], num_samples=5) ** 2))(params)
    assert np.any(gradient.theta.output.weights)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))


def test_all_samples_are_never_held_at_once():
    params = init_params(jax.random.key(0), 500, latent_dim=20, generative_widths=(8,), inference_widths=(8,))

    def temporary(samples):
        lowered = jacobian_mean.lower(params, jax.random.key(0), num_samples=samples)
        return lowered.compile().memory_analysis().temp_size_in_bytes

    assert temporary(400) < 2 * temporary(2)
    assert temporary(400) < 50 * 500 * 20 * 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: jacobian_at(p, jnp.ones(2)), r"z has shape \(2,\), expected \(3,\)"),
        (lambda p: jacobian_at(p, jnp.ones(3), variant="odds"), "pot, log, prob.*odds"),
        (lambda p: jacobian_mean(p, jax.random.key(0), variant="odds"), "pot, log, prob.*odds"),
        (lambda p: jacobian_mean(p, jax.random.key(0), num_samples=0), "num_samples.*0"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(init_params(jax.random.key(0), 5, latent_dim=3))


def test_log_singular_values_are_those_of_a_known_matrix():
    left, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 4)))
    right, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))
    values = log_singular_values(left @ np.diag([7.0, 2.0, 1.5, 0.25]) @ right)
    np.testing.assert_allclose(values, np.log([7.0, 2.0, 1.5, 0.25]), rtol=1e-10)
    assert active_directions(values) == 3
