"""Mutation testing: change a sign, an index or a factor somewhere, and a test must fail.

    python tests/mutants.py                                    all of MODULES: hours
    python tests/mutants.py --budget 3 comp551ad/functions.py  one module: minutes
    python tests/mutants.py --list comp551ad/functions.py      only list the changes

A mutant is a module with one small change in its syntax tree, made by `changes`. Nothing is
written to disk: each mutant runs in a forked process, where the changed code replaces that of
the existing functions, and the tests that reach the changed lines run, the module's own and
the quick ones first, until one fails. For changes to code that runs at import, the whole
package is reimported. Survivors are printed: each needs a test, or makes no difference (a
shortcut for the general case, say). mutmut and cosmic-ray write each mutant to disk and start
pytest for it: that takes seconds, a fork a tenth of one.

Messages and what only tests or people read (`_is_skipped`) are not mutated. Needs os.fork:
Linux or macOS.
"""

import argparse
import ast
import gc
import importlib.abc
import importlib.machinery
import os
import pickle
import resource
import signal
import sys
import threading
import time
import types
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
# refusals.py is messages.
MODULES = [
    path.relative_to(ROOT).as_posix()
    for room in ("autodiff/*", "byhand/*", "*")
    for path in sorted((ROOT / "comp551ad").glob(f"{room}.py"))
    if path.stem in ("shapes", "functions", "gradcheck", "differences")
    or room != "*"
    and path.stem not in ("__init__", "refusals")
]
# These check files and notebooks, not what the code computes.
NOT_RUN = {"test_house", "test_notebooks", "test_refresh", "test_coverage", "test_site"}
SECONDS_MORE = 20  # in addition to ten times the tests' own time, then killed
KILLED, SURVIVED = 1, 0
MEMORY = 8 * 2**30  # bytes for one mutant

# Parts of a module that compute nothing for its users.
SKIPPED_FUNCTIONS = {"_sample", "_example", "_dominant", "__repr__", "_repr_html_"}
SKIPPED_KEYWORDS = {"examples"}
SKIPPED_NAMES = {  # "_…": examples
    "__all__", "__slots__", "_UNARY", "_BINARY", "_QUOTIENTS", "_ROWWISE", "_REDUCED",
    "_SPREAD", "_MATRIX_PAIRS", "_STACKED_PAIRS", "_CHOICE",
}  # fmt: skip
SKIPPED_FIELDS = {"annotation", "returns", "decorator_list", "exc"}  # exc: messages


# ---------------------------------------------------------------- what is changed

OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div, ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}  # fmt: skip
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
SYMMETRIC = "add multiply maximum minimum equal max min isinstance".split()
PAIRS = ["sin cos", "sum mean", "max min", "maximum minimum", "exp expm1", "any all",
         "floor ceil", "zeros ones", "zeros_like ones_like", "log log1p"]  # fmt: skip
TWINS = dict(pair.split() for pair in PAIRS)
TWINS |= {b: a for a, b in TWINS.items()}


def changed(node, **fields):
    """A copy of a node with other fields."""
    return type(node)(**{name: getattr(node, name) for name in node._fields} | fields)


def changes(node):
    """The nodes that may replace a node."""
    match node:
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value)):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Constant(float(value)):
            yield ast.Constant(value * 2 if value else 1.0)
            yield ast.Constant(-value if value else -1.0)
        case ast.BinOp(left, op, right):
            if twin := OPERATORS.get(type(op)):
                yield changed(node, op=twin())
            yield left
            yield right
        case ast.UnaryOp(_, operand):
            yield operand
        case ast.BoolOp(op, values):
            yield changed(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
            for k in range(len(values)):
                rest = values[:k] + values[k + 1 :]
                yield rest[0] if len(rest) == 1 else changed(node, values=rest)
        case ast.Compare(left, ops, others):
            for word in (left, *others):
                if isinstance(word, ast.Constant) and isinstance(word.value, str):
                    yield ast.Constant(False)
            for k, op in enumerate(ops):
                for other in COMPARISONS[type(op)]:
                    yield changed(node, ops=[*ops[:k], other(), *ops[k + 1 :]])
        case ast.Call():
            yield from changed_calls(node)
        case ast.Attribute(value, "T"):
            yield value
        case ast.Slice():
            for part in ("lower", "upper", "step"):
                if getattr(node, part) is not None:
                    yield changed(node, **{part: None})
        case ast.If(test) | ast.IfExp(test):
            # Otherwise something in the test itself changes.
            if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
                yield changed(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.AugAssign(_, op):
            if twin := OPERATORS.get(type(op)):
                yield changed(node, op=twin())
            yield ast.Pass()
        case ast.Expr() | ast.Raise():
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.Set(elements):
            for k in range(len(elements)):
                yield ast.Set(elements[:k] + elements[k + 1 :])


def changed_calls(node):
    """The argument on its own, arguments in another order, one fewer, or another function."""
    f, args, keywords = node.func, node.args, node.keywords
    if len(args) == 1 and not keywords:
        if not isinstance(args[0], ast.Starred | ast.GeneratorExp):
            yield args[0]
    name = f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "")
    starred = any(isinstance(a, ast.Starred) for a in args)
    if len(args) == 2 and name not in SYMMETRIC and not starred:
        yield changed(node, args=args[::-1])
    for k, word in enumerate(keywords):
        if word.arg not in SKIPPED_KEYWORDS:
            yield changed(node, keywords=keywords[:k] + keywords[k + 1 :])
    if name in TWINS:
        field = "attr" if isinstance(f, ast.Attribute) else "id"
        yield changed(node, func=changed(f, **{field: TWINS[name]}))


# ---------------------------------------------------------------- where


class Place(NamedTuple):
    """A node of a syntax tree, its place in the parent, and the lines that run with it."""

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    lines: range  # empty if it runs at import

    def put(self, node):
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def places(node, lines=range(0), at_import=True):
    """Every node below this one that may be changed, with the lines that reach it."""
    for field, child in ast.iter_fields(node):
        children = child if isinstance(child, list) else [child]
        for k, each in enumerate(children):
            if not isinstance(each, ast.AST) or _is_skipped(each, field):
                continue
            inside, here = at_import, lines
            if isinstance(node, ast.FunctionDef | ast.Lambda):
                # a default's tests are those that run the body
                body = node.body if isinstance(node.body, list) else [node.body]
                inside, here = False, range(body[0].lineno, body[-1].end_lineno + 1)
            if isinstance(each, ast.stmt) and not inside:
                end = getattr(each, "body", None)
                end = end[0].lineno if end else each.end_lineno + 1
                here = range(each.lineno, max(end, each.lineno + 1))
            yield Place(each, node, field, k if isinstance(child, list) else None, here)
            yield from places(each, here, inside)


def _is_skipped(node, field):
    match node:
        case ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(ast.Constant() | ast.Yield()):  # a docstring
            return True
        case ast.keyword(arg):
            return arg in SKIPPED_KEYWORDS
        case ast.FunctionDef(name):
            return name in SKIPPED_FUNCTIONS
        case ast.Assign([ast.Name(name)]):
            return name in SKIPPED_NAMES
    return field in SKIPPED_FIELDS


@dataclass(frozen=True)
class Mutant:
    """One change: ``new`` replaces the node at ``place``."""

    path: str
    place: Place
    new: ast.AST
    tree: ast.Module

    def __str__(self):
        line = getattr(self.place.node, "lineno", None) or self.place.parent.lineno
        before, after = _words(self.place.node), _words(self.new)
        return f"{self.path}:{line}: {before}  →  {after}"

    def code(self):
        """The compiled module with the change. Call it in a fork, as it changes the tree."""
        self.place.put(ast.copy_location(self.new, self.place.node))
        tree = ast.fix_missing_locations(self.tree)
        return compile(tree, str(ROOT / self.path), "exec")


def mutants(path):
    """All mutants of one module."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for place in list(places(tree)):
        for new in changes(place.node):
            if _words(place.node) != _words(new):
                yield Mutant(path, place, new, tree)


def _words(node):
    """A node's source, only the first line of a compound statement."""
    return ast.unparse(ast.fix_missing_locations(node)).splitlines()[0]


# ---------------------------------------------------------------- running tests


class Session:
    """A pytest plugin: collects all tests once, of which forks then run some."""

    failed, hunting = False, False

    def __init__(self, work):
        self.work = work

    def pytest_runtestloop(self, session):
        # the same examples each time, and failures need no shrinking
        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutants", settings(), phases=phases)
        settings.load_profile("mutants")
        gc.collect()
        gc.freeze()
        self.work(session.items)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        """A failure ends a mutant's fork, so it needs no report."""
        if self.hunting and call.excinfo and not item.get_closest_marker("xfail"):
            if not call.excinfo.errisinstance(pytest.skip.Exception):
                os._exit(KILLED)

    def pytest_runtest_logreport(self, report):
        Session.failed |= report.failed


def start_pytest(work):
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # nbval and the like
    names = sorted(TESTS.glob("test_*.py"))
    files = [str(p) for p in names if p.stem not in NOT_RUN]
    options = ["-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:terminal"]
    return pytest.main([*options, f"--rootdir={ROOT}", *files], plugins=[Session(work)])


def passes(item):
    """Run one test."""
    Session.failed = False
    item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
    return not Session.failed


def in_a_fork(work):
    """Start ``work()`` in a forked process that prints nothing; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os._exit(int(work() or 0))
    except BaseException:
        os._exit(KILLED)


class Watch:
    """Records which lines of MODULES each test reaches, and how long it takes."""

    def __init__(self):
        self.watched = {str(ROOT / path): path for path in MODULES}
        self.lines = set()

    def tracer(self, frame, event, _):
        path = self.watched.get(frame.f_code.co_filename)
        if path is None:
            return None
        add = self.lines.add

        def each_line(frame, event, _):
            if event == "line":
                add((path, frame.f_lineno))
            return each_line

        return each_line

    def run(self, items):
        """test -> (seconds, the lines it reached), for the tests that pass."""
        reached = {}
        for item in items:
            self.lines, start = set(), time.perf_counter()
            threading.settrace(self.tracer)
            sys.settrace(self.tracer)
            passed = passes(item)
            sys.settrace(None)
            threading.settrace(None)
            if passed:
                reached[item.nodeid] = time.perf_counter() - start, self.lines
        return reached


def look_at_tests(items):
    """``Watch``'s result for one run of all tests, cached until a file changes."""
    kept = ROOT / "build" / "reached.pickle"
    kept.parent.mkdir(exist_ok=True)
    sources = sorted([*(ROOT / "comp551ad").rglob("*.py"), *TESTS.glob("*.py")])
    sources.remove(Path(__file__).resolve())
    state = [(str(p.relative_to(ROOT)), p.read_bytes()) for p in sources]
    if not kept.exists() or pickle.loads(kept.read_bytes())[0] != state:
        print("watching which lines each test reaches …", flush=True)
        found = lambda: pickle.dumps((state, Watch().run(items)))  # noqa: E731
        os.waitpid(in_a_fork(lambda: kept.write_bytes(found()) and 0), 0)
    return pickle.loads(kept.read_bytes())[1]


# ---------------------------------------------------------------- running mutants


def code_pairs(old, new):
    """(old, new) for every changed code object in a module."""
    if old != new:
        yield old, new
        inner = [
            [c for c in code.co_consts if isinstance(c, types.CodeType)]
            for code in (old, new)
        ]
        for pair in zip(*inner, strict=True):
            yield from code_pairs(*pair)


def functions_of_modules():
    """code -> all functions that have it."""
    files, found = {str(ROOT / path) for path in MODULES}, defaultdict(list)
    gc.unfreeze()
    for each in gc.get_objects():
        if isinstance(each, types.FunctionType) and each.__code__.co_filename in files:
            found[each.__code__].append(each)
    gc.freeze()
    return found


def change_in_place(mutant, original, functions):
    """Give the existing functions the changed code; False if that is impossible."""
    try:
        pairs = list(code_pairs(original, mutant.code()))
        outer = [pair for pair in pairs[1:] if pair[0] in functions]
        for old, new in outer:
            for function in functions[old]:
                function.__code__ = new
        return bool(outer)
    except ValueError:  # different closures
        return False


class ChangedModule(importlib.abc.MetaPathFinder):
    """Imports the changed code instead of one module."""

    def __init__(self, path, code):
        self.name = path.removesuffix(".py").replace("/", ".")
        self.code = code

    def find_spec(self, name, path, target=None):
        if name != self.name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        spec.loader = importlib.machinery.SourceFileLoader(name, spec.origin)
        spec.loader.get_code = lambda _: self.code
        return spec


def run_afresh(mutant, tests):
    """Reimport the whole package, with the change, and run these tests."""
    for name in list(sys.modules):
        if name.split(".")[0] == "comp551ad" or name.startswith("test_"):
            del sys.modules[name]
    sys.meta_path.insert(0, ChangedModule(mutant.path, mutant.code()))

    class Only:
        def pytest_collection_modifyitems(self, items):
            items[:] = [i for i in items if i.nodeid in tests]
            items.sort(key=lambda item: tests[item.nodeid])

    files = sorted({f"{ROOT}/{test.split('::')[0]}" for test in tests})
    options = ["-q", "-x", "-o", "addopts=", "-p", "no:cacheprovider", "--tb=no"]
    status = pytest.main([*options, f"--rootdir={ROOT}", *files], plugins=[Only()])
    return SURVIVED if status in (0, 5) else KILLED


class Hunt:
    def __init__(self, items, reached, options):
        self.items = {item.nodeid: item for item in items}
        self.reached, self.options = reached, options
        self.functions = functions_of_modules()
        self.original = {
            path: compile((ROOT / path).read_text("utf-8"), str(ROOT / path), "exec")
            for path in options.modules
        }
        self.at = defaultdict(set)  # (module, line) -> tests; line 0 is all of it
        for test, (_, lines) in reached.items():
            for path, line in lines:
                self.at[path, line].add(test)
                self.at[path, 0].add(test)

    def reaching(self, mutant):
        lines = mutant.place.lines
        return set().union(*(self.at[mutant.path, line] for line in lines))

    def tests_for(self, mutant):
        """test -> seconds for the tests that reach the changed lines, the module's own and the
        quick ones first. For code that runs at import, all that reach the module."""
        tests = self.reaching(mutant) or self.at[mutant.path, 0]
        own = f"tests/test_{Path(mutant.path).stem}.py"
        chosen, left = {}, self.options.budget
        for test in sorted(
            tests, key=lambda t: (not t.startswith(own), self.reached[t][0])
        ):
            seconds = self.reached[test][0]
            if seconds <= left:
                chosen[test] = seconds
                left -= seconds
        return chosen

    def fate(self, mutant, tests):
        """KILLED or SURVIVED, computed in a fork."""
        Session.hunting = True
        original = self.original[mutant.path]
        in_place = self.reaching(mutant)
        if in_place and change_in_place(mutant, original, self.functions):
            return SURVIVED if all(passes(self.items[t]) for t in tests) else KILLED
        return run_afresh(mutant, tests)

    def run(self, todo):
        """Yield (mutant, its fate), running several at the same time."""
        waiting, running = list(todo)[::-1], {}
        while waiting or running:
            while waiting and len(running) < self.options.jobs:
                mutant = waiting.pop()
                tests = self.tests_for(mutant)
                if not tests:
                    yield mutant, SURVIVED
                    continue
                limit = 10 * sum(tests.values()) + SECONDS_MORE
                pid = in_a_fork(lambda m=mutant, t=tests: self.fate(m, t))
                running[pid] = mutant, time.monotonic() + limit
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                yield running.pop(pid)[0], KILLED if status else SURVIVED
                continue
            for pid, (_, until) in running.items():
                if time.monotonic() > until:  # an endless loop
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)


# ---------------------------------------------------------------- the command


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=MODULES)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--list", action="store_true", help="only list the changes")
    parser.add_argument(
        "--budget",
        type=float,
        default=float("inf"),
        metavar="SECONDS",
        help="seconds of tests per mutant: leaves out the slowest of other modules' tests",
    )
    options = parser.parse_args()
    todo = [mutant for path in options.modules for mutant in mutants(path)]
    if options.list:
        print(*todo, f"{len(todo)} mutants", sep="\n")
        return 0
    sys.path.insert(0, str(ROOT))
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.chdir(ROOT)
    start_pytest(lambda items: report(items, todo, options))
    return 0


def report(items, todo, options):
    reached = look_at_tests(items)
    print(f"{len(items)} tests, {len(items) - len(reached)} of them fail unchanged")
    start, counts = time.monotonic(), defaultdict(Counter)
    for mutant, fate in Hunt(items, reached, options).run(todo):
        counts[mutant.path]["killed" if fate == KILLED else "survived"] += 1
        if fate == SURVIVED:
            print(mutant, flush=True)
    print(f"{time.monotonic() - start:.0f} s")
    for path, c in counts.items():
        print(f"{path:40} {c.total():5} {dict(c)}")


if __name__ == "__main__":
    sys.exit(main())
