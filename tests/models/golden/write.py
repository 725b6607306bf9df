"""Writes the golden model files of the current format version, once.

python -m tests.models.golden.write

Files of earlier versions are never written again: that they load is the promise. So a file that
is there stays as it is; remove those of a version that was never released to write them anew.
Beside each lies what its model predicted when it was written: of a model with coordinates for
rows in these, and (as `whole`) for rows in the units of the data.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from daskgmm import BayesianGaussianMixture, GaussianMixture
from daskgmm.gaussian.coordinates import coordinates_of
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.models.model_file import FORMAT_VERSION

FOLDER = Path(__file__).parent

BAYESIAN = {
    "bayesian": {"mean_prior": [0.0, 1.0, 2.0]},
    "bayesian-tied": {
        "covariance_type": "tied",
        "weight_concentration_prior_type": "dirichlet_distribution",
        "weight_concentration_prior": 0.01,
    },
}

FACTORS = {
    "ppca": {"covariance_type": "ppca", "n_factors": 1},
    "factor": {"covariance_type": "factor", "n_factors": 1},
    "mcfa": {"covariance_type": "mcfa", "n_factors": 2},
}

OUTLIERS = {
    "noise": {"noise": True},
    "contaminated": {"tails": "contaminated"},
    "student": {"tails": "t"},
}


def main():
    for structure in STRUCTURES:
        x = rows()
        mixture = GaussianMixture(3, covariance_type=structure, random_state=0).fit(x)
        mixture.fitted_on_ = facts(x)
        write(structure, mixture, mixture, x[::100])
    write("coordinates", *in_coordinates())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Without iterations: likelihoods that are not finite, and an empty history.
        stopped = GaussianMixture(2, max_iter=0, acceleration=None, random_state=0).fit(rows())
    write("stopped", stopped, stopped, rows()[::100])
    for name, settings in (FACTORS | OUTLIERS).items():
        other = GaussianMixture(3, random_state=0, **settings).fit(rows())
        write(name, other, other, rows()[::100])
    for name, settings in BAYESIAN.items():
        posterior = BayesianGaussianMixture(5, random_state=0, **settings).fit(rows())
        write(name, posterior, posterior, rows()[::100])


def rows():
    random = np.random.default_rng(12)
    centres = np.array([[-5.0, 1.0, 0.0], [1.0, -4.0, 2.0], [4.0, 3.0, -3.0]])
    return centres[np.arange(900) % 3] + random.normal(size=(900, 3)) * [1.0, 0.5, 2.0]


def in_units():
    return rows() * [1.0, 10.0, 1000.0] + [0.0, 280.0, 1e5]


def in_coordinates():
    """Return a mixture of two principal axes, the same without its coordinates, and rows."""
    x = in_units()
    chosen = coordinates_of(x.mean(0), np.cov(x.T, bias=True), standardise=True, pca=2)
    inner = GaussianMixture(3, random_state=0).fit(chosen.apply(x))
    mixture = GaussianMixture(3, random_state=0).fit(chosen.apply(x))
    mixture.coordinates_, mixture.n_features_in_ = chosen, x.shape[1]
    mixture.feature_names_in_ = np.array(["salinity", "größe", "depth"], dtype=object)
    mixture.feature_units_ = ["1", None, "m"]
    mixture.fitted_on_ = {**facts(x), "source": "s3://ocean/rows.zarr"}
    return mixture, inner, chosen.apply(x[::100])


def facts(x):
    return {
        "source": None,
        "rows": len(x),
        "weight": float(len(x)),
        "dtype": str(x.dtype),
        "mean": x.mean(0).tolist(),
        "minimum": x.min(0).tolist(),
        "maximum": x.max(0).tolist(),
        "sha256": "0" * 64,
    }


def through_coordinates(mixture):
    """Return rows in the units of the data, and what the mixture itself says of them."""
    x = in_units()[::100]
    table = pd.DataFrame(x, columns=mixture.feature_names_in_)
    return {
        "rows": x.tolist(),
        "labels": mixture.predict(table).tolist(),
        "posteriors": mixture.predict_proba(table).tolist(),
        "log_densities": mixture.score_samples(table).tolist(),
    }


def write(name, mixture, inner, x):
    path = FOLDER / f"v{FORMAT_VERSION}-{name}.json"
    if path.exists():
        print(f"{path.name} is there and stays")
        return
    mixture.save(path)
    expected = {
        "rows": x.tolist(),
        "labels": inner.predict(x).tolist(),
        "posteriors": inner.predict_proba(x).tolist(),
        "log_densities": inner.score_samples(x).tolist(),
    }
    if inner is not mixture:
        expected["whole"] = through_coordinates(mixture)
    (FOLDER / f"v{FORMAT_VERSION}-{name}-expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main()
