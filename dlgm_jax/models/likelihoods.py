"""The deep latent Gaussian model by what its counts are drawn from."""

from collections.abc import Callable

from dlgm_jax.models import bursty, dlgm
from dlgm_jax.types import Csr, Model

OTHERS = {"dirichlet_multinomial": bursty.of_bursty_words}  # than the multinomial: model, vocab_axis -> model


def build(settings: dlgm.Settings, features: Callable[[Csr], Csr], *, vocab_axis: str | None = None) -> Model:
    """The model of these settings, as the registry makes it."""
    model = dlgm.dlgm(features, vocab_axis=vocab_axis, **settings.sizes)
    other = OTHERS.get(settings.likelihood)
    return other(model, vocab_axis) if other else model
