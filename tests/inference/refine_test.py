import jax
import jax.numpy as jnp
import numpy as np

from dlgm_jax.inference.refine import adam, refine
from dlgm_jax.types import Gaussian

A = jnp.array([[2.0, 0.3], [0.3, 1.0]])
B = jnp.array([1.0, -2.0])


def log_likelihood(z):
    """Gaussian: the best psi has mean (A + I)^-1 b and variances 1 / (1 + A_kk)."""
    return B @ z - 0.5 * z @ A @ z


def run(num_steps, key=0, refiner=None):
    start = Gaussian(jnp.zeros(2), jnp.zeros(2))
    refiner = refiner or adam(0.01, 0.1)
    return refine(log_likelihood, start, jax.random.key(key), refiner=refiner, num_steps=num_steps)


def test_adam_finds_the_known_optimum():
    ends = [run(4000, key)[0] for key in range(20)]
    mean = np.mean([psi.mean for psi in ends], axis=0)
    log_var = np.mean([psi.log_var for psi in ends], axis=0)
    np.testing.assert_allclose(mean, np.linalg.solve(A + np.eye(2), B), atol=0.05)
    np.testing.assert_allclose(log_var, -np.log1p(np.diag(A)), atol=0.1)


def test_no_steps_change_nothing():
    psi, info = run(0)
    assert not np.any(psi.mean)
    assert info.elbo.shape == (0,)


def test_noise_is_redrawn_at_every_step():
    _, info = run(5, refiner=adam(1e-12))
    assert len(set(np.asarray(info.elbo).tolist())) == 5


def test_longer_runs_begin_as_shorter_ones():
    np.testing.assert_array_equal(run(8)[1].elbo, run(20)[1].elbo[:8])


def test_reverse_differentiation_through_refinement():
    def end(shift):
        psi, _ = refine(
            lambda z: log_likelihood(z + shift),
            Gaussian(jnp.zeros(2), jnp.zeros(2)),
            jax.random.key(0),
            refiner=adam(0.01),
            num_steps=5,
        )
        return psi.mean.sum()

    assert np.isfinite(jax.grad(end)(0.3))
