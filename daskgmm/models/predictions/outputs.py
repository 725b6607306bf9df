"""Outputs of predictions, by name: the only table of them.

`predict`, `predict_proba` and `score_samples`, the writers of Zarr and Parquet, and the command
line make what stands in `OUTPUTS`. `OUTPUTS["name"] = make` adds one: `make` returns one or more
`Output` for what is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.counting import counted
from daskgmm.gaussian.latent.latent_coordinates import latent_coordinates, squared_errors
from daskgmm.models.predictions.output import (
    CLUSTER,
    COLUMN,
    COMPONENT,
    FACTOR,
    RANK,
    Asked,
    Compute,
    Make,
    Output,
)
from daskgmm.models.predictions.posteriors.posterior import Posterior
from daskgmm.names import IMPUTED


def _label(asked: Asked) -> list[Output]:
    return [asked.component("label", _labels_of, asked.flags("component", asked.k))]


def _labels_of(posterior: Posterior) -> NDArray[Any]:
    return posterior.labels


def _outlier(asked: Asked) -> list[Output]:
    meanings = "missing regular outlier" if asked.missing else "regular outlier"
    values = [-1, 0, 1] if asked.missing else [0, 1]
    about = {
        "long_name": "whether the row is an outlier",
        "flag_values": values,
        "flag_meanings": meanings,
    }
    return [Output("outlier", (), (), np.dtype(np.int8), -1, 0, about, _outliers_of)]


def _outliers_of(posterior: Posterior) -> NDArray[Any]:
    return posterior.outliers


def _outlier_probability(asked: Asked) -> list[Output]:
    long_name = "probability that the row is an outlier"
    return [asked.probability("outlier_probability", _outlier_probabilities_of, long_name)]


def _outlier_probabilities_of(posterior: Posterior) -> NDArray[Any]:
    return posterior.outlier_probabilities


def _log_density(asked: Asked) -> list[Output]:
    long_name = "logarithm of the probability density"
    return [asked.number("log_density", _log_densities_of, long_name)]


def _log_densities_of(posterior: Posterior) -> NDArray[Any]:
    return posterior.log_densities


def _posterior(asked: Asked) -> list[Output]:
    long_name, dims = "posterior probability of the component", (COMPONENT,)
    return [asked.probability("posterior", _responsibilities_of, long_name, dims, (asked.k,))]


def _responsibilities_of(posterior: Posterior) -> NDArray[Any]:
    return posterior.responsibilities.T


def _top(asked: Asked) -> list[Output]:
    if not 1 <= asked.top <= asked.k:
        raise ValueError(
            f"top is {asked.top} (--top), and the mixture has {counted(asked.k, 'component')}; "
            f"give 1 to {asked.k}."
        )
    noise = ", -1 for the noise" if asked.noise else ""
    dims, shape, m = (RANK,), (asked.top,), asked.top
    about = {"long_name": f"most probable components, the first one first{noise}"}
    long_name = "posterior probability of top_component"
    return [
        asked.component("top_component", partial(_top_components, m), about, dims, shape),
        asked.probability("top_posterior", partial(_top_posteriors, m), long_name, dims, shape),
    ]


def _top_components(m: int, posterior: Posterior) -> NDArray[Any]:
    places = posterior.most_probable(m).T
    return np.where(places < posterior.parameters.n_components, places, -1)


def _top_posteriors(m: int, posterior: Posterior) -> NDArray[Any]:
    order = posterior.most_probable(m)
    return np.take_along_axis(posterior.memberships, order, axis=0).T


def _largest_posterior(asked: Asked) -> list[Output]:
    noise = ", or of the noise" if asked.noise else ""
    long_name = f"posterior probability of the most probable component{noise}"
    return [asked.probability("largest_posterior", _largest_of, long_name)]


def _largest_of(posterior: Posterior) -> NDArray[Any]:
    largest: Array = posterior.memberships.max(axis=0)
    return largest


def _ambiguity(asked: Asked) -> list[Output]:
    long_name = "1 less the difference of the two largest posterior probabilities"
    return [asked.probability("ambiguity", _ambiguities_of, long_name)]


def _ambiguities_of(posterior: Posterior) -> NDArray[Any]:
    return ambiguity(posterior.memberships)


def ambiguity(responsibilities: Array) -> Array:
    """Return 1 less the difference of the two largest posteriors of each row (k, b), shape (b,).

    The I-metric of Thomas et al. 2021, https://doi.org/10.5194/os-17-1545-2021: 0 where a
    component is certain, 1 between two equally probable ones.
    """
    if len(responsibilities) == 1:
        return np.zeros(responsibilities.shape[1])
    two = np.partition(responsibilities, -2, axis=0)[-2:]
    found: Array = 1.0 - (two[1] - two[0])
    return found


def _cluster(asked: Asked) -> list[Output]:
    clusters = asked.clusters_for("cluster")
    about = asked.flags("cluster", 1 + max(clusters))
    return [asked.component("cluster", partial(_clusters_of, clusters), about)]


def _clusters_of(clusters: tuple[int, ...], posterior: Posterior) -> NDArray[Any]:
    chances = _cluster_posteriors(clusters, posterior)
    found: NDArray[np.intp] = chances.argmax(axis=1)
    if posterior.parameters.has_noise:
        found[posterior.memberships[-1] > chances.max(axis=1)] = -1
    return found


def _cluster_posterior(asked: Asked) -> list[Output]:
    clusters = asked.clusters_for("cluster_posterior")
    long_name, shape = "posterior probability of the cluster", (1 + max(clusters),)
    compute = partial(_cluster_posteriors, clusters)
    return [asked.probability("cluster_posterior", compute, long_name, (CLUSTER,), shape)]


def _cluster_posteriors(clusters: tuple[int, ...], posterior: Posterior) -> NDArray[Any]:
    """Return the sums of the posteriors of each cluster's components, (b, clusters)."""
    gamma = posterior.responsibilities
    chances = np.zeros((1 + max(clusters), gamma.shape[1]))
    for component, cluster in enumerate(clusters):
        chances[cluster] += gamma[component]
    return np.minimum(chances, 1.0).T  # of rounding


def _latent(asked: Asked) -> list[Output]:
    asked.check_factors("latent")
    long_name = "latent coordinates in the most probable component"
    return [asked.number("latent", _latent_of, long_name, (FACTOR,), (asked.q,))]


def _latent_of(posterior: Posterior) -> NDArray[Any]:
    return latent_coordinates(posterior.parameters, posterior.rows, posterior.labels)


def _reconstruction_error(asked: Asked) -> list[Output]:
    asked.check_factors("reconstruction_error")
    long_name = "squared distance from the reconstruction, in the coordinates of the mixture"
    return [asked.number("reconstruction_error", _errors_of, long_name)]


def _errors_of(posterior: Posterior) -> NDArray[Any]:
    return squared_errors(posterior.parameters, posterior.rows, posterior.labels)


def _imputed(asked: Asked) -> list[Output]:
    drawn = asked.seed is not None
    what = "a draw from" if drawn else "the expectation of"
    long_name = f"values, with {what} the mixture where they are missing"
    found = asked.values(IMPUTED, _imputed_of, long_name, (COLUMN,), (asked.d,))
    about: dict[str, Any] = {"columns": list(asked.columns)} if asked.columns else {}
    about |= {"random_state": asked.seed} if drawn else {}
    return [replace(found, column_names=asked.columns, attributes={**found.attributes, **about})]


def _imputed_of(posterior: Posterior) -> NDArray[Any]:
    return posterior.imputed


OUTPUTS: dict[str, Make] = {
    # Labels first: they are computed in this order, and are exact before exponentials are taken.
    "label": _label,
    "posterior": _posterior,
    "outlier": _outlier,
    "outlier_probability": _outlier_probability,
    "top": _top,
    "largest_posterior": _largest_posterior,
    "ambiguity": _ambiguity,
    "log_density": _log_density,
    "cluster": _cluster,
    "cluster_posterior": _cluster_posterior,
    "latent": _latent,
    "reconstruction_error": _reconstruction_error,
    IMPUTED: _imputed,
}
"""By what users ask for: what makes the outputs."""

BY_BACKEND: Sequence[tuple[Compute, str]] = (
    (_labels_of, "labels"),
    (_responsibilities_of, "responsibilities"),
    (_log_densities_of, "log_densities"),
)
"""What a back end may write itself, in place of these: the fields of `Targets`."""

NO_MAKERS: Mapping[str, Make] = {}

EXACT = ("label", "outlier", "latent", "reconstruction_error")
"""What compares log densities, and so comes before exponentials are taken."""
