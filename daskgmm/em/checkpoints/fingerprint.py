"""Fingerprint of a fit: its settings and rows in a few plain values, to recognise a checkpoint."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, astuple, replace
from typing import Any, cast

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.settings import Settings
from daskgmm.em.starts.start import Initial
from daskgmm.em.survey.survey import Survey
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.table import pseudo_moments_of
from daskgmm.names import FLOAT64
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import map_batches
from daskgmm.rows.rows import Rows

SAME = 1e-9
"""Relative difference below which two sums over rows are of the same rows, added up otherwise."""

PRIOR = "density of the prior"
"""Its name in errors. Fits without a prior have none, as in checkpoints of earlier versions."""

MAX_ITER = "max_iter"
"""Name of the setting that what goes on may have larger, where nothing but its end depends on it.
"""

SEED = "seed"
"""Name of the seed as it was given, beside the digest of the state that decides: it is told, and
not compared; of a generator there is none, nor in checkpoints of earlier versions."""

VALUES = "values of "
"""What the name of a digest of values begins with in errors; then what they are of."""

DIGEST = "sha256:"
"""What digests begin with: that they differ is all there is to say of two."""


def fit_identity(
    data: Dataset,
    settings: Settings,
    initial: Initial,
    resumed: Parameters | None,
    random: np.random.RandomState | None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Return settings and the fingerprint of the data, each under a name for errors.

    `random` is the generator at the start of the fit; None if the user left it to chance. `seed` is
    what it was made of, if that is a number.
    """
    given = {f"{name}_init": arrays_digest(value) for name, value in asdict(initial).items()}
    warm = None if resumed is None else arrays_digest(*asdict(resumed).values())
    state = None if random is None else arrays_digest(*generator_state(random)[1:])
    chosen = settings.identity
    chosen["covariance_type"] = chosen.pop("structure")
    chosen |= chosen.pop("bayesian") or {}
    alone = settings.n_init == 1 or resumed is not None
    if alone and settings.precision == FLOAT64:
        # Nothing but the end depends on it: a fit that stopped early may go on. (With early passes
        # in float32 the last one that it allows is in float64.)
        del chosen[MAX_ITER]
    if settings.prior is not None:
        chosen[PRIOR] = prior_digest(settings, data.rows.n_features)
    return {
        **chosen,
        **given,
        "warm_start": warm,
        "random_state": state,
        **({} if seed is None else {SEED: seed}),
        **rows_identity(data),
    }


def prior_digest(settings: Settings, columns: int) -> str | None:
    """Return a digest of the density of a prior, for rows of so many columns; None without one.

    Of a Bayesian mixture it is one of the hyperparameters.

    It is that for one mean and one covariance of the rows, whatever these are, in single precision:
    libraries of linear algebra differ in the last digits.
    """
    if settings.bayesian is not None:
        return plain_digest(astuple(settings.bayesian))
    if settings.prior is None:
        return None
    d = settings.n_features(columns)
    mean, covariance = 1.0 + np.arange(d) / d, 0.5 + np.diag(np.arange(1.0, d + 1.0))
    structure = STRUCTURES[settings.structure]
    pseudo = pseudo_moments_of(settings.prior, settings.n_components, mean, covariance, structure)
    with np.errstate(over="ignore", under="ignore"):
        return arrays_digest(*(np.asarray(part, np.float32) for part in asdict(pseudo).values()))


def rows_identity(data: Dataset) -> dict[str, Any]:
    """Return the fingerprint of rows and weights, each part under a name for errors."""
    return {
        **_of_rows(data.rows, "X"),
        "sample_weight": None,
        **{name: rows_digest(rows) for name, rows in data.beside.named()},
        f"{VALUES}{' or '.join(('X', *dict(data.beside.named())))}": values_digest(data),
    }


def same_rows(facts: Mapping[str, Any], scatter: Array | None, survey: Survey) -> bool:
    """Return whether a survey is of the rows of an earlier one, by what is left of that.

    That is what `models.fitted_on` keeps, and the scatter (d, d) if it is known. Rows, in whatever
    order and chunks, have the same number and ranges to the bit; their moments are sums, which
    depend on the chunks by rounding.
    """
    exact = {"rows": survey.rows, "missing": survey.missing}
    ranges = {"minimum": survey.minimum.tolist(), "maximum": survey.maximum.tolist()}
    if any(facts.get(name) != value for name, value in (exact | ranges).items()):
        return False
    width = survey.maximum - survey.minimum
    mean = np.asarray(facts.get("mean"), np.float64)
    if not math.isclose(facts.get("weight", 0.0), survey.weight, rel_tol=SAME):
        return False
    if not (np.abs(mean - survey.mean) <= SAME * np.maximum(width, np.abs(survey.mean))).all():
        return False
    if survey.is_noisy or np.any(facts.get("noise_variance") or 0.0):
        return False  # the noise of each row is not kept, and another changes the likelihood
    if scatter is None:
        return True
    largest = np.sqrt(np.diagonal(survey.scatter))
    return bool((np.abs(scatter - survey.scatter) <= SAME * np.outer(largest, largest)).all())


def rows_digest(rows: Rows) -> str:
    """Return a digest of what rows are, without their values: shape, type and chunks."""
    return plain_digest(_of_rows(rows, ""))


def generator_state(random: np.random.RandomState) -> tuple[Any, ...]:
    """Return what `RandomState.set_state` takes."""
    state = random.get_state(legacy=False)
    if not isinstance(state, dict) or state["bit_generator"] != "MT19937":
        raise ValueError(
            "A checkpoint keeps the state of a RandomState of the usual kind (MT19937) only. Give "
            "random_state as an integer."
        )
    return cast("tuple[Any, ...]", random.get_state(legacy=True))


def values_digest(data: Dataset) -> str:
    """Return a digest of the first, the middle and the last chunk, read where passes run."""
    chunks = len(data.rows.lengths)
    if not chunks:
        return ""
    batches = [
        Batch(index, chunk, chunk + 1, 0, None)
        for index, chunk in enumerate(sorted({0, chunks // 2, chunks - 1}))
    ]
    probe = replace(data, batches=tuple(batches), cache=0)
    return DIGEST + "".join(map_batches(probe, digest_blocks, name="daskgmm_fingerprint"))


def digest_blocks(batch: Batch, blocks: Iterator[Block]) -> str:
    """Return a short digest of the values of a batch."""
    found = hashlib.sha256()
    for block in blocks:
        for part in (block.x, *block.beside):
            found.update(np.ascontiguousarray(part).tobytes())
    return found.hexdigest()[:12]


def plain_digest(plain: Any) -> str:
    """Return a digest of plain values."""
    return DIGEST + hashlib.sha256(repr(plain).encode()).hexdigest()[:12]


def _of_rows(rows: Rows, name: str) -> dict[str, Any]:
    known = {} if rows.content is None else {f"content of {name}": rows.content}
    return known | {
        f"rows of {name}": rows.n_rows,
        f"columns of {name}": rows.n_features,
        f"dtype of {name}": str(rows.dtype),
        f"chunks of {name}": arrays_digest(rows.lengths),
    }


def arrays_digest(*values: Any) -> str | None:
    """Return a digest of arrays by their bytes, those that are None left out; None without any."""
    given = [value for value in values if value is not None]
    if not given:
        return None
    found = hashlib.sha256()
    for value in given:
        array = np.asarray(value)
        found.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return DIGEST + found.hexdigest()[:12]
