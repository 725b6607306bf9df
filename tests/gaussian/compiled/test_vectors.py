"""Exponentials and logarithms of the compiled kernel against exact ones."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

LOG_2 = Decimal(2).ln()


def each(library, name, x):
    """Return a function of all x, whose number is a multiple of 8."""
    given, found = (np.zeros(len(x) + 8) for _ in range(2))
    given, found = (each[-each.ctypes.data % 64 // 8 :][: len(x)] for each in (given, found))
    given[:] = x
    getattr(library.functions, name)(given.ctypes.data, found.ctypes.data, len(x))
    return found


def places(found, exact):
    """Return the largest error in units of the last place."""
    errors = (abs(Decimal(float(a)) - b) for a, b in zip(found, exact, strict=True))
    units = (Decimal(float(np.spacing(abs(a)))) for a in found)
    return max(error / unit for error, unit in zip(errors, units, strict=True))


@pytest.mark.parametrize(("name", "largest"), [("powers_of_two", 1.0), ("powers_by_table", 1.5)])
def test_powers_of_two_are_right_to_the_last_place(loaded, name, largest):
    x = np.concatenate([np.linspace(-937.75, 0.0, 4001), -np.arange(0, 937) - 0.5, [-0.0] * 6])
    x = np.sort(x)[: len(x) // 8 * 8]
    with localcontext() as context:
        context.prec = 40
        exact = [Decimal(2) ** Decimal(float(each)) for each in x]
        for library in loaded:
            assert places(each(library, name, x), exact) < largest


def test_logarithms_are_right_near_1_and_far_from_it(loaded):
    near = 1.0 + np.concatenate([[-1e-15, 1e-15, 1e-300], np.geomspace(1e-12, 0.5, 1000)])
    x = np.concatenate([near, 1.0 / near, np.sqrt(0.5) + np.linspace(-1e-15, 1e-15, 10)])
    x = np.concatenate([x, 10.0 ** np.arange(-300, 300), 2.0 ** np.arange(-1000, 1000)])
    x = x[: len(x) // 8 * 8]
    with localcontext() as context:
        context.prec = 40
        exact = [Decimal(float(each)).ln() / LOG_2 for each in x]
        for library in loaded:
            assert places(each(library, "logarithms", x), exact) < 5


def test_instructions_change_no_bit(loaded):
    random = np.random.default_rng(0)
    for name, x in (
        ("powers_of_two", -random.uniform(0, 937, 8000)),
        ("powers_by_table", -random.uniform(0, 937, 8000)),
        ("logarithms", random.lognormal(0, 20, 8000)),
    ):
        first, *others = (each(library, name, x) for library in loaded)
        assert all(np.array_equal(first, other) for other in others)
