"""``daskgmm compare``."""

from __future__ import annotations

import json
from typing import Any

import click

from daskgmm.cli.command import command
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.models import mixture_in
from daskgmm.cli.options.completing import PLACE
from daskgmm.cli.options.data import MISSING_ROWS, Data, choosing, weighing
from daskgmm.cli.options.importing import IMPORT
from daskgmm.cli.options.workers import Workers, running
from daskgmm.cli.places import check_apart
from daskgmm.storage.masking import shown


@command(
    short_help="Compare two mixtures, with each other and on the same rows.",
    example="daskgmm compare old.json new.json pixels.zarr",
)
@click.argument("model_a", type=PLACE)
@click.argument("model_b", type=PLACE)
@click.argument("data", type=PLACE, required=False, default="")
@click.option("--json", "as_json", is_flag=True, help="Write all numbers as JSON.")
@MISSING_ROWS
@choosing
@weighing
@running
@IMPORT
def compare(
    model_a: str, model_b: str, data: Data, missing: str | None, workers: Workers, as_json: bool
) -> None:
    """Compare MODEL_A and MODEL_B: size, criteria, matched components, divergence.

    With DATA, also compare them on its rows, in one read: the difference of their log-likelihoods
    with its standard error, and how far their labels agree. DATA are opened as for the fit of
    MODEL_A, unless options say otherwise. To compare models of different columns, name some that
    both have with --columns.
    """
    places = data.places | {"DATA": data.path or None}
    check_apart({"MODEL_A": model_a, "MODEL_B": model_b, **places, **workers.places}, {})
    with at_once():
        from daskgmm.models.comparison.comparison import compare as compare_mixtures

    a, b = _over(data.columns, [mixture_in(data.address(model)) for model in (model_a, model_b)])
    if missing is not None:
        for mixture in (a, b):
            mixture.set_params(missing=missing)
    x = data.for_mixture(a) if data.path else None
    weights = None if x is None else data.sample_weight(x)
    with workers.current():
        found = compare_mixtures(a, b, x, weights)
    named = f"A  {shown(model_a)}\nB  {shown(model_b)}\n\n"
    click.echo(json.dumps(found.as_dict(), indent=1) if as_json else f"{named}{found!r}")


def _over(columns: tuple[str, ...] | None, mixtures: list[Any]) -> list[Any]:
    """Return mixtures over columns that are named, where they have more, or not the same."""
    from daskgmm.models.inputs.rows import feature_names

    names = [feature_names(each) or () for each in mixtures]
    if not columns or names[0] == names[1] == columns:
        return mixtures
    fewer = names[0] != names[1] or len(columns) < len(names[0])
    return [
        each.marginal(columns) if fewer and own != columns and {*columns} <= {*own} else each
        for each, own in zip(mixtures, names, strict=True)
    ]
