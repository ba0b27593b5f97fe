"""From a Config to the pieces of a run."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import Mesh
from threadpoolctl import threadpool_limits

from dlgm_jax import features
from dlgm_jax.data import batches, datasets
from dlgm_jax.data.corpus import Documents, split_validation
from dlgm_jax.data.places import check_utf8, check_writable
from dlgm_jax.devices import meshes
from dlgm_jax.devices.collectives import DATA, VOCAB
from dlgm_jax.errors import BadInput, quantity
from dlgm_jax.evaluation import real_rows, scoring
from dlgm_jax.inference.batched import Refinement, chosen
from dlgm_jax.learning import steps
from dlgm_jax.learning.loop import Step
from dlgm_jax.types import Array, Batch, Model, Params
from experiments.flags.config import Config

INIT, TRAIN, SCORE, INTROSPECT, COMPLETE, CONTEXTS, DOCUMENTS = range(7)  # uses of the seed


@dataclass(frozen=True)
class Assembly:
    """What training and scoring need."""

    config: Config
    splits: dict[str, Documents]  # train, validation, test
    origin: dict[str, str]
    remark: str
    idf: np.ndarray  # [V]
    model: Model
    mesh: Mesh | None = None  # None: one device

    @property
    def train(self) -> Documents:
        return self.splits["train"]

    @cached_property
    def batch_size(self) -> int:
        """Rows of a batch: no more than the largest split has documents, in equal parts for the mesh."""
        most = max(corpus.num_documents for corpus in self.splits.values())
        return min(self.config.batch_size, self._parts * -(-most // self._parts))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of entries that batches, or the parts of them for the mesh, are padded to."""
        return batches.padded_sizes(self.batch_size // self._parts, *self.splits.values())

    @property
    def _parts(self) -> int:
        return self.mesh.shape[DATA] if self.mesh else 1

    @property
    def steps_per_epoch(self) -> int:
        return self.num_batches("train")

    def num_batches(self, split: str) -> int:
        """Batches of all documents of a split."""
        return batches.num_batches(self.splits[split], self.batch_size)

    def key(self, use: int) -> Array:
        """The random key of one use of the seed."""
        return jax.random.fold_in(jax.random.key(self.config.seed), use)

    def optimiser(self) -> optax.GradientTransformation:
        config = self.config
        rate = config.learning_rate
        if config.schedule == "cosine":
            rate = optax.cosine_decay_schedule(rate, config.epochs * self.steps_per_epoch, alpha=0.01)
        return steps.adam(rate, weight_decay=config.weight_decay)

    def init_state(self) -> steps.State:
        return meshes.made(self.mesh, partial(self._init_state, self._seen()), self.model.word_axis)

    def shapes(self) -> steps.State:
        """The shapes and types of a state, and with a mesh how it lies there: what a checkpoint is restored to."""
        return meshes.shapes(self.mesh, self._init_state, self.model.word_axis)

    def _init_state(self, seen: Any = None) -> steps.State:
        return steps.init_state(self.model, self.optimiser(), self.key(INIT), self.train.vocab_size, seen)

    def _seen(self) -> Any:
        """What a model that adapts to them is told of the training rows."""
        if self.model.adapted is None:
            return None
        return self.train.word_frequencies() if self.model.of_words else real_rows.statistics(self.rows_of("train"))

    def refines(self, epoch: int) -> bool:
        """Tells whether an epoch, from 1, refines the posteriors of its documents as the flags say."""
        return not 0 < self.config.refined_epochs < epoch

    @property
    def refines_first(self) -> bool:
        """Tells whether the first epochs refine and others do not."""
        return training_refinement(self.config).num_steps > 0 and not self.refines(self.config.epochs)

    def training_steps(self) -> Callable[[int], Step]:
        """The step of every epoch."""
        return lambda epoch: self.training_step(refined=self.refines(epoch))

    def training_step(self, *, refined: bool = True) -> Step:
        """The step of the epochs that refine, or of the others, the same compiled one at each call."""
        return self._refining if refined else self._plain

    @cached_property
    def _refining(self) -> Step:
        return self._step(self.config)

    @cached_property
    def _plain(self) -> Step:
        return self._step(replace(self.config, M=1))

    def _step(self, config: Config) -> Step:
        return steps.algorithm1(
            self.model,
            self.optimiser(),
            refinement=training_refinement(config),
            beta=config.beta,
            kl_anneal_steps=config.kl_anneal_steps,
            input_dropout=config.input_dropout,
            length_weighting=config.length_weighting,
            mesh=self.mesh,
        )

    def training_batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        how = {"seed": self.config.seed, "epoch": epoch, "first": first}
        return self._ahead(batches.epoch_batches, self.train, **how)

    def _ahead(self, batches_of: Callable[..., Iterator[Batch]], corpus: Documents, **how) -> Iterator[Batch]:
        how["sizes"] = self.sizes
        if self.mesh is None:
            return batches.ahead(batches_of(corpus, self.batch_size, **how))
        split = batches_of(corpus, self.batch_size, blocks=meshes.blocks(self.mesh), **how)
        return batches.ahead(meshes.placed(batch, self.mesh) for batch in split)

    def rows_of(self, split: str) -> real_rows.Rows:
        """The rows that the inference network reads of the documents of a split."""
        return real_rows.rows_of(self.splits[split], features.reader(self.config.features, self.idf))

    def names(self, documents: np.ndarray) -> list[str]:
        """Of training documents."""
        return [f"{document} ({name})" for document, name in zip(documents, self.train.select(documents).ids)]

    def score_with(
        self, *, at_the_end: bool = False, watched: Callable[[Iterator[Batch]], Iterable[Batch]] = iter
    ) -> Callable[[Params, str], scoring.Scores]:
        """A function of parameters and the name of a split; compiled once for all splits. `watched` may end it.

        `at_the_end` it takes the tighter bounds too that are asked for.
        """
        score = self._closing_scorer if at_the_end and self.tighter_at_the_end else self._scorer

        def score_split(params: Params, split: str) -> scoring.Scores:
            ordered = self._ahead(batches.ordered_batches, self.splits[split])
            key = jax.random.fold_in(self.key(SCORE), list(self.splits).index(split))
            how = {"of_words": self.model.of_words, "beta": self.config.beta}
            return scoring.score_corpus(score, params, watched(ordered), key, **how)

        return score_split

    @property
    def tighter_at_the_end(self) -> bool:
        """Tells whether tighter bounds are asked for, which only the best epoch is scored by."""
        return bool(self.config.eval_iwae_samples or self.config.eval_full_steps)

    @cached_property
    def _scorer(self) -> scoring.Scorer:
        return self._scorer_with()

    @cached_property
    def _closing_scorer(self) -> scoring.Scorer:
        return self._scorer_with(iwae_samples=self.config.eval_iwae_samples, full_steps=self.config.eval_full_steps)

    def _scorer_with(self, **tighter: int) -> scoring.Scorer:
        config = self.config
        return scoring.scorer(
            self.model,
            refinement=evaluation_refinement(config),
            num_samples=config.eval_samples,
            mesh=self.mesh,
            **tighter,
        )


def training_refinement(config: Config) -> Refinement:
    """What the flags ask for in training."""
    return chosen(config.refiner, config.M, config.psi_learning_rate, config.psi_beta1)


def evaluation_refinement(config: Config) -> Refinement:
    """What the --eval flags ask for."""
    return chosen(config.eval_refiner, config.eval_M, config.eval_psi_learning_rate, config.psi_beta1)


def described(refiner: str, how: Refinement, model: Model, batch_size: int, vocab_size: int) -> str:
    """Who refines, and the work that it is for a document, in gradient evaluations of log p(x|z)."""
    if not how.num_steps:
        return "not refined"
    other = how.other_work(batch_size, model.linear.hidden_share(vocab_size) if model.linear else 0.0)
    beside = f" and other work worth {other:.1f} more" if other else ""
    return f"refined by {refiner}, {quantity(how.evaluations, 'gradient evaluation')} a document{beside}"


def assemble(
    config: Config,
    idf: np.ndarray | None = None,
    *,
    mesh: Mesh | None = None,
    dataset: datasets.Dataset | None = None,
) -> Assembly:
    """Loads the corpus, unless it is given, and builds the model; `idf` [V] is that of the training split unless given.
    Raises BadInput.
    """
    dataset = dataset or datasets.load(config.dataset)
    splits = splits_of(config, dataset)
    meshes.check(mesh, config.batch_size, splits["train"].vocab_size)
    idf = idf_of(config, splits["train"]) if idf is None else checked_idf(config, splits["train"], idf)
    model = build_model(config, idf, vocab_axis=meshes.axis(mesh, VOCAB))
    return Assembly(config, splits, dataset.origin, dataset.remark, idf, model, mesh)


def splits_of(config: Config, dataset: datasets.Dataset) -> dict[str, Documents]:
    """The documents of train, validation and test. Raises BadInput for a split without words."""
    train, validation = dataset.train, dataset.validation
    if validation is None:
        train, validation = split_validation(train, config.valid_size, config.seed)
    splits = {"train": train, "validation": validation, "test": dataset.test}
    for split, corpus in splits.items():
        if not corpus.lengths.any():
            raise BadInput(f"{config.dataset}: expected words in the {split} documents, found only empty ones")
    return splits


def idf_of(config: Config, train: Documents) -> np.ndarray:
    """Inverse document frequencies [V] of the training split, in the form that --features means."""
    return np.asarray(features.idf_for(config.features, train.document_frequencies(), train.num_documents))


def checked_idf(config: Config, train: Documents, idf: np.ndarray) -> np.ndarray:
    """The idf [V] of a run. Raises BadInput where the corpus has another number of words."""
    if idf.shape != (train.vocab_size,):
        raise BadInput(
            f"{config.dataset}: expected the {quantity(len(idf), 'word')} of the run, found {train.vocab_size}"
        )
    return idf


def build_model(config: Config, idf: np.ndarray, *, vocab_axis: str | None = None) -> Model:
    """The model that a config means, reading features by `idf` [V]. Raises BadInput for what the model cannot do."""
    read = features.reader(config.features, idf, vocab_axis=vocab_axis)
    model = config.entry.build(config.settings, read, vocab_axis=vocab_axis)
    check_able(model, config, vocab_axis)
    return model


def check_able(model: Model, config: Config, vocab_axis: str | None = None) -> None:
    """Raises BadInput for settings that take what the model does not have."""
    name = "this model" if config.model is None else f"--model={config.model}"
    if vocab_axis and model.word_axis is None:
        raise BadInput(f"--mesh: expected no {VOCAB} axis, since {name} is not cut along words, found one")
    if config.length_weighting and not model.of_words:
        raise BadInput(
            f"--length_weighting: expected 0, since real rows have no length, found {config.length_weighting}"
        )
    if config.eval_iwae_samples and not model.of_words:
        raise BadInput(
            f"--eval_iwae_samples: expected 0, since its bound is a perplexity and {name} as it is set has none, "
            f"found {config.eval_iwae_samples}"
        )
    fisher = {"refiner": config.M > 1 and config.refiner, "eval_refiner": config.eval_M > 1 and config.eval_refiner}
    for flag in (flag for flag, refiner in fisher.items() if refiner == "fisher"):
        if model.linear is None:
            raise BadInput(f"--{flag}: expected adam, found fisher, which {name} as it is set gives no curvature for")
    if model.linear is None and config.eval_full_steps:
        raise BadInput(
            f"--eval_full_steps: expected 0, since {name} as it is set has no curvature, found {config.eval_full_steps}"
        )
    if model.family.log_prob is None and config.eval_iwae_samples:
        raise BadInput(
            f"--eval_iwae_samples: expected 0, since codes of {name} have no density, found {config.eval_iwae_samples}"
        )


def choose_precision(name: str) -> None:
    """Of the factors of all matrix products; their sums are float32. Raises BadInput where there is no choice."""
    if name != "float32" and jax.default_backend() == "cpu":
        raise BadInput(f"--precision: expected float32 on a CPU, found {name}")
    precision = {"float32": "highest", "tf32": "tensorfloat32", "bf16": "BF16_BF16_F32"}[name]
    jax.config.update("jax_default_matmul_precision", precision)


def prepare_runtime() -> None:
    """A persistent compilation cache in the user's cache folder, so that a second start is quick.

    LAPACK, which `eigh` calls on a CPU, gets one thread: its threads and XLA's would wait for each other. On a GPU
    the same run gives the same bits, as it does on a CPU, unless the user's XLA_FLAGS say otherwise: it costs nothing
    that was measurable, and without it perplexities of two equal runs differed by 0.6%.

    Raises BadInput when nothing can be written to the cache.
    """
    if "xla_gpu_deterministic_ops" not in (flags := os.environ.get("XLA_FLAGS", "")):
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    threadpool_limits(1, user_api="blas")
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):  # which JAX reads itself
        folder = datasets.cache_folder() / "xla"
        check_utf8(folder, "XDG_CACHE_HOME")
        check_writable(folder, "XDG_CACHE_HOME")
        jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
