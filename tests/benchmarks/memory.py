"""How much memory does a tape take, and how does time grow?

    python tests/benchmarks/memory.py

Bytes are those that Python's allocator was asked for (tracemalloc) while a chain of operations was
recorded. Times are processor times, printed as ratios to the shortest chain: linear growth shows as
the ratio of the lengths. Long chains are timed twice, the second time without Python's garbage
collector, which looks through all rows again each time their number has grown by a quarter.
"""

import gc
import statistics
import sys
import time
import tracemalloc

import numpy as np

from comp551ad.autodiff.program import write_gradient
from comp551ad.autodiff.tape import Tape
from comp551ad.autodiff.transforms import value_and_grad
from comp551ad.byhand.two_layer import cost, gradients


def sines(x, n):
    for _ in range(n):
        x = np.sin(x)
    return x


def sums(x, n):
    for _ in range(n):
        x = x + 0.001
    return x


def bytes_per_node(f, n=100_000):
    with Tape() as tape:
        x = tape.add_input(0.5, "x")
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        f(x, n)
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    return (after - before) / n


def seconds(way, rounds=5):
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        way()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def growth(title, lengths, way_of, rounds=5):
    times = [seconds(way_of(n), rounds) for n in lengths]
    cells = (
        f"{n:>9,}: {t / times[0]:8.1f}" for n, t in zip(lengths, times, strict=True)
    )
    print(f"\n{title}, time relative to the first")
    print("\n".join(f"    {cell}" for cell in cells), flush=True)


def network(N=150, D=3, M=16, C=3):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(N, D)), np.eye(C)[rng.integers(0, C, N)]
    return X, Y, rng.normal(size=(M, C)), rng.normal(size=(D, M))


def main():
    print("bytes per node of a tape")
    print(f"    one operand   sin(x)       {bytes_per_node(sines):6.0f}")
    print(f"    two operands  x + 0.001    {bytes_per_node(sums):6.0f}")
    gradient = value_and_grad(sums)
    lengths = (10_000, 100_000, 1_000_000)
    by_length = lambda n: lambda: gradient(0.5, n)  # noqa: E731
    growth("nodes in a chain", lengths, by_length)
    gc.disable()
    growth("nodes in a chain, without the collector", lengths, by_length)
    gc.enable()
    eager = value_and_grad(cost, ("W", "V"))

    def by_batch(N):
        arguments = network(N=N)
        return lambda: eager(*arguments)

    def by_units(M):
        arguments = network(M=M)
        return lambda: eager(*arguments)

    growth("rows of the batch", (100, 1_000, 10_000, 100_000), by_batch)
    growth("hidden units (6 parameters each)", (10, 100, 1_000, 10_000), by_units)
    arguments = network()
    written = write_gradient(cost, *arguments, wrt=("W", "V"))
    np.testing.assert_allclose(written(*arguments)[0], gradients(*arguments)[0])


if __name__ == "__main__":
    sys.exit(main())
