"""A model scored on a corpus: bounds on perplexity, unrefined and refined, KL, active units."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from dlgm_jax.devices import meshes
from dlgm_jax.devices.collectives import DATA, gathered
from dlgm_jax.errors import NonFinite
from dlgm_jax.evaluation.perplexity import corpus_perplexity, perplexity
from dlgm_jax.inference import full_covariance
from dlgm_jax.inference.batched import Refinement, apart, document_keys, infer
from dlgm_jax.inference.elbo import elbo, importance_weighted_bound
from dlgm_jax.introspection.spectrum import ACTIVE_VARIANCE
from dlgm_jax.types import AnyArray, Array, Batch, Gaussian, Model, Params

TOGETHER = 16  # documents whose full covariances are fitted at once; each needs a few arrays of V x K


class DocumentScores(NamedTuple):
    """Scores of the documents of a batch, in nats."""

    elbo: AnyArray  # [B], at the network's guess
    elbo_refined: AnyArray  # [B]
    kl: AnyArray  # [B], at the guess
    kl_refined: AnyArray  # [B]
    mean_refined: AnyArray  # [B, K]
    psi_refined: Any  # leaves [B, ...]
    importance_weighted: AnyArray  # [B], None when not asked for
    full_covariance: AnyArray  # [B], None when not asked for


Scorer = Callable[[Params, Batch, Array], DocumentScores]  # of a batch, by a key


@dataclass(frozen=True)
class Scores:
    """Scores of a corpus. Perplexities are upper bounds, over the documents that have words; of points, which have no
    bound, they are of reconstructions. They are NaN for rows of real numbers, which go by nats a row.
    """

    documents: int
    empty_documents: int
    perplexity: float  # exp(-mean_d ELBO_d / N_d) at the network's guess
    perplexity_refined: float
    corpus_perplexity: float  # exp(-sum_d ELBO_d / sum_d N_d)
    corpus_perplexity_refined: float
    kl: float  # nats a document, over all documents
    kl_refined: float
    active_units: int  # latent dimensions whose refined posterior mean varies by more than 0.01 (Burda et al.)
    bound: float  # the mean ELBO at the network's guess, nats a document
    bound_refined: float
    loss: float  # the best epoch's is lowest: refined perplexity, of real rows minus nats a row, with training's beta
    perplexity_importance_weighted: float | None = None
    perplexity_full_covariance: float | None = None


@dataclass(frozen=True)
class Bounds:
    """The bounds on log p(x) of one document, in nats, each a mean over `num_samples` draws."""

    model: Model
    params: Params
    log_likelihood: Callable[[Array, Any], Array]  # log p(x|z) of z and a document, by `apart`
    num_samples: int
    iwae_samples: int
    full_steps: int

    def averaged(self, estimate: Callable[[Array], Array], key: Array) -> Array:
        """The mean of an estimate over keys."""
        return jnp.mean(jax.lax.map(lambda s: estimate(jax.random.fold_in(key, s)), jnp.arange(self.num_samples)))

    def of_z(self, document: Any) -> Callable[[Array], Array]:
        """log p(x|z) of a document as a function of z."""
        return lambda z: self.log_likelihood(z, document)

    def plain(self, psi: Any, document: Any, key: Array) -> Array:
        """The evidence lower bound."""
        how = {"family": self.model.family, "kl": partial(self.model.kl, self.params)}
        return self.averaged(lambda key: elbo(self.of_z(document), psi, key, **how), key)

    def kl(self, psi: Any, key: Array) -> Array:
        """KL(q || p); a model that has no closed form of it estimates it by one draw."""
        return self.model.kl(self.params, psi, self.model.family.sample(psi, key))

    def weighted(self, psi: Any, document: Any, key: Array) -> Array:
        """The importance-weighted bound."""
        how = {"family": self.model.family, "log_prior": partial(self.model.log_prior, self.params)}
        return importance_weighted_bound(self.of_z(document), psi, key, num_samples=self.iwae_samples, **how)

    def full(self, psi: Gaussian, document: Any, key: Array) -> Array:
        """The bound by a posterior with full covariance, fitted from psi."""
        log_likelihood, linear = self.of_z(document), self.model.linear
        assert linear is not None

        def curvature(z):
            return linear.curvature(self.params, z, document)

        fit_key, bound_key = jax.random.split(key)
        q = full_covariance.fit(log_likelihood, curvature, psi, fit_key, num_steps=self.full_steps)
        return self.averaged(lambda key: full_covariance.bound(log_likelihood, q, key), bound_key)


def scorer(
    model: Model,
    *,
    refinement: Refinement,
    num_samples: int = 1,
    iwae_samples: int = 0,
    full_steps: int = 0,
    mesh: Mesh | None = None,
) -> Scorer:
    """A jitted function that scores a batch; the noise of a document depends on the key and its index only.

    `full_steps` above 0 fit a posterior with full covariance to every document, from its refined one; that takes a
    softmax of a linear layer under the standard normal prior, or ValueError is raised.
    On a `mesh` each device takes its documents and words, of a batch in blocks; all are given the scores of all.
    """

    if full_steps and model.linear is None:
        raise ValueError("full covariances expect a softmax of a linear layer under the standard normal prior")

    def step(params: Params, batch: Batch, key: Array) -> DocumentScores:
        guess_keys, refine_keys, refined_keys, iwae_keys, full_keys = (
            document_keys(jax.random.fold_in(key, use), batch) for use in (0, 1, 2, 3, 5)
        )
        features, batch_key = model.features(batch.counts), jax.random.fold_in(key, 4)
        guess, evidence, refined = infer(model, refinement, params, batch, features, refine_keys, batch_key)
        documents, log_likelihood = apart(model, params, evidence)
        bounds = Bounds(model, params, log_likelihood, num_samples, iwae_samples, full_steps)
        scores = DocumentScores(
            elbo=jax.vmap(bounds.plain)(guess, documents, guess_keys),
            elbo_refined=jax.vmap(bounds.plain)(refined, documents, refined_keys),
            kl=jax.vmap(bounds.kl)(guess, guess_keys),
            kl_refined=jax.vmap(bounds.kl)(refined, refined_keys),
            mean_refined=jax.vmap(model.family.mean)(refined),
            psi_refined=refined,
            importance_weighted=jax.vmap(bounds.weighted)(refined, documents, iwae_keys) if iwae_samples else None,
            full_covariance=jax.lax.map(
                lambda one: bounds.full(*one), (refined, documents, full_keys), batch_size=TOGETHER
            )
            if full_steps
            else None,
        )
        return gathered(scores, meshes.axis(mesh, DATA))

    return meshes.over(mesh, step, model.word_axis, gives=lambda share: P())


def score_corpus(
    score: Callable[[Params, Batch, Array], DocumentScores],
    params: Params,
    batches: Iterable[Batch],
    key: Array,
    *,
    of_words: bool = True,
    beta: float = 1.0,
) -> Scores:
    """Scores of all documents of `batches`, summed in float64 on the host; rows that are not `of_words` are real.

    Bounds have a KL of weight 1; `beta`, its weight in training, is that of the loss. Raises NonFinite when anything is
    NaN or infinite.
    """
    return _summary(*document_scores(score, params, batches, key), of_words, beta)


def document_scores(
    score: Callable[[Params, Batch, Array], DocumentScores],
    params: Params,
    batches: Iterable[Batch],
    key: Array,
) -> tuple[DocumentScores, np.ndarray]:
    """Scores of every document of `batches`, and their lengths [D], in float64 on the host."""
    parts = []
    for batch in batches:
        scored = jax.tree.map(np.asarray, score(params, batch, key))
        parts.append((jax.tree.map(lambda a, kept=batch.mask > 0: a[kept], scored), batch.length[batch.mask > 0]))
    scores, lengths = zip(*parts)
    joined = jax.tree.map(lambda *columns: np.concatenate(columns).astype(np.float64), *scores)
    return joined, np.concatenate(lengths).astype(np.float64)


def check_finite(what: str, scores: Any) -> None:
    """Raises NonFinite, naming which of these arrays of documents [D, ..] is not, when anything is NaN or infinite."""
    for name, values in scores._asdict().items():
        for leaf in jax.tree.leaves(values):
            bad = ~np.isfinite(leaf).reshape(len(leaf), -1).all(axis=1)
            if bad.any():
                raise NonFinite(f"{what}: {name} of {bad.sum()} of {len(bad)} documents is not finite")


def _summary(scores: DocumentScores, lengths: np.ndarray, of_words: bool = True, beta: float = 1.0) -> Scores:
    check_finite("scoring", scores)
    empty, lengths = (
        int(np.sum(lengths == 0)),
        lengths if of_words else np.zeros_like(lengths),
    )  # no words, no perplexity
    weighed = scores.elbo_refined + (1 - beta) * scores.kl_refined
    asked = {"importance_weighted": scores.importance_weighted, "full_covariance": scores.full_covariance}
    return Scores(
        documents=len(lengths),
        empty_documents=empty,
        perplexity=perplexity(scores.elbo, lengths),
        perplexity_refined=perplexity(scores.elbo_refined, lengths),
        corpus_perplexity=corpus_perplexity(scores.elbo, lengths),
        corpus_perplexity_refined=corpus_perplexity(scores.elbo_refined, lengths),
        kl=float(scores.kl.mean()),
        kl_refined=float(scores.kl_refined.mean()),
        loss=perplexity(weighed, lengths) if of_words else float(-weighed.mean()),
        bound=float(scores.elbo.mean()),
        bound_refined=float(scores.elbo_refined.mean()),
        active_units=int(np.sum(scores.mean_refined.var(axis=0) > ACTIVE_VARIANCE)),
        **{f"perplexity_{name}": None if v is None else perplexity(v, lengths) for name, v in asked.items()},
    )
