"""Data in words, for `daskgmm info`: arrays, tables, groups of variables, predictions."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import zarr

from daskgmm.counting import counted
from daskgmm.errors import DataError
from daskgmm.models.predictions.output import COLUMN, DIMENSIONS
from daskgmm.models.predictions.outputs import OUTPUTS
from daskgmm.models.writers.about import FEATURES, from_parquet, from_zarr
from daskgmm.models.writers.part_writing import ARRAYS, CLASSES, COMPONENTS
from daskgmm.names import IMPUTED
from daskgmm.passes.plan import size
from daskgmm.passes.task import Progress
from daskgmm.report.gaps import (
    GAPS,
    LISTED_VARIABLES,
    STAY,
    Gaps,
    gaps_in,
    gaps_in_files,
    gaps_in_points,
    infinite_in,
    missing_in,
)
from daskgmm.report.listing import listed
from daskgmm.report.provenance import provenance
from daskgmm.report.unfinished import unfinished_at
from daskgmm.rows.checks.layout import REAL_KINDS
from daskgmm.rows.checks.name_lists import names_text, typed
from daskgmm.rows.csv.table import read_small
from daskgmm.rows.kinds.csv import CsvFile, columns_of
from daskgmm.rows.kinds.labelled import LabelledFile
from daskgmm.rows.kinds.npy import Npy
from daskgmm.rows.kinds.parquet import ParquetFiles
from daskgmm.rows.kinds.zarr import StoredZarr
from daskgmm.rows.labelled.choosing import suggested
from daskgmm.rows.labelled.opening import dimensions, open_file
from daskgmm.rows.opening import as_rows
from daskgmm.rows.parquet.files import opened_version
from daskgmm.rows.parquet.footers import Footer
from daskgmm.rows.source import Source
from daskgmm.rows.sources import source_of
from daskgmm.rows.stores.zarr_opening import open_node
from daskgmm.rows.tables.text_columns import (
    LOOKED_AT,
    Columns,
    converting,
    described,
    mostly_numbers,
)
from daskgmm.storage.address import Address


@dataclass(frozen=True, slots=True)
class Look:
    """What tells of the gaps of data, which are read then.

    Attributes
    ----------
    source : Source
    asked : bool
        Whether also large and remote data are read.
    progress : callable or None
    """

    source: Source
    asked: bool
    progress: Progress | None

    def __call__(self) -> Gaps:
        """Return what is said of all columns."""
        if isinstance(self.source, ParquetFiles):
            return gaps_in_files(self.source, self.asked, self.progress)
        return gaps_in(self.source, self.asked, self.progress)

    def at_points(self, array: zarr.Array[Any], names: Sequence[str]) -> Gaps:
        """Return what is said of the features along the last axis of an array."""
        return gaps_in_points(self.source, array, names, self.asked, self.progress)


LEAST_ROWS = 2
"""Rows that a fit needs."""

FILLED = "rows whose gaps were filled"
"""What `impute` writes, which are no predictions but data again."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An array with named dimensions; without chunks if it is stored in one piece."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...] | None
    dtype: str
    number: bool

    @property
    def is_feature(self) -> bool:
        """Whether it may hold features: numbers on a grid, and no coordinate of it."""
        return self.number and bool(self.dims) and self.dims != (self.name,)

    def line(self) -> tuple[str, str]:
        """Return the name and a description."""
        sizes = ", ".join(f"{d}: {n:,}" for d, n in zip(self.dims, self.shape, strict=True))
        chunks = "" if not self.chunks else f", chunks {_by(self.chunks)}"
        return f"  {self.name}", f"({sizes}) {self.dtype}{chunks}"


def describe_data(address: Address, *, gaps: bool = False, progress: Progress | None = None) -> str:
    """Return a description of the data or predictions at an address.

    Gaps of arrays are counted where these are small, or if that is asked for; `progress` is called
    with the number of chunks done and their total.
    """
    source = source_of(address.url, address.options)
    describe = FORMS.get(type(source), _rows)
    return f"{address.url}: {describe(source, Look(source, gaps, progress))}"


def _rows(source: Source, look: Look) -> str:
    """Describe rows of any source."""
    rows = source.rows()
    n = rows.n_rows
    count = "unknown" if n is None else f"{n:,}"
    facts = [
        ("rows", f"{count}, in {counted(len(rows.lengths), 'chunk')}"),
        ("dtype", str(rows.dtype)),
        ("columns", ", ".join(rows.columns or (f"{rows.n_features:,}",))),
        ("use", "can be fitted" if n is None or n >= LEAST_ROWS else _too_few(n)),
    ]
    return f"rows\n{listed(facts)}"


def _parquet(source: Source, look: Look) -> str:
    """Describe Parquet files by their footers."""
    assert isinstance(source, ParquetFiles), "those are described so"
    footers = source.footers
    groups = [rows for footer in footers for rows in footer.rows]
    columns = footers[0].columns
    marks = _marks(footers[0])
    k = marks.get(COMPONENTS)
    kinds = ((name, columns[name]) for name in footers[0].features)
    found = Columns.of((name, each.kind, each.dtype is not None) for name, each in kinds)
    facts = [
        *([] if k is None else [("components", k.decode())]),
        *_classes(json.loads(marks.get(CLASSES, b"[]"))),
        *provenance(from_parquet(marks)),
        ("files", f"{len(footers):,}"),
        ("rows", f"{sum(groups):,}"),
        ("row groups", f"{len(groups):,}, of {counted(max(groups, default=0), 'row')} at most"),
        ("columns", f"{len(columns):,}"),
        *[(f"  {name}", column.kind) for name, column in _first(columns)],
    ]
    filled = k is not None and json.loads(marks.get(ARRAYS, b"[]")) == [IMPUTED]
    found_gaps = look() if k is None or filled else Gaps()
    facts += _that_stay(found_gaps) if filled else found_gaps.lines
    use = _use_of(found, found_gaps, sum(groups))
    if filled:
        return f"{FILLED}\n{listed([*facts, *use, *_state(source)])}"
    if k is not None:
        return f"predictions\n{listed([*facts, *_state(source)])}"
    return f"Parquet\n{listed([*facts, *use])}"


def _csv(source: Source, look: Look) -> str:
    """Describe a CSV file that is small enough to be fitted."""
    table = read_small(source.address)
    kinds = {field.name: field.type for field in table.schema}
    columns, n = columns_of(table.schema), table.num_rows
    missing, infinite = (
        {name: count(table[name]) for name in columns.others} for count in (missing_in, infinite_in)
    )
    gaps = Gaps.of(missing, infinite, n)
    facts = [
        ("rows", f"{table.num_rows:,}"),
        ("columns", f"{len(kinds):,}"),
        *[(f"  {name}", str(kind)) for name, kind in _first(kinds)],
        *gaps.lines,
        *_use_of(columns, gaps, table.num_rows),
        *_perhaps_numbers(str(source.path), table.select(list(columns.texts)).slice(0, LOOKED_AT)),
    ]
    return f"CSV\n{listed(facts)}"


def _use_of(columns: Columns, gaps: Gaps, rows: int) -> list[tuple[str, str]]:
    """Return what columns are for, and which of them `daskgmm fit` leaves out by itself."""
    facts = [("use", "has no numeric columns")]
    usable = [name for name in columns.others if name not in gaps.unfit]
    if rows < LEAST_ROWS:
        facts = [("use", _too_few(rows))]
    elif usable:
        facts = [("use", f"can be fitted: --columns {typed(names_text(usable))}")]
    elif columns.others:
        facts = [("use", "cannot be fitted: no column is usable")]
    facts += _unfit(gaps)
    if not columns.left:
        return facts
    more = len(columns.left) - LISTED_VARIABLES
    left = [*islice(described(columns.left), LISTED_VARIABLES)]
    return [*facts, ("left out", ", ".join(left) + (f" and {more} more" if more > 0 else ""))]


def _too_few(rows: int) -> str:
    has = counted(rows, "row") if rows else "no rows"
    return f"cannot be fitted: it has {has}, and a fit needs {LEAST_ROWS} or more"


def _unfit(gaps: Gaps) -> list[tuple[str, str]]:
    """Return which columns a fit would refuse for what they hold, with what to do."""
    found = [f"{name!r} ({why})" for name, why in gaps.unfit.items()]
    if not found:
        return []
    more = f" and {len(found) - LISTED_VARIABLES} more" if len(found) > LISTED_VARIABLES else ""
    how = [
        *(["leave out what has no value"] if gaps.without else []),
        *(["leave out infinite values, or replace them"] if gaps.infinite else []),
    ]
    return [("not usable", f"{', '.join(found[:LISTED_VARIABLES])}{more}: {', and '.join(how)}")]


def _perhaps_numbers(path: str, texts: Any) -> list[tuple[str, str]]:
    """Return how to make numbers of columns of texts that may be some."""
    found = [f"{name!r} (such as {examples})" for name, examples in mostly_numbers(texts)]
    if not found:
        return []
    how = f"{converting([path], texts)} makes numbers of them"
    return [("mostly numbers", f"{', '.join(found[:LISTED_VARIABLES])}: {how}")]


def _marks(footer: Footer) -> Mapping[bytes, bytes]:
    """Return the metadata of a file: those of predictions say of what they are."""
    with opened_version(footer.address) as (file, _):
        found: Mapping[bytes, bytes] = file.metadata.metadata or {}
    return found


def _classes(labels: Sequence[Any]) -> list[tuple[str, str]]:
    """Describe the classes of predictions, if they are of some."""
    return [("classes", ", ".join(map(str, labels)))] if labels else []


def _state(source: Source) -> list[tuple[str, str]]:
    """Return whether predictions are whole, and what is known of a run that has not ended there."""
    found = unfinished_at(source.address)
    if found is None:
        return [("state", "whole")]
    left, facts = found
    if source.address.path is None:  # it is written where it stays
        return [("state", "NOT whole: the run that writes them has not ended"), *facts]
    told = f"whole; {left} holds what another run has written so far, which has not ended"
    return [("state", told), *facts]


def _group(group: zarr.Group, source: Source, look: Look) -> str:
    """Describe a Zarr group of variables or of predictions."""
    variables = list(_of_group(group))
    k = dict(group.attrs).get("n_components")
    if k is None:
        return _variables(f"Zarr group, format {group.metadata.zarr_format}", variables, look)
    about: list[Any] = [node.attrs.get("classes") for _, node in group.arrays()]
    facts = [
        ("components", str(k)),
        *_classes(next(filter(None, about), ())),
        *provenance(from_zarr(dict(group.attrs))),
        *_rows_of_predictions(variables),
        ("variables", ""),
    ]
    lines = [variable.line() for variable in variables]
    if {variable.name for variable in variables}.intersection(OUTPUTS) == {IMPUTED}:
        use = _use_of_filled(group, look)
        return f"{FILLED}\n{listed([*facts, *lines, *use, *_state(source)])}"
    return f"predictions\n{listed([*facts, *lines, *_state(source)])}"


def _use_of_filled(group: zarr.Group, look: Look) -> list[tuple[str, str]]:
    """Return which gaps stay in rows that were filled, and what the rows are for."""
    points: Any = group[IMPUTED]
    numbers = [f"column {place}" for place in range(points.shape[-1])]
    names = from_zarr(dict(group.attrs)).get(FEATURES, numbers)
    gaps = look.at_points(points, names)
    use = f"can be fitted: --variables {IMPUTED} --features {COLUMN}"
    if gaps.unfit:
        use = "cannot be fitted as they are"
    return [*_that_stay(gaps), ("use", use), *_unfit(gaps)]


def _that_stay(gaps: Gaps) -> list[tuple[str, str]]:
    """Return the lines of gaps that were left as they are where others were filled."""
    return [(key, STAY if value == GAPS else value) for key, value in gaps.lines]


def _zarr(source: Source, look: Look) -> str:
    """Describe a Zarr array or group."""
    node = open_node(source.address)
    return _group(node, source, look) if isinstance(node, zarr.Group) else _array(node, look)


def _npy(source: Source, look: Look) -> str:
    """Describe the array of a .npy file."""
    return _array(source.open(), look)


def _file(source: Source, look: Look) -> str:
    """Describe the variables of a file that xarray opens."""
    return _variables("opened with xarray", list(_of_dataset(open_file(source.address))), look)


def _variables(kind: str, variables: Sequence[Variable], look: Look) -> str:
    gaps = look()
    features = {v.name: v.dims for v in variables if v.is_feature and v.name not in gaps.unfit}
    use = (
        f"can be fitted: {suggested(features)}"
        if features
        else "has no variables that can be fitted"
    )
    if features and not any(math.prod(v.shape) for v in variables if v.name in features):
        use = _too_few(0)
    lines = [variable.line() for variable in variables[:LISTED_VARIABLES]]
    known = [("variables", str(len(variables))), *lines, *gaps.lines, ("use", use), *_unfit(gaps)]
    return f"{kind}\n{listed(known)}"


def _of_group(group: zarr.Group) -> Iterator[Variable]:
    for name, node in sorted(group.members(max_depth=None)):
        if isinstance(node, zarr.Array):
            dims = dimensions(node) or tuple(f"dim_{axis}" for axis in range(node.ndim))
            number = node.dtype.kind in REAL_KINDS
            yield Variable(name, dims, node.shape, node.chunks, str(node.dtype), number)


def _of_dataset(dataset: Any) -> Iterator[Variable]:
    for name, array in dataset.variables.items():
        chunks = array.encoding.get("chunksizes")
        number = array.dtype.kind in REAL_KINDS
        yield Variable(str(name), array.dims, array.shape, chunks, str(array.dtype), number)


def _rows_of_predictions(variables: Sequence[Variable]) -> list[tuple[str, str]]:
    """Describe the grid of the rows: the longest among those of the outputs."""
    grids = (
        [(d, n) for d, n in zip(v.dims, v.shape, strict=True) if d not in DIMENSIONS]
        for v in variables
    )
    grid = max(grids, key=len, default=[])
    sizes = ", ".join(f"{dim}: {length:,}" for dim, length in grid)
    return [("rows", f"{math.prod(length for _, length in grid):,} ({sizes})")]


def _first(columns: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return list(columns.items())[:LISTED_VARIABLES]


def _array(array: Any, look: Look) -> str:
    """Describe a Zarr array or a mapped .npy file."""
    facts = [("shape", _by(array.shape)), ("dtype", str(array.dtype))]
    if isinstance(array, zarr.Array):
        kind = f"Zarr array, format {array.metadata.zarr_format}"
        facts += _storage(array)
    else:
        kind = ".npy file"
        facts += [
            ("order", "C (by rows)" if array.flags.c_contiguous else "Fortran (by columns)"),
            ("size", size(array.nbytes)),
        ]
    gaps, use = _gaps_of(array, look), _use(array)
    if gaps.unfit and use.startswith("can be"):
        use = f"{use.replace('can be', 'cannot be', 1)} as they are"
        use = use if array.ndim == 2 else "cannot be fitted as it is"
    return f"{kind}\n{listed([*facts, *gaps.lines, ('use', use), *_unfit(gaps)])}"


def _gaps_of(array: Any, look: Look) -> Gaps:
    """Return what is said of the gaps of rows, or of points whose features are on the last axis."""
    if array.ndim < 2:
        return Gaps()
    if array.ndim == 2 or not isinstance(array, zarr.Array):
        return look()
    names = [f"column {place}" for place in range(array.shape[-1])]
    return look.at_points(array, names) if array.dtype.kind in REAL_KINDS else Gaps()


def _storage(array: zarr.Array[Any]) -> list[tuple[str, str]]:
    dims = dimensions(array)
    facts = [] if dims is None else [("dimensions", ", ".join(dims))]
    facts.append(("chunks", f"{_by(array.chunks)}, {array.nchunks:,} of them"))
    if array.shards is not None:
        facts.append(("shards", _by(array.shards)))
    return [
        *facts,
        ("size", size(math.prod(array.shape) * array.dtype.itemsize)),
        ("stored", size(array.nbytes_stored())),
        ("compressed", ", ".join(map(_codec, array.compressors)) or "no"),
    ]


def _codec(codec: Any) -> str:
    """Return the name of a codec and its level, if it has one."""
    settings = codec.to_dict() if hasattr(codec, "to_dict") else codec.get_config()
    name = settings.get("name", settings.get("id"))
    level = settings.get("configuration", settings).get("level", settings.get("clevel"))
    return str(name) if level is None else f"{name}, level {level}"


def _use(array: Any) -> str:
    """Describe the use of an array, or why it cannot be fitted."""
    if array.ndim == 1 and array.dtype.kind in "biuf":
        return "as --weights, or it holds labels; rows to fit have two axes"
    if array.ndim > 2 and array.dtype.kind in REAL_KINDS:
        last = (dimensions(array) or ("-1",))[-1] if isinstance(array, zarr.Array) else None
        if last is not None:
            return f"can be fitted: --features {last}, if its points are the features"
    try:
        rows = as_rows(array)
    except DataError as error:
        return f"cannot be fitted. {error}"
    if rows.n_rows is not None and rows.n_rows < LEAST_ROWS:
        return _too_few(rows.n_rows)
    n, d = counted(rows.n_rows or 0, "row"), counted(rows.n_features, "feature")
    return f"can be fitted: {n} of {d}"


def _by(shape: Sequence[int]) -> str:
    return " x ".join(f"{length:,}" for length in shape)


FORMS: dict[type[Source], Callable[[Source, Look], str]] = {
    ParquetFiles: _parquet,
    CsvFile: _csv,
    LabelledFile: _file,
    Npy: _npy,
    StoredZarr: _zarr,
}
"""Functions that describe kinds of files; those of other kinds are described as rows."""
