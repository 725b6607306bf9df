"""Settings of a fit."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from daskgmm.em.hyperparameters import Hyperparameters
from daskgmm.em.survey.labelling import Labelling
from daskgmm.em.survey.survey import Survey
from daskgmm.em.survey.weighing import COUNTS
from daskgmm.gaussian.coordinates import Coordinates, coordinates_of
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure
from daskgmm.gaussian.covariance.structures import STRUCTURES, n_parameters
from daskgmm.gaussian.priors.prior import Prior
from daskgmm.gaussian.priors.table import prior_of
from daskgmm.names import FLOAT64

NOISE, CONTAMINATED, STUDENT = "noise", "contaminated", "t"
"""Ways to make room for outliers: a uniform component, parts with a larger covariance, Student-t
tails."""

CALM = 2
"""Passes in a row that must predict little gain: one alone may be a plateau."""

GAP_SHARE = 0.01
"""Part of `tol` that an accelerated fit may leave: an increment of 1e-3 was measured to leave
up to 0.08 nats per row, so `tol` itself would promise too little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of EM, with scikit-learn's names and meanings.

    Attributes
    ----------
    n_components : int
    structure : str
        A name in `STRUCTURES`.
    tol : float
        EM stops when the mean log-likelihood changes by less, in nats per row.
    reg_covar : float
        Added to the diagonals of the covariances, in squared units of the data.
    max_iter : int
    n_init : int
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}
    accelerated : bool
        Whether EM is accelerated; if not, it is scikit-learn's, pass by pass.
    sample_rows : int or None
        Rows of the sample that starts are made on; None for what the model needs.
    drop_missing : bool
        Whether rows that miss a value are left out; if not, they are an error.
    marginalise : bool
        Whether only rows without any value are left out, and others count with what they have.
    standardise : bool
        Whether columns are divided by their standard deviations.
    pca : int, float or None
        Principal axes to keep, or the part of the variance that they explain.
    prior : str, Prior or None
        The prior whose posterior mode is found, or its name if it is in `PRIORS`; None for maximum
        likelihood.
    bayesian : Hyperparameters or None
        Those of a mixture whose parameters have a posterior; None for point estimates.
    outliers : {"noise", "contaminated", "t"} or None
        How the model makes room for outliers; None for a mixture of Gaussians alone.
    equal_weights : bool
        Whether mixing proportions are fixed at 1 / k.
    weights_are : str or None
        "counts" if the weights are counts and there is a prior, which counts rows as criteria do;
        None for relative weights, and without a prior.
    labelling : Labelling or None
        The classes of components, if those of some rows are known.
    precision : {"float64", "float32"}
        "float32" if early passes may be in it.
    n_candidates : int or None
        Components that a row may belong to, of a truncated mixture; None if all may.
    """

    n_components: int
    structure: str
    tol: float
    reg_covar: float
    max_iter: int
    n_init: int
    init_params: str
    accelerated: bool = False
    sample_rows: int | None = None
    drop_missing: bool = False
    marginalise: bool = False
    standardise: bool = False
    pca: int | float | None = None
    prior: str | Prior | None = None
    bayesian: Hyperparameters | None = None
    outliers: str | None = None
    equal_weights: bool = False
    weights_are: str | None = None
    labelling: Labelling | None = None
    precision: str = FLOAT64
    n_candidates: int | None = None

    def weighed(self, weights_are: str | None) -> Settings:
        """Return the settings of a fit to weighted rows; all but a prior depend on ratios alone."""
        if not self.counts_rows:
            return self
        # Two ways to say the same are one setting: of a checkpoint, and of a warm start.
        return replace(self, weights_are=COUNTS if weights_are == COUNTS else None)

    @property
    def prior_name(self) -> str | None:
        """Name of the prior of point estimates, or of the weights' prior; None without one."""
        if self.bayesian is not None:
            return self.bayesian.weight_concentration_prior_type
        return self.prior.name if isinstance(self.prior, Prior) else self.prior

    @property
    def counts_rows(self) -> bool:
        """Whether a prior weighs against the number of rows."""
        return self.prior_name is not None

    def coordinates(self, survey: Survey) -> Coordinates | None:
        """Return what rows as surveyed are mapped to; None if they stay as they are."""
        if not self.is_mapped:
            return None
        covariance = survey.covariance
        return coordinates_of(survey.mean, covariance, standardise=self.standardise, pca=self.pca)

    @property
    def is_mapped(self) -> bool:
        """Whether the model has other coordinates than the columns of the rows."""
        return self.standardise or self.pca is not None

    def n_features(self, columns: int) -> int:
        """Return the number of features of the model, at most, for rows of so many columns."""
        # A part of the variance may need all axes.
        return min(self.pca, columns) if isinstance(self.pca, int) else columns

    def check_prior(self, columns: int) -> None:
        """Raise `ValueError` if the prior does not fit the model, as far as its size is known."""
        if self.prior is not None and not isinstance(self.pca, float):
            structure, d = STRUCTURES[self.structure], self.n_features(columns)
            prior_of(self.prior).check(self.n_components, d, structure)

    def n_statistics(self, columns: int) -> int:
        """Return the number of statistics of each component, p, for rows of so many columns."""
        return STRUCTURES[self.structure].n_statistics(self.n_features(columns))

    def n_buffer_rows(self, columns: int) -> int:
        """Return the numbers that tiles keep of each row, for rows of so many columns."""
        structure, d = STRUCTURES[self.structure], self.n_features(columns)
        return structure.n_buffer_rows(self.n_columns, d)

    def is_projected(self, columns: int) -> bool:
        """Return whether moments of rows of so many columns are projected, mixture by mixture."""
        structure, d = STRUCTURES[self.structure], self.n_features(columns)
        return isinstance(structure, LowRankStructure) and structure.is_projected(d)

    def least_tile_rows(self, columns: int) -> int:
        """Return the rows that tiles have at least, for rows of so many columns."""
        return STRUCTURES[self.structure].least_tile_rows(self.n_features(columns))

    def n_parameters(self, columns: int) -> int:
        """Return the number of free parameters of the mixture, for rows of so many columns."""
        return self.n_free(self.n_features(columns))

    def n_free(self, d: int) -> int:
        """Return the number of free parameters of the mixture in d features."""
        k, structure, equal = self.n_components, STRUCTURES[self.structure], self.equal_weights
        return n_parameters(structure, k, d, equal_weights=equal) + n_of_outliers(self.outliers, k)

    @property
    def identity(self) -> dict[str, Any]:
        """Plain values that a checkpoint must agree with; of the prior its name.

        What is of a later version than others is left out where it has its default, so that
        checkpoints of earlier versions are known.
        """
        name = self.prior.name if isinstance(self.prior, Prior) else self.prior
        values = asdict(replace(self, prior=None)) | {"prior": name}
        for name in ("equal_weights", "marginalise", "labelling"):
            if not values[name]:
                del values[name]
        if self.precision == FLOAT64:
            del values["precision"]
        if self.n_candidates is None:
            del values["n_candidates"]
        return values

    @property
    def n_columns(self) -> int:
        """Number of columns of the kernel: densities that are computed of each row."""
        # Tails keep two more numbers of each density, at most three.
        k = self.n_components
        extra = {NOISE: 1, CONTAMINATED: 3 * k, STUDENT: 2 * k}
        return self.n_components + extra.get(self.outliers or "", 0)

    @property
    def classes(self) -> tuple[int, ...] | None:
        """The class of each component, (k,), if those of some rows are known."""
        return None if self.labelling is None else self.labelling.classes

    @property
    def noise(self) -> float:
        """Variance of the noise that makes the M-step with `reg_covar` an exact one.

        scikit-learn's EM has none: its likelihood may fall by about `reg_covar`.
        """
        return self.reg_covar if self.accelerated else 0.0

    @property
    def gap_tolerance(self) -> float:
        """Predicted remaining gain, in nats per row, at which an accelerated fit stops."""
        return GAP_SHARE * self.tol


def n_of_outliers(outliers: str | None, k: int) -> int:
    """Return the number of free parameters that outliers add to k components.

    Noise has its weight, and its volume, which is taken from the rows: as mclust counts them.
    """
    return {NOISE: 2, CONTAMINATED: 2 * k, STUDENT: k}.get(outliers or "", 0)
