"""``daskgmm score``."""

from __future__ import annotations

import json
from typing import Any

import click

import daskgmm.cli.options as options
from daskgmm.cli.data import MISSING_ROWS, NOISE_VARIANCE, Data, choosing, weighing
from daskgmm.cli.importing import IMPORT
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.places import check_apart
from daskgmm.cli.workers import Workers, running


@click.command(short_help="Say how likely data are under a mixture, with BIC, AIC and ICL.")
@click.argument("model")
@click.argument("data")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@MISSING_ROWS
@choosing
@weighing
@options.weights_are
@NOISE_VARIANCE
@running
@IMPORT
def score(
    model: str,
    data: Data,
    missing: str | None,
    weights_are: str | None,
    workers: Workers,
    as_json: bool,
) -> None:
    """Say how likely the rows of DATA are under MODEL, in one pass.

    DATA are opened as they were for the fit; options say otherwise.
    """
    data.check_meaning(weights_are)
    with at_once():
        from daskgmm.models.files.model_file import load_model

    check_apart({"MODEL": model, **data.places, **workers.places}, {})
    mixture = load_model(model, data.storage_options)
    if missing is not None:
        mixture.set_params(missing=missing)
    x = data.for_mixture(mixture)
    beside = {"sample_weight": data.sample_weight(x), "noise_variance": data.noise()}
    with workers.current():
        if hasattr(mixture, "bic"):
            beside["weights_are"] = weights_are
            found = mixture._criteria_of(x, **beside, disorder=True).as_dict()
        else:
            found = {"log_likelihood": mixture.score(x, **beside)}
    click.echo(json.dumps(found, indent=1) if as_json else _shown(found))


def _shown(found: dict[str, Any]) -> str:
    """Return the criteria in a line each."""
    units = {"log_likelihood": "nats a row", "n": "rows that count"}
    return "\n".join(
        f"{name:14}  {value:>16,.10g}  {units.get(name, '')}".rstrip()
        for name, value in found.items()
    )
