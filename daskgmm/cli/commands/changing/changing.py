"""Commands that read a model and rows, and write a new model file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.data import Data
from daskgmm.cli.options.workers import Workers
from daskgmm.cli.places import check_apart

Change = Callable[[Any, Any, Any], Any]
"""Callable that takes a mixture, X and weights, and returns the mixture to write."""


def write_changed(
    model: str, data: Data, out: str, workers: Workers, change: Change, *, overwrite: bool
) -> Any:
    """Write what `change` makes of the mixture in a model file, and return it."""
    check_apart({"MODEL": model, **data.places, **workers.places}, {"--out": out})
    with at_once():
        from daskgmm.models.model_file import check_free, load_to_change, save_new

    target = data.address(out)
    check_free(target, overwrite)
    mixture = load_to_change(data.address(model))
    x = data.for_mixture(mixture)
    with workers.current():
        changed = change(mixture, x, data.sample_weight(x))
    save_new(changed, target, overwrite)
    return changed
