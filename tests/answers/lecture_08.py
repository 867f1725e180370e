"""What students hand in for lecture 08: wrong answers by their mistake, and right ones."""

import numpy as np

from comp551ad import jvp


def swing(**changed):
    right = dict(d1=0, d2=1, d3="a1*d2 + a2*d1", d4="d3*cos(a3)")
    right |= dict(d5="d2*a4 + a2*d4", d6="-d2*sin(a2)", d7="d5 - d6")
    return lambda: right | changed


def erratum(row, formula):
    return lambda: {"row": row, "formula": formula}


def up_overwritten(rows, seeds):
    t = {}
    for i in rows:
        t[i] = seeds.get(i, 0.0)
        for j, slope in rows[i]:
            t[i] = slope * t[j]
    return list(t.values())


def up_without_slopes(rows, seeds):
    t = {}
    for i in rows:
        t[i] = seeds.get(i, 0.0)
        for j, _ in rows[i]:
            t[i] += t[j]
    return list(t.values())


def up_without_tangents(rows, seeds):
    t = {}
    for i in rows:
        t[i] = seeds.get(i, 0.0)
        for _, slope in rows[i]:
            t[i] += slope
    return list(t.values())


def up_multiplied(rows, seeds):
    t = {}
    for i in rows:
        t[i] = 1.0 if rows[i] else seeds.get(i, 0.0)
        for j, slope in rows[i]:
            t[i] *= slope * t[j]
    return [t[i] for i in rows]


def up_by_dict(rows, seeds):
    t = dict(seeds)
    for i in rows:
        if i not in t:
            t[i] = sum(slope * t[j] for j, slope in dict(rows[i]).items())
    return [t[i] for i in rows]


def up_seeded_with_one(rows, seeds):
    t = dict.fromkeys(rows, 0.0)
    for i in seeds:
        t[i] = 1.0
    for i in rows:
        for j, slope in rows[i]:
            t[i] += slope * t[j]
    return list(t.values())


def up_all_inputs(rows, seeds):
    t = {}
    for i in rows:
        t[i] = 0.0 if rows[i] else seeds.get(i, 1.0)
        for j, slope in rows[i]:
            t[i] += slope * t[j]
    return list(t.values())


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
        return type(self)(self.value - b.value, self.tangent - b.tangent)

    def __truediv__(self, b):
        q = self.value / b.value
        return type(self)(q, (self.tangent - q * b.tangent) / b.value)

    def exp(self):
        e = np.exp(self.value)
        return type(self)(e, e * self.tangent)


class PairPlus(Pair):
    def __sub__(self, b):
        return PairPlus(self.value - b.value, self.tangent + b.tangent)


class PairDivided(Pair):
    def __truediv__(self, b):
        return PairDivided(self.value / b.value, self.tangent / b.tangent)


class PairWithoutSquare(Pair):
    def __truediv__(self, b):
        top = self.tangent * b.value - self.value * b.tangent
        return PairWithoutSquare(self.value / b.value, top / b.value)


class PairSwapped(Pair):
    def __truediv__(self, b):
        top = self.value * b.tangent - self.tangent * b.value
        return PairSwapped(self.value / b.value, top / b.value**2)


class PairSum(Pair):
    def __truediv__(self, b):
        top = self.value * b.tangent + self.tangent * b.value
        return PairSum(self.value / b.value, top / b.value**2)


class PairConstant(Pair):
    def __truediv__(self, b):
        return PairConstant(self.value / b.value, self.tangent / b.value)


class PairExp(Pair):
    def exp(self):
        return PairExp(np.exp(self.value), np.exp(self.tangent))


class PairSlope(Pair):
    def exp(self):
        return PairSlope(np.exp(self.value), np.exp(self.value))


class PairPower(Pair):
    def exp(self):
        slope = self.value * np.exp(self.value - 1)
        return PairPower(np.exp(self.value), slope * self.tangent)


class PairInPlace(Pair):
    def __sub__(self, b):
        self.value -= b.value
        self.tangent -= b.tangent
        return self


class PairUnfinished(Pair):
    def exp(self):
        raise NotImplementedError()


class PairNone(Pair):
    def __sub__(self, b):
        PairNone(self.value - b.value, self.tangent - b.tangent)

    __add__ = __sub__


class PairByRules(Pair):
    def __sub__(self, b):
        return self + PairByRules(-b.value, -b.tangent)

    def __truediv__(self, b):
        slope = -1 / b.value**2
        return self * PairByRules(1 / b.value, slope * b.tangent)


def along_unscaled(f, p, v):
    value, tangent = jvp(f, (p,), (v,))
    return tangent


def along_squared(f, p, v):
    return jvp(f, (p,), (v,))[1] / (v @ v)


def along_by_sum(f, p, v):
    return jvp(f, (p,), (v / v.sum(),))[1]


def along_value(f, p, v):
    return jvp(f, (p,), (v / np.linalg.norm(v),))[0]


def along_both(f, p, v):
    return jvp(f, (p,), (v / np.linalg.norm(v),))


def along_axes(f, p, v):
    return np.array([jvp(f, (p,), (e,))[1] for e in np.eye(len(p))])


def along_p(f, p, v):
    return jvp(f, (v,), (p / np.linalg.norm(v),))[1]


def along_in_place(f, p, v):
    v /= np.linalg.norm(v)
    return jvp(f, (p,), (v,))[1]


def along_quotient(f, p, v):
    u, h = v / np.linalg.norm(v), 1e-5
    return (f(p + h * u) - f(p - h * u)) / (2 * h)


def along_afterwards(f, p, v):
    return jvp(f, (p,), (v,))[1] / np.sqrt(np.sum(v**2))


WRONG = {
    "tangents_of_the_swing": [
        (swing(d1=1, d2=0), "not the seeds of x"),
        (swing(d4="cos(a3)"), "the slope without the operand's tangent"),
        (swing(d5="a2*d4"), "one term of the product rule alone"),
        (swing(d5="a4"), "one term of the product rule alone"),
        (swing(d5="d2*d4"), "the product of the tangents"),
        (swing(d4="cos(d3)"), "the slope is taken at the tangent"),
        (swing(d6="sin(a2)*d2"), "derivative of cos as + sin"),
        (swing(d7="d5 + d6"), "the difference became a sum"),
        (swing(d6="-cos(a2)"), None),
    ],
    "wrong_dot": [
        (erratum("d6", "d4 / a4"), "that row follows its rule"),
        (erratum("d4", "d4 / a4"), "that row follows its rule"),
        (erratum("d5", "d4 / a3"), "as it stands in the table"),
        (erratum("d5", "1 / a4"), "the slope without the operand's tangent"),
        (erratum("d5", "d4 / log(a4)"), "one over the logarithm itself"),
        (erratum("d5", "log(d4)"), "a logarithm of the tangent"),
    ],
    "tangents_upwards": [
        (up_overwritten, "overwrote instead of added"),
        (up_without_slopes, "the slopes are left out"),
        (up_without_tangents, "the tangents of the operands are left out"),
        (up_multiplied, "multiplied where the terms are added"),
        (up_by_dict, "an operand that is used twice is counted once"),
        (up_seeded_with_one, "every seed is 1"),
        (up_all_inputs, "every input moves"),
    ],
    "Dual": [
        (PairPlus, "the tangents are added"),
        (PairDivided, "the tangents are divided"),
        (PairWithoutSquare, "the square under the fraction is missing"),
        (PairSwapped, "the terms of the quotient rule have changed places"),
        (PairSum, "a plus in the quotient rule"),
        (PairConstant, "the denominator is taken for a constant"),
        (PairExp, "the exponential of the tangent"),
        (PairSlope, "the slope without the tangent"),
        (PairPower, "the power rule for an exponential"),
        (PairInPlace, "an operand is changed on the way"),
        (PairUnfinished, "not finished"),
        (PairNone, "it raises AttributeError"),
    ],
    "slope_along": [
        (along_unscaled, "a walk of length |v|, not of length 1"),
        (along_squared, "divided by the length twice"),
        (along_by_sum, "divided by the sum of the entries"),
        (along_value, "the value of f, not its tangent"),
        (along_both, "value and tangent together"),
        (along_axes, "the whole gradient"),
        (along_p, "point and direction have changed places"),
        (along_in_place, "it changes its input in place"),
    ],
}

RIGHT = {
    "tangents_of_the_swing": [
        swing(d3="w", d4="w*cos(w*x)", d5="sin(w*x) + x*d4", d6="-sin(x)"),
    ],
    "wrong_dot": [erratum("D5", "(a2 * d1 + a1 * d2) / (1 + a3)")],
    "tangents_upwards": [up_numbered],
    "Dual": [Pair, PairByRules],
    "slope_along": [along_afterwards, along_quotient],
}
