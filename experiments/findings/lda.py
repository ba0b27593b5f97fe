"""Latent Dirichlet allocation: topics by two algorithms, and one bound on log p(x) for both.

log p(x) >= sum_v x_v log sum_k exp(E[log theta_k]) phi_kv - KL(Dir(gamma) || Dir(alpha)), at the gamma of each document
that makes it largest (Blei et al. 2003), without the multinomial's base measure.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, logsumexp
from sklearn.decomposition import LatentDirichletAllocation
from tqdm import tqdm

TOLERANCE, MOST_UPDATES = 1e-4, 1000  # of gamma, in tokens
GIBBS_ALPHA, GIBBS_ETA = 0.1, 0.01  # tomotopy's own; alpha is where it begins
has_gibbs = find_spec("tomotopy") is not None


class Topics(NamedTuple):
    """Probabilities of words, none of them 0, and the Dirichlet prior of a document's shares of topics."""

    phi: np.ndarray  # [K, V]
    alpha: np.ndarray  # [K]


def variational_topics(counts: Any, number: int, *, passes: int, seed: int) -> Topics:
    """scikit-learn's posterior mean of phi."""
    model = LatentDirichletAllocation(number, max_iter=passes, random_state=seed, verbose=1).fit(counts)
    return Topics(_shares(model.components_), np.full(number, model.doc_topic_prior_))


def gibbs_topics(counts: Any, number: int, *, passes: int, seed: int) -> Topics:
    """tomotopy's mean of phi given the topics that collapsed Gibbs sampling gave to all tokens last."""
    model = import_module("tomotopy").LDAModel(k=number, alpha=GIBBS_ALPHA, eta=GIBBS_ETA, seed=seed)
    for words, weights in _rows(counts):
        model.add_doc(np.repeat(words, weights).astype(str).tolist())
    for _ in tqdm(range(passes), desc="Gibbs", unit="pass", mininterval=5):
        model.train(1, workers=1)
    found = np.full((number, counts.shape[1]), GIBBS_ETA)
    columns = np.array(list(model.used_vocabs), int)
    for topic in range(number):
        found[topic, columns] = model.get_topic_word_dist(topic, normalize=False)
    return Topics(_shares(found), np.array(model.alpha, np.float64))


def bounds(counts: Any, topics: Topics) -> np.ndarray:
    """The variational bound of every document, in nats: [D]."""
    return _of_documents(lambda x, phi: bound(x, phi, topics.alpha, posterior(x, phi, topics.alpha)), counts, topics)


def estimates(counts: Any, topics: Topics, *, num_samples: int, seed: int) -> np.ndarray:
    """`importance_sampled` of every document, from its variational posterior: [D]."""
    rng = np.random.default_rng(seed)

    def one(x: np.ndarray, phi: np.ndarray) -> float:
        return importance_sampled(x, phi, topics.alpha, posterior(x, phi, topics.alpha), num_samples, rng)

    return _of_documents(one, counts, topics)


def posteriors(counts: Any, topics: Topics) -> np.ndarray:
    """gamma of every document: [D, K]."""
    return _of_documents(lambda x, phi: posterior(x, phi, topics.alpha), counts, topics)


def posterior(x: np.ndarray, phi: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """gamma [K] of a document by mean-field updates: counts x [n] of its words, and their probabilities phi [n, K]."""
    gamma = alpha + x.sum() / len(alpha)
    for _ in range(MOST_UPDATES):
        before, weights = gamma, np.exp(_mean_log(gamma))
        gamma = alpha + weights * ((x / (phi @ weights)) @ phi)
        if np.abs(gamma - before).max() < TOLERANCE:
            break
    return gamma


def bound(x: np.ndarray, phi: np.ndarray, alpha: np.ndarray, gamma: np.ndarray) -> float:
    """The lower bound on log p(x) at any gamma."""
    mean_log = _mean_log(gamma)
    kl = _log_normaliser(gamma) - _log_normaliser(alpha) + (gamma - alpha) @ mean_log
    return float(x @ np.log(phi @ np.exp(mean_log)) - kl)


def importance_sampled(
    x: np.ndarray, phi: np.ndarray, alpha: np.ndarray, gamma: np.ndarray, num_samples: int, rng: np.random.Generator
) -> float:
    """log p(x) by theta drawn from Dir(gamma): on average too low, most where it misses modes of the posterior.

    One estimate may be too high.
    """
    size = (num_samples, len(gamma))
    # a draw of shape a is one of shape a + 1 times u^(1/a): its logarithm is finite for any a
    log_draws = np.log(rng.standard_gamma(gamma + 1, size)) - rng.standard_exponential(size) / gamma
    log_total: Any = logsumexp(log_draws, axis=1, keepdims=True)
    log_theta = log_draws - log_total
    log_likelihood = np.log(np.exp(log_theta) @ phi.T) @ x
    log_ratio = log_theta @ (alpha - gamma) + _log_normaliser(alpha) - _log_normaliser(gamma)
    return float(logsumexp(log_likelihood + log_ratio) - np.log(num_samples))


def _of_documents(measure: Callable[[np.ndarray, np.ndarray], Any], counts: Any, topics: Topics) -> np.ndarray:
    by_word = np.ascontiguousarray(topics.phi.T)
    documents = tqdm(_rows(counts), desc="scoring", total=counts.shape[0], unit="doc", mininterval=5)
    return np.array([measure(weights.astype(np.float64), by_word[words]) for words, weights in documents])


def _rows(counts: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for first, last in zip(counts.indptr, counts.indptr[1:]):
        yield counts.indices[first:last], counts.data[first:last]


def _shares(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum(axis=1, keepdims=True)


def _mean_log(gamma: np.ndarray) -> np.ndarray:
    return digamma(gamma) - digamma(gamma.sum())


def _log_normaliser(gamma: np.ndarray) -> float:
    return float(gammaln(gamma.sum()) - gammaln(gamma).sum())
