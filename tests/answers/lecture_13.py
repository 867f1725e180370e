"""What students hand in for lecture 13: wrong answers by their mistake, and right ones."""

import math

import numpy as np


def error_by_hand(values):
    S = len(values)
    middle = sum(values) / S
    squares = sum((v - middle) ** 2 for v in values)
    return (squares / (S - 1) / S) ** 0.5


def step(weights, gradients, lr, moves):
    result = []
    for k in range(len(weights)):
        result.append(weights[k] - lr * gradients[k] if moves(k) else weights[k])
    return result


def step_all(weights, gradients, frozen, lr):
    return [w - lr * g for w, g in zip(weights, gradients, strict=True)]


def step_top(weights, gradients, frozen, lr):
    L = len(weights)
    return step(weights, gradients, lr, lambda k: k < L - frozen)


def step_one_more(weights, gradients, frozen, lr):
    return step(weights, gradients, lr, lambda k: k > frozen)


def step_others(weights, gradients, frozen, lr):
    return step(weights, gradients, lr, lambda k: k < frozen)


def step_uphill(weights, gradients, frozen, lr):
    return step(weights, gradients, -lr, lambda k: k >= frozen)


def step_in_place(weights, gradients, frozen, lr):
    for W, dW in zip(weights[frozen:], gradients[frozen:], strict=True):
        W -= lr * dW
    return weights


def step_dropped(weights, gradients, frozen, lr):
    pairs = zip(weights[frozen:], gradients[frozen:], strict=True)
    return [W - lr * dW for W, dW in pairs]


def step_right(weights, gradients, frozen, lr):
    return step(weights, gradients, lr, lambda k: not k < frozen)


def continue_from_start(minimize, family, start):
    for objective in family:
        w = minimize(objective, start)
    return w


def continue_backwards(minimize, family, start):
    w = start
    for objective in reversed(family):
        w = minimize(objective, w)
    return w


def continue_too_short(minimize, family, start):
    for objective in family[:-1]:
        start = minimize(objective, start)
    return start


def continue_returns_early(minimize, family, start):
    for objective in family:
        start = minimize(objective, start)
        return start


def continue_by_reduce(minimize, family, start):
    from functools import reduce

    return reduce(lambda w, objective: minimize(objective, w), family, start)


def stage(difficulty, t, T):
    return math.ceil(len(difficulty) * (t + 1) / T)


def open_hard(difficulty, t, T):
    return np.argsort(-difficulty)[: stage(difficulty, t, T)]


def open_none(difficulty, t, T):
    return np.argsort(difficulty)[: math.ceil(len(difficulty) * t / T)]


def open_values(difficulty, t, T):
    return sorted(difficulty)[: stage(difficulty, t, T)]


def open_as_given(difficulty, t, T):
    return np.arange(stage(difficulty, t, T))


def open_all(difficulty, t, T):
    return np.argsort(difficulty)


def open_floor(difficulty, t, T):
    return np.argsort(difficulty)[: len(difficulty) * (t + 1) // T]


def open_sorted_list(difficulty, t, T):
    rows = sorted(range(len(difficulty)), key=difficulty.__getitem__)
    return rows[: stage(difficulty, t, T)]


WRONG = {
    "standard_error": [
        (lambda values: np.std(values, ddof=1), "the standard deviation"),
        (
            lambda values: values.std() / len(values) ** 0.5,
            "divided by S − 1 once too little",
        ),
        (
            lambda values: np.std(values, ddof=1) / len(values),
            "divided by S, not by its root",
        ),
        (lambda values: np.var(values, ddof=1) / len(values), "the square of it"),
    ],
    "frozen_step": [
        (step_all, "nothing is frozen"),
        (step_top, "the top is frozen"),
        (step_one_more, "one layer too many is frozen"),
        (step_others, "the frozen move and the others stand"),
        (step_uphill, "uphill"),
        (step_in_place, "it changes its input in place"),
        (step_dropped, "right for some inputs only"),
    ],
    "continuation": [
        (continue_from_start, "every one from the same start"),
        (continue_backwards, "from hard to easy"),
        (continue_too_short, "the last one is left out"),
        (continue_returns_early, "the easy one's solution"),
    ],
    "curriculum": [
        (open_hard, "the hard ones first"),
        (open_none, "none is open at t = 0"),
        (open_values, "the difficulties, not the rows"),
        (open_as_given, "in the order of the data"),
        (open_all, "all of them at once"),
        (open_floor, "rounded down"),
    ],
}

RIGHT = {
    "standard_error": [error_by_hand],
    "frozen_step": [step_right],
    "continuation": [continue_by_reduce],
    "curriculum": [open_sorted_list],
}
