"""What students hand in for lecture 10: wrong answers by their mistake, and right ones."""


def passes(**changed):
    right = {"forward": 40, "reverse": 7, "one direction": 1, "first Q": 13}
    right |= {"cost forward": 72, "cost reverse": 1}
    names = {name.replace(" ", "_"): name for name in right}
    return lambda: right | {names[key]: value for key, value in changed.items()}


def keep(**changed):
    right = dict(a1=True, a2=True, a3=False, a4=True, a5=False, a6=True, a7=False)
    return lambda: right | changed


def chain(sizes):
    Q, P, L = sizes[0], sizes[-1], len(sizes) - 1
    up = down = 0
    for k in range(2, L + 1):
        up += sizes[k] * sizes[k - 1] * Q
    for k in range(1, L):
        down += P * sizes[k] * sizes[k - 1]
    return up, down


def chain_swapped(sizes):
    up, down = chain(sizes)
    return down, up


def chain_with_all(sizes):
    total = sum(sizes[k] * sizes[k - 1] for k in range(1, len(sizes)))
    return sizes[0] * total, total * sizes[-1]


def chain_of_vectors(sizes):
    pairs = [a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
    return sum(pairs[1:]), sum(pairs[:-1])


def chain_of_entries(sizes):
    return sum(sizes[2:]) * sizes[0], sum(sizes[:-2]) * sizes[-1]


def chain_crossed(sizes):
    pairs = [a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
    return sum(pairs[1:]) * sizes[-1], sum(pairs[:-1]) * sizes[0]


def chain_of_three(sizes):
    a, b, c, d = sizes
    return [c * b * a + d * c * a, d * c * b + d * b * a]


def chain_step_by_step(sizes):
    up = down = 0
    for before, after in zip(sizes[1:], sizes[2:], strict=False):
        up += after * before * sizes[0]
    for before, after in zip(sizes, sizes[1:-1], strict=False):
        down += sizes[-1] * after * before
    return [up, down]


def alive(uses, outputs):
    last = {j: i for i in uses for j in uses[i]} | dict.fromkeys(outputs, len(uses) + 1)
    return [sum(i <= k < last.get(i, i) for i in uses) for k in uses]


def kept_right(uses, outputs):
    return max(alive(uses, outputs))


def kept_during(uses, outputs):
    last = {j: i for i in uses for j in uses[i]} | dict.fromkeys(outputs, len(uses) + 1)
    return max(sum(i <= k <= last.get(i, i) for i in uses) for k in uses)


def kept_to_the_first_use(uses, outputs):
    first = dict.fromkeys(outputs, len(uses) + 1)
    for i in uses:
        for j in uses[i]:
            first.setdefault(j, i)
    return max(sum(i <= k < first.get(i, i) for i in uses) for k in uses)


def kept_as_in_the_lecture(uses, outputs):
    last_use = {j: i for i, operands in uses.items() for j in operands}
    until = {i: last_use.get(i, len(uses) + 1) for i in uses}
    return max(sum(i <= k < until[i] for i in uses) for k in uses)


def kept_without_outputs(uses, outputs):
    last_use = {j: i for i, operands in uses.items() for j in operands}
    return max(sum(i <= k < last_use.get(i, 0) for i in uses) for k in uses)


def kept_unused(uses, outputs):
    rows, most = list(uses), 0
    for k, row in enumerate(rows, start=1):
        later = {j for after in rows[k:] for j in uses[after]}
        wanted = later | set(outputs)
        most = max(most, len({row} | {j for j in rows[:k] if j in wanted}))
    return most


def kept_all(uses, outputs):
    return max(uses)


def kept_last(uses, outputs):
    return alive(uses, outputs)[-1]


def kept_list(uses, outputs):
    return alive(uses, outputs)


def kept_numbers(uses, outputs):
    return 2 * max(alive(uses, outputs))


def kept_by_sets(uses, outputs):
    most, here = 0, set()
    waiting = [j for i in uses for j in uses[i]] + list(outputs)
    for i in uses:
        here.add(i)
        for j in uses[i]:
            waiting.remove(j)
        here &= set(waiting)
        most = max(most, len(here))
    return most


WRONG = {
    "count_the_passes": [
        (passes(forward=7, reverse=40), "forward and reverse have changed places"),
        (
            passes(forward=280, reverse=40 * 7),
            "a pass for every entry of the Jacobian",
        ),
        (
            passes(one_direction=40),
            "the whole Jacobian, where one product is wanted",
        ),
        (passes(first_Q=12), "equally many are not fewer"),
        (passes(cost_forward=40), "the weights of one matrix alone"),
        (passes(cost_forward=32), "the weights of one matrix alone"),
        (passes(cost_reverse=72), "a pass for every weight"),
        (passes(cost_reverse=2), "a pass for every matrix"),
    ],
    "kept_for_the_way_back": [
        (keep(a1=False, a2=False), "an input is thrown away"),
        (keep(a3=True), "an operand is kept, though the result does the same"),
        (keep(a4=False, a3=True), "a result is thrown away that is a slope"),
        (keep(a5=True), "a sum is thought to need its operands"),
        (keep(a6=False), "the operand of the square is thrown away"),
        (keep(a7=True), "the output is kept"),
    ],
    "chain_multiplications": [
        (chain_swapped, "forward and reverse have changed places"),
        (chain_with_all, "the first matrix costs nothing"),
        (chain_of_vectors, "one column alone, and one row"),
        (chain_of_entries, "the inner size is left out"),
        (chain_crossed, "inputs and outputs have changed places"),
        (chain_of_three, "right for some inputs only"),
    ],
    "slide_misleads": [
        (lambda: [5, 2, 8, 3], "the rule is right there"),
        (lambda: [4, 2, 30, 9], "not more inputs than outputs"),
        (lambda: [7, 30, 3, 7], "not more inputs than outputs"),
        (lambda: [100, 10, 10, 1], "the rule is right there"),
        (lambda: [9, 50, 8], "a tie"),
        (lambda: [9, 8], "a tie"),
        (lambda: [9, 0, 8], "it raises ValueError"),
    ],
    "most_kept": [
        (kept_during, "counted during the steps, not between them"),
        (kept_to_the_first_use, "dropped after the first use"),
        (kept_as_in_the_lecture, "the outputs are not looked at"),
        (kept_without_outputs, "the outputs are thrown away"),
        (kept_unused, "a row that nobody uses is kept for a step"),
        (kept_all, "nothing is ever dropped"),
        (kept_last, "what is left at the end"),
        (kept_list, "the shape"),
        (kept_numbers, "off by the factor 2"),
    ],
}

RIGHT = {
    "count_the_passes": [passes(cost_forward=5 * 8 + 8 * 4)],
    "kept_for_the_way_back": [keep(a3=0, a4=1)],
    "chain_multiplications": [chain, chain_step_by_step],
    "slide_misleads": [lambda: (6, 50, 1, 5), lambda: [101, 1000, 2, 3, 100]],
    "most_kept": [kept_right, kept_by_sets],
}
