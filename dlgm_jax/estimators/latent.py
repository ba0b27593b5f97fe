"""Any model of the registry as scikit-learn users expect one."""

from dataclasses import fields
from typing import ClassVar

from dlgm_jax.errors import BadInput
from dlgm_jax.estimators.base import LatentEstimator
from dlgm_jax.estimators.compiled import Spec
from dlgm_jax.models.registry import DEFAULT, entry
from dlgm_jax.settings import CHECKS, first_wrong


class LatentModel(LatentEstimator):
    """A model by its name, trained by Algorithm 1: rows in, posterior means out.

    X is [D, V], sparse or dense: of finite weights from 0, or of a model of real rows (settings={"likelihood":
    "gaussian"}) of finite numbers, which may be below 0 where `features` is "counts": what is modelled of a real row is
    what `features` makes of it, and "counts" takes it as it is. Columns far from 0 are learned better with their means
    subtracted. Methods and attributes are those of `DLGM`; bounds are in nats a row where rows are real numbers.

    model: a name of --model, as ae, dae, vae; n_components: K; settings: the other flags of the model by name, as
    {"generative_widths": (), "likelihood": "gaussian"}; beta: weight of the KL in training. Others: as those of `DLGM`.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(90, 5))
    >>> shape = {"likelihood": "gaussian", "generative_widths": (), "inference_widths": ()}
    >>> LatentModel("vae", 2, settings=shape, features="counts", max_iter=3, random_state=0).fit_transform(X).shape
    (90, 2)
    """

    def __init__(
        self,
        model=DEFAULT,
        n_components=100,
        *,
        settings=None,
        features="tfidf",
        M=1,
        refiner="adam",
        psi_learning_rate=0.01,
        max_iter="auto",
        batch_size="auto",
        learning_rate="auto",
        beta=1.0,
        kl_anneal_steps=0,
        input_dropout="auto",
        weight_decay="auto",
        length_weighting=0.0,
        eval_M=1,
        eval_samples=1,
        random_state=None,
        verbose=0,
    ):
        self.model = model
        self.n_components = n_components
        self.settings = settings
        self.features = features
        self.M = M
        self.refiner = refiner
        self.psi_learning_rate = psi_learning_rate
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.beta = beta
        self.kl_anneal_steps = kl_anneal_steps
        self.input_dropout = input_dropout
        self.weight_decay = weight_decay
        self.length_weighting = length_weighting
        self.eval_M = eval_M
        self.eval_samples = eval_samples
        self.random_state = random_state
        self.verbose = verbose

    _own_parameters: ClassVar = {"size": ("n_components",)}

    def _spec(self) -> Spec:
        own = {} if self.settings is None else self.settings
        if not isinstance(own, dict):
            raise ValueError(f"settings: expected a dict of the model's own flags, found {own!r}")
        try:
            of_model = entry(self.model)
        except BadInput as error:
            raise ValueError(str(error).removeprefix("--")) from error
        names = [item.name for item in fields(of_model.settings) if item.name != "K"]
        if odd := sorted(own.keys() - set(names), key=str):
            raise ValueError(f"settings: expected some of {', '.join(names)}, found {odd[0]!r}")
        made = of_model.made({name: _tuple(value) for name, value in own.items()} | {"K": self.n_components})
        if found := first_wrong(made, CHECKS):
            raise ValueError(f"settings: {found.removeprefix('--')}")
        return Spec(str(self.model), made, self.features)


def _tuple(value):
    return tuple(value) if isinstance(value, list) else value
