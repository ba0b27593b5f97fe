"""Deep latent Gaussian models of sparse, high-dimensional counts: inference, refinement, introspection.

A name is imported when it is asked for, so that one of them does not cost the libraries of all.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlgm_jax.data.corpus import Corpus
    from dlgm_jax.errors import BadInput, NonFinite
    from dlgm_jax.estimators.dlgm import DLGM
    from dlgm_jax.estimators.latent import LatentModel
    from dlgm_jax.features import idf, normalised_counts, tfidf
    from dlgm_jax.introspection.jacobian import jacobian_at, jacobian_mean, jacobian_posterior, jacobian_rows
    from dlgm_jax.models.dlgm import (
        Phi,
        Theta,
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
    from dlgm_jax.storage.run import Run, load_run
    from dlgm_jax.types import Gaussian, Params

_HOMES = {
    "data.corpus": ("Corpus",),
    "errors": ("BadInput", "NonFinite"),
    "estimators.dlgm": ("DLGM",),
    "estimators.latent": ("LatentModel",),
    "features": ("idf", "normalised_counts", "tfidf"),
    "introspection.jacobian": ("jacobian_at", "jacobian_mean", "jacobian_posterior", "jacobian_rows"),
    "models.dlgm": (
        "Phi",
        "Theta",
        "elbo",
        "evidence",
        "infer",
        "init_params",
        "log_likelihood",
        "log_probs",
        "refine",
        "sample",
        "token_information",
    ),
    "storage.run": ("Run", "load_run"),
    "types": ("Gaussian", "Params"),
}

__all__ = [
    "DLGM",
    "BadInput",
    "Corpus",
    "Gaussian",
    "LatentModel",
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


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"dlgm_jax.{home}"), name)
    raise AttributeError(f"module 'dlgm_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
