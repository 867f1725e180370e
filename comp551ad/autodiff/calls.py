"""One call of a function, recorded, and which of its arguments are differentiated by.

``argnum`` is a position, a parameter's name, or a tuple of them; arguments may be containers; a
call may use keywords, defaults and ``*args``. Here all of that becomes a list of recorded inputs
in the caller's structure, so that ``transforms`` is only about derivatives.

Reads: ``traced``, ``trace``, ``pytrees``. Read by: ``transforms``.
"""

from typing import NamedTuple

from comp551ad import pytrees

from .trace import bind, names_by_place, read_outputs, signature_of
from .traced import as_input, new_tape

# ---------------------------------------------------------------- one recorded call


class Call(NamedTuple):
    """A function's recorded call.

    Attributes:
        rows: the tape; its first rows are the inputs.
        inputs: the inputs in the caller's structure.
        output: what the function returned, in its structure, as values.
        out_rows, out_values: per leaf of the output.
    """

    rows: list
    inputs: tuple
    output: object
    out_rows: list
    out_values: list

    def input_values(self):
        return [leaf.value for leaf in pytrees.leaves(self.inputs)]


def _record_call(f, args, positions, name_of) -> Call:
    """Call f with the arguments at ``positions`` traced and all others as they are."""
    args, inputs = list(args), []
    with new_tape() as tape:
        for position in positions:
            tree = args[position]
            traced = [
                tape.add_input(as_input(leaf, lambda: name_of(position, n)))  # noqa: B023
                for n, leaf in enumerate(pytrees.leaves(tree))
            ]
            args[position] = pytrees.unflatten(tree, iter(traced))  # f's own, to change
            inputs.append(pytrees.unflatten(tree, iter(traced)))
        result = f(*args)
        out_rows, out_values = read_outputs(result, tape)
    output = pytrees.unflatten(result, iter(out_values))
    return Call(tape.rows, tuple(inputs), output, out_rows, out_values)


# ---------------------------------------------------------------- which arguments


class Chosen:
    """The argument or arguments that ``argnum`` means, worked out for each call."""

    def __init__(self, f, argnum):
        self.f = f
        self.single = not isinstance(argnum, tuple)
        self.argnums = (argnum,) if self.single else argnum
        for a in self.argnums:
            if isinstance(a, bool) or not isinstance(a, int | str):
                raise TypeError(
                    f"argnum: got {argnum!r}, expected a position (0 is the first), a "
                    "parameter's name, or a tuple of them"
                )
        by_name = any(isinstance(a, str) for a in self.argnums)
        place = {name: k for k, name in enumerate(names_by_place(f) if by_name else ())}
        self.places = [place.get(a, a) for a in self.argnums]
        self.by_place = not any(isinstance(a, str) for a in self.places)
        self.among = {}  # number of arguments -> the chosen ones' positions

    def record(self, args, kwargs) -> Call:
        """The recorded call, with the chosen arguments traced."""
        if kwargs or not self.by_place:
            return self._record_by_name(args, kwargs)
        positions = self.among.get(len(args))
        if positions is None:
            positions = self._positions(self.places, len(args))
            self.among[len(args)] = positions
        return _record_call(
            self.f, args, positions, lambda *leaf: self._name(args, *leaf)
        )

    def _positions(self, places, count) -> list[int]:
        """Positions among so many arguments; a negative place counts from the end."""
        for place in places:
            if not -count <= place < count:
                raise TypeError(
                    f"argnum: got {place}, but the function was called with {count} "
                    "arguments"
                )
        positions = [place % count for place in places]
        if len(set(positions)) != len(positions):
            raise TypeError(f"argnum: got {self.argnums}, an argument named twice")
        return positions

    def _record_by_name(self, args, kwargs) -> Call:
        """The same for a call with keywords: every argument gets a place of its own, in the
        order of the parameters, each of f's *args too."""
        bound = bind(self.f, args, kwargs)
        parameters = signature_of(self.f).parameters.values()
        star = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]
        slots = []  # (parameter, which of its *args or None for all of it)
        for name, value in bound.arguments.items():
            apart = name in star and name not in self.argnums
            slots += [(name, k) for k in range(len(value))] if apart else [(name, None)]

        def f(*values):
            arguments = dict.fromkeys(bound.arguments, ())
            for (name, k), value in zip(slots, values, strict=True):
                arguments[name] = value if k is None else (*arguments[name], value)
            bound.arguments.update(arguments)
            return self.f(*bound.args, **bound.kwargs)

        values = [
            bound.arguments[name] if k is None else bound.arguments[name][k]
            for name, k in slots
        ]
        places = [self._place(argnum, slots, star) for argnum in self.argnums]
        positions = self._positions(places, len(slots))

        def name_of(position, leaf):
            name, k = slots[position]
            name = name if k is None else f"{name}[{k}]"
            return pytrees.leaf_names(values[position], name)[leaf]

        return _record_call(f, values, positions, name_of)

    def _place(self, argnum, slots, star) -> int:
        """The place among the slots that an argnum means."""
        if isinstance(argnum, int):
            names = names_by_place(self.f)
            if argnum < 0 or (argnum >= len(names) and not star):
                return argnum  # from the end, or too large
            if argnum < len(names):
                slot = (names[argnum], None)
            else:
                slot = (*star, argnum - len(names))
        else:
            slot = (argnum, None)
        if slot not in slots:
            names = ", ".join(dict.fromkeys(name for name, _ in slots))
            raise TypeError(
                f"argnum: got {argnum!r}, expected one of {names} (the arguments of this "
                "call), or the position of one of them"
            )
        return slots.index(slot)

    def _name(self, args, position, leaf):
        """What an error calls the n-th leaf of an argument."""
        try:
            parameter = list(bind(self.f, args, {}).arguments)[position]
        except (TypeError, IndexError):
            parameter = f"argument {position}"
        return pytrees.leaf_names(args[position], parameter)[leaf]

    def unpack(self, gradients):
        """One argument's gradient stands alone; several make a tuple."""
        return gradients[0] if self.single else gradients
