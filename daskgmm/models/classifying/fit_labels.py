"""Labels of a fit by the component of each class, as standard errors take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import LABELS, Companions
from daskgmm.errors import DataError, SettingError
from daskgmm.models.classifying.accuracy import NO_CLASS, Places
from daskgmm.models.inputs.rows import scoring_rows
from daskgmm.models.inputs.target import Target
from daskgmm.models.uncertainty.refusals import BOOTSTRAP
from daskgmm.rows.companions.coded import UNKNOWN_CLASS
from daskgmm.rows.companions.of_columns import named_by
from daskgmm.rows.compositions.mapped import MappedRows
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source


@dataclass(frozen=True, slots=True)
class ComponentsOfClasses:
    """From labels to the components of their classes; picklable, for blocks of rows.

    Attributes
    ----------
    places : Places
    components : ndarray of int, shape (c,)
        The component of each class.
    classes : ndarray of shape (c,)
        What errors name.
    """

    places: Places
    components: NDArray[np.intp]
    classes: NDArray[Any]

    def __call__(self, labels: NDArray[Any]) -> NDArray[np.int32]:
        """Return the component of each label, -1 of unknown ones; raise `DataError` for others."""
        flat = np.asarray(labels).reshape(-1)
        found, known = self.places(flat)
        foreign = known & (found == NO_CLASS)
        if foreign.any():
            raise no_class(f"{flat[np.argmax(foreign)]:g}", self.classes)
        components = self.components[np.where(known, found, 0)]
        codes = np.where(known, components, UNKNOWN_CLASS).astype(np.int32)
        return codes.reshape(np.shape(labels))


def no_class(label: str, classes: NDArray[Any]) -> DataError:
    """Return the error for a label that is none of the classes of a fit."""
    some = ", ".join(map(repr, classes[:8].tolist())) + (", ..." if len(classes) > 8 else "")
    return DataError(
        f"y contains {label}, which is not a class of the fit: {some}. Give the labels of the fit."
    )


def labels_by_component(mixture: Any, target: Target, classes: NDArray[Any]) -> tuple[Any, Any]:
    """Return X and labels that are numbers of components, as a mixture takes both.

    Raises
    ------
    SettingError
        If a class has several components, so that its label names none.
    DataError
        If a label is none of the classes of the fit.
    """
    clusters = np.asarray(mixture.clusters_)
    if len(clusters) != len(classes):
        raise SettingError(
            "Standard errors with labels are for one component a class, and this classifier has "
            f"{len(clusters)} components of {len(classes)} classes. Fit one component a class, or "
            f"{BOOTSTRAP}."
        )
    source, labels = target.source, target.labels
    if source.labelled:
        source, labels = _on_grid(source, labels)
    elif not isinstance(labels, (np.ndarray, Rows)):
        given: Companions[Any] = Companions(labels=labels)
        with named_by(given):
            labels = scoring_rows(mixture, source, given)[1].labels
    mapped = _mapped(target, clusters, classes)
    if isinstance(labels, np.ndarray):
        return source.x, mapped(labels)
    if isinstance(labels, Rows):
        # The wider type: plans count the bytes of what is read.
        return source.x, MappedRows(labels, mapped, np.dtype(np.int64))
    import xarray

    types = [np.int32]
    return source.x, xarray.apply_ufunc(mapped, labels, dask="parallelized", output_dtypes=types)


def _mapped(
    target: Target, clusters: NDArray[np.intp], classes: NDArray[Any]
) -> ComponentsOfClasses:
    places = Places.of(target, classes)
    if target.names is not None:
        for name, place in zip(target.names.tolist(), places.places, strict=True):
            if place == NO_CLASS:
                raise no_class(repr(name), classes)
    return ComponentsOfClasses(places, np.argsort(clusters), classes)


def _on_grid(source: Source, labels: Any) -> tuple[Source, Any]:
    """Return labelled arrays, and labels on their grid."""
    import xarray

    if isinstance(labels, str) and (split := source.split(labels, None, LABELS)) is not None:
        source, own = split
        labels = own.x
    if not isinstance(labels, xarray.DataArray):
        raise DataError(
            "X lies on a grid, and y is not a DataArray. Give labels names for their dimensions: "
            "xarray.DataArray(y, dims=...)."
        )
    return source, labels
