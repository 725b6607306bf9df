"""Outputs of predictions that are of classes: their labels, and posteriors by label."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.models.predictions.output import CLASS, Asked, Make, Output
from daskgmm.models.predictions.outputs import OUTPUTS
from daskgmm.models.predictions.posterior import Posterior
from daskgmm.rows.companions.coded import UNKNOWN_CLASS

NOT_IN_FLAGS = re.compile(r"[^A-Za-z0-9_.+@-]")
"""What the words of flag_meanings may not have, by section 3.5 of the CF conventions."""

LABEL, POSTERIOR = "label", "posterior"


def class_outputs(classes: NDArray[Any]) -> dict[str, Make]:
    """Return what makes the outputs of classes (c,), of a mixture whose clusters they are."""
    values = tuple(classes.tolist())
    return {LABEL: partial(_label, values), POSTERIOR: partial(_posterior, values)}


def no_class(classes: Collection[Any]) -> int:
    """Return what a row that misses a value has for a label among numbers, which is no class."""
    return UNKNOWN_CLASS - 1 if UNKNOWN_CLASS in classes else UNKNOWN_CLASS


def _label(classes: tuple[Any, ...], asked: Asked) -> list[Output]:
    """Return the labels: classes that are numbers as they are, names as their places.

    Zarr has no stable type of texts, and a place takes a byte: flags say what it stands for.
    """
    (places,) = OUTPUTS["cluster"](asked)
    named = replace(places, name=LABEL, classes=classes, attributes={})
    if named.names:
        return [replace(named, attributes=_about(asked, classes, range(len(classes)), named.fill))]
    fill = no_class(classes)
    table = np.append(np.array(classes, np.int64), fill)
    about = _about(asked, classes, classes, fill)
    compute = partial(_numbers_of, table, places.compute)
    dtype = np.min_scalar_type(min(int(table.min()), -int(table.max()) - 1))
    return [replace(named, dtype=dtype, fill=fill, attributes=about, compute=compute)]


def _numbers_of(table: NDArray[np.int64], places: Any, posterior: Posterior) -> NDArray[Any]:
    return np.asarray(table[places(posterior)])


def _about(asked: Asked, classes: tuple[Any, ...], values: Any, fill: float) -> dict[str, Any]:
    gap = [(int(fill), "missing")] if asked.missing else []
    flags = gap + [(int(v), _word(c)) for v, c in zip(values, classes, strict=True)]
    return {
        **about_labels(()),
        "flag_values": [value for value, _ in flags],
        "flag_meanings": " ".join(word for _, word in flags),
        "classes": [value if isinstance(value, int) else str(value) for value in classes],
    }


def about_labels(classes: Collection[Any]) -> dict[str, Any]:
    """Return the attributes of a labelled array of classes themselves."""
    about: dict[str, Any] = {"long_name": "most probable class"}
    if all(type(value) is int for value in classes):
        about["flag_values"] = list(classes)
        about["flag_meanings"] = " ".join(_word(value) for value in classes)
    return about


def _word(label: Any) -> str:
    """Return a class as a word that flag_meanings may have."""
    return NOT_IN_FLAGS.sub("_", str(label)) or "_"


def _posterior(classes: tuple[Any, ...], asked: Asked) -> list[Output]:
    (found,) = OUTPUTS["cluster_posterior"](asked)
    about = found.attributes | {"long_name": "posterior probability of the class"}
    return [replace(found, name=POSTERIOR, dims=(CLASS,), classes=classes, attributes=about)]
