"""What students hand in for lecture 14: wrong answers by their mistake, and right ones."""

import numpy as np


def program(slope, count=len, sign=1.0):
    def run(X, Y, W, V):
        Q = X @ V
        Z = np.tanh(Q)
        U = Z @ W
        dU = sign * (U - Y) / count(X)
        dQ = dU @ W.T * slope(Q, Z)
        return Z.T @ dU, X.T @ dQ

    return run


def mended_by_loops(X, Y, W, V):
    dW, dV = np.zeros(W.shape), np.zeros(V.shape)
    for x, y in zip(X, Y, strict=True):
        z = np.tanh(x @ V)
        error = (z @ W - y) / len(X)
        dW += np.outer(z, error)
        dV += np.outer(x, W @ error / np.cosh(x @ V) ** 2)
    return dW, dV


def lines_all(program, wanted):
    return [name for name, operands in program]


def lines_one_back(program, wanted):
    needed = set(wanted)
    for name, operands in program:
        if name in wanted:
            needed.update(operands)
    return [name for name, _ in program if name in needed]


def lines_backwards(program, wanted):
    needed, kept = set(wanted), []
    for name, operands in reversed(program):
        if name in needed:
            kept.append(name)
            needed.update(operands)
    return kept


def lines_wanted(program, wanted):
    return [name for name, _ in program if name in wanted]


def lines_without_wanted(program, wanted):
    return [name for name in lines_right(program, wanted) if name not in wanted]


def lines_right(program, wanted):
    return lines_backwards(program, wanted)[::-1]


def lines_by_recursion(program, wanted):
    operands, order = dict(program), []

    def visit(name):
        for operand in operands.get(name, []):
            visit(operand)
        if name in operands and name not in order:
            order.append(name)

    for name in wanted:
        visit(name)
    return order


def lines_by_stack(program, wanted):
    operands = dict(program)

    def below(name):
        if name not in operands:
            return []
        return [line for o in operands[name] for line in below(o)] + [name]

    return [line for name in wanted for line in below(name)]


def lines_up_to(program, wanted):
    names = [name for name, _ in program]
    return names[: 1 + max(names.index(name) for name in wanted)]


def lines_used_at_all(program, wanted):
    used = {operand for _, operands in program for operand in operands}
    return [name for name, _ in program if name in used | set(wanted)]


def lines_with_inputs(program, wanted):
    needed = lines_right(program, wanted)
    used = {o for name, operands in program if name in needed for o in operands}
    return sorted(used - dict(program).keys()) + needed


def lines_whole(program, wanted):
    needed = lines_right(program, wanted)
    return [line for line in program if line[0] in needed]


def lines_dead(program, wanted):
    needed = lines_right(program, wanted)
    return [name for name, _ in program if name not in needed]


def lines_forwards(program, wanted):
    needed = set(wanted)
    for name, operands in program:
        if needed & set(operands):
            needed.add(name)
    return [name for name, _ in program if name in needed]


def lines_extended(program, wanted):
    for name, operands in reversed(program):
        if name in wanted:
            wanted.extend(operands)
    return [name for name, _ in program if name in wanted]


def table(first, second, third):
    return lambda: {"first": first, "second": second, "third": third}


def hessian_halved(gradient, w, a, h=1e-5):
    return (gradient(w + h * a) - gradient(w - h * a)) / h


def hessian_all_axes(gradient, w, a, h=1e-5):
    return (gradient(w + h) - gradient(w - h)) / (2 * h)


def hessian_undivided(gradient, w, a):
    return gradient(w + 1e-4 * a) - gradient(w - 1e-4 * a)


def hessian_gradient(gradient, w, a):
    return gradient(w)


def hessian_number(gradient, w, a, h=1e-5):
    return (gradient(w + h * a) - gradient(w - h * a)) @ a / (2 * h)


def hessian_sign(gradient, w, a, h=1e-5):
    return (gradient(w - h * a) - gradient(w + h * a)) / (2 * h)


def hessian_built(gradient, w, a, h=1e-6):
    H = np.empty((len(w), len(w)))
    for k in range(len(w)):
        ahead = w.copy()
        ahead[k] += h
        H[:, k] = (gradient(ahead) - gradient(w)) / h
    return H @ a


def hessian_forward(gradient, w, a, h=1e-7):
    return (gradient(w + h * a) - gradient(w)) / h


WRONG = {
    "mended": [
        (program(lambda Q, Z: 1 - Q * Q), "the bug is still there"),
        (program(lambda Q, Z: 1 - Z), "derivative of tanh as 1 − tanh"),
        (
            program(lambda Q, Z: Z * (1 - Z)),
            "derivative of the logistic where tanh is meant",
        ),
        (program(lambda Q, Z: 1 / np.cosh(Q)), "derivative of tanh as sech"),
        (program(lambda Q, Z: 1 - Z**2, count=lambda X: 1), "1/N is missing"),
        (program(lambda Q, Z: 1 - Z**2, sign=-1), "the wrong sign"),
        (program(lambda Q, Z: 1), "the line at tanh is left out"),
        (program(lambda Q, Z: 1 - np.tanh(Z) ** 2), "tanh taken twice"),
        (program(lambda Q, Z: 1 + Z**2), "derivative of tanh with a plus"),
        (lambda *given: mended_by_loops(*given)[::-1], "in another order"),
    ],
    "needed_lines": [
        (lines_all, "everything is kept"),
        (lines_one_back, "one step back only"),
        (lines_backwards, "in the wrong order"),
        (lines_wanted, "the wanted ones alone"),
        (lines_without_wanted, "the wanted ones are missing"),
        (lines_by_recursion, "in the order in which they are found"),
        (lines_by_stack, "a line comes more than once"),
        (lines_up_to, "everything up to the wanted lines is kept"),
        (lines_used_at_all, "what any line uses is kept"),
        (lines_with_inputs, "the inputs are among them"),
        (lines_whole, "whole lines, not their names"),
        (lines_dead, "what is not needed"),
        (lines_forwards, "what comes after, not what came before"),
        (lines_extended, "it changes its input in place"),
    ],
    "higher_derivatives": [
        (
            table("(1 + x) * exp(2*x)", "(2 + x) * exp(2*x)", "(3 + x) * exp(2*x)"),
            "the inner derivative is missing",
        ),
        (
            table("2*x*exp(2*x)", "4*x*exp(2*x)", "8*x*exp(2*x)"),
            "half of the product rule",
        ),
        (
            table("2*exp(2*x)", "4*exp(2*x)", "8*exp(2*x)"),
            "both factors' derivatives multiplied",
        ),
        (
            table("(1+2*x)*exp(2*x)", "2*(1+2*x)*exp(2*x)", "4*(1+2*x)*exp(2*x)"),
            "the product rule once only",
        ),
        (table("(1+2*x)*exp(2*x)", ..., ...), "not finished"),
        (
            table("exp(2*x) + x*2*x*exp(2*x-1)", ..., ...),
            "the exponential taken for a power",
        ),
        (
            table("(1+2*x)*exp(2*x)", "2*(1+x)*exp(2*x)", "4*(1+x)*exp(2*x)"),
            "the inner derivative is missing",
        ),
        (
            table("(1+2*x)*exp(2*x)", "4*(1+x)*exp(2*x)", "8*(1+x)*exp(2*x)"),
            "the factor in the bracket is not differentiated rightly",
        ),
        (lambda: ["(1+2*x)*exp(2*x)"], "another kind of value"),
    ],
    "hessian_times": [
        (hessian_halved, "the 2 of the double step is missing"),
        (hessian_all_axes, "the direction is left out"),
        (hessian_undivided, "not divided by the step"),
        (hessian_gradient, "the gradient itself"),
        (hessian_number, "one number instead of a vector"),
        (hessian_sign, "the wrong sign"),
        (hessian_built, "more than two calls of the gradient"),
        (lambda g, w, a: (g(w + a) - g(w - a)) / 2, "the step is too large"),
        (lambda g, w, a: hessian_forward(g, w, a) * a, "multiplied by a once more"),
        (lambda g, w, a: a * g(w), "the gradient times a"),
        (
            lambda g, w, a: hessian_forward(g, w, a / np.linalg.norm(a)),
            "a brought to length 1",
        ),
    ],
}

RIGHT = {
    "mended": [mended_by_loops],
    "needed_lines": [lines_right],
    "higher_derivatives": [
        table("exp(2*x) + 2*x*exp(2*x)", "4*(1+x)*exp(2*x)", "4*(3+2*x)*exp(2*x)")
    ],
    "hessian_times": [hessian_forward],
}
