"""Lecture 07: a computation as a numbered list, and the list as a graph (S11)."""

import graphlib
import heapq

import numpy as np

from ...autodiff.trace import record
from ..exercise import WITNESSES, Exercise, Mistake, edited
from ..formulas import formulas

# Answers read the `Rows` that a case passes to them, so only names with a leading underscore
# are forbidden here.
_FORBIDDEN = (*WITNESSES[:-1], "comp551ad.exercises.tasks.lecture_07._")

# --- the list of a formula ------------------------------------------------------------


def _wave(w, x, b):
    s = np.sin(w * x + b)
    return 0.5 * (x * s)


def _recorded_list() -> dict:
    """What `record` writes down, each row as a formula of the rows before it."""
    signs = {"multiply": "{} * {}", "add": "{} + {}", "sin": "sin({})"}
    table = {}
    for node in record(_wave, 0.5, 2.0, 1.5):
        operands = [f"a{o}" if type(o) is int else str(o) for o in node.arguments]
        sign = signs.get(node.primitive, node.name)  # an input is its name
        table[node.label] = sign.format(*operands)
    return table


class _Unrelated:
    """A number for each name. They are inconsistent, so each row is judged on its own."""

    def __init__(self, rng: np.random.Generator):
        names = ("w", "x", "b", *(f"a{k}" for k in range(9)))
        self.values = dict(zip(names, rng.uniform(0.5, 2.5, len(names)), strict=True))

    def __repr__(self) -> str:
        return "made-up values for every name"


def _row_by_row(answer, rows: _Unrelated) -> dict:
    return formulas(answer, rows.values, _allowed)


def _allowed(entry: str) -> list[str]:
    """The names that a row may use: the inputs' in the first three, then rows before it."""
    if entry in ("a1", "a2", "a3"):
        return ["w", "x", "b"]
    before = range(1, int(entry[1:])) if entry[1:].isdecimal() else ()
    return [f"a{k}" for k in before]


number_the_rows = Exercise(
    name="number_the_rows",
    core=True,
    lecture="07",
    title="A formula becomes a list",
    witness=_recorded_list,
    cases=lambda rng: [(_Unrelated(rng),) for _ in range(3)],
    use=_row_by_row,
    secret=True,
    mistakes=(
        Mistake(
            "reads the row before the right one",
            lambda: {
                "a4": "a0 * a1",
                "a5": "a3 + a2",
                "a6": "sin(a4)",
                "a7": "a1 * a5",
                "a8": "0.5 * a6",
            },
            "The first input is a1, not a0. Which row computes what is needed here?",
        ),
        Mistake(
            "a row uses itself",
            lambda: {
                **{f"a{k}": f"a{k}" for k in (1, 2, 3)},
                "a4": "a4 * a2",
                "a5": "a4 + a5",
                "a6": "sin(a6)",
                "a7": "a2 * a7",
                "a8": "0.5 * a8",
            },
            "A row may use only rows that come before it.",
        ),
        Mistake(
            "an input by its name instead of its row",
            lambda: {"a4": "w * x", "a5": "a4 + b", "a7": "x * a6"},
            "After the first three rows there are no names any more, only rows.",
        ),
        *(
            Mistake(
                "several operations in one row",
                lambda first=first, rows=rows: {
                    f"a{k}": row for k, row in enumerate(rows, first)
                },
                "One row, one operation. What is inside already has a number.",
            )
            for first, *rows in (
                (5, "a1 * a2 + a3", "sin(a4 + a3)", "a2 * sin(a5)", "0.5 * a2 * a6"),
                (4, "a1 * a2 + a3"),
                (7, "0.5 * (a2 * a6)"),
            )
        ),
        Mistake(
            "this operation is one row too early",
            lambda: {"a5": "sin(a4)", "a6": "a2 * a5", "a7": "0.5 * a6"},
            "Is an operation left out above it, or do two share a row?",
        ),
        Mistake(
            "no operation in this row",
            lambda: {"a8": "a7"},
            "There is an operation for each row. Is one left out, or do two share a row?",
        ),
        Mistake(
            "the constant has a row of its own",
            lambda: {
                "a4": 0.5,
                "a5": "a1 * a2",
                "a6": "a5 + a3",
                "a7": "sin(a6)",
                "a8": "a2 * a7",
            },
            "We need no derivative with respect to 0.5: write it where it is used.",
        ),
        Mistake(
            "the sine is taken before the sum",
            lambda: {"a5": "sin(a4)", "a6": "a5 + a3"},
            "What is in parentheses is computed first.",
        ),
        Mistake(
            "the inputs in another order",
            lambda: {"a1": "x", "a2": "w"},
            "The question says which input is a1.",
        ),
        Mistake(
            "w where x belongs",
            lambda: {"a7": "a1 * a6"},
            "Which input is multiplied by the sine, and which row is it?",
        ),
        Mistake(
            "the parentheses are left out",
            lambda: {"a7": "0.5 * a2", "a8": "a7 * a6"},
            "What is in parentheses is computed first.",
        ),
        Mistake(
            "the constant one row too early",
            lambda: {"a7": "0.5 * a6", "a8": "a2 * a7"},
            "What is in parentheses is computed first.",
        ),
    ),
    hints=(
        "The inputs take a1 to a3. Then go through the code as Python does.",
        "There are five operations: two products of variables, a sum, a sine, a factor.",
    ),
)

# --- a bug ----------------------------------------------------------------------------


def _from_the_top(rows: list, inputs: list) -> list:
    """Each value computed on its own, by recursion down to the inputs."""

    def value(k: int) -> float:
        if k <= len(inputs):
            return inputs[k - 1]
        name, *operands = rows[k - len(inputs) - 1]
        return getattr(np, name)(*[value(j) for j in operands])

    return [value(k) for k in range(1, len(inputs) + len(rows) + 1)]


def _in_order(rows: list, inputs: list) -> list:
    a = list(inputs)
    for name, *operands in rows:
        a.append(getattr(np, name)(*[a[k - 1] for k in operands]))
    return a


def _row_cases(rng: np.random.Generator) -> list[tuple]:
    loss = [("multiply", 1, 2), ("subtract", 4, 3), ("square", 5)]
    powers = [("multiply", 1, 1), ("multiply", 2, 2), ("subtract", 3, 1)]
    return [
        ([("sin", 1)], [0.5, 2.0]),
        (loss, [0.5, 2.0, 3.0]),
        (powers, [1.5]),
        (loss, list(rng.uniform(1.0, 2.0, 3))),
        (
            [("sin", 2), ("subtract", 1, 2), ("multiply", 4, 5)],
            list(rng.uniform(0.2, 1.2, 3)),
        ),
    ]


evaluate_rows = Exercise(
    name="evaluate_rows",
    lecture="07",
    title="Find the bug: an evaluation that reads the wrong rows",
    witness=_from_the_top,
    cases=_row_cases,
    mistakes=(
        Mistake(
            "rows are counted from 1, Python's lists from 0",
            edited(_in_order, "k - 1 → k"),
            "Where in the list `a` is the value of row 1?",
        ),
        Mistake(
            "the last value alone",
            edited(_in_order, "return a → return a[-1]"),
            "All the values are expected: reverse mode will need them.",
        ),
        Mistake(
            "the inputs are left out",
            edited(_in_order, "return a → return a[len(inputs) :]"),
            "The inputs are rows too, the first ones.",
        ),
        *(
            Mistake(
                "the operands in the wrong order",
                edited(_in_order, f"in operands] → in {order}]"),
                "A product doesn't depend on the order; a difference does.",
            )
            for order in ("operands[::-1]", "sorted(operands)")
        ),
        *(
            Mistake(
                "a filler comes first",
                edited(_in_order, f"return a → return [{filler}, *a]"),
                "Numbering from 1 inside is fine; the list that is returned begins with a1.",
            )
            for filler in (None, 0)
        ),
    ),
    hints=(
        "For rows = [('sin', 1)] and inputs = [0.5, 2.0]: which number does the bug read, and "
        "where in `a` is that of row 1?",
        "Rows are counted from 1. How does Python count the entries of a list?",
    ),
)

# --- an order -------------------------------------------------------------------------


def _by_heap(uses: dict) -> list:
    sorter = graphlib.TopologicalSorter(uses)
    sorter.prepare()
    ready, order = list(sorter.get_ready()), []
    heapq.heapify(ready)
    while ready:
        order.append(heapq.heappop(ready))
        sorter.done(order[-1])
        for name in sorter.get_ready():
            heapq.heappush(ready, name)
    return order


def _one_by_one(uses: dict) -> list:
    order: list = []
    while len(order) < len(uses):
        left = [name for name in uses if name not in order]
        ready = [name for name in left if all(j in order for j in uses[name])]
        order.append(min(ready))
    return order


def _fetched(uses: dict) -> list:
    """By name, each preceded by what it needs."""
    order: list = []

    def fetch(name: str) -> None:
        if name not in order:
            for operand in uses[name]:
                fetch(operand)
            order.append(name)

    for name in sorted(uses):
        fetch(name)
    return order


def _newest_first(uses: dict) -> list:
    order: list = []
    queue = sorted(name for name in uses if not uses[name])
    while queue:
        order.append(queue.pop(0))
        known = {*order, *queue}
        ready = [n for n in uses if n not in known and set(uses[n]) <= {*order}]
        queue = sorted(ready) + queue
    return order


def _sweeping(uses: dict) -> list:
    order: list = []
    while len(order) < len(uses):
        for name in sorted(uses):
            if name not in order and set(uses[name]) <= set(order):
                order.append(name)
    return order


def _uses_cases(rng: np.random.Generator) -> list[tuple]:
    letters = [str(c) for c in rng.permutation(list("abcdefg"))]
    drawn = {
        name: [str(j) for j in rng.choice(letters[:k], 2)] if k > 1 else []
        for k, name in enumerate(letters)
    }
    names = [str(c) for c in rng.permutation(letters)]
    return [
        ({"a": ["b"], "b": [], "c": [], "d": ["e", "b"], "e": ["c"]},),
        ({"y": ["s", "s"], "s": ["x"], "x": []},),
        ({"f1": []},),
        ({"a": ["d"], "c": [], "b": [], "d": []},),
        ({"a": [], "b": [], "c": [], "z": ["a"]},),
        ({"a": ["m"], "m": [], "n": []},),
        ({name: drawn[name] for name in names},),
    ]


sorted_rows = Exercise(
    name="sorted_rows",
    core=True,
    lecture="07",
    title="Operands first",
    witness=_by_heap,
    cases=_uses_cases,
    mistakes=(
        Mistake(
            "users before their operands",
            lambda uses: _by_heap(uses)[::-1],
            "The first row must be one that uses nothing.",
        ),
        Mistake(
            "in the order of the dict",
            lambda uses: list(uses),
            "The order in which rows are written down need not be one that can be computed.",
        ),
        Mistake(
            "by name alone",
            lambda uses: sorted(uses),
            "The name decides only between rows whose operands are all there.",
        ),
        Mistake(
            "a whole round at once",
            edited(_one_by_one, "order.append(min(ready)) → order += sorted(ready)"),
            "After each single row look again: it may have made an earlier name ready.",
        ),
        Mistake(
            "rows that have just become ready go before all others",
            _newest_first,
            "Of all that are ready, old and new, the first by name comes next.",
        ),
        Mistake(
            "a row that uses the same row twice never becomes ready",
            edited(
                _one_by_one,
                "all(j in order for j in uses[name])] → "
                "len({*uses[name]} & {*order}) == len(uses[name])]\n"
                "        if not ready: break",
            ),
            "x · x waits for one row, not for two: what do you count down, and how often?",
        ),
        Mistake(
            "one operand counts as enough",
            edited(
                _one_by_one,
                "if all(j in order for j in uses[name]) → "
                "if not uses[name] or any(j in order for j in uses[name])",
            ),
            "A product needs both of its factors.",
        ),
        Mistake(
            "operands are fetched ahead of their turn",
            _fetched,
            "a needs d, and so d came at once. But b was ready too, and earlier by name.",
        ),
        Mistake(
            "the first as written, not by name",
            edited(_one_by_one, "min(ready) → ready[0]"),
            "Of those that are ready, the first by name comes next.",
        ),
        Mistake(
            "the first as written, going on from there",
            edited(_sweeping, "sorted(uses) → uses"),
            "Of those that are ready, the first by name comes next, wherever it was written.",
        ),
        Mistake(
            "by the number of operands",
            lambda uses: sorted(uses, key=lambda name: (len(uses[name]), name)),
            "A row with one operand may need a row that has two.",
        ),
        Mistake(
            "it goes on through the names, not back to the first",
            _sweeping,
            "After each single row look again: it may have made an earlier name ready.",
        ),
    ),
    hints=(
        "While rows are missing: which of them have all their operands in the list?",
        "Of those take one, the first by name, append it, and look again.",
    ),
)

# --- counts ---------------------------------------------------------------------------


def _tower(x):
    s = x * x
    for _ in range(6):
        s = s * s + s
    return s


def _counted() -> dict:
    trace = record(_tower, 1.1)
    tree, paths = {}, {}
    for node in trace:
        tree[node.index] = 1 + sum(tree[j] for j in node.inputs)
        paths[node.index] = sum(paths[j] for j in node.inputs) or 1
    return {
        "nodes": len(trace),
        "edges": sum(len(node.inputs) for node in trace),
        "nodes of the tree": tree[len(trace)],
        "paths": paths[len(trace)],
    }


count_the_tower = Exercise(
    name="count_the_tower",
    lecture="07",
    title="Predict: a graph, its tree and its paths",
    witness=_counted,
    searched=False,
    cases=lambda rng: [()],
    secret=True,
    mistakes=(
        *(
            Mistake(
                "not all rows before the loop are counted",
                lambda nodes=nodes: {"nodes": nodes},
                "Which two rows are there before the loop starts? The input is one of them.",
            )
            for nodes in (12, 13)
        ),
        Mistake(
            "the operations alone are counted",
            lambda: {"nodes": 13, "nodes of the tree": 2 * 3**6 - 1},
            "x is a node too: once in the graph, and at every leaf of the tree.",
        ),
        Mistake(
            "one operation per round",
            lambda: {"nodes": 8, "edges": 14},
            "How many operations has s * s + s?",
        ),
        *(
            Mistake(
                "the first line is left out",
                lambda n=nodes: {
                    **{"nodes": n, "edges": 24},
                    **{"nodes of the tree": 2 * 3**6 - 1, "paths": 3**6},
                },
                "There is already a product before the loop starts.",
            )
            for nodes in (12, 13)
        ),
        Mistake(
            "the same operand used twice is counted as one edge",
            lambda: {"edges": 19, "paths": 2**6},
            "In s * s both operands are one node: two edges, as in x * x.",
        ),
        Mistake(
            "the tree is as large as the graph",
            lambda: {"nodes of the tree": 14},
            "In a tree nothing is shared: what is used three times appears "
            "three times.",
        ),
        *(
            Mistake(
                name,
                lambda turns=turns: {
                    **{"nodes": 2 * turns + 2, "edges": 4 * turns + 2},
                    **{"nodes of the tree": 4 * 3**turns - 1, "paths": 2 * 3**turns},
                },
                "The loop runs six times. Count again from the first round.",
            )
            for turns, name in ((5, "one round too few"), (7, "one round too many"))
        ),
        Mistake(
            "the operations themselves are not counted",
            lambda: {"nodes of the tree": 2 * 3**6},
            "That is how many leaves the tree has. Above them there are operations.",
        ),
        Mistake(
            "the paths are added from round to round",
            lambda: {"paths": 2 + 6 * 3},
            "Every path so far can go on along each path of the next round.",
        ),
        Mistake(
            "two paths per round",
            lambda: {"paths": 2 * 2**6},
            "How often does s appear on the right of s = s * s + s?",
        ),
        Mistake(
            "a tree that doubles at each operation",
            lambda: {"nodes of the tree": 2**14 - 1},
            "s * s + s writes s down three times.",
        ),
        Mistake(
            "the input's edges are forgotten",
            lambda: {"edges": 25},
            "x * x has two edges too.",
        ),
        Mistake(
            "one edge per row",
            lambda: {"edges": 13},
            "Each operation here has two operands: one edge from each.",
        ),
    ),
    hints=(
        "Do one round on paper: what does it add to the graph, and what does the tree of "
        "the new s consist of?",
        "If the tree of s has t nodes, that of s * s has 2t + 1. And that of s * s + s?",
    ),
)


class TooManyLooks(RuntimeError):
    """Raised if an answer looks a row up again and again."""


class Rows(dict):
    """A dict that allows about 50 lookups per row, far fewer than a tree has nodes."""

    looks = 0

    def __getitem__(self, row):
        self.looks += 1
        if self.looks > 50 * len(self):
            told = f"{self.looks} lookups in {len(self)} rows: one each is enough"
            raise TooManyLooks(told)
        return super().__getitem__(row)


def one_walk(answer, uses: dict):
    """Use an answer with rows that count how often they are looked up."""
    return answer(Rows(uses))


def _solved_sizes(uses: dict) -> list:
    """All at once: size = 1 + (matrix of uses) size, as linear equations."""
    place = {row: k for k, row in enumerate(uses)}
    times = np.zeros((len(uses), len(uses)))
    for row, operands in uses.items():
        for j in operands:
            times[place[row], place[j]] += 1
    return np.linalg.solve(np.eye(len(uses)) - times, np.ones(len(uses))).tolist()


def _by_recursion(uses: dict) -> list:
    def size(row) -> int:
        return 1 + sum(size(j) for j in uses[row])

    return [size(row) for row in uses]


def _in_one_walk(uses: dict) -> list:
    size: dict = {}
    for row, operands in uses.items():
        below = [size[j] for j in operands]
        size[row] = 1 + sum(below)
    return list(size.values())


def _graph_cases(rng: np.random.Generator) -> list[tuple]:
    drawn = {1: [], 2: [], 3: [1, 2]}
    for row in range(4, 9):
        drawn[row] = [row - 1, int(rng.integers(1, row))]
    doubled = {1: []} | {row: [row - 1, row - 1] for row in range(2, 61)}
    return [
        ({1: [], 2: [], 3: [1, 2], 4: [3], 5: [4, 3]},),
        ({1: [], 2: [1, 1]},),
        (doubled,),
        (drawn,),
    ]


tree_sizes = Exercise(
    name="tree_sizes",
    lecture="07",
    title="How large the formula is, in one walk",
    witness=_solved_sizes,
    cases=_graph_cases,
    use=one_walk,
    seconds=2,
    forbidden=_FORBIDDEN,
    mistakes=(
        Mistake(
            "every node of the tree is visited",
            _by_recursion,
            "What was found for a row can be kept. How often is row 1 counted in yours?",
        ),
        Mistake(
            "the row itself is not counted",
            edited(_in_one_walk, "1 + sum(below) → sum(below) or 1"),
            "The operation adds one node to the trees of its operands.",
        ),
        Mistake(
            "an operand that is used twice is counted once",
            edited(_in_one_walk, "in operands] → in set(operands)]"),
            "In a tree both operands of x * x are written down.",
        ),
        Mistake(
            "the nodes of the graph",
            edited(
                _in_one_walk,
                "1 + sum(below) → {row}.union(*below)",
                "list(size.values()) → [len(rows) for rows in size.values()]",
            ),
            "What is used in two places appears twice in a tree.",
        ),
        Mistake(
            "the operands' own operands are left out",
            edited(_in_one_walk, "sum(below) → len(below)"),
            "An operand is a whole tree, not one node.",
        ),
        Mistake(
            "the longest path, not the tree",
            edited(_in_one_walk, "sum(below) → max(below, default=0)"),
            "A product has two operands, and both are written down.",
        ),
        Mistake(
            "a dict, not a list",
            edited(_in_one_walk, "list(size.values()) → size"),
            "A list is expected, with one number per row.",
        ),
        Mistake(
            "an input counts as 0",
            edited(_in_one_walk, "1 + sum → bool(below) + sum"),
            "An input is a node too.",
        ),
        Mistake(
            "the last row alone",
            edited(_in_one_walk, "list(size.values()) → size[row]"),
            "A number for every row is expected.",
        ),
    ),
    hints=(
        "Go from the first row on and keep what you found for each row.",
        "Row i: one for itself, plus what you found for each operand.",
    ),
)

EXERCISES = (number_the_rows, evaluate_rows, sorted_rows, count_the_tower, tree_sizes)
