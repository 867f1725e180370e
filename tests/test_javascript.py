"""JavaScript as a language of the program writer: the same numbers as the NumPy program's."""

import numpy as np
import pytest
from javascript import javascript, like
from test_program import GRADIENTS, VALUES
from test_random_programs import like as direction

from comp551ad import pytrees
from comp551ad.autodiff.primitives import PRIMITIVES
from comp551ad.autodiff.program import write_gradient, write_value
from comp551ad.autodiff.tape import apply
from comp551ad.autodiff.trace import record

__all__ = ["javascript"]


def same_numbers(javascript, write, f, *example, args=None, rtol=1e-12):
    args = example if args is None else args
    expected = write(f, *example)(*args)
    program = write(f, *example, language="javascript")
    found = like(javascript(program.source, *args), expected)
    for x, y in zip(pytrees.leaves(found), pytrees.leaves(expected), strict=True):
        size = np.max(np.abs(y), initial=0.0) if np.all(np.isfinite(y)) else 0.0
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * size)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive(name, javascript):
    primitive = PRIMITIVES[name]
    for operands, parameters in primitive.examples:

        def y(xs, parameters=parameters):
            return apply(primitive, xs, dict(parameters))

        same_numbers(javascript, write_value, y, operands)
        weights = direction([record(y, operands).result], 1)[0]
        same_numbers(
            javascript,
            lambda f, *a, **k: write_gradient(f, *a, value=True, **k),
            lambda xs, w: np.sum(w * y(xs)),
            operands,
            weights,
        )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("case", [*VALUES, *GRADIENTS])
def test_numbers_at_the_edges(case, javascript):
    write, cases = (
        (write_value, VALUES) if case in VALUES else (write_gradient, GRADIENTS)
    )
    f, example, args = cases[case]
    same_numbers(javascript, write, f, *example, args=args)
