"""Outputs that were asked for, made from the table, and computed from the posteriors of tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.blas import one_blas_thread
from daskgmm.counting import counted
from daskgmm.errors import EntryError, SettingError
from daskgmm.gaussian.kernels.workspace import small_buffers
from daskgmm.gaussian.latent.latent_coordinates import n_factors
from daskgmm.models.predictions.naming import check_outputs
from daskgmm.models.predictions.output import TOP, Asked, Make, Output
from daskgmm.models.predictions.outputs import EXACT, NO_MAKERS, OUTPUTS
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.posteriors.posterior import Posterior
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.predictions.room import check_room
from daskgmm.models.predictions.targets import are_targets, targets_of
from daskgmm.names import DTYPES


def _made(name: str, make: Make, asked: Asked) -> tuple[Output, ...]:
    """Return the arrays of an output; raise `EntryError` unless its entry makes some."""
    made: Any = make(asked)
    whole = isinstance(made, Sequence) and all(isinstance(each, Output) for each in made)
    if not whole or not made:
        raise EntryError(
            f"The output {name!r} of OUTPUTS made {'nothing' if not made else repr(made)}, and has "
            "to make a list of one Output or more."
        )
    return tuple(made)


def _comes_late(array: Output) -> bool:
    # Labels of classes compare sums of exponentials.
    return array.name not in EXACT or bool(array.classes)


def _computed(array: Output, posterior: Posterior, rows: int) -> NDArray[Any]:
    """Return the values of an output; raise `EntryError` for those of another shape."""
    values, shape = array.compute(posterior), (rows, *array.shape)
    # NumPy would write None as NaN, and repeat one value for all rows.
    if np.shape(values) != shape:
        raise EntryError(
            f"The output {array.name!r} computed "
            f"{'None' if values is None else f'values of shape {np.shape(values)}'} for "
            f"{counted(rows, 'row')}; as its Output says, their shape is {shape}."
        )
    return values


def _check_distinct(made: Mapping[str, Sequence[Output]]) -> None:
    """Raise `ValueError` unless names of arrays, and lengths of their dimensions, go together."""
    makers: dict[str, str] = {}
    lengths: dict[str, int] = {}
    for maker, arrays in made.items():
        for array in arrays:
            if array.name in makers:
                raise ValueError(
                    f"outputs {makers[array.name]!r} and {maker!r} both make an array of the name "
                    f"{array.name!r}. Give one of them, or another name to the array."
                )
            makers[array.name] = maker
            for dim, length in zip(array.dims, array.shape, strict=True):
                if lengths.setdefault(dim, length) != length:
                    raise ValueError(
                        f"output {maker!r} makes an array {array.name!r} whose dimension {dim!r} "
                        f"has the length {length}, and another one has {lengths[dim]}. Give the "
                        "dimension another name."
                    )
    for name in lengths.keys() & makers.keys():
        raise ValueError(
            f"output {makers[name]!r} makes an array of the name {name!r}, which is a dimension "
            "of the outputs. Give the array another name."
        )


@dataclass(frozen=True, slots=True)
class Outputs:
    """Arrays to make.

    Attributes
    ----------
    arrays : tuple of Output
        In the order that they were asked for.
    """

    arrays: tuple[Output, ...]

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        asked: Asked,
        own: Mapping[str, Make] = NO_MAKERS,
    ) -> Outputs:
        """Return the arrays that settings ask for.

        Parameters
        ----------
        names : str or sequence of str
            Some of `OUTPUTS`.
        asked : Asked
        own : mapping
            What makes outputs beside those of `OUTPUTS`, or in place of one of them, by name.

        Raises
        ------
        SettingError
            If a name or a type does not exist.
        ValueError
            If there are fewer components than `top`, or two arrays have one name.
        """
        names = (names,) if isinstance(names, str) else names
        makers = {**OUTPUTS, **own}
        check_outputs(names, makers)
        if asked.dtype is not None and asked.dtype not in DTYPES:
            raise SettingError(f"dtype is {asked.dtype!r}; give one of {', '.join(DTYPES)}.")
        made = {name: _made(name, makers[name], asked) for name in names}
        _check_distinct(made)
        return cls(tuple(array for arrays in made.values() for array in arrays))

    @property
    def row_nbytes(self) -> int:
        """Bytes of a row in all arrays."""
        return sum(each.row_nbytes for each in self.arrays)

    @property
    def coordinates(self) -> dict[str, Sequence[Any]]:
        """Coordinates of the dimensions that rows do not have, by name, sorted."""
        found = [pair for each in self.arrays for pair in each.coordinates.items()]
        return dict(sorted(found, key=lambda pair: pair[0]))

    @property
    def classes(self) -> tuple[Any, ...]:
        """Labels of the classes that arrays are about, if they are about classes."""
        return next((each.classes for each in self.arrays if each.classes), ())

    def empty(self, rows: int) -> dict[str, NDArray[Any]]:
        """Return arrays for so many rows, by name, filled as if all missed a value."""
        return {
            each.name: np.full((rows, *each.shape), each.fill, each.dtype) for each in self.arrays
        }

    def predict(
        self, predictor: Predictor, x: NDArray[Any], place: Place
    ) -> dict[str, NDArray[Any]]:
        """Return the arrays, by name, for the rows of x (m, d)."""
        missing = predictor.transform.missing_rows(x)
        if missing is None or not missing.any():
            return self._predicted(predictor, x, place)
        present, found = np.flatnonzero(~missing), self.empty(len(x))
        given = x[present]
        for piece in predictor.pieces(given):  # all at once would need twice the memory
            rows = present[piece]
            part = self._predicted(predictor, given[piece], place.at(rows))
            for name, values in part.items():
                found[name][rows] = values
        return found

    def _predicted(
        self, predictor: Predictor, x: NDArray[Any], place: Place
    ) -> dict[str, NDArray[Any]]:
        """Return the arrays of rows that are all there: by the back end if it has them all."""
        found = self._unfilled(len(x))
        in_order = sorted(self.arrays, key=_comes_late)
        with one_blas_thread(), small_buffers(), np.errstate(over="ignore"):  # of float32: 3e38
            left = (
                predictor.fill(x, place, targets_of(self.arrays, found))
                if are_targets(self.arrays)
                else predictor.posteriors(x, place)
            )
            for rows, posterior in left:
                for each in in_order:
                    found[each.name][rows] = each.encode(
                        _computed(each, posterior, len(posterior.given))
                    )
        return found

    def _unfilled(self, rows: int) -> dict[str, NDArray[Any]]:
        return {each.name: np.empty((rows, *each.shape), each.dtype) for each in self.arrays}


def wanted_outputs(
    predictor: Predictor, names: Sequence[str], dtype: str | None, top: int | None
) -> Outputs:
    """Return the arrays that a mixture is asked for; raise `ValueError` if it has none such."""
    check_room(predictor.parameters, names)
    most = min(TOP, predictor.parameters.n_components) if top is None else top
    return Outputs.of(names, asked_of(predictor, dtype, most), predictor.own_outputs)


def asked_of(predictor: Predictor, dtype: str | None, top: int) -> Asked:
    """Return what outputs of a mixture are asked for."""
    own = predictor.parameters
    return Asked(
        own.n_components,
        dtype,
        top,
        predictor.transform.drop_missing,
        own.has_noise,
        n_factors(own),
        predictor.clusters,
        predictor.n_columns,
        predictor.columns or (),
        predictor.seed,
    )
