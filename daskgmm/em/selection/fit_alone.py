"""The fit alone, tried by a sweep of few rows: so that no model is less likely than that fit."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np

from daskgmm.em.settings import Settings
from daskgmm.em.starts.candidates import Candidate, Part
from daskgmm.em.starts.drawing import Draw
from daskgmm.em.starts.start_on_sample import OWN_ITER, best_of_all_rows, worth_comparing


def fit_alone(
    draw: Draw, settings: Settings, seed: int, random: np.random.RandomState
) -> Candidate | None:
    """Return the fit with these settings to a sample of all rows; None if it fails.

    `seed` is that of the fit's sample, and `random` is left as it is after scikit-learn's start.
    None, too, of rows that are not taken whole, or so many that a fit compares no starts on them.
    """
    (m, d), survey = draw.x.shape, draw.survey
    if survey is None or m != survey.weighed_rows:
        return None
    if not settings.accelerated or settings.labelling is not None:
        return None
    # Not its own `max_iter`: a sweep that goes on with a larger one has begun as with that.
    settings = replace(settings, max_iter=OWN_ITER)
    count = worth_comparing(settings, m, d)
    if not count:
        return None
    # Its own tolerance: on a plateau another one may end elsewhere.
    part = replace(Part.of(draw, 1.0, settings), settings=settings)
    with suppress(ValueError):  # one collapses
        begun = best_of_all_rows(part.rows, settings, count, seed, random)
        return part.tried(Candidate(seed, begun))
    return None
