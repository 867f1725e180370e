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


def step_one_less(weights, gradients, frozen, lr):
    return step(weights, gradients, lr, lambda k: k + 1 >= frozen)


def step_from_behind(weights, gradients, frozen, lr):
    pairs = zip(weights[:-frozen], gradients[:-frozen], strict=True)
    return [W - lr * dW for W, dW in pairs] + weights[-frozen:]


def step_taken_out(weights, gradients, frozen, lr):
    kept = [weights.pop(0) for _ in range(frozen)]
    pairs = zip(weights, gradients[frozen:], strict=True)
    return kept + [W - lr * dW for W, dW in pairs]


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


def continue_all(minimize, family, start):
    ends = [start]
    for objective in family:
        ends.append(minimize(objective, ends[-1]))
    return ends[1:]


def continue_best(minimize, family, start):
    ends = [minimize(objective, start) for objective in family]
    return ends[np.argmin([family[-1](w) for w in ends])]


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


def open_round(difficulty, t, T):
    return np.argsort(difficulty)[: round(len(difficulty) * (t + 1) / T)]


def open_half_up(difficulty, t, T):
    return np.argsort(difficulty)[: int(len(difficulty) * (t + 1) / T + 0.5)]


def open_plus_one(difficulty, t, T):
    return np.argsort(difficulty)[: len(difficulty) * (t + 1) // T + 1]


def open_blocks(difficulty, t, T):
    return np.argsort(difficulty)[: int(np.ceil(len(difficulty) / T)) * (t + 1)]


def open_new(difficulty, t, T):
    begin = int(np.ceil(len(difficulty) * t / T))
    return np.argsort(difficulty)[begin : stage(difficulty, t, T)]


def open_ranks(difficulty, t, T):
    return difficulty.argsort().argsort()[: stage(difficulty, t, T)]


def open_mask(difficulty, t, T):
    is_open = np.zeros(len(difficulty), dtype=bool)
    is_open[np.argsort(difficulty)[: stage(difficulty, t, T)]] = True
    return is_open


def open_sorted_list(difficulty, t, T):
    rows = sorted(range(len(difficulty)), key=difficulty.__getitem__)
    return rows[: stage(difficulty, t, T)]


WRONG = {
    "standard_error": [
        (lambda values: np.std(values, ddof=1), "the standard deviation"),
        (
            lambda values: values.std() / len(values) ** 0.5,
            "divided by S where S − 1 is due",
        ),
        (
            lambda values: np.std(values, ddof=1) / len(values),
            "divided by S, not by its root",
        ),
        (lambda values: np.var(values, ddof=1) / len(values), "the square of it"),
        (lambda v: np.std(v), "the standard deviation, and with S at that"),
        (lambda v: np.std(v, ddof=1) / (len(v) - 1) ** 0.5, "the root of S − 1"),
        (
            lambda v: np.var(v, ddof=1) / np.sqrt(len(v)),
            "the variance in the standard deviation's place",
        ),
        (lambda v: np.std(v, ddof=1) * len(v) ** 0.5, "multiplied by the root of S"),
        (lambda v: sum(v) / len(v), "the mean itself"),
    ],
    "frozen_step": [
        (step_all, "nothing is frozen"),
        (step_top, "the top is frozen"),
        (step_one_more, "one layer too many is frozen"),
        (step_others, "the frozen move and the others stand"),
        (step_uphill, "uphill"),
        (step_in_place, "it changes its input in place"),
        (step_dropped, "the frozen layers are not returned"),
        (step_one_less, "one layer too few is frozen"),
        (lambda w, g, frozen, lr: step_right(w, g, frozen, 1), "the rate is left out"),
        (step_from_behind, "the top is frozen"),
        (step_taken_out, "it changes its input in place"),
    ],
    "continuation": [
        (continue_from_start, "the last one begins at the start"),
        (continue_backwards, "from hard to easy"),
        (continue_too_short, "the last one is left out"),
        (continue_returns_early, "the easy one's solution"),
        (
            lambda minimize, family, w: continue_by_reduce(minimize, family[1:], w),
            "the first one is left out",
        ),
        (
            lambda minimize, family, w: minimize(family[-1], minimize(family[0], w)),
            "the ones between are left out",
        ),
        (continue_all, "all the ends, not the last"),
        (
            lambda minimize, family, w: family[-1](
                continue_by_reduce(minimize, family, w)
            ),
            "the height, not the place",
        ),
        (continue_best, "the best of separate descents"),
    ],
    "curriculum": [
        (open_hard, "the hard ones first"),
        (open_none, "none is open at t = 0"),
        (open_values, "the difficulties, not the rows"),
        (open_as_given, "in the order of the data"),
        (open_all, "all of them at once"),
        (open_floor, "rounded down"),
        (open_round, "rounded to the nearest"),
        (open_half_up, "rounded to the nearest"),
        (open_plus_one, "one too many where the share is whole"),
        (open_blocks, "rounded before it is multiplied"),
        (open_new, "only the new ones"),
        (
            lambda d, t, T: sorted(open_sorted_list(d, t, T)),
            "the right rows, but not the easiest first",
        ),
        (open_ranks, "ranks, not rows"),
        (open_mask, "a yes or no for each row"),
        (lambda d, t, T: stage(d, t, T), "how many, not which"),
        (
            lambda d, t, T: [1 + row for row in open_sorted_list(d, t, T)],
            "counted from 1",
        ),
    ],
}

RIGHT = {
    "standard_error": [error_by_hand],
    "frozen_step": [step_right],
    "continuation": [continue_by_reduce],
    "curriculum": [open_sorted_list],
}
