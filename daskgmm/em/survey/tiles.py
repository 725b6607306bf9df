"""The survey of a tile, and two surveys as one."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.survey.observed import Observed, first_values
from daskgmm.em.survey.probes import thinned
from daskgmm.em.survey.sample import join
from daskgmm.em.survey.survey import Survey
from daskgmm.em.survey.weighing import Weighing, merge_weighings, weigh
from daskgmm.gaussian.deconvolution.known import KnownNoise

TILE_ROWS = 2048


def survey_tile(z: Array, weights: Array | None, *, gaps: bool = False) -> Survey:
    """Return the survey of one tile of shape (d, b), b possibly 0, without a sample.

    Values may be NaN if there may be `gaps`.
    """
    d, rows = z.shape
    if weights is not None:
        chosen = weights > 0
        if not chosen.all():
            z, weights = z[:, chosen], weights[chosen]
    weighed = z.shape[1]
    if weighed == 0:
        nothing, infinity = np.zeros(d), np.full(d, np.inf)
        return Survey(
            rows=rows, weighed_rows=0, weight=0.0, origin=nothing, shift=nothing,
            scatter=np.zeros((d, d)), minimum=infinity, maximum=-infinity, weighing=Weighing(),
        )  # fmt: skip
    if gaps and np.isnan(z.sum()):
        return _survey_with_gaps(z, weights, rows)
    difference = z - z[:, :1]
    weight = float(weighed) if weights is None else float(weights.sum())
    shift = difference.sum(1) / weight if weights is None else difference @ (weights / weight)
    difference -= shift[:, None]
    scaled = difference if weights is None else difference * weights
    return Survey(
        rows=rows, weighed_rows=weighed, weight=weight, origin=z[:, 0].copy(), shift=shift,
        scatter=scaled @ difference.T, minimum=z.min(1), maximum=z.max(1),
        weighing=weigh(weights, weighed),
    )  # fmt: skip


def _survey_with_gaps(z: Array, weights: Array | None, rows: int) -> Survey:
    """Return the survey of a tile (d, b) of which some values are NaN, and no weight is 0."""
    observed = Observed.of_tile(z, weights)
    weight = float(z.shape[1] if weights is None else weights.sum())
    origin, missing = first_values(z), np.isnan(z)
    return Survey(
        rows=rows, weighed_rows=z.shape[1], weight=weight, origin=origin,
        shift=observed.mean - origin, scatter=observed.scatter(weight),
        minimum=np.where(missing, np.inf, z).min(1), maximum=np.where(missing, -np.inf, z).max(1),
        weighing=weigh(weights, z.shape[1]), observed=observed,
    )  # fmt: skip


def _merge_observed(one: Survey, other: Survey) -> Observed | None:
    if not (one.has_gaps or other.has_gaps):
        return None
    parts = [
        Observed.of_complete(each.mean, each.weight, each.scatter)
        if each.observed is None
        else each.observed
        for each in (one, other)
    ]
    return parts[0] + parts[1]


def merge_surveys(one: Survey, other: Survey) -> Survey:
    """Return the survey of both sets of rows (Chan, Golub & LeVeque 1983 for the scatter)."""
    base = other if one.weight == 0 else one
    weight, shift, scatter = one.weight + other.weight, base.shift, base.scatter
    if one.weight != 0 and other.weight != 0:
        difference = (other.origin - one.origin) + (other.shift - one.shift)
        share = other.weight / weight
        shift = one.shift + share * difference
        scatter = one.scatter + other.scatter
        scatter += (one.weight * share) * np.outer(difference, difference)
    observed = _merge_observed(one, other)
    if observed is not None:
        shift, scatter = observed.mean - base.origin, observed.scatter(weight)
    samples = [survey.sample for survey in (one, other) if survey.sample is not None]
    probes = [survey.probe for survey in (one, other) if survey.probe is not None]
    return Survey(
        rows=one.rows + other.rows,
        weighed_rows=one.weighed_rows + other.weighed_rows,
        weight=weight,
        origin=base.origin,
        shift=shift,
        scatter=scatter,
        minimum=np.minimum(one.minimum, other.minimum),
        maximum=np.maximum(one.maximum, other.maximum),
        sample=join(samples) if samples else None,
        missing=one.missing + other.missing,
        rounding=_finest(one.rounding, other.rounding),
        weighing=merge_weighings(one.weighing or Weighing(), other.weighing or Weighing()),
        probe=thinned(np.concatenate(probes)) if probes else None,
        observed=observed,
        noise=_merge_noise(one, other),
    )


def _merge_noise(one: Survey, other: Survey) -> KnownNoise | None:
    if one.noise is None or other.noise is None:
        return other.noise if one.noise is None else one.noise
    return one.noise + other.noise


def _finest(one: Array | None, other: Array | None) -> Array | None:
    if one is None or other is None:
        return other if one is None else one
    return np.minimum(one, other)
