"""comp551ad/datasets.py: the shipped data, the options, and damaged files."""

import hashlib
import tomllib

import numpy as np
import pytest

from comp551ad import datasets
from comp551ad.datasets import (
    IRIS_FEATURES,
    DatasetError,
    load_digits,
    load_iris,
    spirals,
    train_test_digits,
)

# ---- Iris ----------------------------------------------------------------------------


def test_iris_as_the_lectures_use_it():
    iris = load_iris()
    X, Y = iris
    assert X.shape == (150, 3) and Y.shape == (150, 3)
    assert iris.feature_names == ("sepal width", "petal length", "bias")
    assert iris.class_names == ("setosa", "versicolor", "virginica")
    assert X[0].tolist() == [3.5, 1.4, 1.0] and X[-1].tolist() == [3.0, 5.1, 1.0]
    assert np.all(X[:, -1] == 1)
    assert Y.sum(0).tolist() == [50, 50, 50] and np.all(Y.sum(1) == 1)
    assert np.array_equal(Y.argmax(1), iris.labels)
    assert iris.labels.tolist() == [0] * 50 + [1] * 50 + [2] * 50
    assert repr(iris) == (
        "iris: X 150 x 3 (sepal width, petal length, bias), "
        "Y 150 x 3 (setosa, versicolor, virginica)"
    )


def test_iris_is_fishers_not_the_repositorys():
    """Rows 35 and 38, where UCI's iris.data differs from the paper."""
    X, _ = load_iris(IRIS_FEATURES, bias=False)
    assert X[34].tolist() == [4.9, 3.1, 1.5, 0.2]
    assert X[37].tolist() == [4.9, 3.6, 1.4, 0.1]
    reversed_names = load_iris(IRIS_FEATURES[::-1][:3])
    assert np.array_equal(reversed_names.X[:, :-1], X[:, ::-1][:, :3])
    np.testing.assert_allclose(X.mean(0), [5.843333, 3.057333, 3.758, 1.199333], 1e-6)
    assert X.min(0).tolist() == [4.3, 2.0, 1.0, 0.1]
    assert X.max(0).tolist() == [7.9, 4.4, 6.9, 2.5]


@pytest.mark.parametrize(
    "load, name, choices",
    [
        (load_iris, "features", [("petal size",), ("petal width",) * 2, "petal width"]),
        (load_iris, "features", [(), None, 3, ([3],), (3,)]),
        (load_digits, "classes", [(3, 3), (3, 10), (-1,), "38", (3.0,), (True, 0)]),
        (load_digits, "classes", [(), 3, ([3],), (None,)]),
    ],
)
def test_choices_are_different_ones_of_the_known(load, name, choices):
    for given in choices:
        with pytest.raises(ValueError, match=f"^{name}: got .* from ('sepal len|0, 1)"):
            load(**{name: given})


# ---- digits --------------------------------------------------------------------------


def test_digits():
    digits = load_digits()
    X, Y = digits
    assert X.shape == (1797, 65) and Y.shape == (1797, 10)
    assert (X[:, :64].min(), X[:, :64].max(), X[:, :64].sum()) == (0, 16, 561718)
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert Y.sum(0).tolist() == counts
    assert X[0, :8].tolist() == [0, 0, 5, 13, 9, 1, 0, 0] and digits.labels[0] == 0
    assert digits.feature_names[9] == "pixel 1,1"
    assert "pixel 0,0, pixel 0,1, …, bias" in repr(digits)


def test_digits_of_two_classes():
    digits = load_digits(classes=np.array([8, 3]), bias=False)
    assert digits.X.shape == (357, 64) and digits.Y.sum(0).tolist() == [174, 183]
    assert digits.class_names == ("8", "3")


@pytest.mark.parametrize("load", [load_iris, load_digits])
def test_standardized_but_for_the_bias(load):
    """A constant pixel becomes 0, and each caller gets its own arrays."""
    load().X[:] = 0
    X, _ = load(standardize=True)
    np.testing.assert_allclose(X[:, :-1].mean(0), 0, atol=1e-14)
    changing = load(bias=False).X.std(0) > 0
    np.testing.assert_allclose(X[:, :-1].std(0), changing)
    assert np.all(X[:, -1] == 1)


def test_digits_to_train_and_test_on_are_all_digits_once_centred_and_scaled():
    X_train, Y_train, X_test, Y_test = train_test_digits()
    assert X_train.shape[0] == Y_train.shape[0] == 1500
    assert X_test.shape[0] == Y_test.shape[0] == 297
    X, Y = np.vstack([X_train, X_test]), np.vstack([Y_train, Y_test])
    assert np.allclose(X.mean(0), 0) and np.isclose(X.std(), 1)
    known = load_digits(bias=False)
    scale, mean = known.X.std(0).max() / X.std(0).max(), known.X.mean(0)
    rows = {tuple(row) for row in np.hstack([np.rint(X * scale + mean), Y])}
    assert rows == {tuple(row) for row in np.hstack([known.X, known.Y])}


# ---- synthetic -----------------------------------------------------------------------


def test_spirals_without_noise_turn_once():
    made = spirals(90, noise=0, classes=3, bias=False)
    radius = np.hypot(*made.X.T)
    angle = np.arctan2(*made.X.T[::-1])
    expected = 2 * np.pi * (radius + made.labels / 3)
    np.testing.assert_allclose(np.exp(1j * angle), np.exp(1j * expected))
    assert radius.max() <= 1 and made.Y.sum(0).tolist() == [30] * 3


def test_spirals_hang_on_their_seed_alone():
    assert np.array_equal(spirals(rng=5).X, spirals(rng=np.random.default_rng(5)).X)
    assert not np.array_equal(spirals(rng=5).X, spirals(rng=6).X)
    assert np.all(spirals().X[:, -1] == 1) and spirals(bias=False).X.shape[1] == 2


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: spirals(4, classes=5), "N: got 4, expected a whole number from 5"),
        (lambda: spirals(classes=1), "classes: got 1, expected a whole number from 2"),
        (lambda: spirals(noise=-1), "noise: got -1, expected a finite number from 0"),
        (lambda: spirals(rng="a"), "rng: got 'a', expected a NumPy Generator"),
    ],
)
def test_spirals_refuse(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# ---- the files -----------------------------------------------------------------------

DATA = datasets.FOLDER
LOAD = {"iris.csv": load_iris, "digits.csv.gz": load_digits}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the data folder that a test may damage."""
    for name in (*LOAD, "SOURCES.toml"):
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    monkeypatch.setattr(datasets, "FOLDER", tmp_path)
    datasets._read.cache_clear()
    yield tmp_path
    datasets._read.cache_clear()


def test_every_file_has_its_source_and_checksum():
    sources = tomllib.loads((DATA / "SOURCES.toml").read_text("utf-8"))
    shipped = {path.name for path in DATA.iterdir()} - {"SOURCES.toml"}
    assert shipped == set(sources) == set(LOAD)
    for name, source in sources.items():
        content = (DATA / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == source["sha256"]
        assert len(LOAD[name]().X) == source["rows"]
        assert source["origin"] and source["licence"] and source["version"]


@pytest.mark.parametrize("name", LOAD)
def test_a_damaged_short_or_missing_file_is_named(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    for damaged in content, content[:-100]:
        (folder / name).write_bytes(damaged)
        with pytest.raises(
            DatasetError, match=f"^{name}: got SHA-256 .*, exp.*; restore"
        ):
            LOAD[name]()
    (folder / name).unlink()
    with pytest.raises(DatasetError, match=f"^{name}: got FileNotFoundError"):
        LOAD[name]()


@pytest.mark.parametrize(
    "content", [b"not toml", b"\xff\xfe", b"", b"['iris.csv']\nrows = 150\n"]
)
def test_damaged_sources(folder, content):
    (folder / "SOURCES.toml").write_bytes(content)
    with pytest.raises(
        DatasetError, match="iris.csv: got .*, expected the file and its SHA"
    ):
        load_iris()


def test_line_ends_of_another_system_are_no_damage(folder):
    path = folder / "iris.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_iris().X.shape == (150, 3)
