"""Methods of every fitted mixture: labels, posteriors, densities, criteria, new rows."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state, estimator_html_repr
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from daskgmm.em.objective import Objective
from daskgmm.em.settings import n_of_outliers
from daskgmm.em.survey.weighing import check_meaning, check_some
from daskgmm.errors import WeightsWarning
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.gaussian.covariance.structures import STRUCTURES, n_parameters
from daskgmm.gaussian.latent.common_factors import SharedFactors
from daskgmm.gaussian.latent.latent_coordinates import n_factors
from daskgmm.gaussian.latent.loadings import explained_variances, factor_loadings, noise_variances
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.cards.mixture_card import mixture_card
from daskgmm.models.facts.clusters import clusters_of
from daskgmm.models.facts.criteria import (
    WITH_LABELS,
    Criteria,
    criteria_of_fit,
    doubt,
    rows_that_count,
)
from daskgmm.models.inputs.rows import feature_names, labelled_rows
from daskgmm.models.inputs.source_name import source_name
from daskgmm.models.mixtures.known_labels import LabelAgreement, label_agreement
from daskgmm.models.mixtures.latent import Points
from daskgmm.models.mixtures.noisy_rows import (
    predict_with_noise,
    rows_to_write,
    score_with_noise,
    table_to_write,
)
from daskgmm.models.mixtures.sampling import sample_mixture
from daskgmm.models.predictions.forms import InAnyForm
from daskgmm.models.predictions.labels import named_as
from daskgmm.models.predictions.made_outputs import Outputs
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.predictions.scoring import Scored
from daskgmm.models.settings.equal_weights import has_equal_weights
from daskgmm.models.settings.factors import name_with_factors
from daskgmm.models.settings.missing import check_imputes, check_seed, transform_of
from daskgmm.models.settings.outliers import box_of, fitted_outliers, with_outliers_of
from daskgmm.models.writers.job import Written
from daskgmm.models.writers.naming import check_parquet_name, check_zarr_name
from daskgmm.models.writers.predict_to_parquet import write_to_parquet
from daskgmm.models.writers.predict_to_zarr import write_to_zarr
from daskgmm.names import IMPUTED
from daskgmm.passes.task import Progress
from daskgmm.rows.sources import source_of
from daskgmm.rows.tables.keyed import as_names
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions
from daskgmm.user_warnings import warn_user


def _has_factors(mixture: Mixture) -> bool:
    """Return True for a mixture with factors; raise the reason why another has no such method."""
    if mixture.covariance_type in FAMILIES:
        return True
    raise AttributeError(
        f"covariance_type={mixture.covariance_type!r} has no factors. Fit with one of "
        f"{', '.join(map(repr, FAMILIES))} and n_factors."
    )


class Mixture(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """A mixture with fitted attributes, read anew at each call, so that users may set them."""

    _is_base = True
    """Whether a class is no estimator itself; looked up in the class alone."""

    covariance_type: str
    equal_weights: bool
    n_factors: int | None = None
    random_state: Any
    weights_: NDArray[np.float64]
    means_: NDArray[np.float64]
    covariances_: NDArray[np.float64]
    precisions_cholesky_: NDArray[np.float64]
    noise_weight_: float
    noise_log_volume_: float
    clean_shares_: NDArray[np.float64]
    inflations_: NDArray[np.float64]
    tail_degrees_: NDArray[np.float64]
    adapted_: dict[str, Any]
    clusters_: NDArray[np.intp]
    _criteria: dict[str, float | int | str] | None = None
    _discount: float = 0.0
    """By how much `lower_bound_` is less than the mean log-likelihood, in nats a row."""
    _ended_with: Objective | None = None
    """What the last fit raised; None if attributes were set by hand: then it is the likelihood."""
    _own_outputs: Mapping[str, Any] | None = None
    """Outputs that are not those of `OUTPUTS`, as `Predictor` has them."""
    _doubt: str | None = None
    """What to warn of where criteria of the fit are asked for."""
    _degenerate: tuple[str, ...] = ()
    """What the last fit said of degenerate components."""

    def predict(self, X: Any, *, noise_variance: Any = None) -> Any:
        """Return the most probable component of each row.

        Parameters
        ----------
        X : as in `fit`
        noise_variance : as in `fit`, optional
            Known noise of the rows, in all forms of X; beside a data frame of Dask noise of each
            row is columns of it.

        Returns
        -------
        array of int64, shape (n,)
            NumPy for what is in memory; else a lazy Dask array with the row chunks of X (of
            Parquet files the row groups); a lazy Dask series for a data frame of Dask.
            With ``missing="drop"`` -1 where a value is missing; of a mixture with ``noise=True``
            -1 is an outlier, which belongs to the noise most probably, and -2 is missing.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> mixture.predict([[0.5], [8.0]])
        array([0, 1])
        """
        return self._predict("label", X, noise_variance)

    def predict_proba(self, X: Any, *, noise_variance: Any = None) -> Any:
        """Return the posterior probability of each component for each row, shape (n, k).

        Of a mixture with ``noise=True`` rows sum to 1 less `outlier_proba`.

        Parameters
        ----------
        X : as in `fit`
        noise_variance : as in `predict`, optional

        Returns
        -------
        array of shape (n, k)
            Of float32 for float32 rows, else float64; lazy where `predict` is.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [2.0]], [1.0, 1.0])
        >>> mixture.predict_proba([[1.0]])
        array([[0.4, 0.6]])
        """
        return self._predict("posterior", X, noise_variance)

    def outlier_proba(self, X: Any) -> Any:
        """Return the probability that each row is an outlier, shape (n,); lazy where `predict` is.

        With ``noise=True`` that of the uniform component; with ``tails="contaminated"`` that of the
        parts of components with the larger covariances [1]_. With ``tails="t"`` it is the
        probability that the row was drawn with more than ten times its component's scatter matrix:
        a row of such a component is normal, with the matrix divided by a number from a gamma
        distribution, whose distribution given the row is known [2]_. Of other mixtures it is 0.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        array of shape (n,)
            Between 0 and 1.

        References
        ----------
        .. [1] A. Punzo, P. D. McNicholas, "Parsimonious mixtures of multivariate contaminated
           normal distributions", Biometrical Journal 58 (2016) 1506-1537,
           https://doi.org/10.1002/bimj.201500144
        .. [2] D. Peel, G. J. McLachlan, "Robust mixture modelling using the t distribution",
           Statistics and Computing 10 (2000) 339-348, https://doi.org/10.1023/A:1008981510081

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.append(np.random.default_rng(0).normal(size=500), [20.0, 30.0])[:, None]
        >>> mixture = GaussianMixture(tails="contaminated").fit(X)
        >>> mixture.outlier_proba([[0.0], [25.0]]).round(1)
        array([0., 1.])
        """
        return self._predict("outlier_probability", X)

    def score_samples(self, X: Any, *, noise_variance: Any = None) -> Any:
        """Return log p(x) of each row in nats, shape (n,); lazy where `predict` is.

        With `standardise` or `pca` it is the density of the mapped row, as in a scikit-learn
        pipeline, and so are `score` and the criteria: compare those only between models with
        the same preprocessing.

        Parameters
        ----------
        X : as in `fit`
        noise_variance : as in `predict`, optional

        Returns
        -------
        array of shape (n,)
            In nats.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0])
        >>> mixture.score_samples([[0.0], [2.0]]).round(3)
        array([-0.919, -2.919])
        """
        return self._predict("log_density", X, noise_variance)

    def impute(self, X: Any, *, random_state: int | None = None) -> Any:
        """Return rows whose missing values are those that the mixture expects, or draws of them.

        Of a mixture with ``missing="marginalise"``: the mean of each missing value given the others
        of its row, over all components. Observed values stay as they are, to the bit, and rows
        without any value stay NaN. Variances of filled values are too small, as those of means
        are; draws have the variances and correlations of the mixture, and several of them show how
        uncertain what follows is (multiple imputation [1]_). The output "imputed" of
        `predict_to_zarr` and `predict_to_parquet` is the mean.

        Parameters
        ----------
        X : as in `fit`
        random_state : int, optional
            The seed of a draw from the distribution of the missing values given the others of the
            row: a component with its posterior probability, then a value of its conditional
            Gaussian. A draw depends on the seed and the number of the row, not on chunks; with a
            data frame of Dask, on the partition and the number in it.

        Returns
        -------
        array of shape (n, d)
            As `predict_proba` returns it: lazy where that is, labelled for labelled X, a DataArray
            with its own dimension of features.

        Raises
        ------
        SettingError
            If `missing` is another, or the seed is no whole number from 0 to 2^64 - 1.

        References
        ----------
        .. [1] R. J. A. Little, D. B. Rubin, "Statistical Analysis with Missing Data", Wiley (2002).

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0, 0]], [[[1.0, 0.5], [0.5, 1.0]]])
        >>> mixture.set_params(missing="marginalise").impute([[2.0, np.nan]])
        array([[2., 1.]])
        """
        check_imputes(self)
        check_seed(random_state)
        found, source = self._predict(IMPUTED, X, seed=random_state), source_of(X)
        return named_as(X, labelled_rows(self, X), found) if source.labelled else found

    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, noise_variance: Any = None
    ) -> float:
        """Return the mean log-likelihood of the rows, in nats a row, in one streamed pass.

        Parameters
        ----------
        X : as in `fit`
        y : ignored
        sample_weight : as in `fit`, optional
            The mean is the weighted one, the same for any scale of the weights. Without weights
            each row counts once, also after a fit with weights.
        noise_variance : as in `fit`, optional
            Known noise of the rows; without it they have none, also after a fit with noise.

        Returns
        -------
        float
            In nats a row.

        Raises
        ------
        DataError
            If a row cannot be used, or none has a weight.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0])
        >>> round(mixture.score([[0.0], [2.0]]), 3)
        -1.919
        """
        scored = self._scored(X, sample_weight, noise_variance)
        return scored.log_likelihood / scored.weighing.total

    def bic(
        self,
        X: Any,
        sample_weight: Any = None,
        *,
        weights_are: str | None = None,
        noise_variance: Any = None,
    ) -> float:
        r"""Return the Bayesian information criterion, in one streamed pass; lower is better.

        Of :math:`p` free parameters, with the mean log-likelihood :math:`\bar\ell` of the rows,
        :math:`p \log n - 2 n \bar\ell` [1]_.

        Parameters
        ----------
        X : as in `fit`
        sample_weight : as in `fit`, optional
            Without weights n is the number of rows, also after a fit with weights.
        weights_are : {"relative", "counts"}, optional
            What the weights mean, as in `fit`, and so what n is; by default what was said there.
        noise_variance : as in `score`, optional

        Returns
        -------
        float
            In nats, of all rows together.

        Warns
        -----
        WeightsWarning
            If nothing was said, and the weights may be counts; or if they were said to be, and are
            no whole numbers.

        References
        ----------
        .. [1] G. Schwarz, "Estimating the dimension of a model", Annals of Statistics 6 (1978)
           461-464, https://doi.org/10.1214/aos/1176344136

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> round(mixture.bic([[0.5], [8.0], [9.5]]), 2)
        16.38
        """
        return self._criteria_of(X, sample_weight, weights_are, noise_variance).bic

    def aic(
        self,
        X: Any,
        sample_weight: Any = None,
        *,
        weights_are: str | None = None,
        noise_variance: Any = None,
    ) -> float:
        r"""Return Akaike's information criterion, :math:`2 p - 2 n \bar\ell` [1]_, as `bic` does.

        Parameters
        ----------
        X, sample_weight, weights_are, noise_variance : as in `bic`

        Returns
        -------
        float
            In nats, of all rows together.

        Warns
        -----
        WeightsWarning
            As `bic` does.

        References
        ----------
        .. [1] H. Akaike, "A new look at the statistical model identification", IEEE Transactions on
           Automatic Control 19 (1974) 716-723, https://doi.org/10.1109/TAC.1974.1100705

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> round(mixture.aic([[0.5], [8.0], [9.5]]), 2)
        20.89
        """
        return self._criteria_of(X, sample_weight, weights_are, noise_variance).aic

    def icl(
        self,
        X: Any,
        sample_weight: Any = None,
        *,
        weights_are: str | None = None,
        noise_variance: Any = None,
    ) -> float:
        r"""Return the integrated completed likelihood, in one streamed pass.

        :math:`\mathrm{BIC} - 2 \sum_n \sum_k \gamma_{nk} \log \gamma_{nk}`, in nats: BIC plus
        twice the entropy of the responsibilities [1]_. Lower is better, as for `bic`. It
        favours components that do not overlap: as many as there are clusters, where BIC takes
        as many as the density needs. Parameters are those of `bic`; with weights the entropy is n
        times its weighted mean.

        Parameters
        ----------
        X, sample_weight, weights_are, noise_variance : as in `bic`

        Returns
        -------
        float
            In nats, of all rows together.

        Warns
        -----
        WeightsWarning
            As `bic` does.

        Notes
        -----
        The labels are averaged over the responsibilities, as in [2]_; in [1]_ they are the
        most probable ones, and the sum is that of :math:`\log \max_k \gamma_{nk}`.

        References
        ----------
        .. [1] C. Biernacki, G. Celeux, G. Govaert, "Assessing a mixture model for clustering
           with the integrated completed likelihood", IEEE Transactions on Pattern Analysis and
           Machine Intelligence 22 (2000) 719-725, https://doi.org/10.1109/34.865189
        .. [2] G. McLachlan, D. Peel, "Finite Mixture Models", Wiley (2000), chapter 6.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> round(mixture.icl([[0.5], [8.0], [9.5]]), 2)
        16.38
        """
        return self._criteria_of(X, sample_weight, weights_are, noise_variance, disorder=True).icl

    def label_agreement(self, X: Any, labels: Any, *, noise_variance: Any = None) -> LabelAgreement:
        """Return how far the labels of `predict` agree with known ones, in one streamed pass.

        Clusters stand in place of components after `merge_components`. Outliers are a group of
        their own. Texts in a file are read once more before, as each has to be known.

        Parameters
        ----------
        X : as in `fit`
        labels : array-like, Dask array, Zarr array, str, path or URL; shape (n,)
            Whole numbers, or names in memory or in a column of a table; a string that names a
            column or variable of X is that one. -1, NaN and null are unknown labels; but -1 is a
            label beside 1 alone.
        noise_variance : as in `fit`, optional

        Returns
        -------
        LabelAgreement
            With `adjusted_rand` and the table of rows by both labels, `contingency`.

        Raises
        ------
        DataError
            If no row has both labels, labels do not go with X, are measurements, or more than
            1,024.

        References
        ----------
        L. Hubert, P. Arabie, "Comparing partitions", Journal of Classification 2 (1985) 193-218,
        https://doi.org/10.1007/BF01908075

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> mixture.label_agreement([[0.5], [8.0], [9.5]], ["low", "high", "high"])
        3 rows
        adjusted Rand index  1.0000
        <BLANKLINE>
        known  0  1
        high   0  2
        low    1  0
        """
        check_is_fitted(self)
        return label_agreement(self, X, labels, noise_variance)

    @property
    def criteria_(self) -> dict[str, float | int | str]:
        r"""Criteria of the fit, without reading data.

        log_likelihood (mean, nats a row), n_parameters, n (the rows that count: see `weights_are`
        in `fit`), aic and bic (nan where n is unknown), and in words how they were measured. After
        `fit` that is in its last pass, for the parameters before the last step: `bic` of the same
        rows and weights differs by what that step changed, 2 n times `gap_estimate_` or so. The
        log-likelihood is that of the rows: where `lower_bound_` is that of rows with noise of
        variance `reg_covar`, or has the density of a prior in it, what these change is given
        back, of the noise to first order. Models of a sweep have criteria exactly, and icl,
        heldout and heldout_se too.

        After a fit with `noise_variance` it is the likelihood of the rows with their noise, as of
        `bic` with it. After one with `labels` a labelled row counts with :math:`\log \pi_k p_k(x)`
        of its component alone, so criteria compare with those of fits with the same labels; `bic`
        knows of none, and has the whole mixture's density of each row.

        Warns
        -----
        WeightsWarning
            As `bic` does.
        """
        check_is_fitted(self)
        if self._doubt is not None:
            warn_user(self._doubt, WeightsWarning)
        return self._known_criteria()

    def __dir__(self) -> list[str]:
        with _undoubted():
            return list(super().__dir__())

    def _get_fitted_attr_html(self, doc_link: str = "") -> Any:
        # Of scikit-learn's picture of an estimator, from 1.9 on.
        with _undoubted():
            return super()._get_fitted_attr_html(doc_link)

    def _html_repr(self) -> str:
        """Return what notebooks show: scikit-learn's picture before a fit, a card after it."""
        if not hasattr(self, "means_"):
            return str(estimator_html_repr(self))
        return mixture_card(self)

    def _known_criteria(self) -> dict[str, float | int | str]:
        if self._criteria is not None:
            return dict(self._criteria)
        n = rows_that_count(getattr(self, "fitted_on_", None) or {})
        mean = float(getattr(self, "lower_bound_", math.nan)) + self._discount
        found = criteria_of_fit(mean, int(self._n_parameters()), n)
        if self._ended_with is not None and self._ended_with.labels:
            found["measured"] = f"{found['measured']}{WITH_LABELS}"
        return found

    @available_if(_has_factors)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def transform(self, X: Any, *, return_labels: bool = False) -> Any:
        """Return the latent coordinates of each row in its most probable component, shape (n, q).

        Of ``covariance_type="ppca"``, ``"factor"`` and ``"mcfa"`` alone. They are posterior means
        of the factors. Those of "ppca" and "factor" have the mean 0 and the variance 1 in each
        component, which is that of `predict`; each has axes of its own, so that coordinates of
        different components do not compare. Those of "mcfa" have the axes of all components, and
        the mean 0 and the variance 1 over all of them: one picture shows all rows.

        Parameters
        ----------
        X : as in `fit`
        return_labels : bool, default=False
            Whether the components are returned too, from the same read of X and the same E-step.

        Returns
        -------
        array of shape (n, q)
            As `predict_proba` returns it: lazy where that is, labelled for labelled X. NaN for
            outliers, and where a value is missing.
        labels : array of int64, shape (n,)
            With ``return_labels=True``, as `predict` returns them:
            ``inverse_transform(*transform(X, return_labels=True))`` are the reconstructions.

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(500, 3)) * [5.0, 1.0, 1.0]
        >>> mixture = GaussianMixture(covariance_type="ppca", n_factors=1).fit(X)
        >>> mixture.transform(X).shape
        (500, 1)
        """
        if return_labels:
            return self._predict_together(("latent", "label"), X)
        return self._predict("latent", X)

    @available_if(_has_factors)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def inverse_transform(self, Z: Any, labels: Any) -> Any:
        r"""Return the points that latent coordinates stand for, :math:`\mu_k + W_k z` [1]_.

        Of ``covariance_type="mcfa"`` it is :math:`\mu_0 + W z`, whatever the component is, with the
        mean :math:`\mu_0` of all components.

        Parameters
        ----------
        Z : array of shape (n, q)
            As `transform` returns it: of NumPy or Dask, a data frame of Dask, or labelled.
        labels : array of int, shape (n,)
            The component of each row, as `predict` returns it.

        Returns
        -------
        array of shape (n, d)
            Points of the data, in the form of Z; lazy if Z or the labels are. NaN where a label is
            below 0. Of labelled arrays the dimension "feature" is the last, with the names of the
            features.

        Raises
        ------
        DataError
            If shapes or forms do not go together, or a component does not exist.

        References
        ----------
        .. [1] M. E. Tipping, C. M. Bishop, "Mixtures of probabilistic principal component
           analysers", Neural Computation 11 (1999) 443-482, https://doi.org/10.1162/089976699300016728

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(500, 3)) * [5.0, 1.0, 1.0]
        >>> mixture = GaussianMixture(covariance_type="ppca", n_factors=1).fit(X)
        >>> mixture.inverse_transform(*mixture.transform(X, return_labels=True)).shape
        (500, 3)
        """
        check_is_fitted(self)
        points = Points(self._parameters(), self._coordinates(), feature_names(self))
        return points.of(Z, labels)

    @property
    def factor_loadings_(self) -> NDArray[np.float64]:
        """Loadings of the factors, the largest first: (k, d, q), (d, q) of ``"mcfa"``.

        Of ``covariance_type="ppca"`` and ``"factor"`` covariances are W W^T plus the noise; of
        ``"mcfa"`` that is the covariance of all components together.
        """
        return factor_loadings(self._with_factors())

    @property
    def noise_variance_(self) -> NDArray[np.float64]:
        """Noise variances: (k,) of "ppca", (k, d) of "factor", (d,) of "mcfa"."""
        return noise_variances(self._with_factors())

    @property
    def explained_variance_(self) -> NDArray[np.float64]:
        """Variances along the factors, the largest first: (k, q), (q,) of ``"mcfa"``.

        Of ``covariance_type="ppca"`` those along principal axes, noise included, as in
        scikit-learn's `PCA`; of others the squared lengths of loadings.
        """
        return explained_variances(self._with_factors())

    @property
    def factor_means_(self) -> NDArray[np.float64]:
        """Means of the factors in each component of ``covariance_type="mcfa"``, shape (k, q)."""
        return self._shared_factors().means

    @property
    def factor_covariances_(self) -> NDArray[np.float64]:
        """Covariances of the factors in each component of "mcfa", shape (k, q, q)."""
        return self._shared_factors().covariances

    def _shared_factors(self) -> SharedFactors:
        shared = SharedFactors.of(self._with_factors())
        if shared is None:
            raise AttributeError("Components share their factors with covariance_type='mcfa'.")
        return shared

    def _with_factors(self) -> Parameters:
        """Return the parameters if they have factors."""
        if self.covariance_type not in FAMILIES or not hasattr(self, "covariances_"):
            raise AttributeError(
                f"A {type(self).__name__} has factors once it is fitted, with a covariance_type "
                f"of {', '.join(map(repr, FAMILIES))}."
            )
        return self._parameters()

    def predict_to_zarr(
        self,
        X: Any,
        out: str | os.PathLike[str],
        outputs: Sequence[str] = ("label",),
        *,
        dtype: str | None = None,
        top: int | None = None,
        chunks: int | Mapping[str, int] | None = None,
        shards: int | Mapping[str, int] | None = None,
        overwrite: bool = False,
        noise_variance: Any = None,
        storage_options: StorageOptions | None = None,
        progress: Progress | None = None,
    ) -> Written:
        """Write predictions to a Zarr group, chunk by chunk, all of them from one read of X.

        A run that was killed goes on when the same call is made again: it writes only what is
        missing. The group is written beside `out` and moved there when whole; at a URL it is
        written in place, and whole once the file named as it with ``.progress.json`` added is
        gone. xarray opens it, with the coordinates of labelled X.

        Parameters
        ----------
        X : as in `fit`
            With a known number of rows, n. An array in memory, a stored or lazy one, or a
            labelled one of any rank.
        out : path or URL
            Without the suffix of another format, such as .csv or .parquet.
        outputs : sequence of str
            Of "label" (the most probable component; -1 where a value is missing; with
            ``noise=True`` -1 for outliers, and -2 where a value is missing), "posterior" (of every
            component), "outlier" (1 for outliers, 0 for others, -1 where a value is missing),
            "outlier_probability", "top" (`top_component` and `top_posterior`: the most probable
            ones, the first one first), "largest_posterior", "ambiguity" (1 less the difference of
            the two largest posteriors), "log_density" (nats). The noise is one of the components
            for "top" (-1), "largest_posterior" and "ambiguity". Of types with factors also
            "latent" (as `transform`) and "reconstruction_error" (the squared distance of the row
            from `inverse_transform` of it, in the coordinates of the mixture).
        dtype : {"float32", "float64", "uint8"}, optional
            Of probabilities, by default float32. uint8 is in steps of 1/255 (1/254 with
            ``missing="drop"``, where 255 means missing), with a `scale_factor`, which xarray
            applies. "imputed" is in float64, unless float32 is asked for.
        top : int, optional
            How many components "top" writes; by default 2, or 1 of a single component.
        chunks, shards : int or mapping from dimension to int, optional
            Rows of a chunk, and of a shard, or lengths along dimensions. By default chunks
            are as those of X. What does not align with these is written rightly all the same.
        overwrite : bool
            Whether local predictions at `out` may be replaced, once the new ones are whole; what
            X is read from never is.
        noise_variance : as in `predict`, optional
        storage_options : mapping, optional
            Of the URLs of `out` and X, as fsspec takes them.
        progress : callable, optional
            Called with the number of batches done and their total.

        Returns
        -------
        Written
            With `rows`, `counts` of each component, and `missing`.

        Raises
        ------
        FileExistsError, FileNotFoundError
            If `out` exists and may not be replaced, or its folder does not exist.
        ValueError
            If rows cannot be used (`daskgmm.errors.DataError`), or a setting.

        Examples
        --------
        >>> import numpy as np
        >>> import zarr
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> written = mixture.predict_to_zarr(np.array([[0.5], [8.0]]), "predictions.zarr")
        >>> zarr.open_group("predictions.zarr")["label"][:]
        array([0, 1], dtype=int8)
        """
        check_is_fitted(self)
        check_zarr_name(out)
        source = source_of(X, storage_options)
        predictor, rows = rows_to_write(self, self._predictor(), source, noise_variance)
        wanted = wanted_outputs(predictor, outputs, dtype, top)
        return write_to_zarr(
            predictor, wanted, rows, Address.of(out, storage_options),
            read=[X, noise_variance], source=source_name(X), chunks=chunks, shards=shards,
            overwrite=overwrite, progress=progress,
        )  # fmt: skip

    def predict_to_parquet(
        self,
        X: Any,
        out: str | os.PathLike[str],
        outputs: Sequence[str] = ("label",),
        *,
        key: str | Sequence[str] | None = None,
        dtype: str | None = None,
        top: int | None = None,
        overwrite: bool = False,
        noise_variance: Any = None,
        storage_options: StorageOptions | None = None,
        progress: Progress | None = None,
    ) -> Written:
        """Write predictions to Parquet files beside key columns of X, all from one read of X.

        A folder with a file for each row group or partition, in order, empty ones too. A run
        that was killed goes on when the same call is made again: it writes only what is
        missing. Files are written in a folder beside `out`, which is moved there when whole;
        at a URL they are written in place, and all are there once the file named as the
        folder with ``.progress.json`` added is gone.

        Parameters
        ----------
        X : Parquet paths, what `open_parquet` returns, a data frame, or a table of Arrow
            Data frames are those of Dask, pandas or Polars.
            Features are the columns that the mixture was fitted on, by name; for a mixture
            without names all columns but the keys. Lengths of partitions may be unknown.
        out : path or URL
            Without the suffix of another format, such as .csv or .zarr.
        outputs : sequence of str
            As of `predict_to_zarr`, as columns of numbers: ``label`` (-1 where a value is missing;
            with ``noise=True`` -1 for outliers, -2 where a value is missing), ``outlier``,
            ``outlier_probability``,
            ``posterior_0`` and so on, ``top_component_1`` and ``top_posterior_1`` (the most
            probable one), ``largest_posterior``, ``ambiguity``, ``log_density``, ``latent_0``
            and so on, ``reconstruction_error``; the last ones are NaN where a value is missing.
        key : str or sequence of str, optional
            Columns of any type, or the name of a data frame's index, to carry along as they
            are. By default the index of a data frame, also one that was stored with Parquet
            files; with ``key=()`` nothing.
        dtype : {"float32", "float64"}, optional
            Of probabilities and densities, by default float32; "imputed" is in float64, unless
            float32 is asked for.
        top : int, optional
            How many components "top" writes; by default 2, or 1 of a single component.
        overwrite : bool
            Whether Parquet files at a local `out` may be replaced, once all new ones are
            written. They may be those that are read, if all of these are and each of their
            columns is a feature, its noise or in `key`; the former are not written.
        noise_variance : as in `predict`, optional
        storage_options : mapping, optional
            Of the URLs of `out` and X, as fsspec takes them.
        progress : callable, optional
            Called with the number of batches done and their total.

        Returns
        -------
        Written
            With `rows`, `counts` of each component, and `missing`.

        Raises
        ------
        FileExistsError, FileNotFoundError
            If `out` exists and may not be replaced, or its folder does not exist.
        ValueError
            If rows cannot be used (`daskgmm.errors.DataError`), or a setting.
        TypeError
            If X is no table.

        Examples
        --------
        >>> import pandas as pd
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters(
        ...     [0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0], feature_names=["depth"]
        ... )
        >>> profiles = pd.DataFrame({"station": ["a", "b"], "depth": [0.5, 8.0]})
        >>> written = mixture.predict_to_parquet(profiles, "labels.parquet", key="station")
        >>> pd.read_parquet("labels.parquet")
          station  label
        0       a      0
        1       b      1
        """
        check_is_fitted(self)
        check_parquet_name(out)
        source = source_of(X, storage_options)
        given = source, as_names(key), noise_variance
        predictor, table = table_to_write(self, self._predictor(), *given)
        wanted = wanted_outputs(predictor, outputs, dtype, top)
        return write_to_parquet(
            predictor, wanted, table, Address.of(out, storage_options),
            read=X, beside=noise_variance, dtype=dtype, overwrite=overwrite, progress=progress,
        )  # fmt: skip

    def sample(self, n_samples: int = 1) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Draw rows from the mixture, ordered by component; those of the noise come last.

        After a fit with `noise_variance` they are rows without that noise.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows, n.

        Returns
        -------
        X : ndarray of shape (n_samples, d)
            The rows, in the units of the data.
        y : ndarray of shape (n_samples,)
            The component of each row, -1 for the noise.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> X, y = mixture.sample(100)
        >>> X.shape, y.shape
        ((100, 1), (100,))
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples} . The sampling requires at "
                "least one sample."
            )
        random, coordinates = check_random_state(self.random_state), self._coordinates()
        parameters = self._parameters()
        box = box_of(self) if parameters.has_noise else None
        x, components = sample_mixture(parameters, n_samples, random, box)
        return (x if coordinates is None else coordinates.undo(x)), components

    def means_in_data_units(self) -> NDArray[np.float64]:
        """Return the means as points of the data, shape (k, d): `means_` without preprocessing.

        Axes that `pca` left out are at the mean of the rows.

        Returns
        -------
        ndarray of shape (k, d)
            In the units of the data.

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.array([[10.0], [20.0], [30.0]])
        >>> mixture = GaussianMixture(standardise=True).fit(X)
        >>> mixture.means_in_data_units()
        array([[20.]])
        """
        check_is_fitted(self)
        coordinates = self._coordinates()
        means = self._parameters().means
        return means.copy() if coordinates is None else coordinates.undo(means)

    def covariances_in_data_units(self) -> NDArray[np.float64]:
        """Return the covariance matrices in squared units of the data, shape (k, d, d).

        Whatever the structure, a matrix for each component. After `pca` their rank is that of
        the mixture's coordinates: the variance along axes that were left out is not in them.

        Returns
        -------
        ndarray of shape (k, d, d)
            In squared units of the data.

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.array([[10.0], [20.0], [30.0]])
        >>> mixture = GaussianMixture(standardise=True).fit(X)
        >>> mixture.covariances_in_data_units().round(1)
        array([[[66.7]]])
        """
        check_is_fitted(self)
        parameters, coordinates = self._parameters(), self._coordinates()
        covariances = covariance_matrices(parameters)
        if coordinates is None:
            return covariances.copy()
        return coordinates.undo_covariances(covariances)

    def _predict(
        self, name: str, x: Any, noise_variance: Any = None, *, seed: int | None = None
    ) -> Any:
        if noise_variance is not None:
            check_is_fitted(self)
            given = (name,), x, noise_variance
            return predict_with_noise(self, self._predictor(), *given)[0]
        return self._predict_together((name,), x, seed)[0]

    def _predict_together(
        self, names: tuple[str, ...], x: Any, seed: int | None = None
    ) -> tuple[Any, ...]:
        check_is_fitted(self)
        return source_of(x).predicted(InAnyForm(self, self._predictor(seed), names))

    def _scored(
        self, x: Any, sample_weight: Any, noise_variance: Any = None, *, disorder: bool = False
    ) -> Scored:
        check_is_fitted(self)
        given = x, sample_weight, noise_variance
        scored, weighted = score_with_noise(self, self._predictor(), *given, disorder=disorder)
        check_some(scored.weighing, weighted)
        return scored

    def _criteria_of(
        self,
        x: Any,
        sample_weight: Any,
        weights_are: str | None,
        noise_variance: Any = None,
        *,
        disorder: bool = False,
    ) -> Criteria:
        check_meaning(weights_are)
        scored = self._scored(x, sample_weight, noise_variance, disorder=disorder)
        weighing = scored.weighing
        said = weights_are or (getattr(self, "fitted_on_", None) or {}).get("weights_are")
        if sample_weight is not None:
            message = doubt(weighing, said)
            if message is not None:
                warn_user(message, WeightsWarning)
        return Criteria(
            scored.log_likelihood / weighing.total,
            self._n_parameters(),
            weighing.counted(said),
            scored.entropy / weighing.total,
        )

    def _predictor(self, seed: int | None = None) -> Predictor:
        transform = transform_of(self, self._coordinates())
        clusters = clusters_of(self)
        merged = None if clusters is None else tuple(map(int, clusters))
        names, own = feature_names(self), self._own_outputs
        return Predictor(self._parameters(), names, transform, merged, own, seed)

    def _coordinates(self) -> Coordinates | None:
        return getattr(self, "coordinates_", None)

    def _parameters(self) -> Parameters:
        name = self._structure_name
        fitted = getattr(self, "_fitted_structure", name)
        if fitted != name:
            raise ValueError(
                f"covariance_type was set to {name!r} after a fit with {fitted!r}. "
                "Fit again, or set it back."
            )
        structure = STRUCTURES[name]
        means = np.asarray(self.means_, np.float64)
        factors = np.asarray(self.precisions_cholesky_, np.float64)
        factors = structure.internal(factors, *means.shape)
        # Whoever sets the attributes by hand sets what scikit-learn reads: not this one.
        covariances = getattr(self, "covariances_", None)
        if covariances is None:
            covariances = structure.precision.covariances(factors)
        else:
            covariances = structure.internal(np.asarray(covariances, np.float64), *means.shape)
        weights = np.asarray(self.weights_, np.float64)
        parameters = Parameters(name, weights, means, covariances, factors)
        return with_outliers_of(self, parameters)

    @property
    def _structure_name(self) -> str:
        """Name of the covariance structure in `STRUCTURES`."""
        return name_with_factors(self.covariance_type, self.n_factors)

    def _own_entries(self) -> dict[str, Any]:
        """Return the entries of a model file that only this kind of mixture has."""
        return {}

    def _set_own_entries(self, document: Mapping[str, Any]) -> None:
        """Set the attributes of these entries, after those of every mixture."""

    def _n_parameters(self) -> int:
        k, d = self.means_.shape
        structure, equal = STRUCTURES[self._structure_name], has_equal_weights(self)
        free = n_parameters(structure, k, d, equal_weights=equal)
        return free + n_of_outliers(fitted_outliers(self), k)


def wanted_outputs(
    predictor: Predictor, names: Sequence[str], dtype: str | None, top: int | None
) -> Outputs:
    """Return the arrays that a mixture is asked for; raise `ValueError` if it has none such."""
    k, missing = predictor.parameters.n_components, predictor.transform.drop_missing
    noise, q = predictor.parameters.has_noise, n_factors(predictor.parameters)
    merged, d, own = predictor.clusters, predictor.n_columns, predictor.own_outputs
    return Outputs.of(
        names, k, dtype, top, missing=missing, noise=noise, q=q, clusters=merged, d=d,
        columns=predictor.columns or (), own=own,
    )  # fmt: skip


@contextmanager
def _undoubted() -> Iterator[None]:
    """Let all attributes be looked at, which asks for no criteria."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WeightsWarning)
        yield
