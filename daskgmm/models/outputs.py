"""What predictions may hold, by name: all of it from one E-step of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.blas import one_blas_thread
from daskgmm.gaussian.kernel import Tile
from daskgmm.gaussian.softmax import exponentiate
from daskgmm.gaussian.workspace import small_buffers
from daskgmm.models.labels import COMPONENT, attributes
from daskgmm.models.prediction import Place, Predictor, at
from daskgmm.names import DTYPES
from daskgmm.passes.view import missing_rows

Array = NDArray[np.float64]

NAMES = ("label", "posterior", "top", "largest_posterior", "ambiguity", "log_density")
"""What may be asked for."""

LONG_NAMES = {
    "largest_posterior": "posterior probability of the most probable component",
    "ambiguity": "1 less the difference of the two largest posterior probabilities",
}

RANK = "rank"
"""The dimension of the most probable components, the first one first."""


@dataclass(frozen=True, slots=True)
class Output:
    """One array of predictions.

    Attributes
    ----------
    name : str
    dims : tuple of str
        Its dimensions after those of the rows.
    shape : tuple of int
        Their lengths.
    dtype : numpy.dtype
    fill : float
        What stands for rows that miss a value, and for what is not written yet.
    levels : int
        Of probabilities that are written as integers: what 1 is written as. Else 0.
    attributes : dict
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: float
    levels: int
    attributes: dict[str, Any]

    def encode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values as they are written."""
        return np.rint(values * self.levels) if self.levels else values

    @property
    def row_nbytes(self) -> int:
        """Bytes of a row."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Outputs:
    """Which arrays to make.

    Attributes
    ----------
    arrays : tuple of Output
    """

    arrays: tuple[Output, ...]

    @classmethod
    def of(cls, names: Sequence[str], k: int, dtype: str, top: int, *, missing: bool) -> Outputs:
        """Return the arrays that settings ask for.

        Parameters
        ----------
        names : str or sequence of str
            Some of `NAMES`.
        k : int
            Components.
        dtype : {"float32", "float64", "uint8"}
            Of probabilities; uint8 in steps of 1/255, or 1/254 where rows may be missing.
        top : int
            How many of the most probable components "top" holds.
        missing : bool
            Whether rows may miss values.

        Raises
        ------
        ValueError
            If a name or a type does not exist, or there are fewer components than `top`.
        """
        names = (names,) if isinstance(names, str) else names
        unknown = [name for name in names if name not in NAMES]
        if unknown or not names:
            raise ValueError(
                f"outputs names {', '.join(map(repr, unknown)) or 'nothing'}; give some of "
                f"{', '.join(NAMES)}."
            )
        if dtype not in DTYPES:
            raise ValueError(f"dtype is {dtype!r}; give one of {', '.join(DTYPES)}.")
        if "top" in names and not 1 <= top <= k:
            raise ValueError(f"top is {top}, and the mixture has {k} components; give 1 to {k}.")
        makers = _Makers(k, dtype, top, missing)
        return cls(tuple(each for name in dict.fromkeys(names) for each in makers.of(name)))

    @property
    def row_nbytes(self) -> int:
        """Bytes of a row in all arrays."""
        return sum(each.row_nbytes for each in self.arrays)

    def empty(self, rows: int) -> dict[str, NDArray[Any]]:
        """Return arrays for so many rows, by name, filled as if all missed a value."""
        return {
            each.name: np.full((rows, *each.shape), each.fill, each.dtype) for each in self.arrays
        }

    def predict(
        self, predictor: Predictor, x: NDArray[Any], place: Place
    ) -> dict[str, NDArray[Any]]:
        """Return the arrays, by name, for the rows of x (m, d).

        Raises
        ------
        DataError
            At a value that cannot be used.
        """
        found = self.empty(len(x))
        missing = missing_rows(x) if predictor.view.drop_missing else None
        present = None if missing is None or not missing.any() else np.flatnonzero(~missing)
        if present is not None:
            x, place = x[present], at(place, present)
        with one_blas_thread(), small_buffers():
            for rows, tile in predictor.tiles(x, place):
                values = self._of_tile(tile)
                target = rows if present is None else present[rows]
                for each in self.arrays:
                    found[each.name][target] = each.encode(values[each.name])
        return found

    def _of_tile(self, tile: Tile) -> dict[str, NDArray[Any]]:
        """Return the values of the arrays for a tile, rows first."""
        wanted = {each.name for each in self.arrays}
        tile.log_joint()
        found: dict[str, NDArray[Any]] = {}
        if "label" in wanted:
            found["label"] = np.argmax(tile.joint, axis=0)
        shared = tile.shared_term() if "log_density" in wanted else 0.0
        exponentiate(tile.joint, tile.maximum, tile.total)
        if "log_density" in wanted:
            found["log_density"] = tile.maximum + np.log(tile.total) + shared
        posterior = np.divide(tile.joint, tile.total, out=tile.joint)
        if "posterior" in wanted:
            found["posterior"] = posterior.T
        if "top_component" in wanted:
            m = next(each.shape[0] for each in self.arrays if each.name == "top_component")
            order = most_probable(posterior, m)
            found["top_component"] = order.T
            found["top_posterior"] = np.take_along_axis(posterior, order, axis=0).T
        if "largest_posterior" in wanted:
            found["largest_posterior"] = posterior.max(axis=0)
        if "ambiguity" in wanted:
            found["ambiguity"] = ambiguity(posterior)
        return found


def most_probable(posterior: Array, m: int) -> NDArray[np.intp]:
    """Return the m most probable components of each row, (m, b), the first of equal ones first."""
    if m == len(posterior):
        return np.argsort(-posterior, axis=0, kind="stable")
    some = np.sort(np.argpartition(-posterior, m - 1, axis=0)[:m], axis=0)
    order = np.argsort(-np.take_along_axis(posterior, some, axis=0), axis=0, kind="stable")
    return np.take_along_axis(some, order, axis=0)


def ambiguity(posterior: Array) -> Array:
    """Return 1 less the difference of the two largest posteriors of each row (k, b), shape (b,).

    The I-metric of Thomas et al. 2021, https://doi.org/10.5194/os-17-1545-2021: 0 where a
    component is certain, 1 between two equally probable ones.
    """
    if len(posterior) == 1:
        return np.zeros(posterior.shape[1])
    two = np.partition(posterior, -2, axis=0)[-2:]
    found: Array = 1.0 - (two[1] - two[0])
    return found


@dataclass(frozen=True, slots=True)
class _Makers:
    """Makes outputs by their names."""

    k: int
    dtype: str
    top: int
    missing: bool

    def of(self, name: str) -> list[Output]:
        """Return what a name asks for: one array, or two."""
        if name == "label":
            return [
                self._component("label", (), (), attributes("labels", self.k, missing=self.missing))
            ]
        if name == "log_density":
            dtype = np.dtype("float64" if self.dtype == "float64" else "float32")
            about = attributes("log_densities", self.k, missing=self.missing)
            return [Output(name, (), (), dtype, np.nan, 0, about)]
        if name == "posterior":
            about = attributes("responsibilities", self.k, missing=self.missing)
            return [self._probability(name, (COMPONENT,), (self.k,), about["long_name"])]
        if name == "top":
            about = {"long_name": "most probable components, the first one first"}
            return [
                self._component("top_component", (RANK,), (self.top,), about),
                self._probability(
                    "top_posterior", (RANK,), (self.top,), "posterior probability of top_component"
                ),
            ]
        return [self._probability(name, (), (), LONG_NAMES[name])]

    def _component(
        self, name: str, dims: tuple[str, ...], shape: tuple[int, ...], about: dict[str, Any]
    ) -> Output:
        return Output(name, dims, shape, np.min_scalar_type(-self.k), -1, 0, about)

    def _probability(
        self, name: str, dims: tuple[str, ...], shape: tuple[int, ...], long_name: str
    ) -> Output:
        about: dict[str, Any] = {"long_name": long_name, "units": "1"}
        if self.dtype != "uint8":
            return Output(name, dims, shape, np.dtype(self.dtype), np.nan, 0, about)
        levels, fill = (254, 255) if self.missing else (255, 0)
        about["scale_factor"] = 1 / levels
        if self.missing:
            about["_FillValue"] = fill
        return Output(name, dims, shape, np.dtype(np.uint8), fill, levels, about)
