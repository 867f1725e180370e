"""Students' answers for lecture 13: right answers in other styles, and some wrong ones."""

import math


def error_by_hand(values):
    S = len(values)
    middle = sum(values) / S
    squares = sum((v - middle) ** 2 for v in values)
    return (squares / (S - 1) / S) ** 0.5


def step_right(weights, gradients, frozen, lr):
    result = []
    for k in range(len(weights)):
        result.append(weights[k] if k < frozen else weights[k] - lr * gradients[k])
    return result


def continue_by_reduce(minimize, family, start):
    from functools import reduce

    return reduce(lambda w, objective: minimize(objective, w), family, start)


def open_sorted_list(difficulty, t, T):
    rows = sorted(range(len(difficulty)), key=difficulty.__getitem__)
    return rows[: math.ceil(len(difficulty) * (t + 1) / T)]


def step_from_the_end(weights, gradients, frozen, lr):
    moving = len(weights) - frozen
    new = [W.copy() for W in weights]
    for W, dW in zip(new[-moving:], gradients[-moving:], strict=True):
        W -= lr * dW
    return new


RIGHT = {
    "standard_error": [error_by_hand],
    "frozen_step": [step_right],
    "continuation": [continue_by_reduce],
    "curriculum": [open_sorted_list],
}

WRONG = {"frozen_step": [step_from_the_end]}
