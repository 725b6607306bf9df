"""What an output of predictions is, and what it may be asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import SettingError
from daskgmm.models.predictions.posteriors.posterior import Posterior
from daskgmm.readers import remedy

COMPONENT = "component"
"""The dimension of posteriors, and its coordinate."""

FACTOR = "factor"
"""The dimension of latent coordinates, and its coordinate."""

CLUSTER = "cluster_number"
"""The dimension of posteriors of clusters, and its coordinate."""

CLASS = "class_label"
"""The dimension of posteriors of classes, and its coordinate: their labels."""

COLUMN = "column"
"""The dimension of imputed rows, and its coordinate."""

RANK = "rank"
"""The dimension of the most probable components, the first one first."""

DIMENSIONS = (COMPONENT, FACTOR, CLUSTER, CLASS, COLUMN, RANK)
"""Dimensions of outputs that are none of the rows."""

TOP = 2
"""How many of the most probable components are written unless it is said."""

MISSING = -2
"""Label of rows that miss a value where -1 is that of outliers: of a mixture with noise."""

Compute = Callable[[Posterior], NDArray[Any]]
"""Returns the values of an output for the rows of a tile, rows first."""


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
        By the CF conventions, section 3.5 for flags:
        https://cfconventions.org/cf-conventions/cf-conventions.html#flags
    compute : callable
        Picklable.
    classes : tuple
        Labels of the classes that it is about, sorted; none of components and clusters.
    column_names : tuple of str
        Names of its columns in a table, if they have names of their own.
    parts : tuple of Output
        Of fields of one array, what each is.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: float
    levels: int
    attributes: dict[str, Any]
    compute: Compute = field(compare=False)
    classes: tuple[Any, ...] = ()
    column_names: tuple[str, ...] = ()
    parts: tuple[Output, ...] = ()

    @property
    def names(self) -> tuple[Any, ...]:
        """Names of classes, whose places the values are; none if these are numbers themselves."""
        return () if self.dims or isinstance(next(iter(self.classes), 0), int) else self.classes

    @property
    def coordinates(self) -> dict[str, Sequence[Any]]:
        """Coordinates of its dimensions, by name."""
        lengths = zip(self.dims, self.shape, strict=True)
        return {dim: self.classes if dim == CLASS else range(n) for dim, n in lengths}

    @property
    def columns(self) -> list[str]:
        """Names of its columns in a table: ``posterior_0`` is of component 0.

        ``top_posterior_1`` is of the most probable one, ``posterior_red`` of the class "red", and
        imputed columns are called as they are.
        """
        if self.column_names:
            return list(self.column_names)
        if not self.dims:
            return [self.name]
        first = 1 if self.name.startswith("top_") else 0
        numbers = range(first, first + self.shape[0])
        return [f"{self.name}_{each}" for each in (self.classes or numbers)]

    def numbers(self, labels: NDArray[Any]) -> NDArray[np.int64]:
        """Return labels as numbers of components, clusters or classes; what is below 0 stays."""
        found = labels.reshape(-1).astype(np.int64)
        if not self.classes or self.names:
            return found
        return np.where(found == self.fill, -1, np.searchsorted(self.classes, found))

    def encode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values as they are written."""
        return np.rint(values * self.levels) if self.levels else values

    @classmethod
    def together(cls, outputs: Sequence[Output]) -> Output:
        """Return outputs as fields of one array, all from one E-step; one output as it is."""
        if len(outputs) == 1:
            return outputs[0]
        dtype = np.dtype([(each.name, each.dtype, each.shape) for each in outputs])
        fill: Any = np.array(tuple(each.fill for each in outputs), dtype)
        compute = partial(_fields, tuple(outputs), dtype)
        name = " and ".join(dtype.names or ())
        return cls(name, (), (), dtype, fill, 0, {}, compute, parts=tuple(outputs))

    @property
    def row_nbytes(self) -> int:
        """Bytes of a row."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


def _fields(outputs: Sequence[Output], dtype: np.dtype[Any], posterior: Posterior) -> NDArray[Any]:
    columns = [each.compute(posterior) for each in outputs]
    records = np.empty(len(columns[0]), dtype)
    for each, values in zip(outputs, columns, strict=True):
        records[each.name] = values
    return records


@dataclass(frozen=True, slots=True)
class Asked:
    """Settings of outputs.

    Attributes
    ----------
    k : int
        Components.
    dtype : {"float32", "float64", "uint8"}, or None
        Of probabilities; uint8 in steps of 1/255, or 1/254 where rows may be missing. None is
        float32, and float64 for values of the rows themselves.
    top : int
        How many of the most probable components "top" holds.
    missing : bool
        Whether rows may miss values.
    noise : bool
        Whether rows may belong to no component, but to the noise.
    q : int
        Factors of each component; 0 without any.
    clusters : tuple of int, or None
        Cluster of each component, if components were merged.
    d : int
        Columns of the rows.
    columns : tuple of str
        Their names; none if they have none.
    seed : int, optional
        Missing values are filled by draws with it, not by their expectation.
    """

    k: int
    dtype: str | None
    top: int
    missing: bool
    noise: bool = False
    q: int = 0
    clusters: tuple[int, ...] | None = None
    d: int = 0
    columns: tuple[str, ...] = ()
    seed: int | None = None

    def component(
        self,
        name: str,
        compute: Compute,
        about: dict[str, Any],
        dims: tuple[str, ...] = (),
        shape: tuple[int, ...] = (),
    ) -> Output:
        """Return an output of numbers of components, -1 for none; with noise -2 if missing."""
        fill = MISSING if self.noise else -1
        dtype = np.min_scalar_type(min(fill, -self.k))
        return Output(name, dims, shape, dtype, fill, 0, about, compute)

    def probability(
        self,
        name: str,
        compute: Compute,
        long_name: str,
        dims: tuple[str, ...] = (),
        shape: tuple[int, ...] = (),
    ) -> Output:
        """Return an output of numbers from 0 to 1."""
        about: dict[str, Any] = {"long_name": long_name, "units": "1"}
        if self.dtype != "uint8":
            dtype = np.dtype(self.dtype or "float32")
            return Output(name, dims, shape, dtype, np.nan, 0, about, compute)
        levels, fill = (254, 255) if self.missing else (255, 0)
        about["scale_factor"] = 1 / levels
        if self.missing:
            about["_FillValue"] = fill
        return Output(name, dims, shape, np.dtype(np.uint8), fill, levels, about, compute)

    def number(
        self,
        name: str,
        compute: Compute,
        long_name: str,
        dims: tuple[str, ...] = (),
        shape: tuple[int, ...] = (),
    ) -> Output:
        """Return an output of any real numbers a row: in float64 if asked for, else float32."""
        dtype = np.dtype("float64" if self.dtype == "float64" else "float32")
        return Output(name, dims, shape, dtype, np.nan, 0, {"long_name": long_name}, compute)

    def values(
        self,
        name: str,
        compute: Compute,
        long_name: str,
        dims: tuple[str, ...] = (),
        shape: tuple[int, ...] = (),
    ) -> Output:
        """Return an output of values of the rows: in float32 if asked for, else as they are."""
        dtype = np.dtype("float32" if self.dtype == "float32" else "float64")
        return replace(self.number(name, compute, long_name, dims, shape), dtype=dtype)

    def check_factors(self, name: str) -> None:
        """Raise `ValueError` for an output of factors if the mixture has none."""
        if not self.q:
            raise ValueError(
                f"output {name!r} is of mixtures with factors: those of covariance_type='ppca', "
                "'factor' or 'mcfa'."
            )

    def clusters_for(self, name: str) -> tuple[int, ...]:
        """Return the cluster of each component; raise `SettingError` if none were merged."""
        if self.clusters is None:
            raise SettingError(
                f"output {name!r} is of mixtures whose components were merged to clusters: "
                f"{remedy('call merge_components(X)', '`daskgmm merge` writes such a model file')}."
            )
        return self.clusters

    def flags(self, kind: str, count: int) -> dict[str, Any]:
        """Return the attributes of numbers of things that a row is one of."""
        meanings = ["missing"] * self.missing + ["outlier"] * self.noise
        first = -len(meanings)
        meanings += [f"{kind}_{number}" for number in range(count)]
        return {
            "long_name": f"most probable {kind}",
            "flag_values": list(range(first, count)),
            "flag_meanings": " ".join(meanings),
        }


Make = Callable[[Asked], Sequence[Output]]
