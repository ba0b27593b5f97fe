from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import features, infer, init_params, normalised_counts, refine, token_information
from dlgm_jax.data import batches
from dlgm_jax.evaluation.posteriors import corpus_posteriors, posterior
from dlgm_jax.inference.batched import adam, preconditioned
from dlgm_jax.models.dlgm import dlgm
from tests.conftest import as_corpus

COUNTS = np.random.default_rng(0).poisson(0.9, (11, 10))
CORPUS = as_corpus(COUNTS)
SIZES = {"latent_dim": 3, "generative_widths": (6,), "inference_widths": (5,)}
MODEL = dlgm(features.batch_normalised_counts, **SIZES)
KEY = jax.random.key(5)


@pytest.mark.parametrize("refiner", ["none", "adam", "fisher"])
def test_posteriors_are_those_of_the_public_functions(refiner):
    params = init_params(jax.random.key(0), 10, **SIZES)
    information = token_information(params.theta, jax.random.fold_in(KEY, 1))
    how, settings = {
        "none": (adam(0), {"num_steps": 0}),
        "adam": (adam(4, 0.05), {"num_steps": 4, "learning_rate": 0.05}),
        "fisher": (preconditioned(3), {"num_steps": 3, "information": information}),
    }[refiner]
    ordered = batches.ordered_batches(CORPUS, 4, sizes=batches.padded_sizes(4, CORPUS))
    found = corpus_posteriors(posterior(MODEL, refinement=how), params, ordered, KEY)
    assert found.mean.shape == found.log_var.shape == (11, 3)
    one = partial(refine, params.theta, **settings)
    for d, row in enumerate(COUNTS):
        x = jnp.asarray(row, jnp.float32)
        guess = infer(params.phi, normalised_counts(x))
        expected, _ = one(guess, x, jax.random.fold_in(jax.random.fold_in(KEY, 0), d))
        np.testing.assert_allclose(found.mean[d], expected.mean, atol=1e-5)
        np.testing.assert_allclose(found.log_var[d], expected.log_var, atol=1e-5)
