"""House rules: style, types, imports that only go down, a cheap import, and the README's
commands, which continuous integration runs."""

import importlib
import inspect
import os
import pkgutil
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tomllib
import types
from fnmatch import fnmatch
from pathlib import Path

import pytest

import comp551ad

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NOTEBOOKS = [
    path.relative_to(ROOT).as_posix()
    for room in ("lectures", "exercises", "solutions")
    for path in sorted((ROOT / room).glob("*.ipynb"))
]


def run(*command, cwd=ROOT, **options):
    """Run a command and return its output, both streams combined."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        timeout=300,
        **options,
    )


# --- style --------------------------------------------------------------------


# A lecture's cells are read side by side with their outputs, so they are narrower.
NARROW = ["--line-length=79", "--config=lint.pycodestyle.max-line-length=79"]


@pytest.mark.parametrize("command", ["check", "format --check"])
@pytest.mark.parametrize("files", [["."], [*NARROW, *NOTEBOOKS]], ids=["code", "79"])
def test_code_and_notebooks_are_clean(command, files):
    result = run(sys.executable, "-m", "ruff", *command.split(), "--no-cache", *files)
    assert result.returncode == 0, result.stdout


# --- types --------------------------------------------------------------------


# The front door's stub hides the module itself.
@pytest.mark.parametrize("files", [[], ["comp551ad/__init__.py"]])
def test_mypy_finds_nothing_wrong(files):
    result = run(sys.executable, "-m", "mypy", *files)
    assert result.returncode == 0, result.stdout


def is_judged(module):
    """Whether mypy checks a module, that is, pyproject.toml doesn't exempt it."""
    unjudged = [
        pattern
        for override in PYPROJECT["tool"]["mypy"]["overrides"]
        if override.get("ignore_errors")
        for pattern in override["module"]
    ]
    return not any(fnmatch(f"{module}.", f"{p.removesuffix('.*')}.*") for p in unjudged)


MODULES = [
    module.name
    for module in pkgutil.walk_packages(comp551ad.__path__, "comp551ad.")
    if module.name != "comp551ad.__main__" and is_judged(module.name)
]


def public_functions(module):
    """Yield the public functions of a module, and the methods of its public classes."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
            continue
        if not inspect.isclass(value):
            yield name, value
            continue
        for attribute, method in vars(value).items():
            if attribute == "__init__" or not attribute.startswith("_"):
                method = getattr(method, "fget", getattr(method, "__func__", method))
                yield f"{name}.{attribute}", method


def unannotated(function):
    """Yield the parameters of a function that have no type, and "return"."""
    signature = inspect.signature(function)
    for index, (name, parameter) in enumerate(signature.parameters.items()):
        is_self = index == 0 and name in ("self", "cls")
        if parameter.annotation is parameter.empty and not is_self:
            yield name
    if (
        signature.return_annotation is signature.empty
        and function.__name__ != "__init__"
    ):
        yield "return"


def test_what_is_public_says_the_types_of_its_parameters_and_of_its_result():
    missing = {
        f"{module}.{name}": absent
        for module in MODULES
        for name, function in public_functions(importlib.import_module(module))
        if inspect.isfunction(inspect.unwrap(function))
        and function.__name__ != "<lambda>"  # which can't be annotated
        and (absent := list(unannotated(function)))
    }
    assert missing == {}


def test_a_missing_annotation_is_noticed():
    class Public:
        def method(self, x, y: int) -> int: ...

        @property
        def half(self): ...

        @staticmethod
        def of(x): ...

    Public.__module__ = "a_module"
    module = types.ModuleType("a_module")
    module.Public, module._Private, module.theirs = Public, Public, unannotated
    assert {name: list(unannotated(f)) for name, f in public_functions(module)} == {
        "Public.method": ["x"],
        "Public.half": ["return"],
        "Public.of": ["x", "return"],
    }


# --- imports only go down -----------------------------------------------------


def lint_imports(folder):
    program = shutil.which("lint-imports", path=sysconfig.get_path("scripts"))
    return run(program, "--no-cache", "--no-logo", cwd=folder)


def test_imports_go_down_only():
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout
    assert "3 kept, 0 broken" in result.stdout


# Imports that each break a contract: where they are written, and how they are reported.
GOING_UP = [
    ("byhand/two_layer.py", "from comp551ad.autodiff import trace", "autodiff.trace"),
    ("autodiff/trace.py", "from ..byhand.two_layer import cost", "byhand.two_layer"),
    ("autodiff/passes.py", "def f():\n    from .. import show", "show"),
    ("gradcheck.py", "from .autodiff import trace", "autodiff.trace"),
    ("gradcheck.py", "from .byhand import two_layer", "byhand.two_layer"),
    ("functions.py", "from . import gradcheck", "gradcheck"),
    ("show/rows.py", "from . import steppers", "show.steppers"),
    ("show/rows.py", "from ..exercises.checking import check", "exercises.checking"),
    ("exercises/notebooks.py", "from ..site import page", "site"),
]


def test_every_import_that_goes_up_breaks_a_contract(tmp_path):
    shutil.copytree(ROOT / "comp551ad", tmp_path / "comp551ad")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    by_the_front_door = ("byhand/two_layer.py", "from comp551ad import grad", "")
    for module, line, _ in [*GOING_UP, by_the_front_door, ("a_new_room.py", "", "")]:
        with (tmp_path / "comp551ad" / module).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    result = lint_imports(tmp_path)
    assert result.returncode == 1 and "0 kept, 3 broken" in result.stdout
    for module, _, imported in GOING_UP:
        name = module.removesuffix(".py").replace("/", ".")
        assert f"\n- comp551ad.{name} -> comp551ad.{imported} (" in result.stdout
    assert "\n-   comp551ad.byhand.two_layer -> comp551ad (" in result.stdout
    assert "\n- comp551ad.a_new_room\n" in result.stdout


# --- the two commands ---------------------------------------------------------


def commands():
    """Return the README's commands: the lines that create an environment."""
    return re.findall(r"^python3 -m venv .*$", README, flags=re.MULTILINE)


def test_the_readme_has_two_commands_and_the_second_installs_the_tests_tools_too():
    start, test = commands()
    setup = "python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt"
    lab = r" && \.venv/bin/jupyter lab --notebook-dir=\. (\S+)"
    assert start.startswith(setup) and test.startswith(setup)
    opened = re.fullmatch(lab, start.removeprefix(setup))
    assert opened and (ROOT / opened[1]).is_file()
    assert test.removeprefix(setup) == ' -e ".[test]" && .venv/bin/pytest -n 2'


def test_a_student_installs_none_of_the_tests_tools():
    asked = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    named = re.findall(r"^[^#\s].*", asked, flags=re.MULTILINE)
    assert named == ["-e .[show,site]", "jupyterlab>=4.4"]


@pytest.mark.skipif(os.name == "nt", reason="continuous integration runs bash")
def test_continuous_integration_runs_the_readmes_test_command(tmp_path):
    """`.ci/run` on a copy whose README has another test command runs that one."""
    other = "python3 -m venv --help && echo CI is $CI && exit 7 # .venv/bin/pytest"
    (tmp_path / "README.md").write_text(
        README.replace(commands()[1], other), encoding="utf-8"
    )
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    browser = tmp_path / "bin" / "chromium"  # so that nothing is installed here
    browser.parent.mkdir()
    browser.write_text("#!/bin/sh\n")
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    path = f"{browser.parent}{os.pathsep}{os.environ['PATH']}"
    result = run(
        "bash",
        tmp_path / ".ci" / "run",
        env={**os.environ, "PATH": path, "COMP551AD_PYODIDE": ""},
    )
    assert f"+ {other}" in result.stdout
    assert "CI is true" in result.stdout
    assert result.returncode == 7
