"""Deep networks by hand: initialization, skip connections, batch normalization.

    Z ← h(Z W + b), layer by layer, and at the top U = Z W + b, Yh = softmax(U)

``Deep`` is that network (S17). With ``block=k`` every k layers after the first form the slide's
block, whose last layer has no activation and adds the block's input instead (E16). With
``batch_norm=True`` each Q = Z W + b is normalized over the rows before h is applied (S18).
``initial_weights`` draws the initial weights. Instances are rows, and the cost is a mean.

The bodies are plain NumPy that a tracer can run; ``descend`` trains with ``minibatch_gradient``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from comp551ad.byhand.two_layer import HIDDEN, cross_entropy
from comp551ad.functions import softmax
from comp551ad.shapes import Array, as_generator, count, fit, number, one_of, shapes

__all__ = [
    "Deep",
    "batch_norm",
    "batch_norm_backward",
    "initial_weights",
    "minibatch_gradient",
    "normalize",
    "running_average",
]

# Added to a variance.
EPS = 1e-5
Statistics = Sequence[Any] | None
Parameters = Sequence[Array]

# ---- initialization (S17) ------------------------------------------------------------

# name: standard deviation of a weight, from the numbers of units below and above
SCALES: dict[str, Callable[[int, int], float]] = {
    "tiny": lambda below, above: 0.01,  # the deck's own, S09
    "glorot": lambda below, above: np.sqrt(2 / (below + above)),  # Glorot, Bengio 2010
    "he": lambda below, above: np.sqrt(2 / below),  # He, Zhang, Ren, Sun 2015
}
# Both with standard deviation 1.
SHAPES: dict[str, Callable[[np.random.Generator, tuple], Array]] = {
    "gaussian": lambda rng, size: rng.standard_normal(size),
    "uniform": lambda rng, size: rng.uniform(-np.sqrt(3), np.sqrt(3), size),
}


def initial_weights(
    below: int, above: int, rng: Any, scale: str | float = "he", shape: str = "gaussian"
) -> Array:
    """Random weights, below x above, independent and with mean 0 (S17).

    Args:
        below, above: the numbers of units.
        rng: a NumPy Generator, a seed, or None for different weights each time.
        scale: "tiny" (.01), "glorot" (√(2/(below + above))), "he" (√(2/below), because relu
            passes half of the signal), or the standard deviation itself.
        shape: "gaussian", or "uniform" on ±√3 standard deviations.
    """
    below, above = count("below", below, 1), count("above", above, 1)
    if isinstance(scale, str):
        scale = SCALES[one_of("scale", scale, SCALES)](below, above)
    draw = SHAPES[one_of("shape", shape, SHAPES)]
    return number("scale", scale) * draw(as_generator(rng), (below, above))


# ---- batch normalization (S18) -------------------------------------------------------


@shapes(Q="N M", statistics=("M", "M"))
def normalize(
    Q: Array, eps: float = EPS, statistics: Statistics = None
) -> tuple[Array, Array, tuple[Array, Array]]:
    """Q̂ = (Q − μ) / √(σ² + ε) for each unit.

    Args:
        Q: N x M, one row per instance and one column per unit.
        eps: ε, 0 or more.
        statistics: (μ, σ²), (M,) each, instead of those over Q's rows.

    Returns:
        Q̂ (N x M), √(σ² + ε) (M,), and (μ, σ²).
    """
    eps = number("eps", eps, 0)
    if statistics is None:
        mean = np.mean(Q, 0)
        variance = np.mean((Q - mean) ** 2, 0)
    else:
        mean, variance = statistics
    deviation = np.sqrt(variance + eps)
    return (Q - mean) / deviation, deviation, (mean, variance)


@shapes(Q="N M", gamma="M", beta="M")
def batch_norm(
    Q: Array, gamma: Array, beta: Array, eps: float = EPS, statistics: Statistics = None
) -> Array:
    """R = γ Q̂ + β (S18, E17): Q is N x M, gamma and beta (M,); R is N x M."""
    Qh, _, _ = normalize(Q, eps, statistics)
    return gamma * Qh + beta


@shapes(Qh="N M", dR="N M", deviation="M", gamma="M")
def batch_norm_backward(
    dR: Array, Qh: Array, deviation: Array, gamma: Array
) -> tuple[Array, Array, Array]:
    """dQ (N x M), dgamma and dbeta (M,) from dR (N x M): ``batch_norm`` backwards (S18).

    Q̂ is N x M, deviation = √(σ² + ε) is (M,). Since μ and σ² depend on every row, an error in one
    row reaches Q in all rows:

        dQ = γ/√(σ² + ε) · (dR − mean(dR) − Q̂ · mean(dR · Q̂))          means over the rows
    """
    N = Qh.shape[0]
    dbeta, dgamma = np.sum(dR, 0), np.sum(dR * Qh, 0)
    dQ = gamma / deviation * (dR - dbeta / N - Qh * dgamma / N)
    return dQ, dgamma, dbeta


def running_average(
    average: Sequence[Any] | None, batch: Sequence[Any], N: int, rate: float = 0.1
) -> list[Array]:
    """Running statistics for test time, updated with one more minibatch.

    Args:
        average: (mean, variance) for each layer; None initially.
        batch: the same for the minibatch, as in ``Pass.statistics``.
        N: the minibatch's size, 2 or more: the variance times N/(N−1) is unbiased (Ioffe and
            Szegedy 2015, algorithm 2).
        rate: the weight of the minibatch, from 0 to 1.

    Returns:
        A 2 x M array per layer.
    """
    N, rate = count("N", N, 2), number("rate", rate, 0, 1)
    new = [np.stack([mean, variance * N / (N - 1)]) for mean, variance in batch]
    average = new if average is None else average
    axes = [f"2 M{layer}" for layer in range(len(new))]
    both = fit({"batch": axes, "average": axes}, {"batch": new, "average": average})
    pairs = zip(both["average"], new, strict=True)
    return [(1 - rate) * old + rate * one for old, one in pairs]


# ---- the network ---------------------------------------------------------------------


@dataclass(eq=False)
class Pass:
    """What the forward pass saves for the backward pass, one entry per hidden layer.

    Attributes:
        Z: the inputs of all layers, including the output layer; Z[0] = X.
        training: whether no statistics were given.
        Q: Z W + b.
        R: the arguments of h: Q, or γ Q̂ + β.
        normal: what ``normalize`` returned, with batch normalization.
        U: N x C scores.
    """

    Z: list
    training: bool
    Q: list = field(default_factory=list)
    R: list = field(default_factory=list)
    normal: list = field(default_factory=list)
    U: Any = None

    @property
    def statistics(self) -> list:
        """(mean, variance) for each hidden layer, with batch normalization."""
        return [used for _, _, used in self.normal]


def _parameter_axes(network: "Deep", given: Mapping[str, Any]) -> list[str]:
    """The axes of each parameter, "below above" or "above", from the layers' widths."""
    total, k = len(given["parameters"]), network.arrays_a_layer
    layers = pairwise(network.letters((total - 2) // k))
    axes = [[f"{below} {above}", *[above] * (k - 1)] for below, above in layers]
    flat = sum(axes, [])[: 2 - k or None]
    if not flat or len(flat) != total:
        raise ValueError(
            f"parameters: got {total} arrays, expected {k} per hidden layer and 2 for the "
            f"output of {network}; take them from its start()"
        )
    return flat


def _statistics_axes(network: "Deep", given: Mapping[str, Any]) -> list:
    """A pair, (mean, variance), for each normalized layer."""
    hidden = (len(given["parameters"]) - 2) // network.arrays_a_layer
    return [(M, M) for M in network.letters(hidden)[1:-1] if network.batch_norm]


@dataclass(frozen=True)
class Deep:
    """A deep softmax network; its parameters are one flat tuple of arrays.

    A hidden layer has (W, b), with batch normalization (W, b, γ, β); the output layer (W, b).
    W has one row per unit below and one column per unit of its own layer; the others are (M,).

    Attributes:
        hidden: "logistic", "tanh" or "relu".
        block: 0: an activation after every layer. k: after the first layer, blocks of k layers
            with activations between the layers but not after the last.
        skip: add a block's input to its output (needs block).
        batch_norm: normalize Q in every hidden layer.
        eps: the ε of batch normalization.
    """

    hidden: str = "relu"
    block: int = 0
    skip: bool = True
    batch_norm: bool = False
    eps: float = EPS

    def __post_init__(self) -> None:
        one_of("hidden", self.hidden, HIDDEN)
        count("block", self.block, 0)
        number("eps", self.eps, 0)

    def start(
        self,
        widths: Sequence[int],
        rng: Any,
        scale: str | float = "he",
        shape: str = "gaussian",
        last: float = 1.0,
    ) -> tuple[Array, ...]:
        """Initial parameters: weights from ``initial_weights``, b = β = 0, γ = 1.

        Args:
            widths: (D, M, …, M, C).
            rng, scale, shape: as for ``initial_weights``; all layers share one generator.
            last: a factor for the last W of each block: with 0, a block with a skip connection
                starts as the identity.
        """
        widths = [count(f"widths[{i}]", M, 1) for i, M in enumerate(widths)]
        rng, last, top = as_generator(rng), number("last", last), len(widths) - 2
        letters = self.letters(top)
        width_of = dict(zip(letters, widths, strict=False))
        if not letters or [width_of[M] for M in letters] != widths:
            raise ValueError(
                f"widths: got {widths}, expected (D, M, …, M, C) for {self}; after the first "
                "hidden layer come whole blocks, whose sums need equal widths"
            )
        parameters: list[Array] = []
        for i, (below, above) in enumerate(pairwise(widths)):
            W = initial_weights(below, above, rng, scale, shape)
            W = last * W if i < top and self._place(i)[1] else W
            parameters += [W, np.zeros(above)]
            if self.batch_norm and i < top:
                parameters += [np.ones(above), np.zeros(above)]
        return tuple(parameters)

    def layers(self, parameters: Parameters) -> list:
        """The flat tuple split into a list with each layer's (W, b) or (W, b, γ, β)."""
        k = self.arrays_a_layer
        hidden = range(0, len(parameters) - 2, k)
        return [*(parameters[i : i + k] for i in hidden), parameters[-2:]]

    @shapes(X="N D", parameters=_parameter_axes, statistics=_statistics_axes)
    def forward(
        self, X: Array, parameters: Parameters, statistics: Statistics = None
    ) -> Pass:
        """All intermediate values of the forward pass.

        Args:
            X: N x D.
            parameters: as returned by ``start``.
            statistics: for batch normalization at test time: (mean, variance), one pair per
                hidden layer; by default each layer computes them over the rows of X.
        """
        activation, _ = HIDDEN[self.hidden]
        *hidden, (W_top, b_top) = self.layers(parameters)
        up, entered = Pass(Z=[X], training=statistics is None), X
        for i, (W, b, *scales) in enumerate(hidden):
            (opens, ends), Z = self._place(i), up.Z[-1]
            entered = Z if opens else entered
            Q = R = np.dot(Z, W) + b  # N x M
            if self.batch_norm:
                normal = normalize(Q, self.eps, statistics and statistics[i])
                R = scales[0] * normal[0] + scales[1]  # γ Q̂ + β
                up.normal.append(normal)
            Z = R if ends else activation(R)  # N x M
            Z = Z + entered if ends and self.skip else Z
            up.Q.append(Q)
            up.R.append(R)
            up.Z.append(Z)
        up.U = np.dot(up.Z[-1], W_top) + b_top  # N x C
        return up

    @shapes(X="N D", parameters=_parameter_axes, Y="N C")
    def cost(
        self, X: Array, Y: Array, parameters: Parameters, statistics: Statistics = None
    ) -> float:
        """Mean cross-entropy over the rows; X is N x D, Y N x C one-hot."""
        U = self.forward(X, parameters, statistics).U
        return np.mean(cross_entropy(Y, U))

    @shapes(X="N D", parameters=_parameter_axes)
    def predict(
        self, X: Array, parameters: Parameters, statistics: Statistics = None
    ) -> Array:
        """Yh, N x C: the network's prediction for each row of X."""
        return softmax(self.forward(X, parameters, statistics).U)

    @shapes(X="N D", parameters=_parameter_axes, Y="N C")
    def gradients(
        self, X: Array, Y: Array, parameters: Parameters
    ) -> tuple[Array, ...]:
        """The gradient of ``cost``: a tuple like ``parameters``."""
        return self.backward(self.forward(X, parameters), Y, parameters)

    @shapes(parameters=_parameter_axes, Y="N C")
    def backward(self, up: Pass, Y: Array, parameters: Parameters) -> tuple[Array, ...]:
        """The gradients from a forward pass in training mode, without given statistics.

        Error from above, input from below (S08), layer by layer. A skip connection is a
        second path down (S04): the error at a block's output is added, unchanged, to the error
        that came through the block.
        """
        fit({"up.U": "N C", "Y": "N C"}, {"up.U": up.U, "Y": Y})
        if not up.training:
            raise ValueError(
                "up: got a pass with given statistics, expected one without; call forward(X, "
                "parameters)"
            )
        (_, back), layers = HIDDEN[self.hidden], self.layers(parameters)
        dU = (softmax(up.U) - Y) / Y.shape[0]  # N x C
        gradients = [np.dot(up.Z[-1].T, dU), np.sum(dU, 0)]
        dZ = shortcut = np.dot(dU, layers[-1][0].T)  # N x M
        for i in reversed(range(len(up.Q))):
            (opens, ends), (W, _, *scales) = self._place(i), layers[i]
            shortcut = dZ if ends else shortcut
            dQ = dR = dZ if ends else back(dZ, up.R[i], up.Z[i + 1])
            if self.batch_norm:
                Qh, deviation, _ = up.normal[i]
                dQ, *scales = batch_norm_backward(dR, Qh, deviation, scales[0])
            gradients = [np.dot(up.Z[i].T, dQ), np.sum(dQ, 0), *scales, *gradients]
            dZ = np.dot(dQ, W.T)  # N x M, for the layer below
            dZ = dZ + shortcut if opens and self.skip else dZ
        return tuple(gradients)

    @property
    def arrays_a_layer(self) -> int:
        """The number of parameter arrays per hidden layer."""
        return 4 if self.batch_norm else 2

    def letters(self, hidden: int) -> list[str]:
        """D, a letter for the width of each hidden layer, and C; [] for incomplete blocks.

        A layer where a skip connection ends has the width of the block's input.
        """
        if hidden < 0 or (hidden and (hidden - 1) % (self.block or 1)):
            return []
        letters, entered = ["D"], ""
        for i in range(hidden):
            opens, ends = self._place(i)
            entered = letters[-1] if opens else entered
            letters.append(entered if ends and self.skip else f"M{i + 1}")
        return [*letters, "C"]

    def _place(self, i: int) -> tuple[bool, bool]:
        """Whether hidden layer i (from 0) opens a block, and whether it ends one."""
        inside, k = self.block > 0 and i > 0, self.block
        return inside and (i - 1) % k == 0, inside and i % k == 0


@shapes(X="N D", Y="N C")
def minibatch_gradient(
    network: Any, X: Array, Y: Array, size: int, rng: Any
) -> Callable[..., Any]:
    """A gradient for ``descend``: that of the cost on ``size`` rows, redrawn on every call.

    Args:
        network: a ``Deep``, or anything with its ``gradients``.
        X, Y: N x D inputs and N x C labels.
        size: the number of rows, from 1 to N.
        rng: a NumPy Generator, a seed, or None for different rows each time.
    """
    size, rng = count("size", size, 1, len(X)), as_generator(rng)

    def gradient(*parameters: Array) -> Any:
        rows = rng.choice(len(X), size, replace=False)
        return network.gradients(X[rows], Y[rows], parameters)

    return gradient
