"""Answers through the pipe: verdicts are the same as without a pipe."""

import ctypes
import os
import threading
from dataclasses import replace

import numpy as np
import pytest

from comp551ad.exercises.catalogue import catalogue
from comp551ad.exercises.checking import judge
from comp551ad.exercises.grade import wire
from comp551ad.exercises.grade.answering import apply
from comp551ad.exercises.grade.wire import Peer, Remote, Stopped


class Ends:
    """Two ends of a pipe; the other end, in a thread, serves the objects in `names`."""

    def __init__(self):
        (read_1, write_1), (read_2, write_2) = os.pipe(), os.pipe()
        self.files = [
            *(os.fdopen(end, "rb") for end in (read_1, read_2)),
            *(os.fdopen(end, "wb") for end in (write_1, write_2)),
        ]
        self.names = {}
        one, other, to_one, to_other = self.files
        self.here = Peer(one, to_other)
        asked = {"apply": apply, "get": self.names.get}
        self.there = Peer(other, to_one, asked)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        try:
            self.there.serve()
        except Stopped:
            pass

    def through(self, value):
        """What a value at the other end is here."""
        self.names["it"] = value
        return self.here.ask("get", "it")

    def sends(self, data):
        """Make the other end write these bytes."""
        os.write(self.files[2].fileno(), data)

    def stop(self):
        """Stop the answer that is running at the other end, or it would slow down all tests."""
        thread, error = ctypes.c_ulong(self.thread.ident), ctypes.py_object(SystemExit)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, error)


@pytest.fixture
def ends():
    made = Ends()
    yield made
    made.files[3].close()  # ends the thread's input, and so the thread
    made.thread.join(60)
    assert not made.thread.is_alive()
    for file in made.files:
        file.close()


# --- plain values ---------------------------------------------------------------------

PLAIN = [
    *(None, True, 0, -7, 2**9000, 0.1, float("inf"), 1 + 2j, "é \ud800 \0", ...),
    *([], [1, [2.0, "x"]], (), (1, (2,)), {1, 2}, frozenset({3}), {"a": {2: (3,)}}),
    *(np.float64(0.1), np.int8(3), np.bool_(True), np.datetime64("2026-01-01")),
    *(np.zeros((0, 3)), np.arange(6).reshape(2, 3).T, np.array(5.0), np.array(["ab"])),
]


def same(one, other):
    if isinstance(one, np.ndarray):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and (one == other).all()
        )
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("value", PLAIN, ids=range(len(PLAIN)))
def test_plain_values_arrive_as_they_are(ends, value):
    assert same(ends.through(value), value)


def test_an_array_may_be_written_into_when_it_has_arrived(ends):
    ends.through(np.zeros(3))[0] = 1


# --- references -----------------------------------------------------------------------


class Money:
    def __init__(self, pounds):
        self.pounds = pounds

    def __add__(self, other):
        return Money(self.pounds + getattr(other, "pounds", other))

    __radd__ = __add__


def test_objects_stay_there_and_are_used_from_here(ends):
    money = ends.through(Money)(2)
    assert isinstance(money, Remote) and type(money).__name__ == "Money"
    assert ((money + 3) + money).pounds == 7 and (1 + money).pounds == 3
    with pytest.raises(AttributeError, match="no attribute 'pence'"):
        _ = money.pence


def test_nothing_of_theirs_decides_a_comparison_here(ends):
    class Yes:
        __eq__ = __array_ufunc__ = __array_function__ = lambda *_: True
        __hash__ = object.__hash__

    yes = ends.through(Yes())
    assert yes != 1 and yes != ends.through(Yes())
    with pytest.raises(TypeError):
        np.allclose(yes, 1.0)


def test_what_a_call_does_to_its_arguments_is_done_here(ends):
    def spoil(a, b, c):
        a[0], b["k"] = 9, 1
        b.pop("x")
        c.append(3)

    a, b, c = np.zeros(2), {"x": 0}, [1, 2]
    ends.through(spoil)(a, b, c)
    assert a[0] == 9 and b == {"k": 1} and c == [1, 2, 3]


def test_a_function_comes_back_as_itself(ends):
    def mine(x):
        return x

    assert ends.through(lambda f: f)(mine) is mine


def test_errors_arrive_with_their_class_and_those_from_here_come_back(ends):
    class Mine(RuntimeError):
        """A class that only one end knows."""

    def fails(w):
        raise Mine("again")

    with pytest.raises(Mine, match="again"):
        ends.through(lambda f: f(1))(fails)
    with pytest.raises(np.linalg.LinAlgError):
        ends.through(np.linalg.inv)(np.zeros((2, 2)))
    with pytest.raises(KeyError, match="'k'"):
        ends.through({}.__getitem__)("k")
    with pytest.raises(SystemExit):
        ends.through(lambda: exit(3))()


# --- an end that lies -----------------------------------------------------------------


@pytest.mark.parametrize(
    "message, why",
    [
        (b"hello\n", "sent something unreadable"),
        (b'""\n', "sent something unreadable"),
        (b'["gave"]\n', None),  # without a value
        (b'["gave",{"x":[]}]\n', "sent something unreadable"),
        (b'["gave",{"back":[5]}]\n', "sent something unreadable"),
        (b'["raised",1,2,3,4]\n', "sent something unreadable"),
        (b"[" * 10_000 + b"\n", "sent something unreadable"),
        (b" " * 20_000, "sent more than 0 MB"),
    ],
)
def test_whatever_is_sent_stops_the_peer_at_most(ends, monkeypatch, message, why):
    monkeypatch.setattr(wire, "MAX_MESSAGE_BYTES", 15_000)
    ends.sends(message)
    if why is None:
        assert ends.here.ask("get", "it") == []
        return
    with pytest.raises(Stopped):
        ends.here.ask("get", "it")
    assert str(ends.here.gone) == why


def test_the_other_end_may_call_what_it_was_given_and_nothing_else(ends):
    assert ends.here.serves.keys() == {"call"}


def test_objects_are_never_unpickled(ends):
    with pytest.raises(ValueError):
        wire.Peer(*ends.files[1:3]).unpack({"array": ["|O", [1], "gASV"]})


# --- every mistake of every exercise --------------------------------------------------

MISTAKES = [
    pytest.param(name, mistake, id=f"{name}-{k}")
    for name, exercise in catalogue().items()
    for k, mistake in enumerate(exercise.mistakes)
]


def unruled(name):
    """An exercise that forbids nothing, as our own answers may use the library."""
    return replace(catalogue()[name], forbidden=())


def handed_in(exercise, mistake):
    """The mistake as a complete answer: if it has only some entries, the others are right."""

    def answer(*arguments):
        given = mistake.wrong(*arguments)
        right = exercise.witness(*arguments) if isinstance(given, dict) else None
        if isinstance(right, dict):
            given = right | given
        return given

    return mistake.wrong if isinstance(mistake.wrong, type) else answer


# Some mistakes overflow or divide by 0; their results are judged all the same.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name, mistake", MISTAKES)
def test_every_mistake_is_found_under_its_own_name_here_and_there(ends, name, mistake):
    exercise = unruled(name)
    answer = handed_in(exercise, mistake)
    here, there = judge(exercise, answer), judge(exercise, ends.through(answer))
    assert here.status == "not yet"
    assert mistake.name in [found.split(": ")[-1] for found in here.mistakes]
    if ends.here.gone:  # it doesn't terminate, so the grader decides
        ends.stop()
    else:
        assert (there.status, there.mistakes) == (here.status, here.mistakes)


@pytest.mark.parametrize("name", list(catalogue()))
def test_a_right_answer_passes_through_the_pipe(ends, name):
    assert judge(unruled(name), ends.through(catalogue()[name].witness)).passed
