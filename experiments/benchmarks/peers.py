"""What ours is measured against: the same work written plainly in JAX, in PyTorch, and as bare matrix products.

PyTorch is optional (the `benchmarks` extra); without it its columns are left out.
"""

import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dlgm_jax.models.dlgm import Evidence, Theta, log_probs
from dlgm_jax.types import Array

STEP = 1e-9  # along the gradient from one evaluation to the next


def pytorch() -> Any:
    """PyTorch; None where it is not installed, or ours run on an accelerator, which its tensors would not share."""
    if find_spec("torch") is None or jax.default_backend() != "cpu":
        return None
    # OpenMP reads it once, when torch is loaded; else torch's idle threads spin while XLA is timed
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return import_module("torch")


def plain_log_likelihood(theta: Theta, z: Array, counts: Array) -> Array:
    """log p(x|z) from dense counts [V], as it is first written down."""
    return jnp.sum(counts * log_probs(theta, z))


def chain(evaluate: Callable[[Array], tuple[Array, Array]], z: Array, num_evaluations: int) -> Array:
    """A `lax.scan` of evaluations, each at the point that the last one's gradient leads to."""

    def body(z, _):
        _, gradient = evaluate(z)
        return z + STEP * gradient, None

    return jax.lax.scan(body, z, None, length=num_evaluations)[0]


def bare_products(theta: Theta, z: Array) -> Array:
    """The matrix products of one evaluation and its gradient, and nothing else: [B, K]."""
    layers = [layer.weights for layer in theta.hidden.layers] + [theta.output.weights]
    for weights in layers:
        z = z @ weights
    for weights in reversed(layers):
        z = z @ weights.T
    return z


def torch_candidates(theta: Theta, z: Array, evidence: Evidence, num_evaluations: int) -> dict[str, Callable]:
    """Eager PyTorch, torch.compile, and torch's bare products, on the same numbers."""
    torch = pytorch()
    if torch is None:
        return {}
    weights = [_tensor(layer.weights) for layer in (*theta.hidden.layers, theta.output)]
    biases = [_tensor(layer.bias) for layer in (*theta.hidden.layers, theta.output)]
    start, xw, xb, length = map(_tensor, (z, *evidence))

    def bound(z):
        h = z
        for w, b in zip(weights[:-1], biases[:-1]):
            h = torch.relu(torch.addmm(b, h, w))
        normaliser = torch.logsumexp(torch.addmm(biases[-1], h, weights[-1]), dim=-1)
        return ((h * xw).sum(-1) + xb - length * normaliser).sum()

    def evaluations(bound):
        z = start
        for _ in range(num_evaluations):
            z = z.detach().requires_grad_(True)
            bound(z).backward()
            z = z.detach() + STEP * z.grad
        return z

    return {
        "torch eager": partial(evaluations, bound),
        "torch.compile": partial(evaluations, torch.compile(bound)),
        "torch products": _torch_products(weights, start, num_evaluations),
    }


def _torch_products(weights, start, num_evaluations) -> Callable:
    torch = pytorch()
    inputs = [torch.randn(len(start), w.shape[0]) for w in weights]
    outputs = [torch.empty(len(start), w.shape[1]) for w in weights]
    backs = [torch.empty_like(x) for x in inputs]

    def run():
        for _ in range(num_evaluations):
            for x, w, y in zip(inputs, weights, outputs):
                torch.mm(x, w, out=y)
            for x, w, y in reversed(list(zip(backs, weights, outputs))):
                torch.mm(y, w.T, out=x)

    return run


def torch_joint_step(params: Any, x: Array, features: Array, *, compiled: bool) -> Callable | None:
    """PyTorch's M=1 step of Algorithm 1 on dense counts and features [B, V]: joint gradient, Adam."""
    torch = pytorch()
    if torch is None:
        return None
    leaves = [_tensor(leaf).requires_grad_(True) for leaf in jax.tree.leaves(params)]
    theta, phi = jax.tree.unflatten(jax.tree.structure(params), leaves)
    optimiser = torch.optim.Adam(leaves, lr=0.0008)
    x, features = _tensor(x), _tensor(features)

    def through(layers, h):
        for layer in layers:
            h = torch.relu(torch.addmm(layer.bias, h, layer.weights))
        return h

    def loss(noise):
        top = through(phi.hidden.layers, features)
        mean, log_var = (torch.addmm(head.bias, top, head.weights) for head in (phi.mean, phi.log_var))
        z = mean + torch.exp(log_var / 2) * noise
        logits = torch.addmm(theta.output.bias, through(theta.hidden.layers, z), theta.output.weights)
        kl = 0.5 * (mean**2 + torch.exp(log_var) - 1 - log_var).sum()
        return kl - (x * torch.log_softmax(logits, dim=-1)).sum()

    compute = torch.compile(loss) if compiled else loss

    def step():
        optimiser.zero_grad()
        compute(torch.randn(len(x), phi.mean.weights.shape[1])).backward()
        optimiser.step()

    return step


def torch_mean_jacobian(theta: Theta, variant: str, num_samples: int) -> dict[str, Callable]:
    """The plain loop over `torch.func.jacfwd` of the decoder, one sample after the other."""
    torch = pytorch()
    if torch is None:
        return {}
    weights = [_tensor(layer.weights) for layer in (*theta.hidden.layers, theta.output)]
    biases = [_tensor(layer.bias) for layer in (*theta.hidden.layers, theta.output)]

    def decoder(z):
        for w, b in zip(weights[:-1], biases[:-1]):
            z = torch.relu(z @ w + b)
        gamma = z @ weights[-1] + biases[-1]
        return {"pot": lambda: gamma, "log": lambda: gamma.log_softmax(-1), "prob": lambda: gamma.softmax(-1)}[
            variant
        ]()

    draws = torch.randn(num_samples, weights[0].shape[0])

    def run():
        total = torch.zeros(weights[-1].shape[1], weights[0].shape[0])
        for z in draws:
            total += torch.func.jacfwd(decoder)(z)
        return total / num_samples

    return {"torch eager": run}


def _tensor(array) -> Any:
    return pytorch().tensor(np.array(array, np.float32))
