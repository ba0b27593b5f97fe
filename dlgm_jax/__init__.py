"""Deep latent Gaussian models of sparse, high-dimensional counts: inference, refinement, introspection."""

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.estimator import DLGM
from dlgm_jax.features import idf, normalised_counts, tfidf
from dlgm_jax.introspection.jacobian import jacobian_at, jacobian_mean, jacobian_posterior, jacobian_rows
from dlgm_jax.models.dlgm import (
    elbo,
    evidence,
    infer,
    init_params,
    log_likelihood,
    log_probs,
    refine,
    sample,
    token_information,
)
from dlgm_jax.run import Run, load_run
from dlgm_jax.types import BadInput, Gaussian, NonFinite, Params, Phi, Theta

__all__ = [
    "DLGM",
    "BadInput",
    "Corpus",
    "Gaussian",
    "NonFinite",
    "Params",
    "Phi",
    "Run",
    "Theta",
    "elbo",
    "evidence",
    "idf",
    "infer",
    "init_params",
    "jacobian_at",
    "jacobian_mean",
    "jacobian_posterior",
    "jacobian_rows",
    "load_run",
    "log_likelihood",
    "log_probs",
    "normalised_counts",
    "refine",
    "sample",
    "tfidf",
    "token_information",
]
