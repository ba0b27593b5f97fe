"""How much of the latent space a model uses, and for what (section 5, figures 2d and 2e)."""

from typing import Any, NamedTuple

import numpy as np

ACTIVE_VARIANCE = 0.01
DEAD_KL = 0.01  # nats a document
DUPLICATE = 0.95  # of the cosine of two columns of the Jacobian


class Direction(NamedTuple):
    """A singular direction of a Jacobian, and the words at its ends."""

    log_singular_value: float
    top: tuple[int, ...]  # rows that it raises most
    bottom: tuple[int, ...]  # rows that it lowers most
    latent: np.ndarray  # [K], where it points among the latents, of length 1


class Units(NamedTuple):
    """What the posteriors of a corpus do with each latent dimension."""

    variance: np.ndarray  # [K], of the posterior means over documents
    kl: np.ndarray | None  # [K], nats a document; None where the KL has no parts

    @property
    def active(self) -> int:
        """Units whose posterior mean varies by more than 0.01 (Burda et al. 2015)."""
        return int(np.sum(self.variance > ACTIVE_VARIANCE))

    @property
    def dead(self) -> list[int]:
        """Units that tell less than 0.01 nats of a document; without a KL, those that are not active."""
        dead = self.variance <= ACTIVE_VARIANCE if self.kl is None else self.kl < DEAD_KL
        return np.flatnonzero(dead).tolist()


def log_singular_values(jacobian) -> np.ndarray:
    """Natural logarithms of the singular values of a [V, K] Jacobian, largest first: [min(V, K)].

    A singular value of 0 gives -inf.
    """
    with np.errstate(divide="ignore"):
        return np.log(np.linalg.svd(np.asarray(jacobian, np.float64), compute_uv=False))


def active_directions(log_singular_values: np.ndarray) -> int:
    """The paper's count of active units: log singular values of J_mean^log above 0."""
    return int(np.sum(log_singular_values > 0))


def directions(jacobian, *, num_directions: int, num_words: int) -> list[Direction]:
    """The leading singular directions of a [V, K] Jacobian; each points to its row of largest size.

    No word stands at both ends: each end has at most half of them. Directions whose singular value is 0 but for
    rounding are left out.
    """
    jacobian = np.asarray(jacobian)
    precision = np.finfo(jacobian.dtype if jacobian.dtype.kind == "f" else np.float64).eps
    num_words = min(num_words, len(jacobian) // 2)
    left, values, right = np.linalg.svd(jacobian.astype(np.float64), full_matrices=False)
    known = values > values.max(initial=0) * max(jacobian.shape) * precision
    found = []
    for column, value, latent in list(zip(left.T[known], values[known], right[known]))[:num_directions]:
        sign = np.sign(column[np.argmax(np.abs(column))])
        order = np.argsort(-column * sign, kind="stable")
        top, bottom = (tuple(end[:num_words].tolist()) for end in (order, order[::-1]))
        found.append(Direction(float(np.log(value)), top, bottom, sign * latent))
    return found


def units(means: Any, kl: Any = None) -> Units:
    """The use of each unit, by posterior means [D, K] and, where the KL has parts, the KL of each unit [D, K]."""
    means = np.asarray(means, np.float64)
    return Units(means.var(axis=0), None if kl is None else np.asarray(kl, np.float64).mean(axis=0))


def near_duplicates(jacobian, *, cosine: float = DUPLICATE) -> list[tuple[int, int, float]]:
    """Pairs of latent dimensions whose columns of a [V, K] Jacobian are nearly parallel: (i, j, cosine), i < j.

    Columns are centred first, since what a unit adds to all log-probabilities alike tells nothing of words.
    """
    columns = np.asarray(jacobian, np.float64)
    columns = columns - columns.mean(axis=0)
    norms = np.linalg.norm(columns, axis=0)
    columns = np.divide(columns, norms, out=np.zeros_like(columns), where=norms > 0)
    cosines = columns.T @ columns
    first, second = np.nonzero(np.triu(np.abs(cosines) > cosine, k=1))
    return [(int(i), int(j), float(cosines[i, j])) for i, j in zip(first, second)]
