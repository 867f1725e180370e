"""The course running without installation: in the browser, and on Colab.

    Live           a JupyterLite in the site, which runs every notebook
    own_wheel      the package as a wheel, without command-line modules
    colab_copies   each notebook with a first cell that installs this wheel on Colab

JupyterLite is JupyterLab as static files; its kernel is Pyodide, CPython for browsers, which
includes NumPy and matplotlib. Our wheel and those that Pyodide lacks are added to its list of
packages, `pyodide-lock.json`, so that `import comp551ad` works without an installing cell.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from comp551ad.extras import extra

from .course import NAME, Course, nbformat

PACKAGE = Path(__file__).parents[1]
OWN = "comp551ad"
# Imported by notebooks or the kernel, maybe missing in Pyodide: pure Python, zipped as installed.
BROUGHT = ("tqdm", "autograd", "comm")
# In Pyodide, and needed by notebooks from the start.
NEEDED = ("numpy", "matplotlib")
# Not needed where notebooks run: the command line, and an installed package's copies of the course.
_LEFT_OUT = {"__pycache__", "site", "lectures.py", "__main__.py", "course", "solutions"}
KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"


class Live:
    """A JupyterLite to be written; checks that everything needed is available.

    Args:
        pyodide: a folder with Pyodide, which is copied, or its address, from which readers'
            browsers fetch it. By default, JupyterLite's own address.

    Raises:
        MissingExtra: JupyterLite, or a package that notebooks import there, isn't installed.
        ValueError: `pyodide` isn't a Pyodide, or not the version of JupyterLite's kernel.
    """

    def __init__(self, pyodide: str | None = None):
        with extra("live", "pages that run"):
            import autograd  # noqa: F401
            import comm  # noqa: F401
            import jupyterlite_core  # noqa: F401
            from jupyterlite_pyodide_kernel import constants

        version = constants.PYODIDE_VERSION
        address = f"https://cdn.jsdelivr.net/pyodide/v{version}/full"
        self.source = (pyodide or address).rstrip("/")
        self.is_remote = bool(re.match("https?://", self.source))
        self.lock = _lock(self.source, self.is_remote, version)
        # From 314 on, Pyodide is an ES module.
        self.script = (
            "pyodide.mjs" if hasattr(constants, "PYODIDE_MJS") else "pyodide.js"
        )

    def write(self, out: Path, course: Course) -> None:
        """Write it to ``out/lite``, with the notebooks of a course.

        Raises:
            OSError: JupyterLite's build failed; the message contains its output.
        """
        with tempfile.TemporaryDirectory() as work:
            lite = Path(work)
            for one in course.sources:
                copy = lite / "files" / one.file
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(one.path, copy)
                # Notebooks read the map of the deck.
                for beside in one.path.parent.glob("*.toml"):
                    shutil.copy(beside, copy.parent)
            (lite / "jupyter-lite.json").write_text(json.dumps(self._config()))
            _build(lite, out / "lite")
        here = out / "lite/pyodide"
        packages = self.lock["packages"]
        if self.is_remote:
            here.mkdir()
            for package in packages.values():
                package["file_name"] = f"{self.source}/{package['file_name']}"
        else:
            shutil.copytree(self.source, here)
        wheels = [own_wheel(here, course)]
        wheels += [_installed_wheel(here, n) for n in BROUGHT if n not in packages]
        packages |= {entry["name"]: entry for entry in map(_entry, wheels)}
        (here / "pyodide-lock.json").write_text(json.dumps(self.lock))

    def _config(self) -> dict[str, Any]:
        at = self.source if self.is_remote else "./pyodide"
        settings = {
            "pyodideUrl": f"{at}/{self.script}",
            "disablePyPIFallback": True,
            "loadPyodideOptions": {
                "lockFileURL": "./pyodide/pyodide-lock.json",
                "packages": [OWN],
                # Appending to a file on JupyterLite's drive, where notebooks are, hangs.
                "env": {"COMP551AD_PROGRESS": "/tmp/comp551ad_progress.jsonl"},
            },
        }
        data = {
            "appName": NAME,
            "exposeAppInBrowser": True,
            "litePluginSettings": {KERNEL: settings},
        }
        return {"jupyter-lite-schema-version": 0, "jupyter-config-data": data}


def _lock(source: str, is_remote: bool, expected: str) -> dict[str, Any]:
    """Pyodide's list of its packages, from a folder or an address."""
    folder = source if is_remote else Path(source).resolve().as_uri()
    try:
        with urllib.request.urlopen(f"{folder}/pyodide-lock.json") as answer:
            lock = json.load(answer)
        version, packages = lock["info"]["version"], lock["packages"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"--pyodide: got {source}, expected a folder or an address with Pyodide's "
            f"pyodide-lock.json ({error}); get Pyodide {expected} from "
            "https://github.com/pyodide/pyodide/releases and name its folder"
        ) from error
    # The last part may differ: 0.27.7 for 0.27.6, 314.0.7 for 314.0.6.
    if version.split(".")[:2] != expected.split(".")[:2]:
        raise ValueError(
            f"--pyodide: got Pyodide {version}, expected {expected}, which the installed "
            "jupyterlite-pyodide-kernel runs; install a matching version of the kernel"
        )
    if missing := [name for name in NEEDED if name not in packages]:
        raise ValueError(
            f"--pyodide: got a Pyodide without {' and '.join(missing)}, expected the full "
            "distribution; name its folder, or leave --pyodide out"
        )
    return lock


def _build(lite: Path, out: Path) -> None:
    """Run JupyterLite's own command."""
    apps = ("--apps", "notebooks", "--apps", "lab")
    command = [sys.executable, "-m", "jupyterlite_core", "build", "--no-sourcemaps"]
    command += [*apps, "--lite-dir", str(lite), "--output-dir", str(out)]
    done = subprocess.run(command, cwd=lite, capture_output=True, text=True)
    if done.returncode:
        raise OSError(
            f"jupyter lite build exited with {done.returncode}:\n{done.stderr[-2000:]}"
        )


# --- wheels ---------------------------------------------------------------------------


def own_wheel(folder: Path, course: Course) -> Path:
    """The package as a wheel, with the course's solutions, which checks compare answers with."""
    files = {}
    for path in sorted(PACKAGE.rglob("*")):
        inner = path.relative_to(PACKAGE)
        if path.is_file() and not _LEFT_OUT.intersection(inner.parts):
            files[f"{OWN}/{inner.as_posix()}"] = path.read_bytes()
    for source in course.sources:
        if source.room == "solutions":
            files[f"{OWN}/exercises/{source.file}"] = source.path.read_bytes()
    init = (PACKAGE / "__init__.py").read_text("utf-8")
    (version,) = re.findall(r'(?m)^__version__ = "(.+)"', init)
    about = f"{OWN}-{version}.dist-info"
    files[f"{about}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {OWN}\nVersion: {version}\n".encode()
    )
    files[f"{about}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: comp551ad\n"
        b"Root-Is-Purelib: true\nTag: py3-none-any\n"
    )
    listed = "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"])
    files[f"{about}/RECORD"] = listed.encode()
    return _zipped(folder, OWN, version, files)


def _installed_wheel(folder: Path, name: str) -> Path:
    """An installed pure Python package, zipped as a wheel again."""
    package = metadata.distribution(name)
    listed = [f for f in package.files or () if ".." not in f.parts]
    kept = [f for f in listed if f.suffix != ".pyc"]
    files = {f.as_posix(): f.read_binary() for f in kept}
    return _zipped(folder, name.replace("-", "_"), package.version, files)


def _zipped(folder: Path, name: str, version: str, files: dict[str, bytes]) -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for inner, content in files.items():
            wheel.writestr(zipfile.ZipInfo(inner), content, zipfile.ZIP_DEFLATED)
    return path


def _entry(wheel: Path) -> dict[str, Any]:
    """A wheel as `pyodide-lock.json` lists it."""
    name, version, *_ = wheel.name.split("-")
    depends = [*NEEDED, *BROUGHT] if name == OWN else []
    return {
        "name": name.replace("_", "-"),
        "version": version,
        "file_name": wheel.name,
        "install_dir": "site",
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "package_type": "package",
        "imports": [name],
        "depends": depends,
        "unvendored_tests": False,
    }


# --- Colab ----------------------------------------------------------------------------


def colab_copies(course: Course, wheel: Path) -> Iterator[tuple[str, str]]:
    """Each notebook with a first cell that installs the package if it runs on Colab.

    The wheel comes from the site, whose address is the project's `Documentation`. Colab has
    everything else that notebooks need.

    Yields:
        The copy's place in the site, and its text.
    """
    site = course.addresses.get("Documentation", "").rstrip("/")
    first = nbformat.v4.new_code_cell(
        "import sys\n\n"
        'if "google.colab" in sys.modules:\n'
        f"    %pip install -q {site}/{wheel.name}",
        id="colab",
    )
    for source in course.sources:
        notebook = nbformat.from_dict(source.notebook)
        notebook.cells = [first, *notebook.cells]
        yield f"colab/{source.file}", nbformat.writes(notebook)
