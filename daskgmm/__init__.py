"""Gaussian mixture models for data that do not fit in memory.

Letters in this order: n rows, d features, k components. Axes of arrays run (k, d, d).

>>> from daskgmm import GaussianMixture
>>> mixture = GaussianMixture(n_components=3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daskgmm.version import __version__

if TYPE_CHECKING:
    from daskgmm.gaussian.priors.table import ConjugatePrior as ConjugatePrior
    from daskgmm.gaussian.priors.table import DirichletPrior as DirichletPrior
    from daskgmm.models.bayesian_mixture import (
        BayesianGaussianMixture as BayesianGaussianMixture,
    )
    from daskgmm.models.classifying.classifier import (
        GaussianMixtureClassifier as GaussianMixtureClassifier,
    )
    from daskgmm.models.comparison.comparison import compare as compare
    from daskgmm.models.gaussian_mixture import GaussianMixture as GaussianMixture
    from daskgmm.models.likelihood_ratio import likelihood_ratio_test as likelihood_ratio_test
    from daskgmm.models.mixtures.moments import MixtureMoments as MixtureMoments
    from daskgmm.models.model_file import load_model as load_model
    from daskgmm.models.model_file import save_model as save_model
    from daskgmm.models.planning import plan as plan
    from daskgmm.models.sweeps.result import Sweep as Sweep
    from daskgmm.models.sweeps.sweep import sweep as sweep
    from daskgmm.rows.csv.to_parquet import csv_to_parquet as csv_to_parquet
    from daskgmm.rows.labelled.opening import open_labelled as open_labelled
    from daskgmm.rows.opening import open_data as open_data
    from daskgmm.rows.parquet.rows import open_parquet as open_parquet

_HOMES = {
    "BayesianGaussianMixture": "daskgmm.models.bayesian_mixture",
    "ConjugatePrior": "daskgmm.gaussian.priors.table",
    "DirichletPrior": "daskgmm.gaussian.priors.table",
    "GaussianMixture": "daskgmm.models.gaussian_mixture",
    "GaussianMixtureClassifier": "daskgmm.models.classifying.classifier",
    "MixtureMoments": "daskgmm.models.mixtures.moments",
    "compare": "daskgmm.models.comparison.comparison",
    "csv_to_parquet": "daskgmm.rows.csv.to_parquet",
    "likelihood_ratio_test": "daskgmm.models.likelihood_ratio",
    "load_model": "daskgmm.models.model_file",
    "save_model": "daskgmm.models.model_file",
    "open_data": "daskgmm.rows.opening",
    "open_labelled": "daskgmm.rows.labelled.opening",
    "open_parquet": "daskgmm.rows.parquet.rows",
    "plan": "daskgmm.models.planning",
    "Sweep": "daskgmm.models.sweeps.result",
    "sweep": "daskgmm.models.sweeps.sweep",
}

__all__ = [
    "BayesianGaussianMixture",
    "ConjugatePrior",
    "DirichletPrior",
    "GaussianMixture",
    "GaussianMixtureClassifier",
    "MixtureMoments",
    "Sweep",
    "__version__",
    "compare",
    "csv_to_parquet",
    "likelihood_ratio_test",
    "load_model",
    "open_data",
    "open_labelled",
    "open_parquet",
    "plan",
    "save_model",
    "sweep",
]


def __getattr__(name: str) -> Any:
    # Imported on first access: `daskgmm --help` does not wait for scikit-learn and Dask.
    if name not in _HOMES:
        raise AttributeError(f"module 'daskgmm' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
