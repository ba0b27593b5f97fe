"""How many directions of the latent space a model uses (section 5, figures 2d and 2e)."""

import numpy as np


def log_singular_values(jacobian) -> np.ndarray:
    """Natural logarithms of the singular values of a [V, K] Jacobian, largest first: [min(V, K)].

    A singular value of 0 gives -inf.
    """
    with np.errstate(divide="ignore"):
        return np.log(np.linalg.svd(np.asarray(jacobian, np.float64), compute_uv=False))


def active_directions(log_singular_values: np.ndarray) -> int:
    """The paper's count of active units: log singular values of J_mean^log above 0."""
    return int(np.sum(log_singular_values > 0))
