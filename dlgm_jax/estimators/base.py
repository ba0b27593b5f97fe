"""Models as scikit-learn users expect them: rows in, posterior means out."""

import warnings
from copy import copy
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import jax
import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.errors import BadInput, NonFinite
from dlgm_jax.estimators import compiled, rows, saved
from dlgm_jax.evaluation import real_rows, scoring
from dlgm_jax.evaluation.perplexity import perplexity, unigram_log_likelihoods
from dlgm_jax.evaluation.posteriors import corpus_posteriors
from dlgm_jax.features import idf_for, reader
from dlgm_jax.introspection.jacobian import mean_jacobian, variants_of
from dlgm_jax.models import sampling
from dlgm_jax.models.registry import entry, unread
from dlgm_jax.settings import CHECKS, wrong, wrong_evaluations
from dlgm_jax.sizes import by_size
from dlgm_jax.types import Model, Params

INIT, TRAIN, INFER, INTROSPECT = range(4)  # uses of the seed
KINDS = [np.float64, np.float32, np.int64, np.int32]  # of counts that are taken as they are
PSI_BETA1 = 0.1  # of Adam as the refiner
AUTO = {"max_iter": "epochs"} | {  # parameters that may be "auto", by the names in Sized
    name: name for name in ("batch_size", "learning_rate", "input_dropout", "weight_decay")
}
KEPT = ("settings_", "seed_", "n_iter_", "n_samples_seen_", "bound_curve_")
# values by which nothing is asked of a model that does not read the parameter
NOTHING: dict[str, tuple[Any, ...]] = {"beta": (1.0,), "kl_anneal_steps": (0,), "input_dropout": ("auto", 0.0)}
PARAMETERS = {
    "features": ("features",),
    "refiner": ("refiner",),
    "positive": ("M", "eval_M", "eval_samples", "max_iter", "batch_size"),
    "above_zero": ("learning_rate", "psi_learning_rate"),
    "not_negative": ("weight_decay", "length_weighting", "beta"),
    "share": ("input_dropout",),
    "natural": ("kl_anneal_steps", "verbose"),
}


class LatentEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The methods that the estimators of all models share; each names its model and its settings (`_spec`)."""

    n_components: int
    features: str
    M: int
    refiner: str
    psi_learning_rate: float
    max_iter: int | str
    batch_size: int | str
    learning_rate: float | str
    kl_anneal_steps: int
    input_dropout: float | str
    weight_decay: float | str
    length_weighting: float
    eval_M: int
    eval_samples: int
    random_state: Any
    verbose: int
    beta: float = 1.0  # weight of the KL in training, where it is no parameter
    _own_parameters: ClassVar[dict[str, tuple[str, ...]]] = {}  # the parameters of one estimator, as in PARAMETERS

    def fit(self, X, y=None):
        """Learns from the rows of X [D, V], anew.

        Raises ValueError for parameters and rows that are not as described, NonFinite when the bound diverges. Warns
        (ConvergenceWarning) when the bound is worse than the words' frequencies give, or of real rows one Gaussian.
        """
        return self._train(X, anew=True)

    def partial_fit(self, X, y=None):
        """Goes on with one pass over the rows of X [D, V].

        Document frequencies count the rows of all calls; parameters and Adam's moments continue. Raises as fit does.
        """
        return self._train(X, anew=not hasattr(self, "state_"), passes=1)

    def transform(self, X):
        """Refined posterior means of the rows: float32 [D, K]."""
        check_is_fitted(self, "state_")
        found = self._on_rows(X, corpus_posteriors, compiled.finder(self.spec_, self._refinement(self.eval_M)))
        if odd := int((~np.isfinite(found).all(axis=1)).sum()):
            raise NonFinite(f"X: the posterior mean of {odd} of {len(found)} rows is not finite")
        return found

    def score_samples(self, X):
        """The bound on log p(x) at the refined posterior of each row, in nats: [D]."""
        return self._bounds(X)[0]

    def score(self, X, y=None):
        """The mean of `score_samples`, in nats a row: higher is better."""
        return float(np.mean(self.score_samples(X)))

    def perplexity(self, X):
        """exp(-(1/D) sum_d ELBO_d / N_d) at the refined posteriors, over the D rows that have words: lower is better.

        Raises BadInput when no row has words, or rows are no counts.
        """
        check_is_fitted(self, "state_")
        if not self.spec_.of_words:
            raise BadInput("perplexity: expected a model of counts, found one of real rows; see score")
        bounds, lengths = self._bounds(X)
        if not lengths.any():
            raise BadInput("X: expected a row with words, found only empty ones")
        return perplexity(bounds, lengths)

    def sample(self, n_samples=1, *, length=100, random_state=None):
        """Draws z from the prior and then a row: `length` words as whole counts, CSR [n_samples, V]; or real numbers,
        float32 [n_samples, V].

        `length` is one number or [n_samples] of them. Raises ValueError for fewer than one row or word counts below 0.
        """
        if found := wrong(n_samples, CHECKS["positive"]):
            raise ValueError(f"n_samples: {found}")
        params, random, model = jax.device_put(self.params_), check_random_state(random_state), self._model()
        keys = jax.random.split(jax.random.key(int(random.randint(2**31 - 1))), n_samples)
        if not model.of_words:
            return np.asarray(jax.vmap(lambda key: sampling.sample(model, params, key, 0))(keys))
        draw = jax.jit(partial(sampling.log_probs, model, params))

        def row(key, words):  # counts of any length are drawn on the host, in float64
            probabilities = np.exp(np.asarray(draw(key), np.float64))
            return scipy.sparse.csr_matrix(random.multinomial(words, probabilities / probabilities.sum()))

        return scipy.sparse.vstack(list(map(row, keys, np.broadcast_to(length, (n_samples,)))), "csr")

    def save(self, path):
        """Writes what was learned to a new or empty folder, for `load`; a RandomState is not kept.

        Raises BadInput when the folder holds something.
        """
        check_is_fitted(self, "state_")
        parameters = self.get_params()
        if isinstance(self.random_state, np.random.RandomState):
            parameters["random_state"] = None
        names = getattr(self, "feature_names_in_", None)
        fitted = {name: getattr(self, name) for name in KEPT}
        model = self.spec_.name, asdict(self.spec_.settings)
        facts = {"model": model, "parameters": parameters, "fitted": fitted}
        facts["feature_names"] = None if names is None else names.tolist()
        saved.write(Path(path), self.state_, self.document_frequencies_, facts)

    @classmethod
    def load(cls, path):
        """The estimator that `save` wrote: the same transform, bit for bit. Raises BadInput when there is none."""
        state, frequencies, facts, spec = saved.read(Path(path))
        if odd := sorted(facts["parameters"].keys() - set(cls._get_param_names())):
            raise BadInput(f"{path}: expected what a {cls.__name__} saved, found another estimator's {odd[0]}")
        self = cls(**facts["parameters"])
        older = {"settings_": _sized(facts["fitted"]["n_samples_seen_"], len(frequencies), 0.0)}
        vars(self).update(older | facts["fitted"], state_=state, document_frequencies_=frequencies, spec_=spec)
        vars(self)["n_features_in_"] = len(frequencies)
        if facts["feature_names"]:
            vars(self)["feature_names_in_"] = np.asarray(facts["feature_names"], object)
        return self

    @property
    def params_(self) -> Params:
        check_is_fitted(self, "state_")
        return self.state_.params

    @property
    def components_(self) -> np.ndarray:
        """The Jacobian vectors of all words, J_mean^log transposed: [K, V].

        How the log-probability of each word, or the mean of each column of real rows, moves with each latent dimension,
        averaged over the prior. Computed at each access.
        """
        params, model = self.params_, self._model()
        return np.asarray(mean_jacobian(model, params, self._key(INTROSPECT), variant=variants_of(model)[0])).T

    @property
    def idf_(self) -> np.ndarray:
        """Inverse document frequencies of all rows seen, in the form that `features` means: float32 [V]."""
        check_is_fitted(self, "document_frequencies_")
        return np.asarray(idf_for(self.spec_.features, self.document_frequencies_, self.n_samples_seen_))

    @property
    def _n_features_out(self) -> int:
        return self.spec_.settings.K

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = not self._signed
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _spec(self) -> compiled.Spec:
        """The model that the parameters name. Raises ValueError."""
        raise NotImplementedError

    @property
    def _signed(self) -> bool:
        """Tells whether rows may hold numbers below 0, by the parameters."""
        return self._spec().signed

    def _model(self) -> Model:
        return self.spec_.model(self.idf_)

    def _rows(self, corpus: Corpus) -> real_rows.Rows:
        return real_rows.rows_of(corpus, reader(self.spec_.features, self.idf_))

    def _key(self, use: int):
        return jax.random.fold_in(jax.random.key(self.seed_), use)

    def _read(self, X, *, reset: bool) -> Corpus:
        spec = self._spec() if reset else self.spec_
        how: dict[str, Any] = {"accept_sparse": "csr", "dtype": KINDS, "ensure_non_negative": spec.of_words}
        checked: Any = validate_data(self, X, reset=reset, **how)
        if not (spec.of_words or spec.signed) and checked.min() < 0:
            raise ValueError(f"features: expected counts, since X has numbers below 0, found {spec.features}")
        documents, words = (tuple(map(str, range(size))) for size in checked.shape)
        return Corpus(checked, words, documents, whole=False, signed=spec.signed)

    def _check_parameters(self) -> None:
        for kind, names in (PARAMETERS | self._own_parameters).items():
            for name in names:
                value, check = getattr(self, name), CHECKS[kind]
                if name in AUTO:
                    if isinstance(value, str) and value == "auto":
                        continue
                    check = (f"auto or {check[0]}", check[1])
                if found := wrong(value, check):
                    raise ValueError(f"{name}: {found}")
        for name in ("M", "eval_M"):
            if found := wrong_evaluations(getattr(self, name), self.refiner):
                raise ValueError(f"{name}: {found}")
        spec = self._spec()
        for name, values in NOTHING.items():
            if getattr(self, name) not in values and (found := unread(spec.name, name)):
                raise ValueError(f"{name}: {found}")
        model = spec.model(np.ones(1))
        if self.length_weighting and not spec.of_words:
            raise ValueError(
                f"length_weighting: expected 0, since real rows have no length, found {self.length_weighting}"
            )
        if self.beta == 0 and self.refiner == "fisher" and self.M > 1:
            raise ValueError("beta: expected a weight above 0, which fisher divides by, found 0")
        if self.refiner == "fisher" and model.linear is None and max(self.M, self.eval_M) > 1:
            raise ValueError("refiner: expected adam, found fisher, for which this model gives no curvature")

    def _chosen(self, name: str) -> Any:
        value = getattr(self, name)
        if not isinstance(value, str):
            return value
        return entry(self.spec_.name).defaults.get(name, self.settings_[name])

    def _begin(self, corpus: Corpus) -> None:
        self.spec_ = self._spec()
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        batch_size = None if isinstance(self.batch_size, str) else int(self.batch_size)
        length = (
            float(corpus.lengths.mean()) if self.spec_.of_words else corpus.vocab_size
        )  # every entry of a real row tells
        self.settings_ = _sized(corpus.num_documents, corpus.vocab_size, length, batch_size)
        self.n_iter_, self.n_samples_seen_ = 0, 0
        self.bound_curve_: tuple[float, ...] = ()
        self.document_frequencies_ = np.zeros(corpus.vocab_size, np.int64)

    def _train(self, X, *, anew: bool, passes: int | None = None):
        """A copy learns, and self becomes it when all went well; it makes max_iter passes unless told."""
        learner = copy(self)
        learner._learn(X, anew=anew, passes=passes)
        self.__dict__ = vars(learner)
        return self

    def _learn(self, X, *, anew: bool, passes: int | None) -> None:
        self._check_parameters()
        if not anew and (asked := self._spec()) != self.spec_:
            odd = next(name for name in asked._fields if getattr(asked, name) != getattr(self.spec_, name))
            now, then = (getattr(spec, odd) for spec in (asked, self.spec_))
            named = "model" if odd == "name" else odd
            raise ValueError(f"partial_fit: expected the {named} of before, {then}, found {now}; fit begins anew")
        corpus = self._read(X, reset=anew)
        if anew:
            self._begin(corpus)
        self.document_frequencies_ = self.document_frequencies_ + corpus.document_frequencies()
        self.n_samples_seen_ += corpus.num_documents
        if anew:
            seen = corpus.word_frequencies() if self.spec_.of_words else real_rows.statistics(self._rows(corpus))
            self.state_ = jax.device_get(compiled.init_state(self._key(INIT), corpus.vocab_size, self.spec_, seen))

        step = compiled.training_step(
            self.spec_,
            self._refinement(self.M),
            self._chosen("learning_rate"),
            self._chosen("weight_decay"),
            beta=self.beta,
            kl_anneal_steps=self.kl_anneal_steps,
            input_dropout=self._chosen("input_dropout"),
            length_weighting=self.length_weighting,
        )
        last = self.n_iter_ + (self._chosen("max_iter") if passes is None else passes)
        epochs = range(self.n_iter_ + 1, last + 1)
        settings = {"batch_size": self._chosen("batch_size"), "seed": self.seed_, "epochs": epochs}
        for state, bound in rows.passes(self.state_, partial(step, self.idf_), corpus, self._key(TRAIN), **settings):
            self.state_, self.bound_curve_, self.n_iter_ = state, (*self.bound_curve_, bound), self.n_iter_ + 1
            if self.verbose:
                print(f"pass {self.n_iter_}: bound {bound:.4f} nats a {'word' if self.spec_.of_words else 'row'}")
        self.state_ = jax.device_get(self.state_)
        if passes is None:
            self._compare_with_baseline(corpus)

    def _compare_with_baseline(self, corpus: Corpus) -> None:
        if self.spec_.of_words:
            baseline = unigram_log_likelihoods(corpus, corpus).sum() / max(corpus.lengths.sum(), 1)
            unit, other, advice = "word", "the frequencies of their words", "fewer words"
        else:
            own = self._rows(corpus)
            baseline = real_rows.one_gaussian(own, {"train": own})["train"]
            unit, other, advice = "row", "one Gaussian", "columns whose means were subtracted"
        if self.bound_curve_[-1] < baseline:
            warnings.warn(
                f"the bound of the last pass, {self.bound_curve_[-1]:.3f} nats a {unit}, is below {baseline:.3f}, the "
                f"log-likelihood of the rows by {other}: a larger max_iter may help, or {advice}",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _refinement(self, M: int) -> compiled.How:
        return self.refiner, M, self.psi_learning_rate, PSI_BETA1

    def _on_rows(self, X, gather, function):
        check_is_fitted(self, "state_")
        corpus = self._read(X, reset=False)
        return rows.on_rows(gather, partial(function, self.idf_), self.params_, corpus, self._key(INFER))

    def _bounds(self, X) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self, "state_")
        score = compiled.scorer(self.spec_, self._refinement(self.eval_M), self.eval_samples)
        scores, lengths = self._on_rows(X, scoring.document_scores, score)
        scoring.check_finite("X", scores)
        return scores.elbo_refined, lengths


def _sized(documents: int, words: int, mean_length: float, batch_size: int | None = None) -> dict[str, Any]:
    sized = by_size(documents, words, mean_length, batch_size)
    return {name: getattr(sized, field) for name, field in AUTO.items()}
