"""The two-layer network of S05–S09: its cost and gradients, derived by hand.

    x_d  →  q_m = Σ_d V_dm x_d  →  z_m = h(q_m)  →  u_c = Σ_m W_mc z_m  →  ŷ_c = g(u_c)

``cost`` and ``gradients`` are the deck's own, for softmax and logistic. ``TwoLayer`` extends the
derivation to three heads g and three hidden activations h. Instances are rows: X is
N x D, so V is D x M and W is M x C, transposed from the mathematics (E23). The cost is a mean
over the N instances, and so are the gradients (E19). The bias of the hidden layer is a
constant input: a column of ones in X (S07).

The bodies are plain NumPy: a tracer can run them unchanged and read variable names from them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from comp551ad.functions import logistic, logsumexp, relu, softmax, softplus
from comp551ad.shapes import Array, NotFiniteError, one_of, shapes

__all__ = ["NotFiniteError", "TwoLayer", "accuracy", "cost", "gradients"]


@shapes(X="N D", V="D M", W="M C", Y="N C")
def cost(X: Array, Y: Array, W: Array, V: Array) -> float:
    """Mean cross-entropy of the softmax network with logistic hidden units (S09).

    Written in terms of u, where L(y, u) = −yᵀu + log Σ_c e^{u_c}, to avoid the log of zero.

    Args:
        X: N x D inputs.
        Y: N x C one-hot labels.
        W: M x C weights of the output layer.
        V: D x M weights of the hidden layer.

    Returns:
        One number, in nats.

    Raises:
        ValueError: shapes don't match, or entries are complex, nan or inf.
    """
    Q = np.dot(X, V)  # N x M
    Z = logistic(Q)  # N x M
    U = np.dot(Z, W)  # N x C
    nll = -np.mean(np.sum(U * Y, 1) - logsumexp(U))
    return nll


@shapes(X="N D", V="D M", W="M C", Y="N C")
def gradients(X: Array, Y: Array, W: Array, V: Array) -> tuple[Array, Array]:
    """The gradients of ``cost`` by the chain rule, dW (M x C) and dV (D x M) (S06–S09).

    Arguments and errors are the same as for ``cost``. Each gradient is an error from above times
    an input from below (S08), averaged over the rows:

        ∂L/∂W_mc = (ŷ_c − y_c) · z_m
        ∂L/∂V_dm = Σ_c (ŷ_c − y_c) W_mc z_m (1 − z_m) · x_d
    """
    N = X.shape[0]
    Q = np.dot(X, V)  # N x M
    Z = logistic(Q)  # N x M
    U = np.dot(Z, W)  # N x C
    Yh = softmax(U)  # N x C
    # The error from above for W; the slide calls it dY (E20).
    dU = Yh - Y  # N x C
    dW = np.dot(Z.T, dU) / N  # M x C
    dZ = np.dot(dU, W.T)  # N x M
    # The error from above for V.
    dQ = dZ * Z * (1 - Z)  # N x M
    dV = np.dot(X.T, dQ) / N  # D x M
    return dW, dV


# ---- three heads and three hidden activations ----------------------------------------


def cross_entropy(Y: Array, U: Array) -> Array:
    """Multiclass: L = −yᵀu + log Σ_c e^{u_c}, one number per row."""
    return logsumexp(U) - np.sum(U * Y, -1)


# name: ŷ = g(u), and L(y, u) in its safe form, one number per row
HEADS: dict[str, tuple[Callable, Callable]] = {
    # ½ ‖y − u‖²
    "regression": (lambda U: U, lambda Y, U: 0.5 * np.sum((Y - U) ** 2, 1)),
    # y log(1 + e^−u) + (1 − y) log(1 + e^u), summed over the columns
    "binary": (
        logistic,
        lambda Y, U: np.sum(Y * softplus(-U) + (1 - Y) * softplus(U), 1),
    ),
    "multiclass": (softmax, cross_entropy),
}

# name: z = h(q), and dQ = dZ * h′(q); relu has slope 0 at q = 0
HIDDEN: dict[str, tuple[Callable, Callable]] = {
    "logistic": (logistic, lambda dZ, Q, Z: dZ * Z * (1 - Z)),
    "tanh": (np.tanh, lambda dZ, Q, Z: dZ * (1 - Z * Z)),
    "relu": (relu, lambda dZ, Q, Z: dZ * np.heaviside(Q, 0.0)),
}


@dataclass(frozen=True)
class TwoLayer:
    """A two-layer network with a chosen head and hidden activation (S05–S08).

    All three heads have the same derivative, so one method is enough:

        regression  L = ½ Σ_c (y_c − u_c)²                ∂L/∂u_c = u_c − y_c
        binary      L = y log(1+e^−u) + (1−y) log(1+e^u)  ∂L/∂u = −y(1−ŷ) + (1−y)ŷ
        multiclass  L = −yᵀu + log Σ_k e^{u_k}            ∂L/∂u_c = −y_c + ŷ_c

    Each is ŷ − y, with ŷ = u, σ(u) and softmax(u); below that nothing differs.

    Attributes:
        head: "regression" (identity, ½‖·‖²), "binary" (logistic) or "multiclass" (softmax).
        hidden: "logistic", "tanh" or "relu".
        output_bias: whether a constant hidden unit z = 1 gives the output layer a bias too
            (E24). It comes last: W is then (M + 1) x C, with the biases in its last row.
    """

    head: str = "multiclass"
    hidden: str = "logistic"
    output_bias: bool = False

    def __post_init__(self) -> None:
        one_of("head", self.head, HEADS)
        one_of("hidden", self.hidden, HIDDEN)

    @shapes(X="N D", V="D M", W="M+output_bias C", Y="N C")
    def cost(self, X: Array, Y: Array, W: Array, V: Array) -> float:
        """Mean of L over the N instances; arguments as in the deck's ``cost``.

        For "binary" Y is N x 1 with entries 0 and 1 (or N x C: C separate questions).
        """
        _, loss = HEADS[self.head]
        Q, Z, U = self._up(X, W, V)
        mean_loss = np.mean(loss(Y, U))
        return mean_loss

    @shapes(X="N D", V="D M", W="M+output_bias C", Y="N C")
    def gradients(self, X: Array, Y: Array, W: Array, V: Array) -> tuple[Array, Array]:
        """dW and dV, shaped as W and V: dW = Zᵀ dU / N, dV = Xᵀ dQ / N.

        dU = Ŷ − Y whatever the head, and dQ = (dU Wᵀ) * h′(Q). The constant hidden unit
        depends on nothing below it, so its column drops out of dZ (E24).
        """
        N = X.shape[0]
        head, _ = HEADS[self.head]
        _, back = HIDDEN[self.hidden]
        Q, Z, U = self._up(X, W, V)
        dU = head(U) - Y  # N x C
        dW = np.dot(Z.T, dU) / N  # M x C, or M+1 x C
        dZ = np.dot(dU, W.T)  # N x M, or N x M+1
        if self.output_bias:
            Z, dZ = Z[:, :-1], dZ[:, :-1]  # N x M
        dQ = back(dZ, Q, Z)  # N x M
        dV = np.dot(X.T, dQ) / N  # D x M
        return dW, dV

    @shapes(X="N D", V="D M", W="M+output_bias C")
    def predict(self, X: Array, W: Array, V: Array) -> Array:
        """Yh, N x C: the network's prediction for each row of X."""
        head, _ = HEADS[self.head]
        Q, Z, U = self._up(X, W, V)
        return head(U)

    def _up(self, X: Array, W: Array, V: Array) -> tuple[Array, Array, Array]:
        """The forward pass: Q (N x M), Z (N x M, or M+1) and U (N x C)."""
        activation, _ = HIDDEN[self.hidden]
        Q = np.dot(X, V)
        Z = activation(Q)
        if self.output_bias:
            Z = np.concatenate([Z, np.ones((X.shape[0], 1))], axis=1)
        U = np.dot(Z, W)
        return Q, Z, U


@shapes(Yh="N C", Y="N C")
def accuracy(Yh: Array, Y: Array) -> float:
    """The fraction of rows, 0 to 1, whose largest Yh is at the label.

    Args:
        Yh: N x C predictions. With a single column a row is correct if Yh and Y lie on the
            same side of ½.
        Y: N x C one-hot labels; in a single column 0 or 1.

    Raises:
        ValueError: shapes don't match, entries of Yh aren't finite real numbers, or a row of Y
            isn't a label.
    """
    C = Y.shape[1]
    labels = np.all((Y == 0) | (Y == 1), 1) & ((C == 1) | (np.sum(Y, 1) == 1))  # (N,)
    if not labels.all():
        n = np.argmin(labels)
        raise ValueError(
            f"Y[{n}]: got {Y[n].tolist()}, expected a one-hot row, or 0 or 1 in a single "
            "column; Y is np.eye(C)[labels], and comes after the predictions"
        )
    if C == 1:
        return float(np.mean((Yh > 0.5) == (Y == 1)))
    return float(np.mean(np.argmax(Yh, 1) == np.argmax(Y, 1)))
