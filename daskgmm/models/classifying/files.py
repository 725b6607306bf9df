"""A classifier in a model file: the document of its mixture, with one entry for the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from daskgmm.em.checkpoints.packing import MALFORMED
from daskgmm.errors import ModelFileError, SettingError
from daskgmm.models.classifying.sizes import loaded_sizes, stored_sizes
from daskgmm.models.files.entries import plain
from daskgmm.storage.address import Address

LEFT_OUT = ("priors", "random_state")
"""Settings that predictions do not depend on, and JSON need not hold."""


def class_entry(classifier: BaseEstimator) -> dict[str, Any]:
    """Return classes, their priors and counts, and settings as plain values.

    Raises
    ------
    SettingError
        If classes are neither numbers nor texts.
    """
    settings = {name: plain(value) for name, value in classifier.get_params().items()}
    settings["n_components"] = stored_sizes(classifier.n_components)
    classes = classifier.classes_
    return {
        "classes": [_kept(value) for value in classes.tolist()],
        "dtype": classes.dtype.str if classes.dtype.kind in "iub" else "text",
        "class_prior": plain(np.asarray(classifier.class_prior_, np.float64)),
        "class_count": plain(classifier.class_count_),
        "settings": {name: value for name, value in settings.items() if name not in LEFT_OUT},
    }


def _kept(value: Any) -> Any:
    """Return a class as JSON holds it; raise `SettingError` for one that it cannot hold."""
    if not isinstance(value, (int, str)):
        raise SettingError(
            f"The class {value!r} is neither a number nor a text, and no file can hold it. Fit "
            "with such labels."
        )
    return value


def from_entry(kind: type[Any], entry: Mapping[str, Any], address: Address) -> Any:
    """Return the classifier of an entry, without its mixture; raise if the entry is damaged."""
    try:
        made = kind(**entry["settings"])
        made.n_components = loaded_sizes(made.n_components)
        dtype = None if entry["dtype"] == "text" else np.dtype(entry["dtype"])
        made.classes_ = np.array(entry["classes"], dtype)
        made.class_prior_ = np.array(entry["class_prior"], np.float64)
        made.class_count_ = np.array(entry["class_count"], np.int64)
    except MALFORMED as error:
        raise ModelFileError(f"{address} is damaged: {error} in the entry of classes.") from error
    return made
