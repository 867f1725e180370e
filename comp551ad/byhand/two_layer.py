"""The two-layer network of S05–S09: its cost and gradients, derived by hand.

    x_d  →  q_m = Σ_d V_dm x_d  →  z_m = h(q_m)  →  u_c = Σ_m W_mc z_m  →  ŷ_c = g(u_c)

`cost` and `gradients` are the deck's own, for softmax and logistic. `TwoLayer` is the
same derivation for three heads g and three hidden activations h. Instances are rows:
X is N x D, so V is D x M and W is M x C, transposed from the mathematics (E23). The
cost is a mean over the N instances, and so are the gradients (E19). The bias of the
hidden layer is a constant input: a column of ones in X (S07).

Reads `checks` and `comp551ad.functions`; `descent`, `deep` and notebooks read it. The
bodies are plain NumPy: a tracer can run them as they stand and take names from them.
"""

from dataclasses import dataclass

import numpy as np

from comp551ad.byhand.checks import (
    UNLABELLED,
    NotFiniteError,
    check_arguments,
    check_cost,
    check_finite,
    check_gradient,
    real_array,
)
from comp551ad.functions import (
    logistic,
    logsumexp,
    relu,
    softmax,
    softplus,
)

__all__ = ["NotFiniteError", "TwoLayer", "accuracy", "cost", "gradients"]


def cost(X, Y, W, V):
    """Mean cross-entropy of the softmax network with logistic hidden units (S09).

    X  N x D inputs, Y  N x C one-hot labels, W  M x C, V  D x M. Returns one number,
    in nats. Written in u, where L(y, u) = −yᵀu + log Σ_c e^{u_c}: no log of a zero.
    Raises ValueError for shapes that don't fit, and for complex, nan or inf entries.
    """
    check_arguments(X, Y, W, V)
    Q = np.dot(X, V)  # N x M
    Z = logistic(Q)  # N x M
    U = np.dot(Z, W)  # N x C
    nll = -np.mean(np.sum(U * Y, 1) - logsumexp(U))
    check_cost(nll, X, Y, W, V)
    return nll


def gradients(X, Y, W, V):
    """dW (M x C) and dV (D x M): the gradients of `cost`, by the chain rule (S06–S09).

    Arguments and errors are those of `cost`. Each gradient is an error from above
    times an input from below (S08), averaged over the rows:
      ∂L/∂W_mc = (ŷ_c − y_c) · z_m
      ∂L/∂V_dm = Σ_c (ŷ_c − y_c) W_mc z_m (1 − z_m) · x_d
    """
    check_arguments(X, Y, W, V)
    N = X.shape[0]
    Q = np.dot(X, V)  # N x M
    Z = logistic(Q)  # N x M
    U = np.dot(Z, W)  # N x C
    Yh = softmax(U)  # N x C
    dU = Yh - Y  # N x C    the error from above for W; the slide calls it dY (E20)
    dW = np.dot(Z.T, dU) / N  # M x C
    dZ = np.dot(dU, W.T)  # N x M
    dQ = dZ * Z * (1 - Z)  # N x M    the error from above for V
    dV = np.dot(X.T, dQ) / N  # D x M
    check_gradient(dV, X, Y, W, V)
    return dW, dV


# ---- three heads and three hidden activations ----------------------------------------


def half_square(Y, U):
    """Regression: L = ½ ‖y − u‖², one number a row."""
    return 0.5 * np.sum((Y - U) ** 2, 1)


def binary_cross_entropy(Y, U):
    """Binary: L = y log(1 + e^−u) + (1 − y) log(1 + e^u), summed over the columns."""
    return np.sum(Y * softplus(-U) + (1 - Y) * softplus(U), 1)


def cross_entropy(Y, U):
    """Multiclass: L = −yᵀu + log Σ_c e^{u_c}, one number a row."""
    return logsumexp(U) - np.sum(U * Y, 1)


def identity(U):
    return U


HEADS = {  # name: ŷ = g(u), and L(y, u) in its safe form
    "regression": (identity, half_square),
    "binary": (logistic, binary_cross_entropy),
    "multiclass": (softmax, cross_entropy),
}

HIDDEN = {  # name: z = h(q), and dQ = dZ * h′(q)
    "logistic": (logistic, lambda dZ, Q, Z: dZ * Z * (1 - Z)),
    "tanh": (np.tanh, lambda dZ, Q, Z: dZ * (1 - Z * Z)),
    "relu": (relu, lambda dZ, Q, Z: dZ * np.heaviside(Q, 0.0)),  # 0 at q = 0
}


@dataclass(frozen=True)
class TwoLayer:
    """A two-layer network with a chosen head and hidden activation (S05–S08).

    head    "regression" (identity, ½‖·‖²), "binary" (logistic), "multiclass" (softmax)
    hidden  "logistic", "tanh", "relu"
    output_bias  add a constant hidden unit z = 1, so that the output layer has a bias
                 as well (E24). It is the last: W is then (M + 1) x C, biases last.

    All three heads have the same derivative, and that is why there is one method:
      regression  L = ½ Σ_c (y_c − u_c)²                ∂L/∂u_c = u_c − y_c
      binary      L = y log(1+e^−u) + (1−y) log(1+e^u)  ∂L/∂u = −y(1−ŷ) + (1−y)ŷ
      multiclass  L = −yᵀu + log Σ_k e^{u_k}            ∂L/∂u_c = −y_c + ŷ_c
    each is ŷ − y, with ŷ = u, σ(u) and softmax(u); from there down nothing differs.
    """

    head: str = "multiclass"
    hidden: str = "logistic"
    output_bias: bool = False

    def __post_init__(self):
        for what, got, known in (
            ("head", self.head, HEADS),
            ("hidden", self.hidden, HIDDEN),
        ):
            if not isinstance(got, str) or got not in known:
                names = ", ".join(repr(name) for name in known)
                raise ValueError(f"{what} is {got!r}; choose one of {names}")

    def cost(self, X, Y, W, V):
        """Mean of L over the N instances; arguments as in the deck's `cost`.

        For "binary" Y is N x 1 with entries 0 and 1 (or N x C: C separate questions).
        """
        check_arguments(X, Y, W, V, self.output_bias)
        _, loss = HEADS[self.head]
        Q, Z, U = self._up(X, W, V)
        mean_loss = np.mean(loss(Y, U))
        check_cost(mean_loss, X, Y, W, V)
        return mean_loss

    def gradients(self, X, Y, W, V):
        """dW and dV, shaped as W and V: dW = Zᵀ dU / N, dV = Xᵀ dQ / N.

        dU = Ŷ − Y whatever the head, and dQ = (dU Wᵀ) * h′(Q). The constant hidden unit
        depends on nothing below it, so its column drops out of dZ (E24).
        """
        check_arguments(X, Y, W, V, self.output_bias)
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
        check_gradient(dV, X, Y, W, V, self.output_bias)
        return dW, dV

    def predict(self, X, W, V):
        """Yh, N x C: what the network says of each row of X."""
        check_arguments(X, UNLABELLED, W, V, self.output_bias)
        head, _ = HEADS[self.head]
        Yh = head(self._up(X, W, V)[-1])
        if type(Yh) is np.ndarray:  # inf may hide in a saturated unit of either layer
            check_finite({"X": X, "W": W, "V": V}, Yh)
        return Yh

    def _up(self, X, W, V):
        """The tower, bottom to top: Q (N x M), Z (N x M, or M+1) and U (N x C)."""
        activation, _ = HIDDEN[self.hidden]
        Q = np.dot(X, V)
        Z = activation(Q)
        if self.output_bias:
            Z = np.concatenate([Z, np.ones((X.shape[0], 1))], axis=1)
        U = np.dot(Z, W)
        return Q, Z, U


def accuracy(Yh, Y):
    """The share of rows, 0 to 1, whose largest Yh is at the label (N x C both).

    With a single column a row is right when Yh and Y lie on the same side of ½.
    Raises ValueError for shapes that don't fit, for entries of Yh that aren't finite
    real numbers, and for rows of Y that aren't one-hot (in a single column: 0 or 1).
    """
    Yh, Y = real_array("Yh", Yh), real_array("Y", Y)
    if Yh.shape != Y.shape or Y.ndim != 2 or Y.size == 0:
        raise ValueError(
            f"Yh has shape {Yh.shape} and Y {Y.shape}; expected both N x C, no axis "
            "empty: pass predictions and one-hot labels of the same rows"
        )
    check_finite({"Yh": Yh, "Y": Y})
    N, C = Y.shape
    labels = np.all((Y == 0) | (Y == 1), 1) & ((C == 1) | (np.sum(Y, 1) == 1))  # (N,)
    if not labels.all():
        n = int(np.argmin(labels))
        raise ValueError(
            f"Y[{n}] is {Y[n].tolist()}; expected a one-hot row, or in a single column "
            "0 or 1: Y is np.eye(C)[labels], and comes after the predictions"
        )
    if C == 1:
        return float(np.mean((Yh > 0.5) == (Y == 1)))
    return float(np.mean(np.argmax(Yh, 1) == np.argmax(Y, 1)))
