"""The deep latent Gaussian model by what its counts are drawn from."""

from collections.abc import Callable

from dlgm_jax.models import bursty, dlgm
from dlgm_jax.types import Csr, Model

LIKELIHOODS = {"dirichlet_multinomial": bursty.of_bursty_words}  # others than the multinomial, of a model of that


def build(settings: dlgm.Settings, features: Callable[[Csr], Csr], *, vocab_axis: str | None = None) -> Model:
    """The model of these settings, as the registry makes it."""
    model = dlgm.dlgm(features, vocab_axis=vocab_axis, **settings.sizes)
    other = LIKELIHOODS.get(settings.likelihood)
    return other(model, vocab_axis) if other else model
