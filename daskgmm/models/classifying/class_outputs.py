"""Outputs of predictions that are of classes, and classes in place of their numbers."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from daskgmm.models.predictions.output import CLASS, Asked, Make, Output
from daskgmm.models.predictions.outputs import OUTPUTS
from daskgmm.models.predictions.posteriors.posterior import Posterior
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


Values = NDArray[Any]


def decoded(numbers: Any, classes: Values) -> Any:
    """Return classes in place of their numbers, of NumPy, Dask or xarray; lazily what is lazy.

    A number of -1, of a row that misses a value, is `no_class`, or None among names.
    """
    table = _table(classes)
    if hasattr(numbers, "dims"):
        named = numbers.copy(data=decoded(numbers.data, classes)).rename(LABEL)
        named.attrs = about_labels(classes.tolist())
        return named
    if hasattr(numbers, "map_partitions"):
        meta = pd.Series(table[:0], name=LABEL)
        return numbers.map_partitions(_of_series, table, meta=meta)
    if hasattr(numbers, "map_blocks"):
        return numbers.map_blocks(_of_block, table, dtype=table.dtype)
    return _of_block(numbers, table)


def _table(classes: Values) -> Values:
    """Return the classes, and last what stands for none."""
    if classes.dtype.kind in "iu":
        # No integer type holds all of uint64 and -1, but labels are below 2**53.
        signed = np.result_type(classes.dtype, np.int8) if classes.dtype != np.uint64 else np.int64
        return np.append(classes.astype(signed), np.array([no_class(classes)], signed))
    return np.append(classes.astype(object), np.array([None], object))


def _of_block(numbers: NDArray[Any], table: Values) -> Values:
    if not len(numbers) or table.dtype.kind != "O":
        return np.asarray(table[numbers])
    found = table[numbers]
    known = table[:-1]
    if (numbers >= 0).all():
        # Names without gaps have their own type, as scikit-learn's have.
        return np.asarray(found.tolist(), np.asarray(known.tolist()).dtype)
    return np.asarray(found)


def _of_series(numbers: Any, table: Values) -> Any:
    return pd.Series(table[numbers.to_numpy()], index=numbers.index, name=LABEL)
