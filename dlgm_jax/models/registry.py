"""The models of documents by name, one line each: commands, `load_run` and estimators take them from here."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from dlgm_jax.errors import BadInput, shown
from dlgm_jax.models import autoencoders, dlgm, likelihoods
from dlgm_jax.types import Model

ADDED = {"likelihood": "multinomial"}  # settings of models that runs of before do not hold, and what these were
OF_A_KL = ("beta", "kl_anneal_steps")  # settings of training that weigh the KL


@dataclass(frozen=True)
class Entry:
    """A model by its settings and how it is built from them."""

    about: str  # a line for --help
    settings: type  # a frozen dataclass of the model's own settings, each of which is a flag
    build: Callable[..., Model]  # settings, features, vocab_axis -> Model
    defaults: dict[str, Any] = field(default_factory=dict)  # of settings, its own or of training, that differ here
    unread: tuple[str, ...] = ()  # settings of training that mean nothing here, and are refused

    @property
    def names(self) -> list[str]:
        """The settings of the model."""
        return [item.name for item in fields(self.settings)]

    def completed(self, values: dict[str, Any]) -> dict[str, Any]:
        """Completes what config.json of a run holds by the settings that there were not when it was begun."""
        return {name: value for name, value in ADDED.items() if name in self.names} | values

    def made(self, values: dict[str, Any]) -> Any:
        """The settings of the model, by those of `values` that it has, whatever else they hold."""
        names = self.names
        return self.settings(**{name: value for name, value in (self.defaults | values).items() if name in names})


MODELS = {
    "1": Entry("log-linear deep latent Gaussian model", dlgm.Settings, likelihoods.build, {"generative_widths": ()}),
    "3": Entry(
        "deep latent Gaussian model, two hidden layers of 400 and a linear output", dlgm.Settings, likelihoods.build
    ),
    "ae": Entry(
        "autoencoder: one code a document, no prior",
        autoencoders.Settings,
        autoencoders.ae,
        {"M": 1, "input_dropout": 0.0},
        (*OF_A_KL, "input_dropout"),
    ),
    "dae": Entry(
        "denoising autoencoder: an ae whose encoder misses --input_dropout of the words",
        autoencoders.Settings,
        autoencoders.ae,
        {"M": 1, "input_dropout": 0.3},
        OF_A_KL,
    ),
    "vae": Entry(
        "variational autoencoder, as 3 but of counts or of real rows; training refines only where --M says so",
        autoencoders.Settings,
        autoencoders.vae,
        {"M": 1},
    ),
}
DEFAULT = "3"


def entry(name: object) -> Entry:
    """The model of this name. Raises BadInput."""
    if str(name) not in MODELS:
        raise BadInput(f"--model: expected {', '.join(MODELS)}, found {shown(str(name))}")
    return MODELS[str(name)]


def own_settings() -> dict[str, Any]:
    """The settings that any model has, by name, as fields of a dataclass."""
    return {item.name: item for one in MODELS.values() for item in fields(one.settings)}


def unread(model: object, name: str) -> str | None:
    """`expected ..., found ...` where the model does not read a setting that others do, or None."""
    own = own_settings()

    def reads(one: Entry) -> bool:
        return name not in one.unread and (name not in own or name in {item.name for item in fields(one.settings)})

    if reads(entry(model)):
        return None
    readers = ", ".join(other for other, one in MODELS.items() if reads(one))
    return f"expected a model that reads it ({readers}), found --model={model}"
