"""Deep networks by hand: how to start them, skip connections, batch normalization.

    Z ← h(Z W + b), layer after layer, and at the top U = Z W + b, Yh = softmax(U)

`Deep` is that network (S17). With `block=k` each k layers after the first become the
slide's block, whose last layer has no activation but adds what came into the block
(E16). With `batch_norm=True` each Q = Z W + b is normalized over the rows on its way to
h (S18). `initial_weights` draws the start. Instances are rows, and the cost is a mean.

Reads `functions`, `checks` and `two_layer`; notebooks and tests read it. The bodies are
plain NumPy that a tracer can run; `descend` trains with `minibatch_gradient`.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from comp551ad.arguments import as_generator, is_count, is_number
from comp551ad.byhand.checks import (
    NotFiniteError,
    check_array,
    check_finite,
    check_product,
    real_array,
)
from comp551ad.byhand.two_layer import HIDDEN, cross_entropy
from comp551ad.functions import softmax

__all__ = [
    "Deep",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_backward_by_steps",
    "initial_weights",
    "minibatch_gradient",
    "normalize",
    "running_average",
]

EPS = 1e-5  # what is added to a variance

# ---- where to start (S17) ------------------------------------------------------------

SCALES = {  # name: standard deviation of a weight, from the units below and above
    "tiny": lambda below, above: 0.01,  # the deck's own, S09
    "glorot": lambda below, above: np.sqrt(2 / (below + above)),  # Glorot, Bengio 2010
    "he": lambda below, above: np.sqrt(2 / below),  # He, Zhang, Ren, Sun 2015
}
SHAPES = {  # both with standard deviation 1
    "gaussian": lambda rng, size: rng.standard_normal(size),
    "uniform": lambda rng, size: rng.uniform(-np.sqrt(3), np.sqrt(3), size),
}


def initial_weights(below, above, rng, scale="he", shape="gaussian"):
    """Random weights, below x above, independent and with mean 0 (S17).

    scale  "tiny" (.01), "glorot" (√(2/(below + above))), "he" (√(2/below), as relu
           lets half of the signal through), or the standard deviation itself
    shape  "gaussian", or "uniform" on ±√3 standard deviations
    rng    a NumPy Generator, a seed, or None for different weights each time
    """
    _check_counts({"below": below, "above": above})
    if not (is_number(scale) and np.isfinite(scale)):
        scale = _choose("scale", scale, SCALES)(below, above)
    draw = _choose("shape", shape, SHAPES)
    return scale * draw(as_generator(rng), (below, above))


# ---- batch normalization (S18) -------------------------------------------------------


def normalize(Q, eps=EPS, statistics=None):
    """Q̂ = (Q − μ) / √(σ² + ε) unit by unit, √(σ² + ε), and (μ, σ²): N x M, (M,), 2 (M,).

    μ and σ² are taken over Q's rows unless `statistics` = (μ, σ²) gives them. Where they
    overflow the type of Q they are taken in float64; what overflows that is refused.
    """
    _check_eps(eps)
    if statistics is None:
        statistics = _mean_and_variance(Q)
        if type(Q) is np.ndarray and not np.isfinite(statistics[1]).all():
            Q = Q.astype(np.result_type(Q, float))  # with σ² = inf every Q̂ would be 0
            statistics = _mean_and_variance(Q)
            _check_overflow(Q, statistics[1])
    else:
        _check_statistics(statistics, Q.shape[1:])
    mean, variance = statistics
    deviation = np.sqrt(variance + eps)
    return (Q - mean) / deviation, deviation, statistics


def _mean_and_variance(Q):
    mean = np.mean(Q, 0)
    return mean, np.mean((Q - mean) ** 2, 0)


def batch_norm(Q, gamma, beta, eps=EPS, statistics=None):
    """R = γ Q̂ + β (S18, E17): Q is N x M, gamma and beta (M,); R is N x M."""
    check_array("Q", Q, "N x M")
    _check_shapes(Q.shape[1:], gamma=gamma, beta=beta)
    Qh, _, _ = normalize(Q, eps, statistics)
    return gamma * Qh + beta


def batch_norm_backward_by_steps(dR, Q, gamma, eps=EPS):
    """dQ, dgamma, dbeta from dR, one step of `batch_norm` undone at a time.

    dR and Q  N x M, gamma  (M,). μ and σ² depend on every row, so an error at one row
    reaches Q in all of them, on three paths: through Q − μ, through σ², and through μ.
    """
    check_array("Q", Q, "N x M")
    _check_shapes(Q.shape, dR=dR)
    _check_shapes(Q.shape[1:], gamma=gamma)
    N = Q.shape[0]
    Qh, deviation, (mean, _) = normalize(Q, eps)  # the way up again
    D, S = Q - mean, 1 / deviation  # N x M, (M,)
    dbeta = np.sum(dR, 0)  # R = γ Q̂ + β
    dgamma = np.sum(dR * Qh, 0)
    dQh = dR * gamma  # N x M
    dS = np.sum(dQh * D, 0)  # Q̂ = D S
    dD = dQh * S  # N x M
    dvariance = -0.5 * dS * S * S * S  # S = (σ² + ε)^−½; S³ alone may underflow
    dD = dD + 2 * D * dvariance / N  # σ² = mean of D²
    dmean = -np.sum(dD, 0)  # D = Q − μ
    dQ = dD + dmean / N  # μ = mean of Q
    return dQ, dgamma, dbeta


def batch_norm_backward(dR, Qh, deviation, gamma):
    """The same in closed form, from Q̂ (N x M) and deviation = √(σ² + ε) (M,).

    dQ = γ/√(σ² + ε) · (dR − mean(dR) − Q̂ · mean(dR · Q̂)), means over the rows.
    """
    check_array("Qh", Qh, "N x M")
    _check_shapes(Qh.shape, dR=dR)
    _check_shapes(Qh.shape[1:], deviation=deviation, gamma=gamma)
    N = Qh.shape[0]
    dbeta, dgamma = np.sum(dR, 0), np.sum(dR * Qh, 0)
    dQ = gamma / deviation * (dR - dbeta / N - Qh * dgamma / N)
    return dQ, dgamma, dbeta


def running_average(average, batch, N, rate=0.1):
    """Statistics for test time, moved a little towards those of one more minibatch.

    average, batch  lists of (mean, variance), one a layer; average is None to begin. N,
    2 or more, is the minibatch's size: the variance times N/(N−1) is right on average
    (Ioffe and Szegedy 2015, algorithm 2).
    """
    if not is_count(N, 2):
        raise ValueError(f"N is {N!r}; expected 2 rows or more: one has no variance")
    if not (is_number(rate) and 0 <= rate <= 1):
        raise ValueError(f"rate is {rate!r}; expected a number from 0 to 1")
    batch = [np.stack([mean, variance * N / (N - 1)]) for mean, variance in batch]
    average = batch if average is None else [np.stack([*old]) for old in average]
    shapes, expected = ([pair.shape for pair in pairs] for pairs in (average, batch))
    if shapes != expected:
        raise ValueError(
            f"average has entries of shapes {shapes}; expected {expected} like batch, "
            "(mean, variance) a layer: start with None for another network"
        )
    pairs = zip(average, batch, strict=True)
    return [(1 - rate) * old + rate * new for old, new in pairs]  # 2 x M each


# ---- the network ---------------------------------------------------------------------


@dataclass(eq=False)
class Pass:
    """What a forward pass leaves for the backward pass, one entry a hidden layer."""

    Z: list  # inputs of the layers; one entry more, Z[0] = X
    training: bool  # no statistics were given
    Q: list = field(default_factory=list)  # Z W + b
    R: list = field(default_factory=list)  # what goes into h: Q, or γ Q̂ + β
    normal: list = field(default_factory=list)  # what `normalize` gave, if it was asked
    U: np.ndarray = None  # N x C scores

    @property
    def statistics(self):
        """Of each hidden layer (mean, variance), with batch normalization."""
        return [used for _, _, used in self.normal]


@dataclass(frozen=True)
class Deep:
    """A deep softmax network; its parameters are one flat tuple of arrays.

    hidden      "logistic", "tanh", "relu"
    block       0: an activation after every layer. k: after the first layer, blocks of
                k layers with activations between them, not at the end
    skip        add a block's input to its output (needs block)
    batch_norm  normalize Q in every hidden layer; eps is its ε

    A hidden layer owns (W, b), with batch normalization (W, b, γ, β); the output layer
    (W, b). W has a row a unit below and a column a unit here, the others (M,).
    """

    hidden: str = "relu"
    block: int = 0
    skip: bool = True
    batch_norm: bool = False
    eps: float = EPS

    def __post_init__(self):
        _choose("hidden", self.hidden, HIDDEN)
        if not is_count(self.block, 0):
            raise ValueError(f"block is {self.block!r}; expected 0, 1, 2, … layers")
        _check_eps(self.eps)

    def start(self, widths, rng, scale="he", shape="gaussian", last=1.0):
        """Parameters to start from: weights from `initial_weights`, b = β = 0, γ = 1.

        widths = (D, M, …, M, C). `last` multiplies the last W of each block: with 0 a
        block with a skip connection starts as the identity.
        """
        if not isinstance(widths, (tuple, list)) or len(widths) < 2:
            raise ValueError(
                f"widths is {widths!r}; expected (D, M, …, M, C), or (D, C)"
            )
        _check_counts({f"widths[{i}]": width for i, width in enumerate(widths)})
        if not is_number(last):
            raise ValueError(f"last is {last!r}; expected a number, such as 0 or 1")
        self._check_blocks("widths", widths)
        rng = as_generator(rng)  # one for all layers: a seed would draw the same anew
        parameters, top = [], len(widths) - 2
        for i, (below, above) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            W = initial_weights(below, above, rng, scale, shape)
            W = last * W if i < top and self._place(i)[1] else W
            parameters += [W, np.zeros(above)]
            if self.batch_norm and i < top:
                parameters += [np.ones(above), np.zeros(above)]
        return tuple(parameters)

    def layers(self, parameters):
        """The flat tuple cut up: a list of each layer's (W, b) or (W, b, γ, β)."""
        k = 4 if self.batch_norm else 2
        hidden = range(0, len(parameters) - 2, k)
        return [*(parameters[i : i + k] for i in hidden), parameters[-2:]]

    def forward(self, X, parameters, statistics=None):
        """All values on the way up, a `Pass`, from X, N x D.

        statistics  for batch normalization at test time: a list of (mean, variance),
        one a hidden layer; unless given, each layer takes them over X's own rows.
        """
        self._check(X, parameters, statistics)
        activation, _ = HIDDEN[self.hidden]
        *hidden, (W_top, b_top) = self.layers(parameters)
        up, entered = Pass(Z=[X], training=statistics is None), None
        for i, (W, b, *scales) in enumerate(hidden):
            (opens, ends), Z = self._place(i), up.Z[-1]
            entered = Z if opens else entered
            Q = R = np.dot(Z, W) + b  # N x M
            if self.batch_norm:
                normal = normalize(Q, self.eps, None if up.training else statistics[i])
                R = scales[0] * normal[0] + scales[1]  # γ Q̂ + β
                up.normal.append(normal)
            Z = R if ends else activation(R)  # N x M
            Z = Z + entered if ends and self.skip else Z
            up.Q.append(Q)
            up.R.append(R)
            up.Z.append(Z)
        up.U = np.dot(up.Z[-1], W_top) + b_top  # N x C
        return up

    def cost(self, X, Y, parameters, statistics=None):
        """Mean cross-entropy over the rows; X is N x D, Y N x C one-hot."""
        U = self.forward(X, parameters, statistics).U
        _check_labels(Y, U)
        nll = np.mean(cross_entropy(Y, U))
        if isinstance(nll, (float, np.floating)):
            check_finite({"X": X, "Y": Y, **_named(parameters)}, nll)
        return nll

    def predict(self, X, parameters, statistics=None):
        """Yh, N x C: what the network says of each row of X."""
        Yh = softmax(self.forward(X, parameters, statistics).U)
        if type(Yh) is np.ndarray:
            check_finite({"X": X, **_named(parameters)}, Yh)
        return Yh

    def gradients(self, X, Y, parameters):
        """The gradient of `cost`: a tuple like `parameters`."""
        return self.backward(self.forward(X, parameters), Y, parameters)

    def backward(self, up, Y, parameters):
        """The same from a forward pass: error from above, input from below (S08).

        A skip connection is a second path down (S04): the error at a block's output
        is added, unchanged, to what came through the block.
        """
        if not up.training:
            raise ValueError("up was made with given statistics; expected none given")
        _check_labels(Y, up.U)
        (_, back), layers = HIDDEN[self.hidden], self.layers(parameters)
        dU = (softmax(up.U) - Y) / Y.shape[0]  # N x C
        gradients = [np.dot(up.Z[-1].T, dU), np.sum(dU, 0)]
        dZ, shortcut = np.dot(dU, layers[-1][0].T), None  # N x M
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
        _check_gradients(gradients, up.Z[0], Y, parameters)
        return tuple(gradients)

    def _place(self, i):
        """Does hidden layer i (from 0) open a block, and does it end one?"""
        inside, k = self.block > 0 and i > 0, self.block
        return inside and (i - 1) % k == 0, inside and i % k == 0

    def _check(self, X, parameters, statistics):
        k, given = 4 if self.batch_norm else 2, _length(parameters)
        hidden, left = divmod(given - 2, k)
        if left or hidden < 0 or (self.block and hidden and (hidden - 1) % self.block):
            raise ValueError(
                f"parameters has {given} arrays; expected {k} a hidden layer "
                f"and 2 for the output of {self}: take them from its start()"
            )
        arrays = X, *parameters
        if not all(type(A) is np.ndarray and A.dtype.kind == "f" for A in arrays):
            for name, A in {"X": X, **_named(parameters)}.items():
                check_array(name, A, "N x D" if name == "X" else "M x M, or (M,)")
            check_product("X", X, "parameters[0]", parameters[0])
        D = (*parameters[0].shape, 0)[0]
        if len(X.shape) != 2 or X.shape[1] != D or 0 in X.shape:
            raise ValueError(f"X has shape {X.shape}; expected rows, N x {D}")
        self._check_blocks("parameters", self._widths(D, parameters))
        wanted = hidden if self.batch_norm else 0
        if statistics is not None and _length(statistics) != wanted:
            raise ValueError(
                f"statistics has {_length(statistics)} entries; expected {wanted}, one "
                "(mean, variance) a normalized layer: up.statistics of a forward pass"
            )

    def _widths(self, D, parameters):
        """D, M, …, M, C, once each parameter has the shape that its place asks for."""
        widths, expected = [D], []
        for W, *vectors in self.layers(parameters):
            M = (0, *W.shape)[-1]
            expected += [(widths[-1], M)] + [(M,)] * len(vectors)
            widths.append(M)
        shapes = [A.shape for A in parameters]
        if shapes != expected or 0 in widths:
            fits = [
                a == b and 0 not in a for a, b in zip(shapes, expected, strict=True)
            ]
            i = fits.index(False)
            raise ValueError(
                f"parameters[{i}] has shape {shapes[i]}; expected {expected[i]}, and no "
                "axis empty: a row a unit below, a column a unit here"
            )
        return widths

    def _check_blocks(self, name, widths):
        """Whole blocks only; a skip connection adds what is as wide as its sum."""
        hidden, k = len(widths) - 2, self.block
        if k and hidden and (hidden - 1) % k:
            raise ValueError(
                f"{name} has {hidden} hidden layers; expected 1 and then blocks of {k}"
            )
        ends = range(k, hidden, k) if k and self.skip else ()
        for i in ends:
            if widths[i + 1] != widths[i + 1 - k]:
                raise ValueError(
                    f"{name} makes hidden layer {i} {widths[i + 1]} units wide; expected "
                    f"{widths[i + 1 - k]}, as wide as what its skip connection adds"
                )


def minibatch_gradient(network, X, Y, size, rng):
    """A gradient for `descend`: of the cost on `size` rows, drawn anew at each call.

    rng  a NumPy Generator, a seed, or None for other rows each time
    """
    X, Y, rng = real_array("X", X), real_array("Y", Y), as_generator(rng)
    if not X.shape[:1] == Y.shape[:1] != ():
        raise ValueError(
            f"X has shape {X.shape} and Y {Y.shape}; expected as many rows: row n of Y "
            "is the label of row n of X"
        )
    if not is_count(size, 1) or size > len(X):
        raise ValueError(f"size is {size!r}; expected from 1 to X's {len(X)} rows")

    def gradient(*parameters):
        rows = rng.choice(len(X), size, replace=False)
        return network.gradients(X[rows], Y[rows], parameters)

    return gradient


# ---- what is wrong with the arguments ------------------------------------------------


def _length(several):
    return len(several) if hasattr(several, "__len__") else 0


def _named(parameters):
    return {f"parameters[{i}]": p for i, p in enumerate(parameters)}


def _choose(name, got, known):
    if not isinstance(got, str) or got not in known:
        raise ValueError(f"{name} is {got!r}; choose one of {', '.join(known)}")
    return known[got]


def _check_counts(counts):
    for name, got in counts.items():
        if not is_count(got, 1):
            raise ValueError(
                f"{name} is {got!r}; expected a number of units, 1 or more"
            )


def _check_overflow(Q, variance):
    """nan or inf in Q shows in Q̂ as nan, but an overflow on the way would not."""
    if np.isfinite(Q).all() and not np.isfinite(variance).all():
        raise NotFiniteError(
            "Q is finite but its variance overflows: scale the inputs (standardize X) "
            "or the weights down"
        )


def _check_shapes(expected, **given):
    """Refuse what would be broadcast, unseen."""
    for name, A in given.items():
        if getattr(A, "shape", None) != expected:
            check_array(name, A, f"{expected}")
            raise ValueError(
                f"{name} has shape {A.shape}; expected {expected}, as Q is N x M: dR is "
                "shaped as Q, and the others have one number a unit"
            )


def _check_eps(eps):
    try:
        fine = is_number(eps) and 0 <= eps < np.inf
    except ValueError:  # rows of different lengths
        fine = False
    if not fine:
        raise ValueError(
            f"eps is {eps!r}; expected a number, 0 or more: {EPS} is usual"
        )


def _check_statistics(statistics, shape):
    parts = [*statistics] if np.iterable(statistics) else []
    shapes = [getattr(part, "shape", type(part).__name__) for part in parts]
    if shapes != [shape, shape]:
        raise ValueError(
            f"statistics has {shapes}; expected (mean, variance), two arrays of shape "
            f"{shape}: up.statistics of a forward pass has one such pair a layer"
        )
    for part in parts:
        check_array("statistics", part, f"{shape}")
    mean, variance = parts
    finite = (-np.inf < mean) & (mean < np.inf) & (variance < np.inf)
    if not np.all(finite & (0 <= variance)):
        raise ValueError(
            f"statistics is {statistics}; expected finite numbers, and no variance "
            "below 0: take both from the same rows"
        )


def _check_labels(Y, U):
    check_array("Y", Y, f"{U.shape}")
    if Y.shape != U.shape:
        raise ValueError(f"Y has shape {Y.shape}; expected one-hot, {U.shape}")


def _check_gradients(gradients, X, Y, parameters):
    """The inner product of p and dp is finite only if every entry of both is.

    And nan or inf in X or Y reaches the first dW: as 0 · inf = nan if in no other way.
    """
    if all(type(g) is np.ndarray for g in gradients):
        pairs = zip(parameters, gradients, strict=True)
        if not all(math.isfinite(np.vdot(p, g)) for p, g in pairs):
            check_finite({"X": X, "Y": Y, **_named(parameters)}, *gradients)
