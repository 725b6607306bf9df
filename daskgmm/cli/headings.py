"""Headings of help, and the options below them."""

from __future__ import annotations

from collections.abc import Iterable

import click

OWN = "Options"
"""Heading of options that stand below no other one: those of a command alone."""

HEADINGS = {
    "Data": (
        *("columns", "variables", "features", "missing", "labels"),
        *("weights", "weight-column", "weights-are", "noise-variance", "storage-option"),
    ),
    "Model": (
        *("components", "covariance", "n-factors", "criterion", "noise", "tails", "n-candidates"),
        *("standardise", "pca", "reg-covar", "prior", "equal-weights"),
        *("bayesian", "weight-concentration-prior", "mean-precision-prior"),
        *("degrees-of-freedom-prior", "classifier", "structures", "class-priors"),
    ),
    "Starting and stopping": (
        *("n-init", "init", "seed", "sample-rows", "acceleration", "max-iter", "tol"),
        *("precision", "checkpoint"),
    ),
    "Where it runs": (
        *("threads", "cache", "scheduler", "scheduler-file", "cluster", "cluster-options"),
        *("retries", "stall-timeout"),
    ),
    "Output": (
        *("out", "outputs", "dtype", "top", "chunks", "shards", "key"),
        *("table", "plot", "json", "log-json", "overwrite", "quiet"),
    ),
    "Other": ("config", "import", "help"),
}
"""Long names of options by their heading, in the order in which help lists them."""


def by_heading(params: Iterable[click.Parameter]) -> dict[str, list[click.Parameter]]:
    """Return the options of a command by their heading, in the order of `HEADINGS`."""
    own: list[click.Parameter] = []
    named: dict[str, click.Parameter] = {}
    known = {name for names in HEADINGS.values() for name in names}
    for param in params:
        if isinstance(param, click.Option) and not param.hidden:
            name = long_name(param)
            if name in known:
                named[name] = param
            else:
                own.append(param)
    found = {
        heading: [named[name] for name in names if name in named]
        for heading, names in HEADINGS.items()
    }
    return {heading: each for heading, each in {OWN: own, **found}.items() if each}


def long_name(param: click.Parameter) -> str:
    """Return the long name of an option, or the name of an argument, as users write it."""
    if isinstance(param, click.Argument):
        return str(param.name).replace("_", "-")
    return max(param.opts, key=len).lstrip("-")
