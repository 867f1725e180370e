"""Students' answers for lecture 08: right answers in other styles."""

import numpy as np

from comp551ad import jvp


def swing(**changed):
    right = dict(t1=0, t2=1, t3="a1*t2 + a2*t1", t4="t3*cos(a3)")
    right |= dict(t5="t2*a4 + a2*t4", t6="-t2*sin(a2)", t7="t5 - t6")
    return lambda: right | changed


def up_numbered(rows, seeds):
    t = np.zeros(len(rows))
    for i, operands in rows.items():
        t[i - 1] = seeds.get(i, 0.0) + sum(s * t[j - 1] for j, s in operands)
    return t


class Pair:
    def __init__(self, value, tangent=0.0):
        self.value, self.tangent = value, tangent

    def __add__(self, b):
        return type(self)(self.value + b.value, self.tangent + b.tangent)

    def __mul__(self, b):
        moving = self.value * b.tangent + self.tangent * b.value
        return type(self)(self.value * b.value, moving)

    def __sub__(self, b):
        return self + type(self)(-b.value, -b.tangent)

    def __truediv__(self, b):
        slope = -1 / b.value**2
        return self * type(self)(1 / b.value, slope * b.tangent)

    def exp(self):
        e = np.exp(self.value)
        return type(self)(e, e * self.tangent)


def along_quotient(f, p, v):
    u, h = v / np.linalg.norm(v), 1e-5
    return (f(p + h * u) - f(p - h * u)) / (2 * h)


def along_afterwards(f, p, v):
    return jvp(f, (p,), (v,))[1] / np.sqrt(np.sum(v**2))


RIGHT = {
    "tangents_of_the_swing": [
        swing(t3="w", t4="w*cos(w*x)", t5="sin(w*x) + x*t4", t6="-sin(x)"),
    ],
    "wrong_dot": [lambda: {"row": "T5", "formula": "(a2 * t1 + a1 * t2) / (1 + a3)"}],
    "tangents_upwards": [up_numbered],
    "Dual": [Pair],
    "slope_along": [along_afterwards, along_quotient],
}
