"""The estimator: scikit-learn's `BayesianGaussianMixture`, for rows that need not fit in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, ClassVar, NoReturn, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import BayesianGaussianMixture as Reference
from sklearn.utils._param_validation import Options, StrOptions
from sklearn.utils.validation import check_is_fitted

from daskgmm.arrays import Array
from daskgmm.em.hyperparameters import Hyperparameters
from daskgmm.em.models.model import Model
from daskgmm.em.models.variational import BayesianModel
from daskgmm.em.request import Request
from daskgmm.em.settings import Settings
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.normal_wishart import check_degrees, expected_offsets
from daskgmm.gaussian.priors.table import tuples
from daskgmm.gaussian.priors.variational_posterior import VariationalPosterior
from daskgmm.gaussian.priors.weight_prior import Dirichlet, DirichletProcess
from daskgmm.models.files.bayesian_exchange import (
    posterior_entries,
    posterior_from_sklearn,
    posterior_to_sklearn,
    set_posterior,
)
from daskgmm.models.files.sklearn_exchange import to_sklearn
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.settings.constraints import StructureNames
from daskgmm.models.settings.initial import checked_array
from daskgmm.names import FLOAT64, NAMES_OF_MCLUST


class _NoCriterion:
    """A criterion of maximum likelihood, which a posterior does not have."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, mixture: object, owner: type | None = None) -> NoReturn:
        raise AttributeError(
            f"A BayesianGaussianMixture has no {self._name}: criteria are those of maximum "
            "likelihood. Compare the lower_bound_ of models of the same rows and weights."
        )


class BayesianGaussianMixture(MixtureEstimator):
    r"""Variational Bayesian estimation of a Gaussian mixture, out of core.

    Parameters, attributes and predictions have the names, defaults and meanings of
    `sklearn.mixture.BayesianGaussianMixture`, and with ``acceleration=None`` its numbers: by
    default other starts are tried as well, and iterations stop by another rule. X may be what
    `GaussianMixture` takes; each iteration is one pass over the rows. The number of components that
    are used follows from the data: the others keep their prior, and weights near 0.

    Parameters
    ----------
    n_components : int, default=1
        k, the largest number of components.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        Or by the names of mclust, "VVV", "EEE", "VVI" and "VII".
        As of `GaussianMixture`.
    tol : float, default=1e-3
        Plain iterations stop when the bound changes by less: in nats of all rows together, as
        scikit-learn's do. With ``acceleration="auto"`` they stop when less than a hundredth of
        `tol` is predicted to be left, in nats per row, twice in a row.
    reg_covar : float, default=1e-6
        Added to the covariance of the rows of each component, in squared units of the data.
    max_iter : int, default=100
        Most iterations; each is one pass.
    n_init : int, default=1
        Number of starts; the one of the highest bound is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}, default="kmeans"
        How to start, as of `GaussianMixture`.
    weight_concentration_prior_type : {"dirichlet_process", "dirichlet_distribution"}
        Prior of the weights: a stick-breaking process [2]_ (the default), or a symmetric
        distribution. With a process the order of the components matters: it is that of the start,
        and the first ones are expected to be the heaviest.
    weight_concentration_prior : float or None, default=None
        Concentration of the weights, for the distribution that of each component; None for 1 / k.
        The lower it is, the fewer components have rows.
    mean_precision_prior : float or None, default=None
        Rows that the prior of the means counts as; None for 1.
    mean_prior : array-like of shape (d,), optional
        By default the mean of the rows. It cannot be given with `standardise` or `pca`.
    degrees_of_freedom_prior : float or None, default=None
        Of the Wishart distributions of the precisions, above d - 1; None for d.
    covariance_prior : float or array-like, optional
        Inverse of the scale matrix of these distributions, in squared units of the data: (d, d)
        full and tied, (d,) diag, a number for spherical. By default the covariance of the rows,
        as of those types. It cannot be given with `standardise` or `pca`.
    acceleration : {"auto", None}, default="auto"
        None stops as scikit-learn does. "auto" stops by the predicted gain, tries several starts as
        `GaussianMixture` does, takes fewer passes, and has a bound that no step lowers.
    sample_rows, missing, standardise, pca : as in `GaussianMixture`
    random_state : int, RandomState instance or None, default=None
        The seed of the starts.
    warm_start : bool, default=False
        Whether the next call of `fit` continues from this one's result.
    verbose, verbose_interval : as in `GaussianMixture`

    Attributes
    ----------
    weights_ : ndarray of shape (k,)
        Expectations of the weights, over their sum.
    means_ : ndarray of shape (k, d)
        Expectations of the means.
    covariances_, precisions_, precisions_cholesky_ : ndarray
        (k, d, d) full, (d, d) tied, (k, d) diag, (k,) spherical. `precisions_` are expectations,
        `covariances_` their inverses.
    weight_concentration_prior_ : float
    weight_concentration_ : ndarray of shape (k,), or tuple of two
        Parameters of the Dirichlet distribution, or of the k beta distributions of the process.
    n_used_components_ : int
        Components that hold more than one row, in expectation.
    mean_precision_prior_ : float
    mean_precision_ : ndarray of shape (k,)
    mean_prior_ : ndarray of shape (d,)
    degrees_of_freedom_prior_ : float
    degrees_of_freedom_ : ndarray of shape (k,), or float for tied
    covariance_prior_ : ndarray or float
        Shaped as `covariance_prior`.
    converged_ : bool
    n_iter_ : int
        Iterations of the best start.
    lower_bound_ : float
        Lower bound of the log evidence, in nats per row: of the posterior before the last step,
        which the last pass measured. It is exact, while scikit-learn's is that of all rows
        together, and lacks constants of the prior. With acceleration it is the bound for rows
        with noise of variance `reg_covar`.
    lower_bounds_, gap_estimate_, history_, coordinates_, fitted_on_ : as of `GaussianMixture`
    n_features_in_, feature_names_in_, feature_dims_, feature_units_ : as of `GaussianMixture`

    Notes
    -----
    Priors count in rows: relative weights stand for as many as are effective, counts for their sum
    (`weights_are` of `fit`). `predict_proba`, `score_samples` and `score` are those of the expected
    log densities :math:`E \log \pi_k N(x | \mu_k, \Lambda_k^{-1})`, as in scikit-learn. There is no
    `bic`, `aic` or `icl`.

    For all covariance types the model has a full precision matrix for each component; the type is a
    restriction of its posterior [1]_. `sort_components` is refused for a Dirichlet process, whose
    posterior has an order.

    References
    ----------
    .. [1] C. Bishop, "Pattern Recognition and Machine Learning", Springer (2006), section 10.2.
    .. [2] D. Blei, M. Jordan, "Variational inference for Dirichlet process mixtures", Bayesian
       Analysis 1 (2006) 121-143, https://doi.org/10.1214/06-BA104

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import BayesianGaussianMixture
    >>> random = np.random.default_rng(0)
    >>> X = np.concatenate([random.normal(center, size=(200, 2)) for center in (0, 8)])
    >>> mixture = BayesianGaussianMixture(n_components=5, random_state=0).fit(X)
    >>> mixture.weights_.round(2)
    array([0.5, 0.5, 0. , 0. , 0. ])
    >>> mixture.predict([[9, 8], [0, 1]])
    array([0, 1])
    """

    weight_concentration_prior_type: str
    weight_concentration_prior: float | None
    mean_precision_prior: float | None
    mean_prior: Any
    degrees_of_freedom_prior: float | None
    covariance_prior: Any
    weight_concentration_: Array | tuple[Array, ...]
    mean_precision_: Array
    degrees_of_freedom_: Array | float
    mean_precision_prior_: float

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **MixtureEstimator._parameter_constraints,
        **Reference._parameter_constraints,
        "covariance_type": [
            StructureNames({name: STRUCTURES[name] for name in NAMES_OF_MCLUST.values()})
        ],
        "equal_weights": [Options(bool, {False})],
        "precision": [StrOptions({FLOAT64})],
        # Those of point estimates.
        **{
            name: [None]
            for name in (
                *("prior", "tails", "n_candidates"),
                *("weights_init", "means_init", "precisions_init"),
            )
        },
        "noise": [Options(bool, {False})],
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weight_concentration_prior_type: str = "dirichlet_process",
        weight_concentration_prior: float | None = None,
        mean_precision_prior: float | None = None,
        mean_prior: Any = None,
        degrees_of_freedom_prior: float | None = None,
        covariance_prior: Any = None,
        acceleration: str | None = "auto",
        sample_rows: int | None = None,
        missing: str = "error",
        standardise: bool = False,
        pca: int | float | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
    ) -> None:
        self._keep_settings(locals())

    bic = _NoCriterion()
    aic = _NoCriterion()
    icl = _NoCriterion()
    criteria_ = _NoCriterion()

    @property
    def n_used_components_(self) -> int:
        """Number of components that hold more than one row, in expectation: not their prior alone.

        Rows count as in the prior: relative weights as so many as are effective.
        """
        check_is_fitted(self)
        return int(np.sum(np.asarray(self.mean_precision_) - self.mean_precision_prior_ > 1.0))

    def _known_criteria(self) -> dict[str, float | int | str]:
        return {}

    def _settings(self) -> Settings:
        given = {field.name: _plain(getattr(self, field.name)) for field in fields(Hyperparameters)}
        return replace(super()._settings(), bayesian=Hyperparameters(**given))

    def _request(self, settings: Settings, columns: int) -> Request:
        self._check_priors(settings.n_features(columns))
        return super()._request(settings, columns)

    def _check_priors(self, d: int) -> None:
        """Raise `ValueError` for priors that do not fit d features, before a row is read."""
        given = {"mean_prior": self.mean_prior, "covariance_prior": self.covariance_prior}
        given = {name: value for name, value in given.items() if value is not None}
        if given and (self.standardise or self.pca is not None):
            raise ValueError(
                f"{' and '.join(given)} cannot be given with standardise or pca, as coordinates "
                "are known after the first pass only. Leave them out, or preprocess the rows "
                "yourself."
            )
        if self.degrees_of_freedom_prior is not None and not isinstance(self.pca, float):
            check_degrees(float(self.degrees_of_freedom_prior), d)
        if self.mean_prior is not None:
            checked_array(self.mean_prior, "mean_prior", (d,))
        if self.covariance_prior is not None:
            precision = STRUCTURES[self._structure_name].precision
            name = f"{self._structure_name} covariance_prior"
            shape = precision.external_shape(d)
            scale = checked_array(self.covariance_prior, name, shape).astype(np.float64)
            if not precision.are_positive(scale.reshape(1, *precision.shape(d))):
                raise ValueError(f"'{name}' should be {precision.requirement}")

    def _set_parameters(self, parameters: Parameters, model: Model) -> None:
        assert isinstance(parameters, VariationalPosterior)
        assert isinstance(model, BayesianModel)
        super()._set_parameters(parameters, model)
        weights, prior = model.weight_prior, model.component_prior
        structure, d = model.structure, parameters.n_features
        posterior = weights.posterior(parameters.counts)
        degrees = prior.degrees_of_freedom(structure, parameters.counts)
        scale = structure.precision.of_matrices(prior.scale[None])
        self.weight_concentration_prior_ = weights.concentration
        self.weight_concentration_ = posterior if len(posterior) > 1 else posterior[0]
        self.mean_precision_prior_ = prior.mean_precision
        self.mean_precision_ = prior.mean_precision + parameters.counts
        self.mean_prior_ = prior.mean
        self.degrees_of_freedom_prior_ = prior.degrees
        self.degrees_of_freedom_ = float(degrees[0]) if structure.shared else degrees
        self.covariance_prior_ = scale.reshape(structure.precision.external_shape(d))[()]

    def _parameters(self) -> VariationalPosterior:
        point, given = super()._parameters(), self.weight_concentration_
        kind = DirichletProcess if isinstance(given, tuple) else Dirichlet
        concentrations = given if isinstance(given, tuple) else (given,)
        of_weights = kind.log_weights(*(np.asarray(each, np.float64) for each in concentrations))
        beta = np.asarray(self.mean_precision_, np.float64)
        degrees = np.atleast_1d(np.asarray(self.degrees_of_freedom_, np.float64))
        return VariationalPosterior(
            point.structure,
            point.weights,
            point.means,
            point.covariances,
            point.precisions_cholesky,
            of_weights + expected_offsets(beta, degrees, point.n_features),
            counts=beta - self.mean_precision_prior_,
        )

    def _reorder(self, order: NDArray[np.intp]) -> None:
        if isinstance(self.weight_concentration_, tuple):
            raise ValueError(
                "The components of a Dirichlet process have an order, which its posterior depends "
                "on, so that they cannot be numbered anew. Sort the attributes that you look at "
                "(by weights_), or fit with "
                "weight_concentration_prior_type='dirichlet_distribution'."
            )
        super()._reorder(order)
        self.weight_concentration_ = self.weight_concentration_[order]
        self.mean_precision_ = self.mean_precision_[order]
        if isinstance(self.degrees_of_freedom_, np.ndarray):
            self.degrees_of_freedom_ = self.degrees_of_freedom_[order]

    def to_sklearn(self) -> Any:
        """Return the same posterior as scikit-learn's `BayesianGaussianMixture`.

        Returns
        -------
        sklearn.mixture.BayesianGaussianMixture or sklearn.pipeline.Pipeline
            A pipeline, as of `GaussianMixture.to_sklearn`, where this one has coordinates of its
            own. `lower_bound_` is nan: that of scikit-learn is another one.

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import BayesianGaussianMixture
        >>> X = np.random.default_rng(0).normal([[0.0]] * 50 + [[9.0]] * 50)
        >>> mixture = BayesianGaussianMixture(2, random_state=0).fit(X)
        >>> theirs = mixture.to_sklearn()
        >>> np.allclose(theirs.predict_proba(X), mixture.predict_proba(X))
        True
        """
        check_is_fitted(self)
        return to_sklearn(self, posterior_to_sklearn)

    @classmethod
    def from_sklearn(cls, fitted: Any) -> Self:
        """Return a fitted `sklearn.mixture.BayesianGaussianMixture` as one of this library.

        `lower_bound_` is nan: that of scikit-learn is another one.

        Parameters
        ----------
        fitted : sklearn.mixture.BayesianGaussianMixture
            Fitted; it is not changed.

        Returns
        -------
        BayesianGaussianMixture
            With its parameters, to the bit.

        Raises
        ------
        TypeError
            If it is another estimator.
        NotFittedError
            If it is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn import mixture
        >>> from daskgmm import BayesianGaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(300, 2))
        >>> theirs = mixture.BayesianGaussianMixture(random_state=0).fit(X)
        >>> ours = BayesianGaussianMixture.from_sklearn(theirs)
        >>> np.allclose(ours.means_, theirs.means_)
        True
        """
        mixture: Self = posterior_from_sklearn(fitted, cls)
        return mixture

    def _own_entries(self) -> dict[str, Any]:
        return posterior_entries(self)

    def _set_own_entries(self, document: Mapping[str, Any]) -> None:
        set_posterior(self, document)


def _plain(value: Any) -> Any:
    """Return a number or an array as nested tuples of floats, which settings compare by."""
    if value is None or isinstance(value, str):
        return value
    return tuples(np.asarray(value, np.float64).tolist())
