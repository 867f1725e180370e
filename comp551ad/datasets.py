"""Data for the lectures: Iris and digits, shipped with the package, and made-up spirals.

Every loader returns a ``Dataset`` that unpacks as ``X, Y``: inputs with one row per instance
and, unless ``bias=False``, a last column of ones (the constant input of S07); labels as one-hot
rows. The two files in ``data/`` are checked against the SHA-256 in ``data/SOURCES.toml``, which
also names their origin.
"""

import functools
import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .shapes import as_generator, as_python, count, number

__all__ = [
    "Dataset",
    "DatasetError",
    "load_digits",
    "load_iris",
    "spirals",
    "train_test_digits",
]

FOLDER = Path(__file__).parent / "data"
RESTORE = "restore comp551ad/data from the repository, or install the package again"
IRIS_FEATURES = ("sepal length", "sepal width", "petal length", "petal width")
IRIS_CLASSES = ("setosa", "versicolor", "virginica")


class DatasetError(RuntimeError):
    """A shipped data file is missing or damaged."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and labels; ``X, Y = dataset`` unpacks the two arrays needed for training.

    Attributes:
        name: "iris", "digits" or "spirals".
        X: N x D inputs, the bias last.
        Y: N x C one-hot labels.
        labels: (N,) the labels as integers 0 … C−1.
        feature_names: D names, one per column of X.
        class_names: C names, one per column of Y.
    """

    name: str
    X: np.ndarray
    Y: np.ndarray
    labels: np.ndarray
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.X, self.Y))

    def __repr__(self) -> str:
        X, Y = _columns(self.X, self.feature_names), _columns(self.Y, self.class_names)
        return f"{self.name}: X {X}, Y {Y}"


def load_iris(
    features: Iterable[str] = ("sepal width", "petal length"),
    *,
    bias: bool = True,
    standardize: bool = False,
) -> Dataset:
    """Fisher's 150 irises of three species, 50 each (S09).

    Args:
        features: names from "sepal length", "sepal width", "petal length" and "petal width",
            in cm; X has their columns in this order. The deck doesn't name its two features;
            these are the ones the lecturer uses elsewhere.
        bias: append a column of ones.
        standardize: give each feature mean 0 and standard deviation 1 over the 150 rows.

    Raises:
        ValueError: a feature is unknown.
        DatasetError: the file is damaged.
    """
    features = _choice("features", features, IRIS_FEATURES)
    _, *rows = [line.split(",") for line in _read("iris.csv").splitlines()]
    columns = [IRIS_FEATURES.index(name) for name in features]
    X = np.array([[float(row[column]) for column in columns] for row in rows])
    labels = np.array([IRIS_CLASSES.index(row[-1]) for row in rows])
    return _dataset("iris", X, labels, features, IRIS_CLASSES, bias, standardize)


def load_digits(
    *,
    classes: Iterable[int] | None = None,
    bias: bool = True,
    standardize: bool = False,
) -> Dataset:
    """1,797 handwritten digits, 8 x 8 pixels from 0 to 16, row by row.

    Args:
        classes: which digits, such as (3, 8), in the order of Y's columns; None is all.
        bias: append a column of ones.
        standardize: give each pixel mean 0 and standard deviation 1 over the rows returned; a
            constant pixel becomes 0.
    """
    table = np.loadtxt(io.StringIO(_read("digits.csv.gz")), delimiter=",", dtype=int)
    pixels, digits = table[:, :64].astype(float), table[:, 64]
    known = tuple(range(10))
    classes = known if classes is None else _choice("classes", classes, known)
    chosen = np.isin(digits, classes)
    labels = np.array([classes.index(digit) for digit in digits[chosen]])
    names = tuple(f"pixel {i},{j}" for i in range(8) for j in range(8))
    class_names = tuple(str(digit) for digit in classes)
    X = pixels[chosen]
    return _dataset("digits", X, labels, names, class_names, bias, standardize)


def train_test_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The digits in random order, as used in the lectures on optimization.

    The mean image is subtracted, and all pixels are divided by one number, so that together they
    have standard deviation 1. No column of ones: those networks have biases of their own.

    Returns:
        X_train (1500 x 64), Y_train (1500 x 10), X_test (297 x 64), Y_test (297 x 10).
    """
    X, Y = load_digits(bias=False)
    X = X - X.mean(0)
    order = np.random.default_rng(0).permutation(len(X))
    X, Y = X[order] / X.std(), Y[order]
    return X[:1500], Y[:1500], X[1500:], Y[1500:]


def spirals(
    N: int = 300,
    noise: float = 0.05,
    rng: Any = 0,
    *,
    classes: int = 3,
    bias: bool = True,
) -> Dataset:
    """N points on a spiral with ``classes`` arms, each a full turn, with radius up to 1.

    Args:
        N: the number of points, at least one per arm.
        noise: the standard deviation of the noise added to both coordinates.
        rng: a NumPy Generator, a seed, or None for different points each time.
        classes: the number of arms, 2 or more.
        bias: append a column of ones.
    """
    classes = count("classes", classes, 2)
    N, noise, rng = count("N", N, classes), number("noise", noise, 0), as_generator(rng)
    labels = np.arange(N) % classes
    radius = np.sqrt(rng.random(N))
    angle = 2 * np.pi * (radius + labels / classes)
    X = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    X = X + noise * rng.standard_normal(X.shape)
    names = tuple(f"arm {i + 1}" for i in range(classes))
    return _dataset("spirals", X, labels, ("x1", "x2"), names, bias)


# ---- shared --------------------------------------------------------------------------


def _choice(name: str, given: Any, known: tuple) -> tuple:
    """A tuple of distinct known values, or ValueError."""
    several = np.iterable(given) and not isinstance(given, str)
    chosen = tuple(as_python(each) for each in given) if several else ()
    # Compare types too: 3.0 == 3 and True == 1.
    fits = [type(each) is type(known[0]) and each in known for each in chosen]
    if not chosen or not all(fits) or len(set(chosen)) < len(chosen):
        names = ", ".join(map(repr, known))
        raise ValueError(
            f"{name}: got {given!r}, expected a tuple of distinct values from {names}"
        )
    return chosen


def _dataset(
    name: str,
    X: np.ndarray,
    labels: np.ndarray,
    features: tuple[str, ...],
    class_names: tuple[str, ...],
    bias: bool,
    standardize: bool = False,
) -> Dataset:
    if standardize:
        spread = X.std(axis=0)
        X = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    if bias:
        X = np.concatenate([X, np.ones((len(X), 1))], axis=1)
        features = (*features, "bias")
    Y = np.eye(len(class_names))[labels]
    return Dataset(name, X, Y, labels, features, class_names)


def _columns(A: np.ndarray, names: tuple[str, ...]) -> str:
    shown = names if len(names) <= 5 else (*names[:2], "…", names[-1])
    return f"{A.shape[0]} x {A.shape[1]} ({', '.join(shown)})"


@functools.cache
def _read(file: str) -> str:
    """The text of a shipped file, after checking its SHA-256 against SOURCES.toml."""
    import tomllib

    try:
        content = (FOLDER / file).read_bytes()
        sources = tomllib.loads((FOLDER / "SOURCES.toml").read_text("utf-8"))
        expected = sources[file]["sha256"]
    # SOURCES.toml may be invalid UTF-8, invalid TOML, or incomplete.
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{file}: got {type(error).__name__} ({error}), expected the file and its SHA-256 "
            f"in comp551ad/data; {RESTORE}"
        ) from error
    # Git may have converted the line endings.
    if file.endswith(".csv"):
        content = content.replace(b"\r\n", b"\n")
    got = hashlib.sha256(content).hexdigest()
    if got != expected:
        raise DatasetError(f"{file}: got SHA-256 {got}, expected {expected}; {RESTORE}")
    return (gzip.decompress(content) if file.endswith(".gz") else content).decode()
