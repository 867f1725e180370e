"""Running written JavaScript in a browser, as a page does.

``javascript`` is a fixture: ``javascript(source, *args)`` imports the module and calls its default
export; arrays go in and come out nested. With CI=true a machine without a browser is a failure.
"""

import json
import math
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from comp551ad import pytrees

# JSON has no NaN, infinity or -0; as texts they make the journey.
CALL = """
const odd = (x) => typeof x === "number" && (!Number.isFinite(x) || Object.is(x, -0));
const plain = (key, x) => (odd(x) ? { number: Object.is(x, -0) ? "-0" : String(x) } : x);
const numbers = (key, x) => (typeof x?.number === "string" ? Number(x.number) : x);
const modules = new Map();
globalThis.call = async (message) => {
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
};
"""


class JavaScriptError(Exception):
    pass


def nested(x):
    """Numbers and arrays as JSON has them."""
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
def javascript():
    from playwright.sync_api import sync_playwright

    programs = ("chromium-headless-shell", "chromium", "google-chrome", "msedge")
    found = next(filter(None, map(shutil.which, programs)), None)
    if not found and os.environ.get("CI") != "true":
        pytest.skip("no browser on this machine")
    # In a thread of its own: the browser tests may have a loop running in this one.
    with ThreadPoolExecutor(1) as thread:

        def there(function, *args, **kwargs):
            return thread.submit(function, *args, **kwargs).result()

        def call(source, *args):
            message = json.dumps({"source": source, "args": nested(args)})
            answer = there(page.evaluate, "(message) => call(message)", message)
            answer = json.loads(answer, object_pairs_hook=number)
            if "error" in answer:
                raise JavaScriptError(answer["error"])
            return answer["result"]

        playwright = there(sync_playwright().start)
        options = {"executable_path": found, "args": ["--no-sandbox", "--disable-gpu"]}
        browser = there(playwright.chromium.launch, **options)
        page = there(browser.new_page)
        # A function for a value would be called at once.
        there(page.evaluate, CALL + "null")
        yield call
        there(browser.close)
        there(playwright.stop)


def like(found, expected):
    """What came back, in the containers and shapes of what was expected."""
    found = pytrees.leaves_like(found, nested_keys(expected))
    expected_leaves = pytrees.leaves(expected)
    shaped = (
        np.reshape(np.array(x, float), np.shape(e))[()]
        for x, e in zip(found, expected_leaves, strict=True)
    )
    return pytrees.unflatten(expected, shaped)


def nested_keys(tree):
    """The container with texts for keys, as JavaScript's objects have them."""
    if isinstance(tree, dict):
        return {str(key): nested_keys(child) for key, child in tree.items()}
    if isinstance(tree, list | tuple):
        return [nested_keys(child) for child in tree]
    return tree
