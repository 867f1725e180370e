"""Deep networks by hand: how to start them, skip connections, batch normalization.

    Z ← h(Z W + b), layer after layer, and at the top U = Z W + b, Yh = softmax(U)

`Deep` is that network (S17). With `block=k` each k layers after the first become the
slide's block, whose last layer has no activation but adds what came into the block
(E16). With `batch_norm=True` each Q = Z W + b is normalized over the rows on its way to
h (S18). `initial_weights` draws the start. Instances are rows, and the cost is a mean.

Reads NumPy, `comp551ad.functions` and `two_layer`; notebooks and tests read it. The
bodies are plain NumPy that a tracer can run. `descend` (in `descent`) trains what is
here, with `minibatch_gradient` as its gradient.
"""

from dataclasses import dataclass, field

import numpy as np

from comp551ad.byhand.two_layer import HIDDEN, cross_entropy
from comp551ad.functions import softmax

__all__ = [
    "SCALES",
    "Deep",
    "Pass",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_backward_by_steps",
    "initial_weights",
    "minibatch_gradient",
    "moments",
    "running_average",
]

EPS = 1e-5  # added to the variance: Ioffe and Szegedy (2015) leave the number open

# ---- where to start (S17) ------------------------------------------------------------

SCALES = {  # name: standard deviation of a weight, from the units below and above
    "tiny": lambda below, above: 0.01,  # the deck's own, S09
    "glorot": lambda below, above: np.sqrt(2 / (below + above)),  # Glorot, Bengio 2010
    "he": lambda below, above: np.sqrt(2 / below),  # He, Zhang, Ren, Sun 2015
}


def initial_weights(below, above, rng, scale="he", shape="gaussian"):
    """Random weights, below x above, independent and with mean 0 (S17).

    scale  "tiny" (.01), "glorot" (√(2/(below + above)): the mean of what keeps the
           signal's size on the way up, 1/below, and the error's on the way down,
           1/above), "he" (√(2/below): relu lets half of the signal through), or the
           standard deviation itself
    shape  "gaussian", or "uniform" on ±√3 standard deviations
    """
    if isinstance(scale, str):
        scale = _choose("scale", scale, SCALES)(below, above)
    if shape == "uniform":
        return rng.uniform(-np.sqrt(3) * scale, np.sqrt(3) * scale, (below, above))
    if shape != "gaussian":
        raise ValueError(f"shape is {shape!r}; choose 'gaussian' or 'uniform'")
    return scale * rng.standard_normal((below, above))


# ---- batch normalization (S18) -------------------------------------------------------


def moments(Q):
    """Mean and variance of each unit over the rows: N x M -> (M,), (M,)."""
    mean = np.mean(Q, 0)
    return mean, np.mean((Q - mean) ** 2, 0)


def normalize(Q, eps=EPS, statistics=None):
    """Q̂ (N x M), √(σ² + ε) (M,), and (μ, σ²): Q's own unless `statistics` gives them."""
    mean, variance = moments(Q) if statistics is None else statistics
    deviation = np.sqrt(variance + eps)  # (M,)
    return (Q - mean) / deviation, deviation, (mean, variance)


def batch_norm(Q, gamma, beta, eps=EPS, statistics=None):
    """R = γ Q̂ + β with Q̂ = (Q − μ) / √(σ² + ε), unit by unit (S18, E17): N x M.

    Q  N x M, gamma and beta  (M,). μ and σ² are those of Q's own rows, as in training,
    unless `statistics` = (mean, variance) is given, as at test time.
    """
    Qh, _, _ = normalize(Q, eps, statistics)
    return gamma * Qh + beta


def batch_norm_backward_by_steps(dR, Q, gamma, eps=EPS):
    """dQ, dgamma, dbeta from dR, one step of `batch_norm` undone at a time.

    dR and Q  N x M, gamma  (M,). μ and σ² depend on every row, so that an error at one
    row reaches Q in all rows: on three paths, which meet in the last line.
    """
    N = Q.shape[0]
    mean, variance = moments(Q)  # the way up again
    D = Q - mean  # N x M
    S = 1 / np.sqrt(variance + eps)  # (M,)
    dbeta = np.sum(dR, 0)  # R = γ Q̂ + β
    dgamma = np.sum(dR * D * S, 0)
    dQh = dR * gamma  # N x M
    dS = np.sum(dQh * D, 0)  # Q̂ = D S
    dD = dQh * S  # N x M
    dvariance = -0.5 * dS * S**3  # S = (σ² + ε)^−½
    dD = dD + 2 * D * dvariance / N  # σ² = mean of D²
    dmean = -np.sum(dD, 0)  # D = Q − μ
    dQ = dD + dmean / N  # and μ = mean of Q
    return dQ, dgamma, dbeta


def batch_norm_backward(dR, Qh, deviation, gamma):
    """The same in closed form, from Q̂ (N x M) and deviation = √(σ² + ε) (M,).

    dQ = γ/√(σ² + ε) · (dR − mean(dR) − Q̂ · mean(dR · Q̂)), means over the rows: what
    is left of dR when its parts along 1 and along Q̂ are taken out.
    """
    N = Qh.shape[0]
    dbeta, dgamma = np.sum(dR, 0), np.sum(dR * Qh, 0)
    dQ = gamma / deviation * (dR - dbeta / N - Qh * dgamma / N)
    return dQ, dgamma, dbeta


def running_average(average, batch, N, rate=0.1):
    """Statistics for test time, a little nearer to those of one more minibatch.

    average, batch  a list of (mean, variance), one a layer; None to begin. N is the
    number of rows of the minibatch, 2 or more: its variance is too small by the factor
    (N − 1)/N on average, which is put right here (Ioffe and Szegedy 2015, algorithm 2).
    """
    if N < 2:
        raise ValueError(
            f"N is {N}; expected 2 rows or more: a single row has no variance"
        )
    batch = [(mean, variance * N / (N - 1)) for mean, variance in batch]
    if average is None:
        return batch
    pairs = zip(average, batch, strict=True)
    return [
        tuple((1 - rate) * a + rate * b for a, b in zip(old, new, strict=True))
        for old, new in pairs
    ]


# ---- the network ---------------------------------------------------------------------


@dataclass(eq=False)
class Pass:
    """What a forward pass leaves for the backward pass, one entry a hidden layer.

    Z  inputs, from Z[0] = X up to the input of the output layer (one entry more)
    Q  Z W + b    Qh, deviation  from batch normalization (empty without)
    R  what goes into h: Q, or γ Q̂ + β    U  N x C scores
    statistics  (mean, variance) of each Q, or those that were given
    """

    Z: list
    Q: list = field(default_factory=list)
    Qh: list = field(default_factory=list)
    deviation: list = field(default_factory=list)
    R: list = field(default_factory=list)
    statistics: list = field(default_factory=list)
    U: np.ndarray = None


@dataclass(frozen=True)
class Deep:
    """A deep softmax network; its parameters are one flat tuple of arrays.

    hidden      "logistic", "tanh", "relu"
    block       0: an activation after every layer. k: after the first layer, blocks of
                k layers with activations between them, not at the end
    skip        add a block's input to its output (needs block)
    batch_norm  normalize Q in every hidden layer; eps is its ε

    A hidden layer owns (W, b), with batch normalization (W, b, gamma, beta); the output
    layer (W, b). W is M_below x M, the others (M,).
    """

    hidden: str = "relu"
    block: int = 0
    skip: bool = True
    batch_norm: bool = False
    eps: float = EPS

    def __post_init__(self):
        _choose("hidden", self.hidden, HIDDEN)
        if not isinstance(self.block, int) or self.block < 0:
            raise ValueError(f"block is {self.block!r}; expected a number of layers")

    def start(self, widths, rng, scale="he", shape="gaussian", last=1.0):
        """Parameters to start from: weights from `initial_weights`, b and β 0, γ 1.

        widths = (D, M, …, M, C). `last` multiplies the last W of each block: 0 makes
        every block with a skip connection the identity.
        """
        parameters, top = [], len(widths) - 2
        for i, (below, above) in enumerate(zip(widths, widths[1:], strict=False)):
            W = initial_weights(below, above, rng, scale, shape)
            ends = i < top and self._ends(i)
            parameters += [last * W if ends else W, np.zeros(above)]
            if self.batch_norm and i < top:
                parameters += [np.ones(above), np.zeros(above)]
        return tuple(parameters)

    def layers(self, parameters):
        """The flat tuple cut up: a list of each layer's (W, b) or (W, b, γ, β)."""
        k = 4 if self.batch_norm else 2
        hidden = range(0, len(parameters) - 2, k)
        return [*(parameters[i : i + k] for i in hidden), parameters[-2:]]

    def names(self, parameters):
        """A name for each parameter: W1, b1, …, for reports."""
        letters = ("W", "b", "gamma", "beta")
        layers = enumerate(self.layers(parameters), 1)
        own = [(i, letters[: len(layer)]) for i, layer in layers]
        return [f"{letter}{i}" for i, some in own for letter in some]

    def forward(self, X, parameters, statistics=None):
        """All values on the way up: a `Pass`. X is N x D.

        statistics  a list of (mean, variance), one a hidden layer, for batch
        normalization at test time; unless given, each layer normalizes over X's rows.
        """
        self._check(X, parameters, statistics)
        activation, _ = HIDDEN[self.hidden]
        *hidden, (W_top, b_top) = self.layers(parameters)
        up = Pass(Z=[X])
        for i, (W, b, *scales) in enumerate(hidden):
            Z = up.Z[-1]
            if self._opens(i):
                entered = Z
            Q = R = np.dot(Z, W) + b  # N x M
            if self.batch_norm:
                given = None if statistics is None else statistics[i]
                Qh, deviation, used = normalize(Q, self.eps, given)
                R = scales[0] * Qh + scales[1]  # γ Q̂ + β
                up.Qh.append(Qh)
                up.deviation.append(deviation)
                up.statistics.append(used)
            if not self._ends(i):
                Z = activation(R)  # N x M
            else:
                Z = R + entered if self.skip else R
            up.Q.append(Q)
            up.R.append(R)
            up.Z.append(Z)
        up.U = np.dot(up.Z[-1], W_top) + b_top  # N x C
        return up

    def cost(self, X, Y, parameters, statistics=None):
        """Mean cross-entropy over the rows; X is N x D, Y N x C one-hot."""
        U = self.forward(X, parameters, statistics).U
        _check_labels(Y, U)
        return np.mean(cross_entropy(Y, U))

    def predict(self, X, parameters, statistics=None):
        """Yh, N x C: what the network says of each row of X."""
        return softmax(self.forward(X, parameters, statistics).U)

    def gradients(self, X, Y, parameters):
        """The gradient of `cost` by each parameter, a tuple like `parameters`."""
        return self.backward(self.forward(X, parameters), Y, parameters)

    def backward(self, up, Y, parameters):
        """The same from a training pass: an error from above, input from below (S08).

        A skip connection is a second path down (S04): the error at a block's output
        arrives unchanged at its input, where it is added to what came through.
        """
        _check_labels(Y, up.U)
        _, back = HIDDEN[self.hidden]
        layers = self.layers(parameters)
        dU = (softmax(up.U) - Y) / Y.shape[0]  # N x C
        gradients = [np.dot(up.Z[-1].T, dU), np.sum(dU, 0)]
        dZ = np.dot(dU, layers[-1][0].T)  # N x M
        for i in reversed(range(len(up.Q))):
            W, _, *scales = layers[i]
            if self._ends(i):
                dR = shortcut = dZ
            else:
                dR = back(dZ, up.R[i], up.Z[i + 1])
            if self.batch_norm:
                below = up.Qh[i], up.deviation[i], scales[0]
                dQ, *scales = batch_norm_backward(dR, *below)
            else:
                dQ = dR
            gradients = [np.dot(up.Z[i].T, dQ), np.sum(dQ, 0), *scales, *gradients]
            dZ = np.dot(dQ, W.T)  # N x M, for the layer below
            if self._opens(i) and self.skip:
                dZ = dZ + shortcut
        return tuple(gradients)

    def _opens(self, i):
        """Is hidden layer i (from 0) the first of a block?"""
        return self.block > 0 and i > 0 and (i - 1) % self.block == 0

    def _ends(self, i):
        """… the last of a block?"""
        return self.block > 0 and i > 0 and i % self.block == 0

    def _check(self, X, parameters, statistics):
        k = 4 if self.batch_norm else 2
        hidden, left = divmod(len(parameters) - 2, k)
        if left or hidden < 0:
            raise ValueError(
                f"parameters has {len(parameters)} arrays; expected {k} for each hidden "
                "layer and 2 for the output: take them from start() of this network"
            )
        if self.block and hidden and (hidden - 1) % self.block:
            raise ValueError(
                f"parameters has {hidden} hidden layers; expected 1 and then blocks of "
                f"{self.block}"
            )
        if statistics is not None and len(statistics) != hidden:
            raise ValueError(
                f"statistics has {len(statistics)} entries; expected one (mean, "
                f"variance) for each of the {hidden} hidden layers"
            )
        width = parameters[0].shape[0]
        if len(np.shape(X)) != 2 or np.shape(X)[1] != width:
            raise ValueError(
                f"X has shape {np.shape(X)}; expected N x D with D = {width}, as the "
                "first W has that many rows: one instance is X[n:n+1]"
            )


def minibatch_gradient(network, X, Y, size, rng):
    """A gradient for `descend`: of the cost on `size` rows, drawn anew at each call."""

    def gradient(*parameters):
        rows = rng.choice(len(X), size, replace=False)
        return network.gradients(X[rows], Y[rows], parameters)

    return gradient


# ---- what is wrong with the arguments ------------------------------------------------


def _choose(name, got, known):
    if got not in known:
        names = ", ".join(repr(each) for each in known)
        raise ValueError(f"{name} is {got!r}; choose one of {names}")
    return known[got]


def _check_labels(Y, U):
    if np.shape(Y) != np.shape(U):
        raise ValueError(
            f"Y has shape {np.shape(Y)}; expected N x C = {np.shape(U)}: one-hot rows "
            "for the rows of X"
        )
