"""``daskgmm plot``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.models import fitted_in
from daskgmm.cli.options.completing import PLACE, NewPlace
from daskgmm.cli.options.data import (
    COLUMNS,
    MISSING_ROWS,
    VARIABLES,
    AddressOf,
    Data,
    addressing,
    names_in,
    weighing,
)
from daskgmm.cli.options.workers import Workers
from daskgmm.cli.options.writing import writing
from daskgmm.cli.places import check_apart
from daskgmm.cli.reporting import tell

READS = {
    "components": "may", "corner": "may", "profiles": "no", "convergence": "no",
    "timeline": "log", "merging": "must", "labels": "must", "posterior": "must",
    "ambiguity": "must",
}  # fmt: skip
"""Kinds of pictures, and whether they are of DATA: a timeline of what --log-json wrote."""

OF_FEATURES = ("components", "corner", "profiles")
"""Kinds that are of some features."""

MAPS = ("labels", "posterior", "ambiguity")
"""Kinds that are of data on a grid."""


@command(
    short_help="Plot a model: components, corner plot, profiles, maps, fits.",
    example="daskgmm plot model.json pixels.zarr --kind corner --out corner.pdf",
)
@click.argument("model", type=PLACE)
@click.argument("rows", metavar="[DATA]", type=PLACE, required=False)
@click.option(
    "--kind", type=click.Choice(tuple(READS)), default="components", show_default=True,
    metavar="KIND",
    help=(
        "components (over one or two features) or corner (all pairs of several), over the "
        "density of DATA if given; profiles (mean and quantiles of each component); convergence; "
        "timeline (DATA is the file of --log-json); merging (the tree of merges); maps of DATA "
        "on a grid: labels, posterior, ambiguity."
    ),
)  # fmt: skip
@options.several(
    "--features", "drawn", metavar="NAMES", parse=names_in,
    help=(
        "Names or numbers of the features to draw, for example a,b.  [default: those that "
        "separate the components best, or all]"
    ),
)  # fmt: skip
@click.option(
    "--component", metavar="NAME", help="Component number, or class, to draw in a posterior map."
)
@click.option(
    "--out", "-o", metavar="FILE", type=NewPlace(),
    help="Picture to write: .png, .pdf or .svg.  [default: MODEL-KIND.png in the current folder]",
)  # fmt: skip
@MISSING_ROWS
@COLUMNS
@VARIABLES
@addressing
@weighing
@writing
def plot(
    model: str,
    rows: str | None,
    kind: str,
    drawn: tuple[str, ...] | None,
    component: str | None,
    out: str | None,
    missing: str | None,
    address: AddressOf,
    columns: tuple[str, ...] | None,
    variables: tuple[str, ...] | None,
    weights: str | None,
    weight_column: str | None,
    workers: Workers,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Plot MODEL, over the density of the rows of DATA if given, in one pass.

    DATA are opened as for the fit, unless options say otherwise. Large maps are thinned: only
    every second point, every third point and so on is read and predicted.
    """
    _check_kind(kind, rows, drawn, component)
    if rows is None and any(
        each is not None for each in (columns, variables, weights, weight_column)
    ):
        raise click.UsageError("Options of the data are given, and DATA are not. Name them.")
    with at_once():
        from daskgmm.report.sweep import check_picture, checked_output, written

    name = out or f"{Path(model).stem}-{kind}.png"
    beside = (weights, weight_column)
    data = None
    if rows is not None:
        data = Data(rows, columns, variables, None, *beside, storage_options=address(rows).options)
        data.check_columns()
    read = {} if data is None else data.places
    check_apart({"MODEL": model, **read, **workers.places}, {"--out": name})
    place = checked_output(name, "--out", overwrite)
    check_picture(place)
    fitted, mixture = fitted_in(address(model), missing)
    if kind == "merging" and fitted is not mixture:
        raise click.UsageError(
            "MODEL is a classifier: the clusters of its components are its classes. Draw its "
            "components, or merge those of a mixture."
        )
    with workers.current():
        figure = _drawn(fitted, mixture, kind, data, _features(mixture, drawn), component)
    written(_content(figure, place.suffix), place, "The picture")
    if not quiet:
        tell(f"{name}: {kind} of {model}")


def _check_kind(
    kind: str, rows: str | None, drawn: Sequence[str] | None, component: str | None
) -> None:
    """Raise `click.UsageError` for arguments that do not go with a kind of picture."""
    reads = READS[kind]
    if rows is None and reads == "must":
        raise click.UsageError(
            f"--kind {kind} is made of rows, which no model file holds: name DATA behind MODEL."
        )
    if rows is not None and reads == "no":
        raise click.UsageError(
            f"--kind {kind} is of MODEL alone, which needs no DATA. Leave it out."
        )
    if drawn is not None and kind not in OF_FEATURES:
        raise click.UsageError(
            f"--features is for --kind {', '.join(OF_FEATURES)}; {kind} is of all features."
        )
    if (component is not None) != (kind == "posterior"):
        raise click.UsageError("--component and --kind posterior go together; give both.")


def _features(mixture: Any, drawn: tuple[str, ...] | None) -> list[int | str] | None:
    """Return names as they are, and numbers as such where no feature is named so."""
    if drawn is None:
        return None
    names = set(map(str, getattr(mixture, "feature_names_in_", ())))
    return [
        int(each) if each not in names and each.lstrip("-").isdecimal() else each for each in drawn
    ]


def _drawn(
    fitted: Any,
    mixture: Any,
    kind: str,
    data: Data | None,
    features: list[int | str] | None,
    component: str | None,
) -> Any:
    """Return the figure."""
    import matplotlib as mpl

    import daskgmm.plot as pictures

    mpl.use("agg")  # there may be no display
    if kind in ("convergence", "timeline"):
        source = fitted if data is None else data.path
        return getattr(pictures, kind)(source).figure
    if kind == "profiles":
        return pictures.profiles(fitted, features)[0].figure
    x = None if data is None else _opened(data, mixture)
    if data is not None and kind in MAPS:
        return _map(fitted, mixture, kind, x, component).figure
    weights = None if data is None else data.sample_weight(x)
    if kind == "merging":
        return pictures.merging(mixture.merge_components(x, sample_weight=weights)).figure
    axes: Any = getattr(pictures, kind)(fitted, x, features, sample_weight=weights)
    return axes.flat[0].figure if kind == "corner" else axes.figure


def _opened(data: Data, mixture: Any) -> Any:
    """Return X as the mixture takes it."""
    try:
        return data.for_mixture(mixture)
    except click.UsageError as error:
        if "--features" not in error.message:
            raise
        # Here that option names what is drawn.
        raise click.UsageError(
            "MODEL does not know which dimensions of DATA hold features, as it was fitted on rows "
            "without named dimensions. Fit it on DATA (daskgmm fit --features ...), or draw in "
            "Python, once mixture.feature_dims_ is set."
        ) from error


def _map(fitted: Any, mixture: Any, kind: str, x: Any, component: str | None) -> Any:
    """Return the axes of a map of the points of a grid, of which not all are read."""
    import daskgmm.plot as pictures
    from daskgmm.drawing.style import note
    from daskgmm.plot.grids import thin
    from daskgmm.rows.sources import source_of

    if not source_of(x).labelled:
        raise click.UsageError(
            f"--kind {kind} draws a map, and DATA are rows without a grid. Name a Zarr group or a "
            "NetCDF file, or an array that MODEL was fitted on with --features."
        )
    some, said = thin(x, getattr(mixture, "feature_dims_", ()))
    if kind == "labels":
        axes = pictures.label_map(fitted.predict(some), mixture=fitted)
    else:
        found = fitted.predict_proba(some)
        if kind == "ambiguity":
            axes = pictures.ambiguity_map(found)
        else:
            axes = pictures.posterior_map(found, _label(component))
    note(axes, [said])
    return axes


def _label(component: str | None) -> int | str:
    text = str(component)
    return int(text) if text.lstrip("-").isdecimal() else text


def _content(figure: Any, suffix: str) -> bytes:
    """Return a picture as the content of a file of that kind, and close it."""
    import io

    from matplotlib import pyplot

    content = io.BytesIO()
    figure.savefig(content, format=suffix[1:].lower())
    pyplot.close(figure)
    return content.getvalue()
