"""Small ReLU networks trained in parallel, to tell a real difference from chance.

    Z ← relu(Z W), layer by layer, and at the top U = Z W, Yh = softmax(U)

One run proves little: another seed, another result. The functions are written for one network and
2-D arrays. With an extra first axis on every array (runs x N x D and so on), NumPy's ``@`` and
``mT`` process the whole stack of networks, and the results have that axis too.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from comp551ad.byhand.two_layer import cross_entropy
from comp551ad.functions import relu, softmax
from comp551ad.shapes import Array, as_generator, count, number

__all__ = ["accuracy", "cost", "forward", "gradients", "growing_pool", "start", "train"]

Weights = Sequence[Array]


def start(
    widths: Sequence[int], rng: Any, runs: int | None = None, scale: float = 0.05
) -> list[Array]:
    """Gaussian weights, one array for each layer.

    Args:
        widths: (D, M, …, C).
        rng: a NumPy Generator, or a seed.
        runs: the number of networks; None for one network and 2-D arrays.
        scale: the standard deviation.
    """
    rng, scale = as_generator(rng), number("scale", scale, 0)
    stack = () if runs is None else (count("runs", runs, 1),)
    return [
        scale * rng.standard_normal((*stack, below, above))
        for below, above in pairwise(widths)
    ]


def forward(X: Array, weights: Weights) -> tuple[list[Array], Array]:
    """The input of each layer, starting with Z[0] = X, and the scores U (N x C)."""
    Z = [X]
    for W in weights[:-1]:
        Z.append(relu(Z[-1] @ W))
    return Z, Z[-1] @ weights[-1]


def cost(X: Array, Y: Array, weights: Weights) -> Any:
    """Mean cross-entropy over the rows; one number for each network."""
    U = forward(X, weights)[1]
    return np.mean(cross_entropy(Y, U), -1)


def gradients(X: Array, Y: Array, weights: Weights) -> list[Array]:
    """The gradient of ``cost``: error from above, input from below (S08), layer by layer."""
    Z, U = forward(X, weights)
    dQ = (softmax(U) - Y) / X.shape[-2]  # N x C
    found: list[Array] = []
    for k in reversed(range(len(weights))):
        found.insert(0, Z[k].mT @ dQ)
        if k > 0:
            # Through W, then through ReLU.
            dQ = dQ @ weights[k].mT * (Z[k] > 0)
    return found


def accuracy(X: Array, Y: Array, weights: Weights) -> Any:
    """The fraction of rows whose largest score is at the label."""
    U = forward(X, weights)[1]
    return np.mean(np.argmax(U, -1) == np.argmax(Y, -1), -1)


def train(
    weights: Weights,
    batches: Iterable[tuple[Array, Array]],
    test: tuple[Array, Array] | None = None,
    lr: float = 0.3,
    every: int = 10,
) -> tuple[list[Array], Array]:
    """One step of gradient descent for each batch.

    Args:
        weights: the initial weights; not changed.
        batches: pairs (X, Y).
        test: (X, Y) on which the accuracy is measured before each ``every``-th step.
        lr: the learning rate.

    Returns:
        The final weights, and the accuracies, one row per measurement.
    """
    lr, every = number("lr", lr, above=0), count("every", every, 1)
    found, seen = list(weights), []
    for t, (X, Y) in enumerate(batches):
        if test is not None and t % every == 0:
            seen.append(accuracy(*test, found))
        steps = gradients(X, Y, found)
        found = [W - lr * dW for W, dW in zip(found, steps, strict=True)]
    return found, np.array(seen)


def growing_pool(
    X: Array, Y: Array, order: Array | None, steps: int, rng: Any
) -> Iterator[tuple[Array, Array]]:
    """Batches of 32 drawn from a growing pool: a curriculum.

    The pool starts as the first tenth of ``order`` (at least one row) and is complete halfway
    through.

    Args:
        X: runs x N x D.
        Y: runs x N x C.
        order: runs x N, the order in which rows join the pool; None for all from the start.
        steps: the number of batches.
        rng: a NumPy Generator, or a seed.
    """
    rng, (runs, N) = as_generator(rng), X.shape[:2]
    run = np.arange(runs)[:, None]
    for t in range(count("steps", steps, 0)):
        pool = N if order is None else max(1, int(N * min(1, 0.1 + 1.8 * t / steps)))
        rows = rng.integers(pool, size=(runs, 32))
        if order is not None:
            rows = order[run, rows]
        yield X[run, rows], Y[run, rows]
