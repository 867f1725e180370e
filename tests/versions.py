"""Run the tests with the oldest and the newest versions that the requirements allow.

    python3 tests/versions.py                  oldest, then newest, on this Python
    python3.13 tests/versions.py oldest        one of them, on another Python

Creates an environment for each in build/versions/. For the oldest, pip is constrained to the
lower bounds in requirements.txt and pyproject.toml. Then runs all tests except the browser's
there, with another processor's rounding. Dependencies of these packages are always the newest
that are compatible.
"""

import argparse
import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOUND = re.compile(r"([\w.-]+)>=([\w.]+)")
# Matrix products as an old processor rounds them: notebooks must print the same there.
OTHER_ROUNDING = {"OPENBLAS_CORETYPE": "Prescott"}


def lower_bounds():
    """[name==version]: the lowest versions that requirements.txt and pyproject.toml allow."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    asked = [line for line in lines if line and not line.startswith(("#", "-e"))]
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    for more in (project["dependencies"], *project["optional-dependencies"].values()):
        asked += [line for line in more if not line.startswith(f"{project['name']}[")]
    bounds = {line: BOUND.match(line) for line in asked}
    if unbound := [line for line, bound in bounds.items() if not bound]:
        raise SystemExit(f"no lower bound: {', '.join(unbound)}; write name>=version")
    return ["==".join(bound.groups()) for bound in bounds.values()]


def environment(which):
    """Create the environment and return its folder of programs."""
    name = f"{sys.version_info.major}.{sys.version_info.minor}-{which}"
    folder = ROOT / "build" / "versions" / name
    venv.create(folder, clear=True, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [programs / "python", "-m", "pip", "install", "-q"]
    install = [*pip, "-r", "requirements.txt", "-e", ".[test]"]
    if which == "oldest":
        held = folder / "oldest.txt"
        held.write_text("\n".join(lower_bounds()) + "\n", encoding="utf-8")
        install += ["-c", held]
    subprocess.run(install, cwd=ROOT, check=True)
    return programs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", default=["oldest", "newest"])
    failed = []
    for which in parser.parse_args().which:
        if which not in ("oldest", "newest"):
            parser.error(f"got {which!r}, expected oldest or newest")
        print(f"+ Python {sys.version.split()[0]}, {which} versions", flush=True)
        programs = environment(which)
        test = [programs / "pytest", "-n", "2", "--ignore=tests/browser"]
        if subprocess.run(test, cwd=ROOT, env=os.environ | OTHER_ROUNDING).returncode:
            failed.append(which)
    if failed:
        print(f"failed with the {' and the '.join(failed)} versions", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
