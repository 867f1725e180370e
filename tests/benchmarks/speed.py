"""How fast are we? Ratios, measured in one run.

    python tests/benchmarks/speed.py                 # default threads
    python tests/benchmarks/speed.py --one-thread    # the whole process on one core

Each row does the same work in several ways, interleaved: every round runs each way once, so that
a machine that slows down slows all of them. Prints the median over the rounds of the time relative
to the first way's, so a number below 1 is faster. With ``--one-thread`` this is processor time,
which excludes other programs, otherwise wall-clock time.

Processor time counts every thread of the process, including library threads that spin while they
wait. So ``--one-thread`` pins the process to one core before any library is imported: threads
inherit that, a waiting one yields to the working one, and libraries that count the cores find one.

Other libraries take part if they are installed: ``pip install autograd scipy torch jax``, here or
in another environment, whose site-packages ``--guests`` names. All ways must agree on the result
before anything is timed.
"""

import argparse
import functools
import importlib
import os
import platform
import statistics
import sys
import time

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--one-thread", action="store_true")
parser.add_argument("--rounds", type=int, default=25)
parser.add_argument("--steps", type=int, default=2_000, help="of the descent")
parser.add_argument("--guests", help="site-packages where torch, jax … are installed")
options = parser.parse_args()
if options.one_thread:
    if not hasattr(os, "sched_setaffinity"):
        parser.error(
            "--one-thread: this system pins no process to a core; try on Linux"
        )
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for name in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{name}_NUM_THREADS"] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
if options.guests:
    sys.path.append(options.guests)
clock = time.process_time if options.one_thread else time.perf_counter

import numpy as np  # noqa: E402

from comp551ad.autodiff.jacobians import jacobian  # noqa: E402
from comp551ad.autodiff.program import write_gradient  # noqa: E402
from comp551ad.autodiff.transforms import value_and_grad  # noqa: E402
from comp551ad.byhand.two_layer import cost, gradients  # noqa: E402
from comp551ad.datasets import load_iris  # noqa: E402


def guest(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


torch, jax = guest("torch"), guest("jax")
autograd = guest("scipy") and guest("autograd")  # whose logsumexp needs SciPy
if torch and options.one_thread:
    torch.set_num_threads(1)
if jax:
    jax.config.update("jax_enable_x64", True)


# ---------------------------------------------------------------- timing


def interleaved(ways, seconds=0.02):
    """For each way, the median over the rounds of its time relative to the first way's."""
    calls = {}
    for name, way in ways.items():
        way()
        start = clock()
        way()
        once = clock() - start
        calls[name] = max(1, int(seconds / max(once, 1e-9)))
    taken = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            start = clock()
            for _ in range(calls[name]):
                way()
            taken[name].append((clock() - start) / calls[name])
    first = taken[next(iter(ways))]
    return {
        name: statistics.median(t / base for t, base in zip(own, first, strict=True))
        for name, own in taken.items()
    }


def report(title, ways):
    print(f"\n{title}")
    for name, ratio in interleaved(ways).items():
        print(f"    {name:34s} {ratio:9.3f}", flush=True)


def agree(results):
    """Check that all ways return the first one's numbers."""
    first, *others = [[np.asarray(a) for a in r] for r in results]
    for other in others:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-10)


# ---------------------------------------------------------------- the deck's network


def torch_gradients(X, Y, W, V):
    X, Y = torch.from_numpy(X), torch.from_numpy(Y)

    def way(W, V):
        W = torch.from_numpy(W).requires_grad_()
        V = torch.from_numpy(V).requires_grad_()
        U = torch.sigmoid(X @ V) @ W
        (torch.logsumexp(U, 1) - (U * Y).sum(1)).mean().backward()
        return W.grad, V.grad

    return way


def jax_gradients(X, Y, W, V):
    def loss(X, Y, W, V):
        U = jax.nn.sigmoid(X @ V) @ W
        log_sums = jax.scipy.special.logsumexp(U, axis=1)
        return jax.numpy.mean(log_sums - jax.numpy.sum(U * Y, 1))

    compiled = jax.jit(jax.grad(loss, argnums=(2, 3)))
    X, Y = jax.numpy.asarray(X), jax.numpy.asarray(Y)

    def way(W, V):
        return [d.block_until_ready() for d in compiled(X, Y, W, V)]

    return way


def autograd_gradients(X, Y, W, V):
    import autograd.numpy as anp
    from autograd.scipy.special import logsumexp

    def loss(W, V):
        Z = 1 / (1 + anp.exp(-anp.dot(X, V)))
        U = anp.dot(Z, W)
        return -anp.mean(anp.sum(U * Y, 1) - logsumexp(U, axis=1))

    return autograd.grad(loss, argnum=(0, 1))


def networks(X, Y, W, V):
    readable = write_gradient(cost, X, Y, W, V, wrt=("W", "V"))
    buffered = write_gradient(cost, X, Y, W, V, wrt=("W", "V"), buffered=True)
    eager = value_and_grad(cost, ("W", "V"))
    ways = {
        "by hand": lambda W, V: gradients(X, Y, W, V),
        "written, readable": lambda W, V: readable(X, Y, W, V),
        "written, buffered": lambda W, V: buffered(X, Y, W, V),
        "written, buffered, copy=False": lambda W, V: buffered(X, Y, W, V, copy=False),
        "eager value and gradient": lambda W, V: eager(X, Y, W, V)[1],
    }
    if torch:
        ways["PyTorch eager"] = torch_gradients(X, Y, W, V)
    if jax:
        ways["jax.jit"] = jax_gradients(X, Y, W, V)
    if autograd:
        ways["autograd"] = autograd_gradients(X, Y, W, V)
    agree([way(W, V) for way in ways.values()])
    timed = {name: (lambda way=way: way(W, V)) for name, way in ways.items()}
    return timed | {"(its matrix products alone)": matrix_products(X, Y, W, V)}


def matrix_products(X, Y, W, V):
    """The work that every way must do: the gradient's five products, into existing arrays."""
    Q, Z, U, dU = np.dot(X, V), np.dot(X, V), 0.1 * Y, 0.1 * Y
    dW, dV = W.copy(), V.copy()

    def way():
        np.dot(X, V, out=Q)
        np.dot(Z, W, out=U)
        np.dot(Z.T, dU, out=dW)
        np.dot(dU, W.T, out=Q)
        np.dot(X.T, Q, out=dV)

    return way


def descents(X, Y, W, V, steps, lr=0.1):
    """The deck's loop, with the hand-written gradient and with the generated one."""
    buffered = write_gradient(cost, X, Y, W, V, wrt=("W", "V"), buffered=True)

    def loop(gradients_of):
        def way():
            w, v = W, V
            for _ in range(steps):
                dW, dV = gradients_of(X, Y, w, v)
                if np.linalg.norm(dW) <= 1e-9:
                    break
                w, v = w - lr * dW, v - lr * dV
            return w, v

        return way

    def in_place():
        """The same, into existing arrays: w, v and the program's own dW, dV."""
        w, v = W.copy(), V.copy()
        for _ in range(steps):
            dW, dV = buffered(X, Y, w, v, copy=False)
            if np.vdot(dW, dW) <= 1e-18:
                break
            w -= np.multiply(dW, lr, out=dW)
            v -= np.multiply(dV, lr, out=dV)
        return w, v

    return {
        "the deck's loop": loop(gradients),
        "with the written gradient": loop(functools.partial(buffered, copy=False)),
        "and stepping in place": in_place,
    }


# ---------------------------------------------------------------- the tape


def chain(x, n):
    for _ in range(n // 4):
        x = x * 1.0001
        x = x + 0.5
        x = x - 0.5
        x = x * 0.9999
    return x


def tapes(x, n=1000):
    def ours(x):
        return np.sum(chain(x, n)) if np.ndim(x) else chain(x, n)

    our_gradient = value_and_grad(ours)
    ways = {"comp551ad": lambda: our_gradient(x)}
    if autograd:
        import autograd.numpy as anp

        def theirs(x):
            return anp.sum(chain(x, n)) if np.ndim(x) else chain(x, n)

        their_gradient = autograd.value_and_grad(theirs)
        ways["autograd"] = lambda: their_gradient(x)
    if torch:

        def torch_way():
            v = torch.tensor(x, dtype=torch.float64, requires_grad=True)
            torch.sum(chain(v, n)).backward()

        ways["PyTorch eager"] = torch_way
    return ways


def directions(n=64):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(n, n)) / 8

    def f(x):
        return np.tanh(np.dot(A, np.tanh(np.dot(A, x))))

    x = rng.normal(size=n)
    forward, reverse = jacobian(f, mode="forward"), jacobian(f, mode="reverse")
    np.testing.assert_allclose(forward(x), reverse(x), rtol=1e-9, atol=1e-12)
    return {"reverse": lambda: reverse(x), "forward, all at once": lambda: forward(x)}


def main():
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    versions = [f"{m.__name__} {m.__version__}" for m in (np, torch, jax) if m]
    print(
        ", ".join(versions),
        "| one core" if options.one_thread else "| threads as they come",
    )
    rng = np.random.default_rng(0)
    X, Y = load_iris()
    W, V = rng.normal(size=(16, 3)) * 0.01, rng.normal(size=(3, 16)) * 0.01
    iris = networks(X, Y, W, V)
    report("Gradient on Iris (N=150, D=3, M=16, C=3), relative to by hand", iris)
    N, D, M, C = 1024, 64, 256, 10
    large = networks(
        rng.normal(size=(N, D)),
        np.eye(C)[rng.integers(0, C, N)],
        rng.normal(size=(M, C)) * 0.1,
        rng.normal(size=(D, M)) * 0.1,
    )
    report(f"Gradient, N={N}, D={D}, M={M}, C={C}, relative to by hand", large)
    agree([way() for way in descents(X, Y, W, V, 100).values()])
    title = f"{options.steps} steps of descent on Iris, relative to the deck's loop"
    report(title, descents(X, Y, W, V, options.steps))
    report("1000 operations on a float, forward + backward", tapes(1.5))
    report("1000 operations on 10 numbers", tapes(np.linspace(1, 2, 10)))
    report("Jacobian of R^64 -> R^64, relative to reverse", directions())
    ways = {
        "one gradient by hand": lambda: gradients(X, Y, W, V),
        "record + write": lambda: write_gradient(cost, X, Y, W, V, wrt=("W", "V")),
    }
    report("Writing the program of the Iris cost", ways)


if __name__ == "__main__":
    sys.exit(main())
