"""Claim: classes by Gaussian mixtures are found as well as by scikit-learn's QDA, or better.

One Gaussian a class is QDA, with equal densities; more components are to find more. Then a labelled
raster: its peak memory against the plan. ``DASKGMM_RASTER_PIXELS`` sets the number of pixels.
"""

import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from daskgmm import GaussianMixtureClassifier, plan
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.passes.memory import peak_memory
from tests.benchmarks.memory import worker
from tests.benchmarks.tables import against, percent, print_table, times

REG_COVAR = {"digits": 1.0}

WIDE = 20
"""Columns from which on classes have no sweeps of their own here: they take minutes."""

PIXELS, BANDS, CLASSES = 10**8, 4, 3


def main(smoke: bool = False) -> None:
    """Print accuracies, and the memory of a raster."""
    accuracies(smoke)
    raster(100_000 if smoke else int(os.environ.get("DASKGMM_RASTER_PIXELS", PIXELS)))


class WithRidge(BaseEstimator):  # type: ignore[misc]
    """A covariance of maximum likelihood, with what `reg_covar` adds."""

    def __init__(self, ridge: float = 0.0) -> None:
        self.ridge = ridge

    def fit(self, x: NDArray[np.float64]) -> "WithRidge":
        """Set the covariance of rows."""
        self.covariance_ = np.cov(x.T, bias=True) + self.ridge * np.eye(x.shape[1])
        return self


def forest(n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return rows of seven classes of unequal sizes, each of three Gaussians."""
    random = np.random.default_rng(0)
    d, shares = 10, np.array([0.36, 0.49, 0.06, 0.005, 0.016, 0.03, 0.039])
    y = random.choice(len(shares), p=shares / shares.sum(), size=n)
    part = random.integers(3, size=n)
    centers = random.normal(scale=1.6, size=(len(shares), 3, d))
    shapes = random.normal(size=(len(shares), 3, d, d)) / np.sqrt(d)
    noise = np.einsum("nij,nj->ni", shapes[y, part], random.normal(size=(n, d)))
    return centers[y, part] + noise + 0.5 * random.normal(size=(n, d)), y


def accuracies(smoke: bool) -> None:
    """Compare with QDA by cross-validation of five parts, of many rows and in smoke mode of two."""
    sets: dict[str, Any] = {
        "iris": load_iris(return_X_y=True),
        "wine": load_wine(return_X_y=True),
        "digits": load_digits(return_X_y=True),
        "forest-like": forest(20_000),
    }
    lines = []
    for name, (x, y) in sets.items():
        if smoke and name != "iris":
            continue
        ridge = REG_COVAR.get(name, 0.0)
        analysis = QuadraticDiscriminantAnalysis(
            solver="eigen", covariance_estimator=WithRidge(ridge)
        )
        one = GaussianMixtureClassifier(reg_covar=ridge, random_state=0)
        more = clone(one).set_params(reg_covar=max(ridge, 1e-3))
        rivals = [analysis, one, *(clone(more).set_params(n_components=k) for k in (2, 3))]
        if x.shape[1] < WIDE:
            types = ["full", "diag"]
            sizes = {"n_components": [1, 2, 3], "covariance_type": types, "structures": "own"}
            rivals.append(clone(more).set_params(**sizes))
        parts = 2 if smoke or len(x) >= 10_000 else 5
        found = [accuracy(each, x, y, parts) for each in rivals]
        largest = difference(analysis, one, x, y)
        verdict = against(found[1], found[0])
        shown = [f"{each:.4f}" for each in found] + ["-"] * (5 - len(found))
        lines.append([name, *shown, f"{largest:.0e}", verdict])
        print(*lines[-1], flush=True)
    print_table(
        "Accuracy in cross-validation",
        ["data", "QDA", "k=1", "k=2", "k=3", "own, by BIC", "difference of k=1", "not below QDA"],
        lines,
    )


def accuracy(classifier: Any, x: Any, y: Any, parts: int) -> float:
    """Return the part of the rows whose class is predicted by fits to others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folds = StratifiedKFold(parts, shuffle=True, random_state=0)
        return float(np.mean(cross_val_predict(classifier, x, y, cv=folds) == y))


def difference(analysis: Any, one: Any, x: Any, y: Any) -> float:
    """Return the largest difference of log posteriors that are above -500 nats, relative."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        a, b = (clone(each).fit(x, y).predict_log_proba(x) for each in (analysis, one))
    seen = (a > -500) & (b > -500)
    return float(np.max(np.abs(a - b)[seen] / np.maximum(1.0, np.abs(a[seen]))))


def raster(pixels: int) -> None:
    """Fit a labelled raster on a worker, predict it, and compare the peak with the plan."""
    with tempfile.TemporaryDirectory(prefix="daskgmm-benchmark-") as folder:
        x, y = (str(Path(folder) / f"{name}.zarr") for name in ("pixels", "labels"))
        write(x, y, pixels)
        with worker(2) as client, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mixture = GaussianMixture(2 * CLASSES, max_iter=5)
            planned = plan(x, estimator=mixture, labels=y).worker_nbytes
            began = time.perf_counter()
            classifier = GaussianMixtureClassifier(2, max_iter=5, random_state=0).fit(x, y)
            fitted = time.perf_counter() - began
            (found,) = client.run(peak_memory).values()
            classifier.predict_to_zarr(x, Path(folder) / "out.zarr")
            predicted = time.perf_counter() - began - fitted
            (after,) = client.run(peak_memory).values()
        classes = zarr.open_array(str(Path(folder) / "out.zarr" / "label"))
        right = np.mean(classes[:100_000] == truth(100_000))
    sizes = [f"{value / 1e6:.0f} MB" for value in (found, planned, after)]
    lines = [
        [
            f"{pixels:,}",
            f"{classifier.n_iter_}",
            f"{fitted:.0f} s",
            f"{predicted:.0f} s",
            *sizes,
            times(found / planned),
            against(found, planned, True),
            percent(right),
        ]
    ]
    print_table(
        "A raster of which one pixel in a thousand is labelled: peak memory of a worker",
        [
            "pixels", "iterations", "fit", "predict", "of the fit", "planned", "after predictions",
            "share", "within", "right",
        ],
        lines,
    )  # fmt: skip


def truth(n: int) -> NDArray[np.int64]:
    """Return the classes of the first pixels."""
    return np.random.default_rng(0).integers(CLASSES, size=1_000_000)[:n]


def write(x: str, y: str, pixels: int) -> None:
    """Write float32 bands in chunks of 4 MB, and labels of one in a thousand, a part at a time."""
    step = 1_000_000
    rows = zarr.create_array(x, shape=(pixels, BANDS), chunks=(250_000, BANDS), dtype="f4")
    labels = zarr.create_array(y, shape=(pixels,), chunks=(250_000,), dtype="i1")
    random, classes = np.random.default_rng(1), truth(step)
    centers = 2.5 * random.normal(size=(CLASSES, 2, BANDS))
    part = centers[classes, random.integers(2, size=step)] + random.normal(size=(step, BANDS))
    part = part.round(2).astype(np.float32)
    known = np.where(random.random(step) < 1e-3, classes, -1).astype(np.int8)
    for first in range(0, pixels, step):
        rows[first : first + step] = part[: pixels - first]
        labels[first : first + step] = known[: pixels - first]
