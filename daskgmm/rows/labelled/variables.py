"""The variables of xarray's arrays that are features: their names, dimensions and decoding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import WEIGHTS
from daskgmm.errors import DataError
from daskgmm.loaded import loaded
from daskgmm.rows.checks.layout import REAL_KINDS, check_real
from daskgmm.rows.checks.plain import plain, unmasked
from daskgmm.rows.checks.refusals import check_plain
from daskgmm.rows.decoding.nodata import (
    Decoding,
    declared_by_xarray,
    decoded_by_xarray,
    taken_as_missing,
)
from daskgmm.spelling import did_you_mean
from daskgmm.user_warnings import warn_user

if TYPE_CHECKING:
    import xarray as xr


AUXILIARY = ("bounds", "climatology", "ancillary_variables", "cell_measures", "grid_mapping")
"""Attributes by which variables name others that describe them."""


def is_labelled(x: Any) -> bool:
    """Return whether x is a DataArray or a Dataset, without importing xarray."""
    xarray = loaded("xarray")
    return xarray is not None and isinstance(x, (xarray.DataArray, xarray.Dataset))


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable with its sample dimensions first, and the names of its columns.

    Attributes
    ----------
    array : xarray.DataArray
    decoding : Decoding
    names : tuple of str
        A name for each point of its feature dimensions.
    """

    array: xr.DataArray
    decoding: Decoding
    names: tuple[str, ...]

    @property
    def taken_as_missing(self) -> str | None:
        """Description of the stored numbers that are NaN in the variable."""
        name = self.array.name
        nodata = dict.fromkeys((*self.decoding.nodata, *decoded_by_xarray(self.array)))
        return taken_as_missing(tuple(nodata), None if name is None else str(name))

    @property
    def unit(self) -> str | None:
        """Unit of the values; None if there is no attribute ``units``."""
        unit = self.array.attrs.get("units")
        return None if unit is None else str(unit)


def chosen_dims(x: Any, given: Sequence[Hashable] | None) -> tuple[Hashable, ...]:
    """Return the dimensions whose points are features; those of a DataArray must be given."""
    if given is None:
        if not hasattr(x, "data_vars"):
            raise DataError(
                f"X is a DataArray with the dimensions {listed(x.dims)}; say which of them hold "
                "features, as in fit(X, feature_dims=('band',)), or feature_dims=() if each value "
                "is a row by itself."
            )
        given = ()
    features = (given,) if isinstance(given, str) else tuple(given)
    unknown = [str(dim) for dim in features if dim not in x.dims]
    if unknown:
        raise DataError(
            f"feature_dims (--features) names {', '.join(unknown)}, which X does not have; its "
            f"dimensions are {listed(x.dims)}.{did_you_mean(unknown[0], x.dims)}"
        )
    return features


def grid_mappings(variables: Mapping[Any, xr.DataArray]) -> set[Any]:
    """Return the names of the grid mappings of variables, and None for variables without one."""
    return {
        array.attrs.get("grid_mapping", array.encoding.get("grid_mapping"))
        for array in variables.values()
    }


def auxiliary(x: xr.Dataset) -> dict[Any, str]:
    """Return the variables that others name as bounds, quality flags, cell areas, or grid mapping.

    By the CF conventions, sections 3.4, 5.6, 7.1, 7.2 and 7.4, these are no quantities of their
    own. The values of the dict are the attributes that name them.
    """
    attributes = {}
    for variable in x.variables.values():
        for attribute in AUXILIARY:
            text = variable.attrs.get(attribute, variable.encoding.get(attribute))
            for name in _mentioned(attribute, text):
                if name in x.data_vars:
                    attributes[name] = attribute
    return attributes


def _mentioned(attribute: str, text: Any) -> list[str]:
    """Return the names of variables in an attribute ``a b``, ``area: a``, or mapping ``a: x y``."""
    words = text.split() if isinstance(text, str) else []
    if attribute == "grid_mapping" and any(word.endswith(":") for word in words):
        return [word[:-1] for word in words if word.endswith(":")]
    return [word for word in words if not word.endswith(":")]


def unmentioned(x: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """Return a dataset in which no variable names these as auxiliary, as the user chose them."""
    x = x.copy()
    for variable in x.variables.values():
        for attribute in set(AUXILIARY) - {"grid_mapping"}:
            for place in (variable.attrs, variable.encoding):
                if set(_mentioned(attribute, place.get(attribute))) & set(names):
                    del place[attribute]
    return x


def _features_only(x: xr.Dataset, wanted: Sequence[str]) -> xr.Dataset:
    """Return a dataset without variables that are no features; warn of those that could be."""
    aside = {name: how for name, how in auxiliary(x).items() if how != "grid_mapping"}
    others = {name: array for name, array in x.data_vars.items() if name not in aside}
    aside |= {name: "" for name, array in others.items() if not array.ndim}
    # Points of a single place, or the variables that a mixture was fitted to.
    features = {name for name in aside if any(_of(name, feature) for feature in wanted)}
    dropped = [name for name in aside if name not in features]
    if len(dropped) == len(x.data_vars):
        return x
    dims = {dim for array in others.values() for dim in array.dims}
    for name in dropped:
        array = x[name]
        if aside[name] and array.dtype.kind in REAL_KINDS and set(array.dims) <= dims:
            warn_user(
                f"The variable {name!r} of X is not a feature, as another one names it in its "
                f"attribute {aside[name]}. Delete that attribute to take it as one.",
            )
    return x.drop_vars(dropped)


def _of(name: Any, feature: str) -> bool:
    return feature == name or feature.startswith(f"{name}(")


def variables_of(
    x: Any, wanted: Sequence[str]
) -> tuple[xr.Dataset, list[tuple[str | None, xr.DataArray]]]:
    """Return a Dataset for coordinates and attributes, and the variables by name.

    Variables of a Dataset that describe others are left out, unless they have features in `wanted`.
    """
    if not hasattr(x, "data_vars"):
        return x.to_dataset(name="daskgmm-values").assign_attrs(x.attrs), [(None, x)]
    mappings = [name for name, how in auxiliary(x).items() if how == "grid_mapping"]
    x = _features_only(x.set_coords(mappings), wanted)
    if not x.data_vars:
        raise DataError("X is a Dataset without variables; give at least one.")
    return x, [(str(name), array) for name, array in x.data_vars.items()]


def as_variable(name: str | None, array: xr.DataArray, features: Sequence[Hashable]) -> Variable:
    """Return an array as a variable, its features named by their labels."""
    what = "X" if name is None else f"the variable {name!r} of X"
    subject = what[0].upper() + what[1:]
    check_plain(array.variable._data, subject)
    check_real(array.dtype, subject)
    own = [dim for dim in features if dim in array.dims]
    points = [
        ", ".join(f"{dim}={label}" for dim, label in zip(own, labels, strict=True))
        for labels in product(*(_labels(array, dim) for dim in own))
    ]
    if name is not None:
        names = [f"{name}({point})" if point else name for point in points]
    else:
        names = [point or str(array.name or "x0") for point in points]
    if len(set(names)) < len(names):
        name = Counter(names).most_common(1)[0][0]
        raise DataError(f"Several features are called {name!r}; make them unique.")
    return Variable(array, declared_by_xarray(array, what), tuple(names))


def decoded_weight(weight: xr.DataArray, name: str = WEIGHTS) -> xr.DataArray:
    """Return decoded weights, in memory or lazy, whose blocks are plain arrays."""
    check_plain(weight.variable._data, name)
    decode = partial(_plain_values, declared_by_xarray(weight, name))
    weight = lazily(weight)
    if weight.chunks is None:
        return weight.copy(data=decode(weight.data))
    unmasked(weight.data._meta, name)
    # First of all, as broadcasting and conversion to an array lose a mask.
    dtype = decode.args[0].dtype(weight.dtype)
    meta = np.empty((0,) * weight.ndim, dtype)
    return weight.copy(data=weight.data.map_blocks(decode, dtype=dtype, meta=meta))


def _plain_values(decoding: Decoding, block: Any) -> NDArray[Any]:
    return decoding(plain(block, "A block of sample_weight"))


def _labels(array: xr.DataArray, dim: Hashable) -> list[str]:
    """Return the labels of a dimension, or numbers where it has none."""
    if dim in array.coords and array.coords[dim].dims == (dim,):
        return [_text(label) for label in array.coords[dim].values]
    return list(map(str, range(array.sizes[dim])))


def _text(label: Any) -> str:
    """Return a label as text that does not depend on its precision: 10, 0.1, 2020-01-31."""
    if isinstance(label, np.datetime64):
        return str(np.datetime_as_string(label, unit="auto"))
    if isinstance(label, np.timedelta64):
        import pandas as pd

        return str(pd.Timedelta(label))
    text = str(label)
    if isinstance(label, (float, np.floating)):
        text = text.removesuffix(".0")
    return "0" if text == "-0" else text


def those_wanted(variables: Sequence[Variable], wanted: Sequence[str]) -> list[Variable]:
    """Return the variables with wanted features; raise `DataError` if a feature is absent."""
    have = {name for variable in variables for name in variable.names}
    absent = [name for name in wanted if name not in have]
    if absent:
        raise DataError(
            f"X lacks the features {listed(absent)}, which the mixture was fitted with; it has "
            f"{listed(sorted(have))}."
        )
    return [variable for variable in variables if set(variable.names) & set(wanted)]


def common_dims(
    variables: Sequence[Variable], features: Sequence[Hashable]
) -> tuple[Hashable, ...]:
    """Return the dimensions of the grid; one of the variables must have all of them."""
    grid = dict.fromkeys(dim for v in variables for dim in v.array.dims if dim not in features)
    if not any(set(grid) <= set(variable.array.dims) for variable in variables):
        shapes = "; ".join(
            f"{v.names[0].partition('(')[0]}: {listed(v.array.dims)}" for v in variables
        )
        raise DataError(
            f"The variables of X lie on no common grid ({shapes}). Select those that do, as in "
            "X[['temp', 'salt']], or name the dimensions that hold features in feature_dims "
            "(--features)."
        )
    return tuple(grid)


def sample_dims_first(
    variable: Variable, dims: Sequence[Hashable], features: Sequence[Hashable]
) -> Variable:
    """Return the variable with its dimensions in the order of these, lazy or in memory."""
    array = variable.array
    order = [dim for dim in (*dims, *features) if dim in array.dims]
    return Variable(lazily(array.transpose(*order)), variable.decoding, variable.names)


def lazily(array: xr.DataArray) -> xr.DataArray:
    """Return an array in memory or a lazy one: an array that reads on access becomes lazy."""
    if array.chunks is not None or array.variable._in_memory:
        return array
    preferred = array.encoding.get("preferred_chunks") or {}
    return array.chunk({dim: _fitting(preferred.get(dim), n) for dim, n in array.sizes.items()})


def _fitting(chunks: Any, size: int) -> Any:
    """Return the preferred chunks, unless the array was cut or renamed since it was opened."""
    if chunks is None or (isinstance(chunks, tuple) and sum(chunks) != size):
        return "auto"
    return chunks


def listed(names: Iterable[Any]) -> str:
    """Return names as a list in a sentence."""
    return ", ".join(map(str, names)) or "none"
