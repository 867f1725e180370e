"""Running JavaScript in V8 without a page, with Playwright's copy of Node.

``javascript`` is a fixture: ``javascript(source, *args)`` imports the module and calls its default
export; arrays are passed and returned nested.
"""

import json
import math
import subprocess
from contextlib import contextmanager

import numpy as np
import pytest
from playwright._impl._driver import compute_driver_executable

from comp551ad import pytrees

# JSON has no NaN, infinity or -0, so they are sent as strings.
CALL = """
const odd = (x) => typeof x === "number" && (!Number.isFinite(x) || Object.is(x, -0));
const plain = (key, x) => (odd(x) ? { number: Object.is(x, -0) ? "-0" : String(x) } : x);
const numbers = (key, x) => (typeof x?.number === "string" ? Number(x.number) : x);
const modules = new Map();
async function call(message) {
  const { source, args } = JSON.parse(message, numbers);
  try {
    if (!modules.has(source)) {
      const url = "data:text/javascript;charset=utf-8," + encodeURIComponent(source);
      modules.set(source, await import(url));
    }
    return JSON.stringify({ result: modules.get(source).default(...args) }, plain);
  } catch (error) {
    return JSON.stringify({ error: String(error) });
  }
}
"""
# Answers each input line with one line.
ANSWER = """
require("readline").createInterface({ input: process.stdin })
  .on("line", async (line) => console.log(await call(line)));
"""


@contextmanager
def running(script, source):
    """Yield a function that passes a message to a source's ``call`` and returns its answer."""
    script.write_text(source + ANSWER, encoding="utf-8")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
    command = [compute_driver_executable()[0], script]
    with subprocess.Popen(command, **pipes) as node:

        def call(message, **how):
            print(json.dumps(message), file=node.stdin, flush=True)
            return json.loads(node.stdout.readline(), **how)

        yield call


class JavaScriptError(Exception):
    pass


def nested(x):
    """Numbers and arrays as JSON data."""
    if isinstance(x, dict):
        return {key: nested(child) for key, child in x.items()}
    if isinstance(x, list | tuple):
        return [nested(child) for child in x]
    if isinstance(x, np.ndarray | np.generic):
        return nested(x.tolist())
    if isinstance(x, float) and (not math.isfinite(x) or x == 0 and np.signbit(x)):
        return {"number": str(x).replace("inf", "Infinity").replace("nan", "NaN")}
    return x


def number(pairs):
    found = dict(pairs)
    odd = found.keys() == {"number"} and isinstance(found["number"], str)
    return float(found["number"].replace("Infinity", "inf")) if odd else found


@pytest.fixture(scope="session")
def javascript(tmp_path_factory):
    with running(tmp_path_factory.mktemp("javascript") / "call.cjs", CALL) as call:

        def javascript(source, *args):
            message = {"source": source, "args": nested(args)}
            answer = call(message, object_pairs_hook=number)
            if "error" in answer:
                raise JavaScriptError(answer["error"])
            return answer["result"]

        yield javascript


def like(found, expected):
    """A result in the containers and shapes of what was expected."""
    found = pytrees.leaves_like(found, nested_keys(expected))
    expected_leaves = pytrees.leaves(expected)
    shaped = (
        np.reshape(np.array(x, float), np.shape(e))[()]
        for x, e in zip(found, expected_leaves, strict=True)
    )
    return pytrees.unflatten(expected, shaped)


def nested_keys(tree):
    """The container with strings as keys, as in JavaScript objects."""
    if isinstance(tree, dict):
        return {str(key): nested_keys(child) for key, child in tree.items()}
    if isinstance(tree, list | tuple):
        return [nested_keys(child) for child in tree]
    return tree
