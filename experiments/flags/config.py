"""What a run is: one frozen, validated Config, from which the flags are generated."""

import os
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any

from dlgm_jax import settings
from dlgm_jax.data.datasets import NAMED
from dlgm_jax.errors import BadInput, shown
from dlgm_jax.models import registry
from dlgm_jax.settings import first_wrong, setting, wrong_evaluations

SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "tf32", "bf16")


@dataclass(frozen=True)
class Config:
    """Every setting that a result depends on. Raises BadInput with the flag, what is expected and what was found.

    `of` makes one from flags by name, those of the model among them. The defaults of the fields in
    `dlgm_jax.sizes.Sized` are those of recipes; a command fills them by `unset.filled`.
    """

    dataset: str = setting(
        "docstrings", "docstrings, 20news, or a folder that prepare wrote or in the NVDM form", "name"
    )
    model: int | str | None = setting(int(registry.DEFAULT), "the model, by its name below")
    settings: Any = field(default_factory=lambda: registry.entry(registry.DEFAULT).made({}))  # the model's own
    features: str = setting(
        "tfidf", "what the inference network reads: tfidf (the paper's), tfidf_smooth, norm, counts", "features"
    )
    M: int = setting(100, "M-1 gradient evaluations refine each document's posterior; 1: none", "positive")
    refiner: str = setting(
        "adam", "adam: the paper's; fisher: preconditioned, two evaluations a step, M from 7 to 21", "refiner"
    )
    refined_epochs: int = setting(0, "epochs that refine, from the first; those after them do not; 0: all", "natural")
    psi_learning_rate: float = setting(0.01, "Adam's rate for refinement", "above_zero")
    psi_beta1: float = setting(0.1, "Adam's beta1 for refinement, in evaluation too", "share")
    batch_size: int = setting(500, "documents of a step", "positive")
    epochs: int = setting(15, "passes over the training documents", "positive")
    patience: int = setting(0, "stop after so many epochs without a better validation score; 0: never", "natural")
    learning_rate: float = setting(
        0.003, "Adam's rate for the generative model and the inference network", "above_zero"
    )
    schedule: str = setting("constant", "of the learning rate: constant, or cosine down to a hundredth", "schedule")
    beta: float = setting(
        1.0, "weight of the KL in training (beta-VAE) and for the best epoch; scores have 1", "not_negative"
    )
    kl_anneal_steps: int = setting(0, "steps over which the weight of the KL grows from 0 to --beta", "natural")
    input_dropout: float = setting(0.0, "share of a document's words that the inference network misses", "share")
    weight_decay: float = setting(0.0, "decoupled weight decay of matrices", "not_negative")
    length_weighting: float = setting(
        0.0,
        "a document's bound counts N^-a in training: 0 the paper's sum, 1 the mean over documents of bounds per word",
        "not_negative",
    )
    valid_size: int = setting(500, "training documents held out for validation", "positive")
    seed: int = setting(0, "decides weights, split, order and noise", "natural")
    precision: str = setting(
        "float32",
        "of the factors in matrix products, on a GPU or TPU: float32, tf32, bf16; sums are float32",
        "precision",
    )
    eval_M: int = setting(100, "as --M, in evaluation", "positive")
    eval_refiner: str = setting("adam", "as --refiner, in evaluation; only adam's scores are the paper's", "refiner")
    eval_psi_learning_rate: float = setting(0.008, "as --psi_learning_rate, in evaluation", "above_zero")
    eval_samples: int = setting(1, "samples for the bound of a document", "positive")
    eval_iwae_samples: int = setting(0, "samples for an importance-weighted bound at the end; 0: none", "natural")
    eval_full_steps: int = setting(
        0, "steps that fit posteriors with full covariance at the end, as 8; 0: none", "natural"
    )

    def __post_init__(self):
        if found := first_wrong(self, CHECKS) or first_wrong(self.settings, CHECKS):
            raise BadInput(found)
        for flag, M, refiner in (("M", self.M, self.refiner), ("eval_M", self.eval_M, self.eval_refiner)):
            if found := wrong_evaluations(M, refiner):
                raise BadInput(f"--{flag}: {found}")
        if self.beta == 0 and self.M > 1 and self.refiner == "fisher":
            raise BadInput("--beta: expected a weight above 0, which fisher divides by, found 0; or --refiner=adam")

    @classmethod
    def of(cls, **values: Any) -> "Config":
        """From flags by name, those of the model among them; the dataset's folder by its whole path. Raises BadInput.

        Where nothing else is given, a model has defaults of its own. Widths of the generative model, given in place of
        --model=1 or 3, are a model without a number (None).
        """
        name = values.pop("model", None)
        name = registry.DEFAULT if name is None else name
        entry = registry.entry(name)
        own = {item.name for item in run_settings()}
        if unknown := values.keys() - own - registry.own_settings().keys():
            raise TypeError(f"expected settings, found {', '.join(sorted(unknown))}")
        odd = next((one for one in values if one not in own and registry.unread(name, one)), None)
        if odd:
            raise BadInput(f"--{odd}: {registry.unread(name, odd)}")
        numbered = str(name).isdecimal()
        model: Any = (None if "generative_widths" in values else int(str(name))) if numbered else name
        chosen = {one: value for one, value in (own_of_runs(name) | values).items() if one in own}
        place = chosen.pop("dataset", cls.dataset)
        dataset = place if place in NAMED or not place.strip() else os.path.abspath(place)
        return cls(dataset=dataset, model=model, settings=entry.made(values), **chosen)

    @property
    def entry(self) -> registry.Entry:
        """The model's line in the registry."""
        return registry.entry(registry.DEFAULT if self.model is None else self.model)

    @property
    def name(self) -> str:
        """The name of a run as the paper names models, 3-M100-tfidf, with whatever else is not as by default."""
        own = asdict(self.settings)
        widths = _joined(own.get("generative_widths", ()))
        inference = _joined(own.get("inference_widths", (400, 400)))
        suffix = "" if inference == "400x400" else f"-q{inference}"
        suffix += f"-first{self.refined_epochs}" if self.refined_epochs else ""
        suffix += f"-beta{self.beta:g}" if self.beta != 1 else ""
        refiner = "" if self.refiner == "adam" or self.M == 1 else f"-{self.refiner}"
        return f"{self.model or widths}{self._own_name}-M{self.M}{refiner}-{self.features}{suffix}"

    @property
    def _own_name(self) -> str:
        """The settings of the model that are not as by default, without those that every model has."""
        default = asdict(self.entry.made({}))
        shown = {"likelihood", "generative_widths"} if self.model else {"likelihood"}
        every = set(registry.entry(registry.DEFAULT).names) - shown
        own = [value for name, value in asdict(self.settings).items() if name not in every and value != default[name]]
        return "".join(f"-{_joined(value)}" for value in own)

    def to_json(self) -> dict[str, Any]:
        """As config.json holds it: the settings of the model stand among the others."""
        values = asdict(self)
        return values | values.pop("settings")

    def with_(self, **values: Any) -> "Config":
        """Another one, in which these settings, the model's among them, have other values. Raises BadInput."""
        own = {name: values.pop(name) for name in asdict(self.settings).keys() & values.keys()}
        return replace(self, settings=replace(self.settings, **own), **values)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Config":
        """From what config.json holds. Raises BadInput when it holds something else."""
        settings: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        entry = registry.entry(settings.get("model") or registry.DEFAULT)
        settings = {"eval_full_steps": 0, "beta": 1.0} | entry.completed(settings)  # which older runs do not have
        known = {item.name: item.type for item in [*run_settings(), *fields(entry.settings)]}
        odd = sorted(known.keys() ^ settings.keys())
        if odd:
            raise BadInput(f"config.json: expected the settings of this version, {', '.join(odd)} too many or missing")
        for name, value in settings.items():
            kind: Any = tuple | None if "tuple" in str(known[name]) else known[name]
            if not isinstance(value, kind) or isinstance(value, bool):
                raise BadInput(f"config.json: expected {name} to be {kind}, found {shown(repr(value))}")
        own = {name: settings.pop(name) for name in known if name not in {item.name for item in run_settings()}}
        return cls(**settings, settings=entry.made(own))


def run_settings() -> list[Field]:
    """The settings that every run has, as fields, without those of models."""
    return [item for item in fields(Config) if item.name != "settings"]


def own_of_runs(model: object) -> dict[str, Any]:
    """The settings of runs whose default is another one for a model. Raises BadInput."""
    of_runs = {item.name for item in run_settings()}
    return {name: value for name, value in registry.entry(model).defaults.items() if name in of_runs}


def all_settings() -> list[Field]:
    """The settings that become flags: those of every run, and after --model those that any model has."""
    dataset, model, *others = run_settings()
    return [dataset, model, *registry.own_settings().values(), *others]


def _joined(value: Any) -> str:
    """A value within a name: widths as 400x400 or linear."""
    return ("x".join(map(str, value)) or "linear") if isinstance(value, tuple) else str(value)


CHECKS: dict[str, settings.Check] = {
    **settings.CHECKS,
    "name": ("a name or a folder", lambda v: v.strip()),
    "precision": (f"one of {', '.join(PRECISIONS)}", lambda v: v in PRECISIONS),
    "schedule": (f"one of {', '.join(SCHEDULES)}", lambda v: v in SCHEDULES),
}

FAST = "--M=13 --refiner=fisher --eval_M=13 --eval_refiner=fisher"  # flags of the fast setting, in scores too

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "paper": {
        "K": 100,
        "features": "tfidf",
        "activation": "relu",
        "refiner": "adam",
        "refined_epochs": 0,
        "psi_learning_rate": 0.01,
        "psi_beta1": 0.1,
        "batch_size": 500,
        "epochs": 200,
        "patience": 0,
        "learning_rate": 0.0008,
        "schedule": "constant",
        "kl_anneal_steps": 0,
        "input_dropout": 0.0,
        "weight_decay": 0.0,
        "length_weighting": 0.0,
        "valid_size": 500,
        "precision": "float32",
        "eval_M": 100,
        "eval_refiner": "adam",
        "eval_psi_learning_rate": 0.008,
        "eval_samples": 1,
    },
}
