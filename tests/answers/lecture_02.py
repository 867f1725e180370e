"""What students hand in for lecture 02: wrong answers by their mistake, and right ones.

Written as students write, not as `comp551ad/exercises/tasks` does: a check must know a
mistake by what it gives. The solution notebook's answer is accepted by its own test.
"""

import numpy as np


def polar_without_r(r, phi):
    c, s = np.cos(phi), np.sin(phi)
    return np.array([[c, -s], [s, c]])


def polar_by_inputs(r, phi):
    d_r = [np.cos(phi), np.sin(phi)]
    d_phi = [-r * np.sin(phi), r * np.cos(phi)]
    return np.array([d_r, d_phi])


def polar_plus(r, phi):
    return np.array([[np.cos(phi), r * np.sin(phi)], [np.sin(phi), r * np.cos(phi)]])


def polar_typed_in(r, phi):
    return np.array([[0.8775, -0.9588], [0.4794, 1.7551]])


def polar_by_list(r, phi):
    return [[np.cos(phi), -r * np.sin(phi)], [np.sin(phi), r * np.cos(phi)]]


def pull_back_untransposed(J, g):
    return np.dot(J, g)


def pull_back_unsummed(J, g):
    return (J.T * g).T


def pull_back_columns(J, g):
    return np.sum(J, 0)


def pull_back_negative(J, g):
    return -(J.T @ g)


def pull_back_in_place(J, g):
    J *= g[:, None]
    return J.sum(axis=0)


def pull_back_square_only(J, g):
    result = np.zeros(len(g))
    for n in range(len(g)):
        for m in range(len(g)):
            result[n] += J[m, n] * g[m]
    return result


def pull_back_einsum(J, g):
    return np.einsum("mn,m->n", J, g)


def paths(through_u, through_v, together):
    return lambda: {"through u": through_u, "through v": through_v, "all": together}


def softmax_diagonal(p):
    return np.diag(p) - np.diag(p) ** 2


def softmax_vector(p):
    return p - p * p


def softmax_kronecker(p):
    K = len(p)
    J = np.zeros((K, K))
    for c in range(K):
        for k in range(K):
            J[c, k] = p[c] if c == k else -p[c] * p[k]
    return J


def softmax_sign(p):
    return np.outer(p, p) - np.diag(p)


def softmax_whole(p):
    return (np.diag(p) - np.outer(p, p)).astype(int)


def softmax_at_p(p):
    q = np.exp(p) / np.exp(p).sum()
    return np.diag(q) - np.outer(q, q)


def softmax_by_loops(p):
    K = len(p)
    return np.array([[p[c] * ((c == k) - p[k]) for k in range(K)] for c in range(K)])


def polar_right(r, phi):
    return np.array(polar_by_list(r, phi))


def softmax_product(p):
    return np.diag(p) - p @ p.T


def softmax_ones(p):
    return np.eye(len(p)) - np.outer(p, p)


def softmax_denominator(p):
    return -p[:, None] * p[None, :]


def softmax_one_rule(p):
    return p[:, None] * (1 - p)


def softmax_plus(p):
    return np.diag(p) + np.outer(p, p)


WRONG = {
    "polar_jacobian": [
        (polar_without_r, "the r of the chain rule is missing"),
        (polar_by_inputs, "transposed"),
        (polar_plus, "derivative of cos as + sin"),
        (polar_typed_in, "the same answer for every input"),
        (lambda r, phi: polar_right(r, phi)[::-1], "y before x"),
        (lambda r, phi: polar_right(r, phi)[:, ::-1], "phi before r"),
        (
            lambda r, phi: polar_right(r, phi) * np.array([r, 1]),
            "r stays where r moves",
        ),
        (lambda r, phi: polar_right(r, phi) * np.eye(2), "the diagonal alone"),
        (lambda r, phi: polar_right(r, phi).ravel(), "in another shape"),
    ],
    "pull_back": [
        (pull_back_untransposed, "the transpose is missing"),
        (pull_back_unsummed, "not added up over the outputs"),
        (pull_back_columns, "the outputs' slopes are left out"),
        (pull_back_negative, "the wrong sign"),
        (pull_back_in_place, "it changes its input in place"),
        (pull_back_square_only, "right for some inputs only"),
        (lambda J, g: np.sum(J * g[:, None], axis=1), "added up over the inputs"),
        (lambda J, g: np.mean(J * g[:, None], axis=0), "averaged over the outputs"),
        (lambda J, g: np.linalg.pinv(J) @ g, "an inverse in place of the transpose"),
        (lambda J, g: J.T @ g.reshape(-1, 1), "in another shape"),
    ],
    "sum_over_paths": [
        (
            paths("cos(x)", "2 * v", "cos(x) + 2 * v"),
            "the factor from above is missing",
        ),
        (
            paths("v * cos(x)", "u * v", "v*cos(x) + u*v"),
            "the inner derivative is missing",
        ),
        (paths("v * cos(x)", "2 * u * v", "v * cos(x)"), "one path alone"),
        (paths("v*cos(x)", "2*u*v", "2*u*v*v*cos(x)"), "paths multiplied"),
        (paths("-v*cos(x)", "2*u*v", "2*u*v - v*cos(x)"), "derivative of sin as - cos"),
        (paths("v * cos(x)", "2 * u * v", ...), "not finished"),
        (
            paths("v*cos(x)", "2*u*v", "2 * cos(x) * v"),
            "the derivatives of u and v multiplied",
        ),
        (paths("2*u*v", "v*cos(x)", "2*u*v + v*cos(x)"), "the two paths are exchanged"),
        (
            paths("v*cos(x)", "2*x*u*v", "v*cos(x) + 2*x*u*v"),
            "the exponent in place of its derivative",
        ),
        (paths("v*cos(x)", "2*u*v", "v^1*cos(x) + 2*u*v"), "it raises ValueError"),
        (lambda: ("v*cos(x)", "2*u*v", "v*cos(x) + 2*u*v"), "another kind of value"),
        (lambda: {"u": "v*cos(x)", "v": "2*u*v"}, "an entry is missing"),
    ],
    "softmax_jacobian": [
        (softmax_diagonal, "the diagonal alone"),
        (softmax_vector, "a vector where a matrix is due"),
        (softmax_kronecker, "the diagonal lacks its own -p p"),
        (softmax_sign, "the wrong sign"),
        (softmax_whole, "whole numbers"),
        (softmax_at_p, "the derivative at p, not where softmax gives p"),
        (softmax_product, "a number where p_c p_k is due"),
        (softmax_ones, "ones on the diagonal"),
        (softmax_denominator, "the numerator is held still"),
        (softmax_one_rule, "the diagonal's rule everywhere"),
        (softmax_plus, "a plus for the minus"),
    ],
}

RIGHT = {
    "polar_jacobian": [polar_by_list],
    "pull_back": [pull_back_einsum],
    "sum_over_paths": [paths("exp(2*x)*cos(x)", "2*sin(x)*v", "v*(cos(x) + 2*sin(x))")],
    "softmax_jacobian": [softmax_by_loops],
}
