"""Coordinates of a mixture as fitted steps of a scikit-learn pipeline, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from daskgmm.gaussian.coordinates import Coordinates

ADVICE = (
    "from_sklearn reads pipelines as to_sklearn returns them: a StandardScaler, a PCA or both, in "
    "this order, then a GaussianMixture, all fitted. Of others give the last step alone, and "
    "predict from rows that the steps before it have transformed."
)


def steps_of(coordinates: Coordinates, facts: Mapping[str, Any], *, scaled: bool) -> list[Any]:
    """Return fitted transformers that map rows as the coordinates do."""
    steps = [_scaler(coordinates, facts, scaled or bool((coordinates.scales != 1).any()))]
    return steps if coordinates.axes is None else [*steps, _axes(coordinates, facts)]


def coordinates_in(steps: Sequence[Any]) -> tuple[Coordinates, dict[str, Any]]:
    """Return the coordinates of fitted transformers, and the settings of such a mixture."""
    kinds = [type(step) for step in steps]
    if kinds not in ([StandardScaler], [PCA], [StandardScaler, PCA]):
        names = ", ".join(getattr(step, "__name__", type(step).__name__) for step in steps)
        raise TypeError(f"The pipeline's steps before the last are {names or 'none'}. {ADVICE}")
    for step in steps:
        check_is_fitted(step)
    scaler = steps[0] if kinds[0] is StandardScaler else None
    pca = steps[-1] if kinds[-1] is PCA else None
    scaled = scaler is not None and scaler.with_std
    if pca is None and not scaled:
        raise TypeError(f"The pipeline's StandardScaler has with_std=False and no PCA. {ADVICE}")
    if pca is not None and pca.whiten:
        raise TypeError(f"The pipeline's PCA has whiten=True; its axes are not distances. {ADVICE}")
    settings = {"standardise": scaled, "pca": None if pca is None else int(pca.n_components_)}
    return _coordinates(scaler, pca), settings


def _coordinates(scaler: Any, pca: Any) -> Coordinates:
    d = (pca if scaler is None else scaler).n_features_in_
    scales, origin = np.ones(d), np.zeros(d)
    if scaler is not None and scaler.with_std:
        scales = np.array(scaler.scale_, np.float64)
    if scaler is not None and scaler.with_mean:
        origin = np.array(scaler.mean_, np.float64)
    if pca is None:
        return Coordinates(origin, scales)
    origin = origin + scales * pca.mean_
    axes = np.array(pca.components_.T, np.float64, order="C")
    explained = getattr(pca, "explained_variance_ratio_", None)
    variances = getattr(pca, "explained_variance_", None)
    return Coordinates(
        origin,
        scales,
        axes,
        None if explained is None else np.array(explained, np.float64),
        None
        if variances is None or np.isnan(variances).any()
        else variances / _unbiased(getattr(pca, "n_samples_", None)),
    )


def _scaler(coordinates: Coordinates, facts: Mapping[str, Any], scaled: bool) -> StandardScaler:
    scaler = StandardScaler(with_std=scaled)
    scaler.mean_ = coordinates.origin.copy()
    scaler.scale_ = coordinates.scales.copy() if scaler.with_std else None
    scaler.var_ = coordinates.scales**2 if scaler.with_std else None
    lowest = np.asarray(facts.get("minimum", ()))
    if scaler.with_std and len(lowest) == coordinates.n_columns:
        # The scale of constant columns is 1, so that nothing is divided by 0.
        scaler.var_[lowest == np.asarray(facts["maximum"])] = 0.0
    scaler.n_features_in_ = coordinates.n_columns
    if (n := _samples(facts)) is not None:
        scaler.n_samples_seen_ = n
    return scaler


def _axes(coordinates: Coordinates, facts: Mapping[str, Any]) -> PCA:
    """Return the fitted PCA; its variances as far as they are known."""
    assert coordinates.axes is not None
    pca = PCA(n_components=coordinates.n_features, svd_solver="covariance_eigh")
    pca._fit_svd_solver = pca.svd_solver
    pca.mean_ = np.zeros(coordinates.n_columns)  # the scaler has taken it
    pca.components_ = np.ascontiguousarray(coordinates.axes.T)
    pca.n_components_ = coordinates.n_features
    pca.n_features_in_ = coordinates.n_columns
    n = _samples(facts)
    if n is not None:
        pca.n_samples_ = n
    # Not known, but scikit-learn 1.7 has it looked up by every transformation.
    pca.explained_variance_ = np.full(coordinates.n_features, np.nan)
    if coordinates.explained is not None:
        pca.explained_variance_ratio_ = coordinates.explained.copy()
        if coordinates.variances is not None:
            _set_variances(pca, coordinates.variances, n)
    return pca


def _set_variances(pca: PCA, variances: NDArray[np.float64], n: int | float | None) -> None:
    pca.explained_variance_ = variances * _unbiased(n)
    left, ratio = pca.n_features_in_ - pca.n_components_, pca.explained_variance_ratio_.sum()
    pca.noise_variance_ = 0.0
    if left and ratio > 0:
        pca.noise_variance_ = pca.explained_variance_.sum() * max(0.0, 1 / ratio - 1) / left
    if n is not None:
        pca.singular_values_ = np.sqrt(variances * float(n))


def _unbiased(n: int | float | None) -> float:
    """Return what variances are times, as scikit-learn divides them by one row less."""
    rows = math.inf if n is None else max(float(n), 1.0 + np.finfo(float).eps)
    return 1.0 if math.isinf(rows) else rows / (rows - 1)


def _samples(facts: Mapping[str, Any]) -> int | float | None:
    """Return how many rows there were, or their weight; None if unknown."""
    n = facts.get("weight") if facts.get("weight") is not None else facts.get("rows")
    return n if n is None or n % 1 else int(n)
