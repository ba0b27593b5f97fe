"""Slow, obvious versions in NumPy float64: loops and definitions, no tricks."""

import numpy as np


def idf(frequencies, num_documents, smooth=False):
    out = []
    for df in frequencies:
        if smooth:
            out.append(np.log((1 + num_documents) / (1 + df)) + 1)
        else:
            out.append(np.log(num_documents / df) if df else 0.0)
    return np.array(out)


def tfidf(counts, weights):
    out = [float(x) * float(w) for x, w in zip(counts, weights)]
    norm = sum(v * v for v in out) ** 0.5
    return np.array([v / norm if norm else 0.0 for v in out])


def normalised(counts):
    total = sum(float(x) for x in counts)
    return np.array([float(x) / total if total else 0.0 for x in counts])


def mlp(layers, x):
    """ReLU layers of (weights, bias) pairs."""
    for weights, bias in layers:
        x = np.maximum(np.asarray(x, np.float64) @ np.asarray(weights, np.float64) + np.asarray(bias, np.float64), 0)
    return x


def potentials(theta, z):
    hidden = mlp(theta.hidden.layers, np.asarray(z, np.float64))
    return hidden @ np.asarray(theta.output.weights, np.float64) + np.asarray(theta.output.bias, np.float64)


def probabilities(theta, z):
    gamma = potentials(theta, z)
    exps = np.exp(gamma - gamma.max())
    return exps / exps.sum()


def log_likelihood(theta, z, counts):
    mu = probabilities(theta, z)
    return sum(float(x) * np.log(mu[v]) for v, x in enumerate(counts) if x > 0)


def kl(mean, log_var):
    return sum(0.5 * (m * m + np.exp(s) - 1 - s) for m, s in zip(mean, log_var))


def elbo(theta, mean, log_var, counts, eps, beta=1.0):
    z = np.asarray(mean) + np.exp(np.asarray(log_var) / 2) * np.asarray(eps)
    return log_likelihood(theta, z, counts) - beta * kl(mean, log_var)


def gradient(function, x, step=1e-5):
    """Central differences of a scalar function of a vector."""
    x = np.asarray(x, np.float64)
    out = np.zeros_like(x)
    for i in range(x.size):
        e = np.zeros_like(x)
        e[i] = step
        out[i] = (function(x + e) - function(x - e)) / (2 * step)
    return out


def jacobian(function, z, step=1e-5):
    """Central differences of a vector function: [V, K]."""
    z = np.asarray(z, np.float64)
    columns = []
    for k in range(z.size):
        e = np.zeros_like(z)
        e[k] = step
        columns.append((function(z + e) - function(z - e)) / (2 * step))
    return np.stack(columns, axis=1)


def adam_ascent(bound, x, num_steps, rate, b1, b2=0.999, epsilon=1e-8):
    """Adam as Kingma & Ba write it, uphill; bound(x, m) is the objective of step m. Returns x and the trace."""
    x = np.asarray(x, np.float64)
    first, second, trace = np.zeros_like(x), np.zeros_like(x), []
    for m in range(num_steps):
        trace.append(bound(x, m))
        g = gradient(lambda y, m=m: bound(y, m), x)
        first = b1 * first + (1 - b1) * g
        second = b2 * second + (1 - b2) * g * g
        x = x + rate * (first / (1 - b1 ** (m + 1))) / (np.sqrt(second / (1 - b2 ** (m + 1))) + epsilon)
    return x, np.array(trace)
