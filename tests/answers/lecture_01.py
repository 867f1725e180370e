"""What students hand in for lecture 01: wrong answers by their mistake, and right ones."""

import math

import numpy as np


def twin_no_signs(W, V, order, signs):
    return W[order, :], V[:, order]


def twin_no_order(W, V, order, signs):
    return np.diag(signs) @ W, V @ np.diag(signs)


def twin_early_signs(W, V, order, signs):
    W2 = W * signs.reshape(-1, 1)
    V2 = V * signs
    return W2[order], V2[:, order]


def twin_backwards(W, V, order, signs):
    W2, V2 = np.zeros(W.shape), np.zeros(V.shape)
    for k in range(len(order)):
        W2[order[k]] = W[k]
        V2[:, order[k]] = V[:, k]
    return W2 * signs[:, None], V2 * signs


def twin_inputs_alone(W, V, order, signs):
    return W, V[:, order] * signs


def twin_rows(W, V, order, signs):
    s = signs[:, None]
    return s * W[order], s * V[order]


def twin_in_place(W, V, order, signs):
    for k in range(len(order)):
        W[k] = signs[k] * W[order[k]]
        V[:, k] = signs[k] * V[:, order[k]]
    return W, V


def twin_wrong_sign_of_inputs(W, V, order, signs):
    return W[order] * signs[:, None], -(V[:, order] * signs)


def twin_by_matrix(W, V, order, signs):
    P = np.eye(len(order))[order] * signs[:, None]
    return P @ W, V @ P.T


def lengths(W, V):
    return np.sqrt((W**2).sum(1)), np.sqrt((V**2).sum(0))


def balanced_no_root(W, V):
    w, v = lengths(W, V)
    return W * (v / w)[:, None], V * (w / v)


def balanced_upside_down(W, V):
    w, v = lengths(W, V)
    a = np.sqrt(v / w)
    return (W.T / a).T, V * a


def balanced_one_factor(W, V):
    a = (np.sum(W**2) / np.sum(V**2)) ** 0.25
    return W / a, a * V


def balanced_both(W, V):
    w, v = lengths(W, V)
    a = np.sqrt(w / v)
    return a[:, None] * W, a * V


def balanced_to_one(W, V):
    w, v = lengths(W, V)
    return W / w[:, None], V / v


def balanced_axis(W, V):
    a = np.sqrt(np.sqrt((W**2).sum(0)) / np.sqrt((V**2).sum(1)))
    return W / a[:, None], V * a


def balanced_in_place(W, V):
    w, v = lengths(W, V)
    a = np.sqrt(w / v)
    W /= a[:, None]
    V *= a
    return W, V


def balanced_by_mean(W, V):
    w, v = lengths(W, V)
    both = np.sqrt(w * v)
    return W * (both / w)[:, None], V * both / v


def count_all_signs(M, activation):
    return math.factorial(M) * 2**M


def count_orders(M, activation):
    return math.factorial(M)


def count_signs(M, activation):
    return 2**M if activation == "tanh" else 1


def count_sum(M, activation):
    orders = math.factorial(M)
    return orders + 2**M if activation == "tanh" else orders


def count_one_sign(M, activation):
    return math.factorial(M) * (2 if activation == "tanh" else 1)


def count_repetition(M, activation):
    return (2 * M) ** M if activation == "tanh" else M**M


def count_typed_in(M, activation):
    return 48


def count_by_loop(M, activation):
    count = 1
    for m in range(1, M + 1):
        count *= 2 * m if activation == "tanh" else m
    return count


def saddle_scores(M, D, C):
    rank = min(D, C)
    return M * rank, M * rank, M * (C + D) - 2 * M * rank


def saddle_one_unit(M, D, C):
    r = min(D, C - 1)
    return r, r, M * (D + C) - 2 * r


def saddle_classes_alone(M, D, C):
    r = C - 1
    return M * r, M * r, M * (C + D - 2 * r)


def saddle_inputs_alone(M, D, C):
    return M * D, M * D, M * (C - D)


def saddle_no_level(M, D, C):
    P = M * (D + C)
    return P / 2, P / 2, 0


def saddle_minimum(M, D, C):
    return 0, 2 * M * min(D, C - 1), M * (C + D) - 2 * M * min(D, C - 1)


def saddle_like_the_lecture(M, D, C):
    return 6, 6, 6


def saddle_by_rank(M, D, C):
    X = np.random.default_rng(0).normal(size=(50 * C, D))
    Y = np.tile(np.eye(C), (50, 1))
    rank = int(np.linalg.matrix_rank(X.T @ (Y - 1 / C)))
    return rank * M, rank * M, M * (C + D) - 2 * rank * M


def twin_exchanged(W, V, order, signs):
    return V[:, order] * signs, W[order] * signs[:, None]


def twin_signs_of_inputs(W, V, order, signs):
    return W[order], V[:, order] * signs


def balanced_inputs_alone(W, V):
    w, v = lengths(W, V)
    return W, V / v * w


def balanced_root_of_root(W, V):
    w, v = lengths(W, V)
    a = np.sqrt(np.sqrt(w / v))
    return W / a.reshape(-1, 1), a * V


def balanced_sums(W, V):
    a = (abs(W).sum(1) / abs(V).sum(0)) ** 0.5
    return (W.T / a).T, V * a


def count_others(M, activation):
    return count_by_loop(M, activation) - 1


def count_no_factorial(M, activation):
    return M * 2**M if activation == "tanh" else M


def count_other_way_round(M, activation):
    return math.factorial(M) * (1 if activation == "tanh" else 2**M)


def saddle_all_down(M, D, C):
    down, _, level = saddle_by_rank(M, D, C)
    return 2 * down, 0, level


def saddle_level(M, D, C):
    return 0, 0, (D + C) * M


def saddle_level_second(M, D, C):
    down, up, level = saddle_by_rank(M, D, C)
    return down, level, up


def saddle_to_array(M, D, C):
    return np.array(saddle_by_rank(M, D, C))


WRONG = {
    "twin": [
        (twin_no_signs, "the signs are left out"),
        (twin_no_order, "the order is left out"),
        (twin_early_signs, "the signs go with the old numbers"),
        (twin_backwards, "the order runs backwards"),
        (twin_inputs_alone, "nothing happens to one of the two"),
        (twin_rows, "the rows of V are taken for the units"),
        (twin_in_place, "it changes its input in place"),
        (twin_wrong_sign_of_inputs, "the wrong sign"),
        (twin_exchanged, "in another order"),
        (twin_signs_of_inputs, "the signs are left out"),
    ],
    "balanced": [
        (balanced_no_root, "the square root is missing"),
        (balanced_upside_down, "the ratio is upside down"),
        (balanced_one_factor, "one factor for all units"),
        (balanced_both, "inputs and outputs are both multiplied"),
        (balanced_to_one, "the norms are made 1"),
        (balanced_axis, "norms along the wrong axis"),
        (balanced_in_place, "it changes its input in place"),
        (balanced_inputs_alone, "the inputs alone are rescaled"),
        (balanced_root_of_root, "one root too many"),
        (balanced_sums, "sums of sizes in place of norms"),
    ],
    "count_twins": [
        (count_all_signs, "the logistic function is taken for odd"),
        (count_orders, "the signs are left out"),
        (count_signs, "the orders are left out"),
        (count_sum, "added where one multiplies"),
        (count_one_sign, "one sign for all units together"),
        (count_repetition, "orders counted with repetition"),
        (count_typed_in, "the same answer for every input"),
        (count_others, "its own place is left out"),
        (count_no_factorial, "M orders"),
        (count_other_way_round, "the two activations are exchanged"),
    ],
    "saddle_signs": [
        (saddle_scores, "scores are counted, not their differences"),
        (saddle_one_unit, "one hidden unit is counted, not M"),
        (saddle_classes_alone, "few inputs are overlooked"),
        (saddle_inputs_alone, "few classes are overlooked"),
        (saddle_no_level, "no direction is level"),
        (saddle_minimum, "all of them up, as at a minimum"),
        (saddle_like_the_lecture, "the same answer for every input"),
        (saddle_all_down, "all of them down"),
        (saddle_level, "the Hessian is taken for zero"),
        (saddle_level_second, "in another order"),
    ],
}

RIGHT = {
    "twin": [twin_by_matrix],
    "balanced": [balanced_by_mean],
    "count_twins": [count_by_loop],
    "saddle_signs": [saddle_by_rank, saddle_to_array],
}
