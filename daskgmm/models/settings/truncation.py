"""Truncated mixtures: what goes with `n_candidates`, and what a fit has left out."""

from __future__ import annotations

import math
from typing import Any

from daskgmm.em.settings import Settings
from daskgmm.errors import SettingError
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.names import FLOAT64
from daskgmm.readers import remedy


def check_truncation(mixture: Any, settings: Settings, *, noisy: bool = False) -> None:
    """Raise `SettingError` for a fit that cannot have candidates, if these were asked for.

    `noisy` says that the noise of rows is known.
    """
    if settings.n_candidates is None:
        return
    because = _whole(mixture, settings, noisy)
    if because is not None:
        raise SettingError(
            f"n_candidates={settings.n_candidates} does not go with these settings: {because}. "
            f"{remedy('Set n_candidates=None', 'Leave --n-candidates out')}: each row then has a "
            "density under all components."
        )


def _whole(mixture: Any, settings: Settings, noisy: bool) -> str | None:
    """Return why rows have to see all components; None if candidates are enough."""
    k, m = settings.n_components, settings.n_candidates
    if m is not None and m >= k:
        return f"there are no more components, n_components={k}"
    if settings.sample_rows is not None and settings.sample_rows < k:
        return (
            f"a start of {k} components needs a sample of as many rows, and there is "
            f"sample_rows={settings.sample_rows}"
        )
    if isinstance(STRUCTURES[settings.structure], LowRankStructure):
        return f"covariance_type={mixture.covariance_type!r} has moments of its own for each row"
    if settings.outliers is not None:
        return "noise and tails need all components"
    if settings.labelling is not None:
        return "the component of a labelled row need not be among the candidates of its cell"
    if settings.marginalise:
        return "rows that miss values are in no cell"
    if noisy:
        return "rows with known noise are in no cell"
    if settings.precision != FLOAT64:
        return f"precision={settings.precision!r} needs all components"
    if settings.init_params != "kmeans":
        return (
            "starts are clusters within regions, which is another way than "
            f"init_params={settings.init_params!r}"
        )
    given = [mixture.weights_init, mixture.means_init, mixture.precisions_init]
    if any(each is None for each in given) and any(each is not None for each in given):
        return "weights_init, means_init and precisions_init have to be given together, or none"
    return None


def left_out_of(mixture: Any) -> float | None:
    """Return what candidates leave out of log densities, in nats per row; None without any.

    It is of the last pass whose step was accepted.
    """
    history = getattr(mixture, "history_", None) or {}
    told = zip(history.get("left_out", ()), history.get("accepted", ()), strict=False)
    known = [float(each) for each, accepted in told if accepted and each is not None]
    known = [each for each in known if not math.isnan(each)]
    return known[-1] if known else None


def left_out_in_words(mixture: Any) -> str | None:
    """Return what a fit says of its candidates; None without any."""
    missed = left_out_of(mixture)
    if missed is None:
        return None
    m = "some" if mixture.n_candidates is None else mixture.n_candidates
    of = f"{m} of {mixture.n_components} for each row"
    return f"{of}, which leaves out {missed:.1e} nats per row"
