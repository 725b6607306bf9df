"""Ask properties: python -m tests.properties [--examples N] [--seed N] [--only NAME]."""

import argparse
import inspect
import sys
import time
import traceback
import warnings
from dataclasses import dataclass

import hypothesis
from hypothesis import Phase
from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.properties.profiles import load

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)


@dataclass
class Asked:
    """What became of one property."""

    examples: int = 0
    left_out: int = 0
    seconds: float = 0.0
    why: str = ""


def main():
    """Ask each property so many examples, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.properties", description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="of each property")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="properties with this in their names")
    parser.add_argument("--shrink", action="store_true", help="look for the smallest failure")
    asked = parser.parse_args()
    warnings.simplefilter("error")
    load(asked.examples, derandomize=False, phases=PHASES[: 4 if asked.shrink else 3])
    print(row("property", "examples", "left out", "s"), flush=True)
    findings = 0
    for name, found in properties().items():
        if asked.only in name:
            findings += show(name, ask(found, asked.seed))
    print(f"{findings} findings")
    sys.exit(findings > 0)


def properties():
    """Return properties and state machines by name."""
    # Properties take their profile when they are imported.
    from tests.properties import (
        test_beside,
        test_densities,
        test_fits,
        test_interruptions,
        test_objective,
        test_usable,
    )

    modules = test_fits, test_beside, test_densities, test_objective, test_usable
    return {
        f"{module.__name__.rpartition('.test_')[2]}: {name.removeprefix('test_')}": found
        for module in (*modules, test_interruptions)
        for name, found in vars(module).items()
        if getattr(found, "__module__", None) == module.__name__
        and (hypothesis.is_hypothesis_test(found) or is_machine(found))
    }


def is_machine(found):
    """Return whether this is a state machine."""
    return inspect.isclass(found) and issubclass(found, RuleBasedStateMachine)


def ask(found, seed):
    """Return what became of a property."""
    told = Asked()
    began = time.perf_counter()
    try:
        if is_machine(found):
            ask_machine(found, told, seed)
        else:
            inner = found.hypothesis.inner_test
            found.hypothesis.inner_test = counted(inner, told)
            try:
                hypothesis.seed(seed)(found)()
            finally:
                found.hypothesis.inner_test = inner
    except Exception as error:
        told.why = "".join(traceback.format_exception(error))
    told.seconds = time.perf_counter() - began
    return told


def ask_machine(machine, told, seed):
    """Run a state machine so many times."""

    class Counted(machine):
        def __init__(self):
            super().__init__()
            told.examples += 1

    Counted.__qualname__ = Counted.__name__ = machine.__name__
    run_state_machine_as_test(hypothesis.seed(seed)(Counted))


def counted(test, told):
    """Return a property that counts its examples."""

    def asked(*args, **kwargs):
        try:
            test(*args, **kwargs)
        except UnsatisfiedAssumption:
            told.left_out += 1
            raise
        told.examples += 1

    return asked


def show(name, told):
    """Print a line of the table, and what was found; return how many findings there are."""
    print(row(name, told.examples, told.left_out, f"{told.seconds:.0f}"), flush=True)
    if told.why:
        print(told.why[-6000:], flush=True)
    return bool(told.why)


def row(name, *cells):
    """Return a line of the table."""
    return f"{name:70}" + "".join(f"{cell!s:>10}" for cell in cells)


if __name__ == "__main__":
    main()
