"""``daskgmm adapt``."""

from __future__ import annotations

from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.commands.changing.changing import write_changed
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.data import Data, choosing, names_in, weighing
from daskgmm.cli.options.workers import Workers
from daskgmm.cli.options.writing import writing
from daskgmm.cli.reporting import tell
from daskgmm.names import ADAPTED

Relevance = float | dict[str, float]


def relevance_in(value: str) -> Relevance:
    """Return the number of rows in a text such as 16, or in means=16,weights=4 those of each."""
    if "=" not in value:
        return _rows_in(value)
    found: dict[str, float] = {}
    for part in value.split(","):
        name, _, rows = (text.strip() for text in part.partition("="))
        if name in found or name not in ADAPTED:
            raise click.BadParameter(f"give each of {', '.join(ADAPTED)} once at most, not {part}.")
        found[name] = _rows_in(rows)
    return found


def _rows_in(value: str) -> float:
    try:
        rows = float(value)
    except ValueError:
        rows = -1.0
    if not rows >= 0:
        raise click.BadParameter(
            f"{value!r} is not a number of rows, 0 or more; give one such as 16, or one for each "
            "kind of parameter, such as means=16,weights=4."
        )
    return rows


def parameters_in(value: str) -> tuple[str, ...]:
    """Return the kinds of parameters in a text such as means,weights."""
    names = names_in(value)
    unknown = [name for name in names if name not in ADAPTED]
    if unknown or not names:
        raise click.BadParameter(f"{value!r} is not made of {', '.join(ADAPTED)}.")
    return names


@command(
    short_help="Adapt a mixture to a few rows and write a new model file.",
    example="daskgmm adapt model.json few.zarr --relevance 16 --out adapted.json",
)
@options.model_and_data
@options.model_out(metavar="NEW")
@options.several(
    "--relevance", metavar="ROWS|NAME=ROWS,...", parse=relevance_in, default=("16",),
    show_default=True,
    help=(
        "Number of rows in DATA at which a component lies halfway between DATA and MODEL; or one "
        "number for each kind of parameter, for example means=16,weights=4."
    ),
)  # fmt: skip
@options.several(
    "--parameters", metavar="NAMES", parse=parameters_in,
    help=(
        "Parameters to adapt: weights, means, covariances.  [default: means, or those in "
        "--relevance]"
    ),
)  # fmt: skip
@click.option(
    "--n-iter", type=click.IntRange(1), default=1, show_default=True,
    help="Number of passes over DATA; each one starts from the result of the previous one.",
)  # fmt: skip
@click.option(
    "--missing", type=click.Choice(["error", "drop"]),
    help=(
        "How to treat rows with missing values, here and when NEW is used.  [default: as in "
        "MODEL]"
    ),
)  # fmt: skip
@choosing
@weighing
@options.weights_are
@writing
def adapt(
    model: str,
    data: Data,
    out: str,
    workers: Workers,
    missing: str | None,
    overwrite: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Adapt MODEL to the rows of DATA, for example a speech model to one speaker.

    DATA are opened as for the fit, unless options say otherwise.
    """
    relevance = settings["relevance"]
    settings["parameters"] = asked_parameters(relevance, settings["parameters"])
    data.check_meaning(settings["weights_are"])
    with at_once():
        from daskgmm.models.inputs.source_name import without_secrets
        from daskgmm.report.model import relevances_in_words

    def change(mixture: Any, x: Any, weights: Any) -> Any:
        if missing is not None:
            mixture.set_params(missing=missing)
        adapted = mixture.map_adapt(x, sample_weight=weights, **settings)
        facts = adapted.adapted_
        facts["background"] = {"model": without_secrets(model), **facts["background"]}
        return adapted

    facts = write_changed(model, data, out, workers, change, overwrite=overwrite).adapted_
    if not quiet:
        said = relevances_in_words(facts["relevance"])
        tell(f"{out}: adapted to {facts['rows']:,} rows: {said}")


def asked_parameters(relevance: Relevance, parameters: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return what is to be adapted; refuse a relevance of something else."""
    named = tuple(relevance) if isinstance(relevance, dict) else None
    if parameters is None:
        return named or ("means",)
    if named is not None and set(named) != set(parameters):
        raise click.UsageError(
            f"--relevance is of {', '.join(named)}, and --parameters are {', '.join(parameters)}. "
            "Give one number, or one for each of --parameters."
        )
    return parameters
