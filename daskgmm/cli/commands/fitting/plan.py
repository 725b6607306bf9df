"""``daskgmm plan``."""

from __future__ import annotations

from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.commands.fitting.fitting import (
    CHECKPOINT,
    EQUAL_WEIGHTS,
    INIT,
    MISSING,
    N_INIT,
    PCA,
    PRECISION,
    PRIOR,
    REG_COVAR,
    SEED,
    STANDARDISE,
    checked,
)
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.completing import PLACE
from daskgmm.cli.options.data import LABELS, NOISE_VARIANCE, Data, choosing, weighing
from daskgmm.cli.options.importing import IMPORT
from daskgmm.cli.options.workers import SCHEDULER, SCHEDULER_FILE, THREADS, Workers
from daskgmm.cli.reporting import tell


@command(
    short_help="Estimate what a fit will cost, before any data are read.",
    example="daskgmm plan pixels.zarr --components 5",
)
@click.argument("data", type=PLACE)
@options.components
@options.covariance
@options.n_factors
@options.max_iter
@N_INIT
@INIT
@options.noise
@options.tails
@options.n_candidates
@options.acceleration
@options.tolerance(1e-3)
@options.sample_rows
@MISSING
@STANDARDISE
@PCA
@REG_COVAR
@PRIOR
@EQUAL_WEIGHTS
@PRECISION
@SEED
@CHECKPOINT
@choosing
@weighing
@LABELS
@NOISE_VARIANCE
@options.cache
@THREADS
@SCHEDULER
@SCHEDULER_FILE
@IMPORT
def plan(
    data: Data,
    threads: int | None,
    scheduler: str | None,
    scheduler_file: str | None,
    cache: str | None,
    checkpoint: str | None,
    **settings: Any,
) -> None:
    """Estimate what a fit to DATA will cost: bytes, batches, passes, memory.

    It takes the settings of `fit` that the cost depends on, and refuses what `fit` refuses before
    it reads.
    """
    with at_once():
        from daskgmm.models.gaussian_mixture import GaussianMixture
        from daskgmm.models.planning import plan as plan_fit

    mixture = checked(GaussianMixture(**settings))
    x, arguments = data.training()
    with Workers(threads, scheduler, scheduler_file).current():
        found = plan_fit(x, estimator=mixture, cache=cache, checkpoint=checkpoint, **arguments)
    # What it refuses is the error.
    tell("\n\n".join([found.table, *found.advice]))
    found.check()
