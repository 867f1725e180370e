"""Data for the lectures: Iris and digits, shipped with the package, and made-up sets.

Every function returns a `Dataset` that unpacks as `X, Y`: inputs with one row an
instance and, unless `bias=False`, a last column of ones (the constant input of S07);
labels as one-hot rows. The two files in `data/` are checked against the SHA-256 in
`data/SOURCES.toml`, which also says where they come from.

Reads `arguments`, NumPy and the standard library; any room above may read it.
"""

import functools
import gzip
import hashlib
import io
from dataclasses import dataclass

import numpy as np

from .arguments import as_generator, is_count, is_number

__all__ = [
    "Dataset",
    "DatasetError",
    "load_digits",
    "load_iris",
    "spirals",
    "two_moons",
]

RESTORE = "restore comp551ad/data from the repository, or install the package again"
IRIS_FEATURES = ("sepal length", "sepal width", "petal length", "petal width")
IRIS_CLASSES = ("setosa", "versicolor", "virginica")


class DatasetError(RuntimeError):
    """A shipped data file is missing or damaged."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and labels; `X, Y = dataset` unpacks the two that training needs.

    X  N x D inputs, the bias last    Y  N x C one-hot    labels  (N,) with 0 … C−1
    feature_names  D names, one a column of X    class_names  C names, one a column of Y
    """

    name: str
    X: np.ndarray
    Y: np.ndarray
    labels: np.ndarray
    feature_names: tuple
    class_names: tuple

    def __iter__(self):
        return iter((self.X, self.Y))

    def __repr__(self):
        return (
            f"{self.name}: X {_by(self.X)} ({_few(self.feature_names)}), "
            f"Y {_by(self.Y)} ({_few(self.class_names)})"
        )


def load_iris(
    features=("sepal width", "petal length"), *, bias=True, standardize=False
):
    """Fisher's 150 irises in three species, 50 each (S09): a `Dataset`.

    features     names out of "sepal length", "sepal width", "petal length" and "petal
                 width", in cm; X has their columns in this order. The deck doesn't name
                 its two; these are the lecturer's elsewhere
    bias         append a column of ones
    standardize  give each feature mean 0 and standard deviation 1 over the 150 rows

    Raises ValueError for an unknown feature, DatasetError for a damaged file.
    """
    if isinstance(features, str):
        raise ValueError(
            f"features is the string {features!r}; expected several names: write "
            f"({features!r},) for one"
        )
    features = _several("features", features, "names, such as ('petal length',)")
    known = all(isinstance(name, str) and name in IRIS_FEATURES for name in features)
    if not known or not features or len(set(features)) < len(features):
        raise ValueError(
            f"features is {features}; expected one to four different names out of "
            + ", ".join(repr(name) for name in IRIS_FEATURES)
        )
    _, *rows = [line.split(",") for line in _read("iris.csv").splitlines()]
    columns = [IRIS_FEATURES.index(name) for name in features]
    X = np.array([[float(row[column]) for column in columns] for row in rows])
    labels = np.array([IRIS_CLASSES.index(row[-1]) for row in rows])
    return _dataset("iris", X, labels, features, IRIS_CLASSES, bias, standardize)


def load_digits(*, classes=None, bias=True, standardize=False):
    """1,797 handwritten digits, 8 x 8 pixels from 0 to 16, row by row: a `Dataset`.

    classes      which digits, such as (3, 8), in the order of Y's columns; None is all
    bias         append a column of ones
    standardize  give each pixel mean 0 and standard deviation 1 over the rows returned;
                 a pixel that never changes becomes 0
    """
    table = np.loadtxt(io.StringIO(_read("digits.csv.gz")), delimiter=",", dtype=int)
    pixels, digits = table[:, :64].astype(float), table[:, 64]
    if classes is None:
        classes = range(10)
    classes = _several("classes", classes, "digits, such as (3, 8)")
    known = all(is_count(digit, 0) and digit < 10 for digit in classes)
    if not known or not classes or len(set(classes)) < len(classes):
        raise ValueError(
            f"classes is {classes}; expected different digits out of 0 … 9, such as "
            "(3, 8), or None for all ten"
        )
    chosen = np.isin(digits, classes)
    labels = np.array([classes.index(digit) for digit in digits[chosen]])
    names = tuple(f"pixel {i},{j}" for i in range(8) for j in range(8))
    class_names = tuple(str(digit) for digit in classes)
    X = pixels[chosen]
    return _dataset("digits", X, labels, names, class_names, bias, standardize)


def two_moons(N=200, noise=0.1, rng=0, *, bias=True):
    """Two half circles of radius 1 that reach into each other: N points, 2 classes.

    noise is the standard deviation added to both coordinates; rng a NumPy Generator or
    a seed (None for different points each time).
    """
    _check_count(N, 2, noise)
    rng = as_generator(rng)
    labels = np.arange(N) % 2
    angle = np.pi * rng.random(N)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    X = np.where(labels[:, None] == 0, upper, [1.0, 0.5] - upper)
    X = X + noise * rng.standard_normal(X.shape)
    return _dataset("two moons", X, labels, ("x1", "x2"), ("upper", "lower"), bias)


def spirals(N=300, noise=0.05, rng=0, *, classes=3, bias=True):
    """Arms of one spiral, a full turn each, radius up to 1: N points in `classes` arms.

    noise and rng as for `two_moons`.
    """
    if not is_count(classes, 2):
        raise ValueError(f"classes is {classes!r}; expected 2 arms or more")
    _check_count(N, classes, noise)
    rng = as_generator(rng)
    labels = np.arange(N) % classes
    radius = np.sqrt(rng.random(N))
    angle = 2 * np.pi * (radius + labels / classes)
    X = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    X = X + noise * rng.standard_normal(X.shape)
    names = tuple(f"arm {i + 1}" for i in range(classes))
    return _dataset("spirals", X, labels, ("x1", "x2"), names, bias)


# ---- shared --------------------------------------------------------------------------


def _dataset(name, X, labels, features, class_names, bias, standardize=False):
    if standardize:
        spread = X.std(axis=0)
        X = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    if bias:
        X = np.concatenate([X, np.ones((len(X), 1))], axis=1)
        features = (*features, "bias")
    Y = np.eye(len(class_names))[labels]
    return Dataset(name, X, Y, labels, tuple(features), class_names)


def _several(name, given, expected):
    if not np.iterable(given):
        raise ValueError(f"{name} is {given!r}; expected several {expected}")
    return tuple(given)


def _check_count(N, classes, noise):
    if not is_count(N, classes):
        raise ValueError(f"N is {N!r}; expected {classes} points or more, one a class")
    if not is_number(noise) or not 0 <= noise < np.inf:
        raise ValueError(
            f"noise is {noise!r}; expected a standard deviation, 0 or more"
        )


def _by(A):
    return " x ".join(str(n) for n in A.shape)


def _few(names):
    shown = names if len(names) <= 5 else (*names[:2], "…", names[-1])
    return ", ".join(shown)


@functools.cache
def _read(file):
    """The text of a shipped file, once its SHA-256 is the one in SOURCES.toml."""
    content, expected = _bytes(file), _expected_sha256(file)
    if file.endswith(".csv"):  # a checkout may have rewritten the ends of the lines
        content = content.replace(b"\r\n", b"\n")
    got = hashlib.sha256(content).hexdigest()
    if got != expected:
        raise DatasetError(
            f"{file} is damaged: its SHA-256 is {got}, expected {expected}; {RESTORE}"
        )
    return (gzip.decompress(content) if file.endswith(".gz") else content).decode()


def _expected_sha256(file):
    import tomllib

    content = _bytes("SOURCES.toml")
    try:
        return tomllib.loads(content.decode())[file]["sha256"]
    except (ValueError, KeyError, TypeError) as error:  # not UTF-8, TOML, or complete
        raise DatasetError(
            f"SOURCES.toml is damaged ({error!r}), expected the SHA-256 of {file} in "
            f"it; {RESTORE}"
        ) from error


def data_folder():
    """Where the shipped files lie."""
    from importlib import resources  # as costly as the rest of this module

    return resources.files("comp551ad") / "data"


def _bytes(file):
    try:
        return (data_folder() / file).read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{file} can't be read ({type(error).__name__}), expected it in "
            f"comp551ad/data; {RESTORE}"
        ) from error
