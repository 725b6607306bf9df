"""Outputs of predictions, by name: the only table of them.

`predict`, `predict_proba` and `score_samples`, the writers of Zarr and Parquet, and the command
line make what stands in `OUTPUTS`. `OUTPUTS["name"] = make` adds one: `make` returns one or more
`Output` for what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.blas import one_blas_thread
from daskgmm.counting import counted
from daskgmm.errors import EntryError, SettingError
from daskgmm.gaussian.kernels.workspace import small_buffers
from daskgmm.gaussian.latent.latent_coordinates import latent_coordinates, squared_errors
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.posterior import Posterior
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.names import DTYPES, IMPUTED

Array = NDArray[np.float64]

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
        return cls(" and ".join(dtype.names or ()), (), (), dtype, fill, 0, {}, compute)

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
    dtype : {"float32", "float64", "uint8"}
        Of probabilities; uint8 in steps of 1/255, or 1/254 where rows may be missing.
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
    """

    k: int
    dtype: str
    top: int
    missing: bool
    noise: bool = False
    q: int = 0
    clusters: tuple[int, ...] | None = None
    d: int = 0
    columns: tuple[str, ...] = ()

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
            return Output(name, dims, shape, np.dtype(self.dtype), np.nan, 0, about, compute)
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
                f"output {name!r} is of mixtures whose components were merged to clusters: call "
                "merge_components(X), or make such a model file with `daskgmm merge`."
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


def _label(asked: Asked) -> list[Output]:
    return [asked.component("label", _labels_of, asked.flags("component", asked.k))]


def _labels_of(posterior: Posterior) -> NDArray[Any]:
    return posterior.labels


def _outlier(asked: Asked) -> list[Output]:
    meanings = "missing regular outlier" if asked.missing else "regular outlier"
    values = [-1, 0, 1] if asked.missing else [0, 1]
    about = {
        "long_name": "whether the row is an outlier",
        "flag_values": values,
        "flag_meanings": meanings,
    }
    return [Output("outlier", (), (), np.dtype(np.int8), -1, 0, about, _outliers_of)]


def _outliers_of(posterior: Posterior) -> NDArray[Any]:
    return posterior.outliers


def _outlier_probability(asked: Asked) -> list[Output]:
    long_name = "probability that the row is an outlier"
    return [asked.probability("outlier_probability", _outlier_probabilities_of, long_name)]


def _outlier_probabilities_of(posterior: Posterior) -> NDArray[Any]:
    return posterior.outlier_probabilities


def _log_density(asked: Asked) -> list[Output]:
    long_name = "logarithm of the probability density"
    return [asked.number("log_density", _log_densities_of, long_name)]


def _log_densities_of(posterior: Posterior) -> NDArray[Any]:
    return posterior.log_densities


def _posterior(asked: Asked) -> list[Output]:
    long_name, dims = "posterior probability of the component", (COMPONENT,)
    return [asked.probability("posterior", _responsibilities_of, long_name, dims, (asked.k,))]


def _responsibilities_of(posterior: Posterior) -> NDArray[Any]:
    return posterior.responsibilities.T


def _top(asked: Asked) -> list[Output]:
    if not 1 <= asked.top <= asked.k:
        raise ValueError(
            f"top is {asked.top} (--top), and the mixture has {counted(asked.k, 'component')}; "
            f"give 1 to {asked.k}."
        )
    noise = ", -1 for the noise" if asked.noise else ""
    dims, shape, m = (RANK,), (asked.top,), asked.top
    about = {"long_name": f"most probable components, the first one first{noise}"}
    long_name = "posterior probability of top_component"
    return [
        asked.component("top_component", partial(_top_components, m), about, dims, shape),
        asked.probability("top_posterior", partial(_top_posteriors, m), long_name, dims, shape),
    ]


def _top_components(m: int, posterior: Posterior) -> NDArray[Any]:
    places = posterior.most_probable(m).T
    return np.where(places < posterior.parameters.n_components, places, -1)


def _top_posteriors(m: int, posterior: Posterior) -> NDArray[Any]:
    order = posterior.most_probable(m)
    return np.take_along_axis(posterior.memberships, order, axis=0).T


def _largest_posterior(asked: Asked) -> list[Output]:
    noise = ", or of the noise" if asked.noise else ""
    long_name = f"posterior probability of the most probable component{noise}"
    return [asked.probability("largest_posterior", _largest_of, long_name)]


def _largest_of(posterior: Posterior) -> NDArray[Any]:
    largest: Array = posterior.memberships.max(axis=0)
    return largest


def _ambiguity(asked: Asked) -> list[Output]:
    long_name = "1 less the difference of the two largest posterior probabilities"
    return [asked.probability("ambiguity", _ambiguities_of, long_name)]


def _ambiguities_of(posterior: Posterior) -> NDArray[Any]:
    return ambiguity(posterior.memberships)


def ambiguity(responsibilities: Array) -> Array:
    """Return 1 less the difference of the two largest posteriors of each row (k, b), shape (b,).

    The I-metric of Thomas et al. 2021, https://doi.org/10.5194/os-17-1545-2021: 0 where a
    component is certain, 1 between two equally probable ones.
    """
    if len(responsibilities) == 1:
        return np.zeros(responsibilities.shape[1])
    two = np.partition(responsibilities, -2, axis=0)[-2:]
    found: Array = 1.0 - (two[1] - two[0])
    return found


def _cluster(asked: Asked) -> list[Output]:
    clusters = asked.clusters_for("cluster")
    about = asked.flags("cluster", 1 + max(clusters))
    return [asked.component("cluster", partial(_clusters_of, clusters), about)]


def _clusters_of(clusters: tuple[int, ...], posterior: Posterior) -> NDArray[Any]:
    chances = _cluster_posteriors(clusters, posterior)
    found: NDArray[np.intp] = chances.argmax(axis=1)
    if posterior.parameters.has_noise:
        found[posterior.memberships[-1] > chances.max(axis=1)] = -1
    return found


def _cluster_posterior(asked: Asked) -> list[Output]:
    clusters = asked.clusters_for("cluster_posterior")
    long_name, shape = "posterior probability of the cluster", (1 + max(clusters),)
    compute = partial(_cluster_posteriors, clusters)
    return [asked.probability("cluster_posterior", compute, long_name, (CLUSTER,), shape)]


def _cluster_posteriors(clusters: tuple[int, ...], posterior: Posterior) -> NDArray[Any]:
    """Return the sums of the posteriors of each cluster's components, (b, clusters)."""
    gamma = posterior.responsibilities
    chances = np.zeros((1 + max(clusters), gamma.shape[1]))
    for component, cluster in enumerate(clusters):
        chances[cluster] += gamma[component]
    return np.minimum(chances, 1.0).T  # of rounding


def _latent(asked: Asked) -> list[Output]:
    asked.check_factors("latent")
    long_name = "latent coordinates in the most probable component"
    return [asked.number("latent", _latent_of, long_name, (FACTOR,), (asked.q,))]


def _latent_of(posterior: Posterior) -> NDArray[Any]:
    return latent_coordinates(posterior.parameters, posterior.rows, posterior.labels)


def _reconstruction_error(asked: Asked) -> list[Output]:
    asked.check_factors("reconstruction_error")
    long_name = "squared distance from the reconstruction, in the coordinates of the mixture"
    return [asked.number("reconstruction_error", _errors_of, long_name)]


def _errors_of(posterior: Posterior) -> NDArray[Any]:
    return squared_errors(posterior.parameters, posterior.rows, posterior.labels)


def _imputed(asked: Asked) -> list[Output]:
    long_name = "values, with the expectation of the mixture where they are missing"
    found = asked.number(IMPUTED, _imputed_of, long_name, (COLUMN,), (asked.d,))
    about = {"columns": list(asked.columns)} if asked.columns else {}
    return [replace(found, column_names=asked.columns, attributes={**found.attributes, **about})]


def _imputed_of(posterior: Posterior) -> NDArray[Any]:
    return posterior.imputed


OUTPUTS: dict[str, Make] = {
    # Labels first: they are computed in this order, and are exact before exponentials are taken.
    "label": _label,
    "posterior": _posterior,
    "outlier": _outlier,
    "outlier_probability": _outlier_probability,
    "top": _top,
    "largest_posterior": _largest_posterior,
    "ambiguity": _ambiguity,
    "log_density": _log_density,
    "cluster": _cluster,
    "cluster_posterior": _cluster_posterior,
    "latent": _latent,
    "reconstruction_error": _reconstruction_error,
    IMPUTED: _imputed,
}
"""By what users ask for: what makes the outputs."""


NO_MAKERS: Mapping[str, Make] = {}

EXACT = ("label", "outlier", "latent", "reconstruction_error")
"""What compares log densities, and so comes before exponentials are taken."""


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
        k: int,
        dtype: str,
        top: int | None,
        *,
        missing: bool,
        noise: bool = False,
        q: int = 0,
        clusters: tuple[int, ...] | None = None,
        d: int = 0,
        columns: tuple[str, ...] = (),
        own: Mapping[str, Make] = NO_MAKERS,
    ) -> Outputs:
        """Return the arrays that settings ask for.

        Parameters
        ----------
        names : str or sequence of str
            Some of `OUTPUTS`.
        k, dtype, missing, noise, q, clusters, d, columns : as `Asked`
        top : int or None
            As of `Asked`; by default `TOP`, if there are so many components.
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
        unknown = [name for name in names if name not in makers]
        if unknown or not names:
            raise SettingError(
                f"outputs names {', '.join(map(repr, unknown)) or 'nothing'} (--outputs); give "
                f"some of {', '.join(makers)}. If a module of yours adds it to them, import that "
                "first (--import)."
            )
        if dtype not in DTYPES:
            raise SettingError(f"dtype is {dtype!r}; give one of {', '.join(DTYPES)}.")
        most = min(TOP, k) if top is None else top
        asked = Asked(k, dtype, most, missing, noise, q, clusters, d, columns)
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
        present = None if missing is None or not missing.any() else np.flatnonzero(~missing)
        found = self.empty(len(x)) if present is not None else self._unfilled(len(x))
        if present is not None:
            x, place = x[present], place.at(present)
        in_order = sorted(self.arrays, key=_comes_late)
        with one_blas_thread(), small_buffers(), np.errstate(over="ignore"):  # of float32: 3e38
            for rows, posterior in predictor.posteriors(x, place):
                target = rows if present is None else present[rows]
                for each in in_order:
                    found[each.name][target] = each.encode(
                        _computed(each, posterior, len(posterior.given))
                    )
        return found

    def _unfilled(self, rows: int) -> dict[str, NDArray[Any]]:
        return {each.name: np.empty((rows, *each.shape), each.dtype) for each in self.arrays}
