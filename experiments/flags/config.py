"""What a run is: one frozen, validated Config, from which the flags are generated."""

import os
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from dlgm_jax import settings
from dlgm_jax.data.datasets import NAMED
from dlgm_jax.errors import BadInput, shown
from dlgm_jax.networks import ACTIVATIONS
from dlgm_jax.settings import wrong, wrong_evaluations

SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "tf32", "bf16")
WIDTHS = {1: (), 3: (400, 400)}


def setting(default, help: str, check: str = "") -> Any:
    """A field with its help and the name of its check."""
    return field(default=default, metadata={"help": help, "check": check})


@dataclass(frozen=True)
class Config:
    """Every setting that a result depends on. Raises BadInput with the flag, what is expected and what was found.

    The defaults of the fields in `dlgm_jax.sizes.Sized` are those of recipes; a command fills them by `unset.filled`.
    """

    dataset: str = setting(
        "docstrings", "docstrings, 20news, or a folder that prepare wrote or in the NVDM form", "name"
    )
    model: int | None = setting(3, "1: log-linear; 3: two hidden layers of 400 and a linear output", "model")
    generative_widths: tuple[int, ...] | None = setting(
        None,
        "hidden widths of the generative model, as 400,400; empty: log-linear; unset: by --model",
        "widths",
    )
    inference_widths: tuple[int, ...] | None = setting(
        None, "hidden widths of the inference network; unset: 400,400", "widths"
    )
    activation: str = setting("relu", f"nonlinearity of the hidden layers: {', '.join(ACTIVATIONS)}", "activation")
    K: int = setting(100, "latent dimensions", "size")
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
    patience: int = setting(0, "stop after so many epochs without a better validation perplexity; 0: never", "natural")
    learning_rate: float = setting(
        0.003, "Adam's rate for the generative model and the inference network", "above_zero"
    )
    schedule: str = setting("constant", "of the learning rate: constant, or cosine down to a hundredth", "schedule")
    kl_anneal_steps: int = setting(0, "steps over which the weight of the KL grows from 0 to 1", "natural")
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
        for item in fields(self):
            check = item.metadata["check"]
            value = getattr(self, item.name)
            if check and value is not None and (found := wrong(value, CHECKS[check])):
                raise BadInput(f"--{item.name}: {found}")
        for flag, M, refiner in (("M", self.M, self.refiner), ("eval_M", self.eval_M, self.eval_refiner)):
            if found := wrong_evaluations(M, refiner):
                raise BadInput(f"--{flag}: {found}")

    def resolved(self) -> "Config":
        """With widths filled in by --model, and a folder by its whole path."""
        given = self.generative_widths
        return replace(
            self,
            model=self.model if given is None else None,
            generative_widths=WIDTHS[self.model or 3] if given is None else given,
            inference_widths=(400, 400) if self.inference_widths is None else self.inference_widths,
            dataset=self.dataset if self.dataset in NAMED else os.path.abspath(self.dataset),
        )

    @property
    def name(self) -> str:
        """As the paper names its models: 3-M100-tfidf."""
        widths = "x".join(map(str, self.generative_widths or ())) or "linear"
        inference = "x".join(map(str, self.inference_widths or ())) or "linear"
        suffix = "" if inference == "400x400" else f"-q{inference}"
        suffix += f"-first{self.refined_epochs}" if self.refined_epochs else ""
        refiner = "" if self.refiner == "adam" or self.M == 1 else f"-{self.refiner}"
        return f"{self.model or widths}-M{self.M}{refiner}-{self.features}{suffix}"

    def to_json(self) -> dict[str, Any]:
        """As config.json holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Config":
        """From what config.json holds. Raises BadInput when it holds something else."""
        settings: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        settings = {"eval_full_steps": 0} | settings  # which older runs do not have
        known = {item.name: item.type for item in fields(cls)}
        odd = sorted(known.keys() ^ settings.keys())
        if odd:
            raise BadInput(f"config.json: expected the settings of this version, {', '.join(odd)} too many or missing")
        for name, value in settings.items():
            kind: Any = tuple | None if "tuple" in str(known[name]) else known[name]
            if not isinstance(value, kind) or isinstance(value, bool):
                raise BadInput(f"config.json: expected {name} to be {kind}, found {shown(repr(value))}")
        return cls(**settings)


CHECKS: dict[str, settings.Check] = {
    **settings.CHECKS,
    "model": ("1 or 3", lambda v: v in WIDTHS),
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
