"""The package as distributed: its public names, and the contents of a wheel and an sdist."""

import ast
import subprocess
import sys
import tarfile
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

import comp551ad

ROOT = Path(__file__).parent.parent


def files_in(folder):
    paths = (ROOT / folder).rglob("*")
    here = (p for p in paths if p.is_file() and ".ipynb_checkpoints" not in p.parts)
    return {p.relative_to(ROOT).as_posix() for p in here if p.suffix != ".pyc"}


FILES, SOLUTIONS = files_in("comp551ad"), files_in("solutions")
COURSE = files_in("lectures") | files_in("exercises")

# --- the front door -----------------------------------------------------------


def test_the_names_that_an_editor_offers_are_those_that_there_are():
    stub = ast.parse((ROOT / "comp551ad/__init__.pyi").read_text(encoding="utf-8"))
    homes = {
        name.name: line.module
        for line in stub.body
        if isinstance(line, ast.ImportFrom)
        for name in line.names
        if name.asname == name.name  # otherwise private to type checkers
    }
    assert sorted(homes) == comp551ad.__all__
    assert set(homes) <= set(dir(comp551ad))
    for name, home in homes.items():
        module = import_module(f"comp551ad.{home}")
        assert getattr(comp551ad, name) is getattr(module, name)


def test_a_name_that_there_is_not_is_refused():
    with pytest.raises(AttributeError, match="'comp551ad' has no attribute 'gradd'"):
        comp551ad.gradd  # noqa: B018


# --- what is shipped ----------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with a wheel and an sdist of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-d", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return folder


def test_a_wheel_is_the_package_and_sets_nothing_else_in_an_environment(built):
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    about = {name for name in names if ".dist-info/" in name}
    # The checks compare answers with the solutions, so a wheel contains them.
    inside = {f"comp551ad/exercises/{name}" for name in SOLUTIONS}
    # It also contains the course, for `python -m comp551ad lectures`.
    inside |= {f"comp551ad/course/{name}" for name in COURSE}
    assert names - about == FILES | inside
    assert {"comp551ad/py.typed", "comp551ad/__init__.pyi"} <= FILES
    assert not any(".data/" in name for name in names)


def test_an_sdist_is_the_package_and_what_stands_beside_it(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {
            member.name.partition("/")[2]
            for member in archive.getmembers()
            if member.isfile()
        }
    beside = {"LICENSE", "README.md", "pyproject.toml", ".gitignore", "PKG-INFO"}
    assert names == FILES | SOLUTIONS | COURSE | beside


def test_the_package_says_where_it_is_at_home(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode("utf-8")
    for label in ("Homepage", "Repository", "Documentation", "Issues"):
        assert f"\nProject-URL: {label}, https://" in metadata
    assert f"\nVersion: {comp551ad.__version__}\n" in metadata
