"""comp551ad/datasets.py: the shipped numbers, the choices, and damaged files."""

import hashlib
import shutil
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
    two_moons,
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
    """Rows 35 and 38, where iris.data of UCI differs from the paper."""
    X, _ = load_iris(IRIS_FEATURES, bias=False)
    assert X[34].tolist() == [4.9, 3.1, 1.5, 0.2]
    assert X[37].tolist() == [4.9, 3.6, 1.4, 0.1]
    np.testing.assert_allclose(X.mean(0), [5.843333, 3.057333, 3.758, 1.199333], 1e-6)
    assert X.min(0).tolist() == [4.3, 2.0, 1.0, 0.1]
    assert X.max(0).tolist() == [7.9, 4.4, 6.9, 2.5]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_iris_features_by_name_in_the_order_asked_for(count):
    every, _ = load_iris(IRIS_FEATURES, bias=False)
    names = IRIS_FEATURES[::-1][:count]
    X, _ = load_iris(names)
    assert X.shape == (150, count + 1)
    assert np.array_equal(X[:, :-1], every[:, ::-1][:, :count])


def test_iris_standardized_but_for_the_bias():
    X, _ = load_iris(standardize=True)
    np.testing.assert_allclose(X[:, :2].mean(0), 0, atol=1e-14)
    np.testing.assert_allclose(X[:, :2].std(0), 1)
    assert np.all(X[:, 2] == 1)


@pytest.mark.parametrize(
    "features, words",
    [
        (("petal size",), "'sepal length', 'sepal width', 'petal length', 'petal wid"),
        ((), "one to four different names"),
        (("petal width", "petal width"), "different"),
        ("petal width", r"write \('petal width',\)"),
        (None, "features is None; expected several names"),
        (3, "features is 3; expected several names"),
        ((["petal width"],), "one to four different names"),
        ((np.arange(2),), "one to four different names"),
    ],
)
def test_iris_unknown_features(features, words):
    with pytest.raises(ValueError, match=words):
        load_iris(features)


def test_what_one_reader_changes_another_does_not_see():
    load_iris().X[:] = 0
    assert load_iris().X[0, 0] == 3.5


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
    digits = load_digits(classes=(8, 3), bias=False)
    assert digits.X.shape == (357, 64) and digits.Y.sum(0).tolist() == [174, 183]
    assert digits.class_names == ("8", "3")


def test_digits_standardized_leaves_no_nan():
    X, _ = load_digits(standardize=True, bias=False)
    assert np.all(np.isfinite(X)) and np.all(X[:, 0] == 0)
    assert set(np.round(X.std(0), 12)) == {0.0, 1.0}


@pytest.mark.parametrize(
    "classes",
    [
        (),
        (3, 3),
        (3, 10),
        (-1, 3),
        ("a",),
        "38",
        ([3],),
        (3.0, 8.0),
        (True, 0),
        (None,),
    ],
)
def test_digits_unknown_classes(classes):
    with pytest.raises(ValueError, match="classes is .*digits out of 0 … 9"):
        load_digits(classes=classes)


def test_digits_come_in_any_sequence_of_whole_numbers():
    with pytest.raises(ValueError, match="classes is 3; expected several digits"):
        load_digits(classes=3)
    assert load_digits(classes=np.array([3, 8])).class_names == ("3", "8")
    assert load_digits(classes=range(2)).class_names == ("0", "1")


# ---- made up -------------------------------------------------------------------------


def test_two_moons_without_noise_lie_on_their_circles():
    X, Y = two_moons(100, noise=0, bias=False)
    upper, lower = X[Y[:, 0] == 1], X[Y[:, 1] == 1]
    np.testing.assert_allclose(np.hypot(*upper.T), 1)
    np.testing.assert_allclose(np.hypot(*(lower - [1, 0.5]).T), 1)
    assert upper[:, 1].min() >= 0 and lower[:, 1].max() <= 0.5
    assert Y.sum(0).tolist() == [50, 50]


def test_spirals_without_noise_turn_once():
    made = spirals(90, noise=0, classes=3, bias=False)
    radius = np.hypot(*made.X.T)
    angle = np.arctan2(*made.X.T[::-1])
    expected = 2 * np.pi * (radius + made.labels / 3)
    np.testing.assert_allclose(np.exp(1j * angle), np.exp(1j * expected))
    assert radius.max() <= 1 and made.Y.sum(0).tolist() == [30] * 3


@pytest.mark.parametrize("make", [two_moons, spirals])
def test_made_up_sets_hang_on_their_seed_alone(make):
    assert np.array_equal(make(rng=5).X, make(rng=np.random.default_rng(5)).X)
    assert not np.array_equal(make(rng=5).X, make(rng=6).X)
    assert np.all(make().X[:, -1] == 1) and make(bias=False).X.shape[1] == 2


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: two_moons(1), "N is 1"),
        (lambda: two_moons(10.5), "N is 10.5"),
        (lambda: two_moons(noise=-1), "noise is -1"),
        (lambda: spirals(noise=np.nan), "noise is nan"),
        (lambda: spirals(classes=1), "classes is 1"),
        (lambda: spirals(classes=None), "classes is None"),
        (lambda: two_moons("10"), "N is '10'"),
        (lambda: two_moons(10, "a"), "noise is 'a'; expected a standard deviation"),
        (lambda: two_moons(10, None), "noise is None"),
        (lambda: spirals(10, 1j), "noise is 1j"),
        (lambda: spirals(10, True), "noise is True"),
        (lambda: spirals(10, [0.1, 0.2]), r"noise is \[0.1, 0.2\]"),
        (lambda: two_moons(rng="a"), "rng is 'a'; expected a NumPy Generator, a seed"),
        (lambda: spirals(rng=1.5), "rng is 1.5; expected a NumPy Generator, a seed"),
        (lambda: spirals(rng=-1), "rng is -1"),
    ],
)
def test_made_up_sets_refuse(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# ---- the files -----------------------------------------------------------------------

DATA = datasets.data_folder()
LOAD = {"iris.csv": load_iris, "digits.csv.gz": load_digits}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the data folder that a test may damage."""
    for name in (*LOAD, "SOURCES.toml"):
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    monkeypatch.setattr(datasets, "data_folder", lambda: tmp_path)
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
def test_damaged_file(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(DatasetError, match=f"{name} is damaged: .*expected.*restore"):
        LOAD[name]()


@pytest.mark.parametrize("name", LOAD)
def test_cut_short_and_missing(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:-100])
    with pytest.raises(DatasetError, match=f"{name} is damaged"):
        LOAD[name]()
    (folder / name).unlink()
    with pytest.raises(DatasetError, match=rf"{name} can't be read \(FileNotFound"):
        LOAD[name]()


@pytest.mark.parametrize(
    "content", [b"not toml", b"\xff\xfe", b"", b"['iris.csv']\nrows = 150\n"]
)
def test_damaged_sources(folder, content):
    (folder / "SOURCES.toml").write_bytes(content)
    with pytest.raises(DatasetError, match="SOURCES.toml is damaged"):
        load_iris()


def test_missing_folder(folder):
    shutil.rmtree(folder)
    with pytest.raises(DatasetError, match="iris.csv can't be read"):
        load_iris()


def test_line_ends_of_another_system_are_no_damage(folder):
    path = folder / "iris.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_iris().X.shape == (150, 3)
