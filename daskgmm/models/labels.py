"""Labels of rows in a fit: what they are, and the classes of components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import Companions
from daskgmm.em.label_counts import LabelCounts, count_labels
from daskgmm.em.labelling import Labelling
from daskgmm.em.settings import Settings
from daskgmm.errors import SettingError
from daskgmm.rows.coded import CodedRows
from daskgmm.rows.rows import Rows


def with_labels(beside: Companions[Rows], settings: Settings) -> tuple[Companions[Rows], Settings]:
    """Return labels that name components as codes, and the settings of a fit with them.

    Without a known label they are those of a fit without labels.
    """
    if beside.labels is None:
        return beside, settings
    k = settings.n_components
    counts = count_labels(beside.labels, most=k)
    values = np.arange(k)
    return with_classes(beside, settings, counts, values, range(k))


def with_classes(
    beside: Companions[Rows],
    settings: Settings,
    found: LabelCounts,
    values: NDArray[Any],
    classes: Sequence[int],
) -> tuple[Companions[Rows], Settings]:
    """Return labels with these sorted values as codes, and the settings of a fit with them.

    `classes` are those of components, (k,).
    """
    if not len(found.values):
        return replace(beside, labels=None), settings
    _check_settings(settings)
    assert beside.labels is not None, "labels were counted"
    labelling = Labelling(tuple(classes), found.all_of(values))
    coded = replace(beside, labels=CodedRows(beside.labels, values))
    return coded, replace(settings, labelling=labelling)


def _check_settings(settings: Settings) -> None:
    """Raise `SettingError` for a mixture whose rows can have no labels."""
    because = None
    if settings.bayesian is not None:
        because = "a Bayesian mixture"
    elif settings.outliers is not None:
        because = "a mixture with noise or tails"
    elif settings.marginalise:
        because = "missing='marginalise'"
    if because is not None:
        raise SettingError(
            f"Labels of rows do not go with {because}, where more than its class decides on the "
            "densities of a row. Fit without labels, or a GaussianMixture without it."
        )
