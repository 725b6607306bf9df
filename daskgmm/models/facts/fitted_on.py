"""Facts of the rows that a model was fitted to, for its card."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from daskgmm.em.survey.survey import Survey
from daskgmm.em.survey.weighing import RELATIVE
from daskgmm.models.inputs.source_name import source_name
from daskgmm.passes.dataset import Dataset


def fitted_on(
    data: Dataset, survey: Survey, x: Any, weights_are: str | None = None
) -> dict[str, Any]:
    """Return the facts that the survey of the rows as read found, in plain values.

    x is what the user gave: a path or URL is named.
    """
    facts = {
        "rows": survey.rows,
        "missing": survey.missing,
        "weight": survey.weight,
        "dtype": str(data.rows.dtype),
        "mean": survey.mean.tolist(),
        "minimum": survey.minimum.tolist(),
        "maximum": survey.maximum.tolist(),
    }
    digest = hashlib.sha256(json.dumps(facts).encode())
    digest.update(np.ascontiguousarray(survey.scatter, "<f8").tobytes())
    said = None if data.weights is None else weights_are
    counted = {"effective_rows": survey.counted(RELATIVE), "weights_are": said}
    noise = {} if survey.noise is None else {"noise_variance": survey.noise.mean.tolist()}
    gaps = {"marginalised": True} if survey.has_gaps else {}
    named = {"source": source_name(x), **facts, **counted, **noise, **gaps}
    return {**named, "sha256": digest.hexdigest()}


def has_gaps(mixture: Any) -> bool:
    """Return whether rows of the fit counted with gaps, whatever the setting `missing` is now."""
    return bool((getattr(mixture, "fitted_on_", None) or {}).get("marginalised", False))


def has_known_noise(mixture: Any) -> bool:
    """Return whether the rows of the fit had noise of known variance."""
    noise = (getattr(mixture, "fitted_on_", None) or {}).get("noise_variance")
    return noise is not None and bool(np.any(noise))


def has_labels(mixture: Any) -> bool:
    """Return whether rows of the fit had labels."""
    return bool(np.any((getattr(mixture, "fitted_on_", None) or {}).get("labelled_rows", 0)))
