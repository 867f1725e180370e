"""What students hand in for lecture 07: wrong answers by their mistake, and right ones."""

import numpy as np

OPERATIONS = {
    "multiply": np.multiply,
    "subtract": np.subtract,
    "sin": np.sin,
    "square": np.square,
}


def rows(a4, a5, a6, a7, a8, a1="w", a2="x", a3="b"):
    return lambda: dict(a1=a1, a2=a2, a3=a3, a4=a4, a5=a5, a6=a6, a7=a7, a8=a8)


def evaluate_bug(rows, inputs):
    a = list(inputs)
    for name, *operands in rows:
        values = [a[k] for k in operands]
        a.append(OPERATIONS[name](*values))
    return a


def evaluate_further_back(rows, inputs):
    a = list(inputs)
    for name, *operands in rows:
        values = [a[k - 2] for k in operands]
        a.append(OPERATIONS[name](*values))
    return a


def evaluate_last(rows, inputs):
    a = list(inputs)
    for name, *operands in rows:
        a.append(OPERATIONS[name](*[a[k - 1] for k in operands]))
    return a[-1]


def evaluate_computed(rows, inputs):
    a = list(inputs)
    found = []
    for name, *operands in rows:
        found.append(OPERATIONS[name](*[a[k - 1] for k in operands]))
        a.append(found[-1])
    return found


def evaluate_reversed(rows, inputs):
    a = list(inputs)
    for name, *operands in rows:
        a.append(OPERATIONS[name](*[a[k - 1] for k in reversed(operands)]))
    return a


def evaluate_typed_in(rows, inputs):
    w, x, y = inputs
    return [w, x, y, w * x, w * x - y, (w * x - y) ** 2]


def evaluate_with_dict(rows, inputs):
    a = {k + 1: value for k, value in enumerate(inputs)}
    for name, *operands in rows:
        a[len(a) + 1] = OPERATIONS[name](*(a[k] for k in operands))
    return tuple(a.values())


def first_ready(uses, order):
    for name in sorted(uses):
        if name not in order and set(uses[name]) <= set(order):
            return name


def sort_right(uses):
    order = []
    for _ in uses:
        order.append(first_ready(uses, order))
    return order


def sort_reversed(uses):
    return list(reversed(sort_right(uses)))


def sort_not_at_all(uses):
    return [name for name in uses]


def sort_by_name(uses):
    order = list(uses)
    order.sort()
    return order


def sort_in_rounds(uses):
    order = []
    while len(order) != len(uses):
        now = [n for n in uses if n not in order and set(uses[n]) <= set(order)]
        order.extend(sorted(now))
    return order


def sort_any(uses):
    order = []
    while len(order) < len(uses):
        for name in sorted(uses):
            ready = uses[name] == [] or any(j in order for j in uses[name])
            if name not in order and ready:
                order.append(name)
                break
    return order


def sort_inputs_first(uses):
    leaves = sorted(name for name in uses if not uses[name])
    return leaves + sorted(name for name in uses if uses[name])


def sort_to_array(uses):
    return np.array(sort_right(uses))


def tower(nodes, edges, tree, paths):
    return lambda: {
        "nodes": nodes,
        "edges": edges,
        "nodes of the tree": tree,
        "paths": paths,
    }


def sizes_without_self(uses):
    size = {}
    for i in uses:
        size[i] = sum([size[j] for j in uses[i]]) if uses[i] else 1
    return [size[i] for i in uses]


def sizes_by_set(uses):
    size = {}
    for i in uses:
        size[i] = 1
        for j in set(uses[i]):
            size[i] += size[j]
    return [size[i] for i in uses]


def sizes_of_the_graph(uses):
    def reached(i, seen):
        seen.add(i)
        for j in uses[i]:
            reached(j, seen)
        return seen

    return [len(reached(i, set())) for i in uses]


def sizes_shallow(uses):
    return [len(operands) + 1 for operands in uses.values()]


def sizes_of_the_last(uses):
    size = {}
    for i in uses:
        size[i] = 1 + sum(size[j] for j in uses[i])
    return size[i]


def sizes_without_inputs(uses):
    size = {}
    for i, operands in uses.items():
        size[i] = 1 + sum(size[j] for j in operands) if operands else 0
    return list(size.values())


def sizes_negative(uses):
    return [-n for n in sizes_by_recursion(uses)]


def sizes_by_recursion(uses):
    def size(i):
        return 1 + sum(map(size, uses[i]))

    return np.array([size(i) for i in uses])


def evaluate_with_filler(filler):
    def answer(rows, inputs):
        a = [filler, *inputs]
        for name, *operands in rows:
            a.append(getattr(np, name)(*[a[k] for k in operands]))
        return a

    return answer


def evaluate_in_inputs(rows, inputs):
    for name, *operands in rows:
        inputs.append(getattr(np, name)(*[inputs[k - 1] for k in operands]))
    return inputs


def sort_by_fetching(uses):
    order = []

    def visit(name):
        if name not in order:
            for j in uses[name]:
                visit(j)
            order.append(name)

    for name in sorted(uses):
        visit(name)
    return order


def sort_first_written(uses):
    order = []
    while len(order) < len(uses):
        ready = [n for n in uses if n not in order and set(uses[n]) <= set(order)]
        order.append(ready[0])
    return order


def sort_sweeping(uses):
    order = []
    while len(order) < len(uses):
        for name in sorted(uses):
            if name not in order and all(j in order for j in uses[name]):
                order.append(name)
    return order


def sort_emptying(uses):
    order = []
    while uses:
        name = min(n for n in uses if not set(uses[n]) & set(uses))
        order.append(name)
        del uses[name]
    return order


WRONG = {
    "number_the_rows": [
        (
            rows("a0*a1", "a3 + a2", "sin(a4)", "a1*a5", "0.5*a6"),
            "reads a row too early",
        ),
        (
            rows("a1*a2", "a4 + a5", "sin(a5)", "a2*a6", "0.5*a7"),
            "a row uses itself",
        ),
        (
            rows("w*x", "a4 + b", "sin(a5)", "x*a6", "0.5*a7"),
            "an input by its name instead of its row",
        ),
        (
            rows("a1*a2", "a1*a2 + a3", "sin(a5)", "a2*sin(a5)", "0.5*a7"),
            "several operations in one row",
        ),
        (
            rows("0.5", "a1*a2", "a5 + a3", "sin(a6)", "a2*a7"),
            "the constant has taken a number",
        ),
        (
            rows("a1*a2", "a4+a3", "sin(a5)", "a1*a6", "0.5*a7"),
            "w where x is multiplied",
        ),
        (rows("a1*a2", "a4+a3", "sin(a5)", "a2*a6", ...), "not finished"),
        (
            rows("a1*a2", "a4 + a3", "sin(a5)", "0.5*a2", "a7*a6"),
            "the parentheses are left out",
        ),
        (
            rows("a1*a2", "a4 + a3", "sin(a5)", "0.5*a6", "a2*a7"),
            "the constant a row too early",
        ),
        (
            rows("a1*a2", "a4+a3", "sin(a5)", "a2*a6", "0.5*a7", "a1", "a2", "a3"),
            "a row uses itself",
        ),
    ],
    "evaluate_rows": [
        (evaluate_bug, "rows are counted from 1, Python's lists from 0"),
        (evaluate_further_back, "one row too far back"),
        (evaluate_last, "the last value alone"),
        (evaluate_computed, "the inputs are left out"),
        (evaluate_reversed, "the operands in the wrong order"),
        (evaluate_typed_in, "right for some inputs only"),
        (evaluate_with_filler(None), "a filler stands in front"),
        (evaluate_with_filler(0), "a filler stands in front"),
        (evaluate_in_inputs, "it changes its input in place"),
    ],
    "sorted_rows": [
        (sort_reversed, "users before their operands"),
        (sort_not_at_all, "in the order of the dict"),
        (sort_by_name, "by name alone"),
        (sort_in_rounds, "a whole round at once"),
        (sort_any, "one operand is taken for enough"),
        (sort_inputs_first, "right for some inputs only"),
        (sort_by_fetching, "operands are fetched ahead of their turn"),
        (sort_first_written, "the first as written, not by name"),
        (sort_sweeping, "it goes on through the names, not back to the first"),
        (sort_emptying, "it changes its input in place"),
    ],
    "count_the_tower": [
        (tower(13, 26, 2915, 1458), "the input is not counted"),
        (tower(8, 14, 2915, 1458), "one operation a turn"),
        (tower(14, 19, 2915, 64), "the same operand twice counted as one edge"),
        (tower(14, 26, 14, 1458), "the tree of the graph's size"),
        (tower(12, 26, 971, 486), "one turn too few"),
        (tower(14, 26, 2915, 20), "the ways are added from turn to turn"),
        (tower(14, 26, 1458, 128), "two ways a turn"),
        (tower(14, 26, 1458, 729), "the operations themselves are not counted"),
        (tower(14, 13, 2915, 1458), "one edge a row"),
    ],
    "tree_sizes": [
        (sizes_without_self, "the row itself is not counted"),
        (sizes_by_set, "an operand that is used twice is counted once"),
        (sizes_of_the_graph, "the nodes of the graph"),
        (sizes_shallow, "the operands' own operands are left out"),
        (sizes_of_the_last, "the last row alone"),
        (sizes_without_inputs, "an input counts as nothing"),
        (sizes_negative, "the wrong sign"),
    ],
}

RIGHT = {
    "number_the_rows": [rows("a2 * a1", "a3 + a4", "sin(a5)", "a6 * a2", "a7 / 2")],
    "evaluate_rows": [evaluate_with_dict],
    "sorted_rows": [sort_right, sort_to_array],
    "count_the_tower": [tower(14, 26, 4 * 3**6 - 1, 2 * 3**6)],
    "tree_sizes": [sizes_by_recursion],
}
