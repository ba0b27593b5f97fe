"""What flows through the framework.

Axes: B documents of a batch, V words of the vocabulary, K latent dimensions, H hidden units,
N words of a document, M refinement evaluations plus one, P non-zero entries of a batch (padded).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from flax import struct

Array = jax.Array
AnyArray = Any  # of NumPy on the host, of JAX on the device


class Dense(NamedTuple):
    """An affine layer."""

    weights: Array  # [inputs, outputs]
    bias: Array  # [outputs]


@struct.dataclass
class Mlp:
    """Hidden layers, each followed by the nonlinearity; no layers is the identity."""

    layers: tuple[Dense, ...]
    activation: str = struct.field(pytree_node=False)


class Params(NamedTuple):
    theta: Any
    phi: Any


class Gaussian(NamedTuple):
    """A Gaussian with diagonal covariance; as psi, the variational parameters of one document."""

    mean: Array  # [K]
    log_var: Array  # [K]


class Code(NamedTuple):
    """A point, as psi: the code that an autoencoder gives a document."""

    mean: Array  # [K]


class FullGaussian(NamedTuple):
    """A Gaussian with covariance factor factor^T."""

    mean: Array  # [K]
    factor: Array  # [K, K], upper triangular


class RowStatistics(NamedTuple):
    """Statistics of the training rows that the inference network reads."""

    mean: AnyArray  # [V]
    spread: AnyArray  # [], standard deviation of the entries about their columns' means


class Csr(NamedTuple):
    """A [B, V] matrix as flat CSR, padded behind `row_ptr[-1]` with zeros, and the order of its transpose."""

    values: AnyArray  # [P]
    words: AnyArray  # [P], column of each entry
    rows: AnyArray  # [P], row of each entry
    row_ptr: AnyArray  # [B + 1]
    by_word: AnyArray  # [P], positions of the entries sorted by word
    word_ptr: AnyArray  # [V + 1], where each word's entries begin in that order


class Batch(NamedTuple):
    """Some documents of a corpus; rows behind the last document have mask 0 and no words."""

    counts: Csr
    length: AnyArray  # [B], N
    document: AnyArray  # [B], index of the document in its corpus
    mask: AnyArray  # [B], 1 for a document, 0 for padding


@dataclass(frozen=True)
class Family:
    """Posteriors q(z; psi) of one document; psi is any pytree without constraints, so that any refiner moves it."""

    sample: Callable[[Any, Array], Array]  # psi, key -> z, through which gradients flow
    mean: Callable[[Any], Array]  # psi -> E[z] [K], the coordinates of a document
    log_prob: Callable[[Any, Array], Array] | None  # psi, z -> log q(z) in nats; None: a point, which has no density
    start: Callable[[int], Any]  # K -> a psi to refine from, where no network guesses one


@dataclass(frozen=True)
class LinearSoftmax:
    """What only a softmax of a linear layer under z ~ N(0, I) has: the fisher refiner and full covariances need it."""

    information: Callable[..., Any]  # params, key -> the Fisher information of a token
    curvature: Callable[..., Array]  # params, z [K], evidence -> N times that of a token at z
    hidden_share: Callable[[int], float]  # vocab_size -> the share of hidden layers in the products of log p(x|z)


@dataclass(frozen=True)
class Model:
    """A model as pure functions; closed over, never an argument of a jitted function."""

    init: Callable[[Array, int], Params]  # key, vocab_size -> Params
    features: Callable[[Csr], Csr]  # counts -> what the inference network reads
    encode: Callable[..., Any]  # params, features -> psi, leaves [B, ...]
    family: Family  # of psi
    prior: Callable[[Params, Array], Array]  # params, key -> z [K] ~ p(z)
    log_prior: Callable[..., Array]  # params, z -> log p(z) in nats
    kl: Callable[..., Array]  # params, psi, z ~ q -> KL(q || p) in nats, in closed form or as z estimates it
    evidence: Callable[..., Any]  # params, batch -> a pytree with leading B
    log_likelihood: Callable[..., Array]  # params, z [..., K], evidence with the same leading axes -> [...] in nats
    potentials: Callable[..., Array]  # params, z -> what the decoder gives each word, [V]
    log_probs: Callable[..., Array] | None  # params, z -> log p of every word, [V] in nats; None: rows are real numbers
    linear: LinearSoftmax | None = None
    word_axis: Callable[[tuple[str, ...]], int | None] | None = None  # path to an array of params -> its axis of words
    sample_row: Callable[[Params, Array], Array] | None = None  # params, key -> a row of real numbers, where it is one
    adapted: Callable[[Params, Any], Params] | None = None  # random parameters, fitted to what the training rows are:
    # real ones to their RowStatistics, counts to how often every word occurs [V]
    select: Callable[..., Any] | None = None  # evidence, documents [D] -> that of these places of the batch; None: its
    # leaves have a leading B
    own_log_probs: Callable[..., Array] | None = None  # params, z, key -> draws log p of the words of a document itself
    next_log_probs: Callable[..., Array] | None = (
        None  # params, z, counts seen [V] -> log p of one more word [V]; None,
    )
    # as for own_log_probs: log_probs, since words are drawn apart given z
    unit_kl: Callable[..., Array] | None = None  # params, psi -> KL of each latent dimension [K]; None: it has no parts
    decoder: Callable[[Params], Any] | None = None  # params -> hidden layers and a linear output, for fast Jacobians

    @property
    def of_words(self) -> bool:
        """Tells a model of counted words, scored by perplexity, from one of real numbers, scored in nats a row."""
        return self.log_probs is not None
