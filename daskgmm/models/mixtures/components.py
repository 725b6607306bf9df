"""Methods on the components of a fitted mixture: number, merge, adapt, step, standard errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from daskgmm.blas import one_blas_thread
from daskgmm.companions import Companions
from daskgmm.em.survey.adaptation import moments_of
from daskgmm.em.survey.weighing import check_meaning, check_some, weigh
from daskgmm.errors import WeightsWarning
from daskgmm.gaussian.adaptation import adapt
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.models.facts.clusters import Merging, check_n_clusters, merge_by_entropy
from daskgmm.models.facts.criteria import RELEVANCE_COUNTS, doubt
from daskgmm.models.facts.order import NUMBERED, canonical_order
from daskgmm.models.inputs.labels import check_no_texts
from daskgmm.models.inputs.rows import scoring_data
from daskgmm.models.mixtures.adaptation import (
    adapted_to,
    as_adapted,
    background_of,
    check_gaussian,
    check_passes,
    relevances_of,
)
from daskgmm.models.mixtures.alignment import Alignment, alignment, check_alike, distances_between
from daskgmm.models.mixtures.far_rows import warn_of_far_rows
from daskgmm.models.mixtures.mixture import Mixture
from daskgmm.models.mixtures.moments import MixtureMoments
from daskgmm.models.mixtures.noisy_rows import rows_beside
from daskgmm.models.mixtures.stepping import moments_under, stepped
from daskgmm.models.predictions.posterior_sample import posterior_sample
from daskgmm.models.settings.equal_weights import has_equal_weights
from daskgmm.models.settings.missing import check_whole_rows
from daskgmm.models.uncertainty.refusals import cause_named
from daskgmm.models.uncertainty.sandwich import standard_errors
from daskgmm.models.uncertainty.standard_errors import StandardErrors
from daskgmm.readers import remedy
from daskgmm.rows.companions.of_columns import named_by
from daskgmm.rows.sources import source_of
from daskgmm.user_warnings import warn_user


class Components(Mixture):
    """A mixture whose components can be numbered, merged, adapted and stepped."""

    _is_base = True

    alignment_: Alignment
    merging_: Merging

    def sort_components(self) -> Self:
        """Sort the components by weight, largest first; ties by mean, smallest first.

        Means are compared feature by feature, the first one first; components with equal
        weights and means keep their places. Predictions are numbered as the components are;
        densities and criteria change by rounding at most.

        Returns
        -------
        Mixture
            This estimator, with `weights_`, `means_`, `covariances_`, `precisions_` and
            `precisions_cholesky_` in the new order; what tied components share stays. With
            `warm_start` the next fit continues from there as it would have before.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> mixture.sort_components().weights_
        array([0.6, 0.4])
        """
        check_is_fitted(self)
        parameters = self._parameters()
        self._reorder(canonical_order(parameters.weights, parameters.means))
        return self

    def align_to(self, reference: Mixture) -> Self:
        """Give components the numbers of those of an earlier mixture that they are most alike.

        Label 3 then means the same after a fit of new data, other settings or a bootstrap sample.

        Parameters
        ----------
        reference : Mixture
            Fitted on the same features, with at most as many components; components that it had
            not come last. It may have other structures or coordinates: components are compared in
            those of the mixture with fewer axes, else in the reference's.

        Returns
        -------
        Mixture
            This estimator. `alignment_` of it says how sure that is: `Alignment` with the overlap
            of each component and its earlier one, and the confidence that no other was meant.

        Raises
        ------
        ValueError
            If the mixtures are of different features, or the reference has more components; of a
            Bayesian mixture with a Dirichlet process, whose components have an order.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> january = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> february = GaussianMixture.from_parameters([0.5, 0.5], [[9.1], [0.2]], [1.0, 1.0])
        >>> february.align_to(january).means_.ravel()
        array([0.2, 9.1])
        """
        check_is_fitted(self)
        check_alike(self, reference)
        found = alignment(distances_between(self, reference))
        self._reorder(found.order)
        self.alignment_ = found
        return self

    def merge_components(
        self,
        X: Any,
        n_clusters: int | None = None,
        sample_weight: Any = None,
        *,
        noise_variance: Any = None,
    ) -> Self:
        """Merge components that share their rows to clusters; the density stays as it is.

        A cluster that is no Gaussian takes several components. Step by step the two clusters are
        merged whose union lowers the entropy of the posterior probabilities most [1]_, from one
        pass: on all rows up to 100,000, or on so many that are drawn by their numbers.

        Parameters
        ----------
        X : as in `fit`
            Rows that miss a value are an error or left out as the setting `missing` says.
        n_clusters : int, optional
            Number of clusters. By default ``merging_.elbow``, the one at which the entropy begins
            to rise: those that are left share clearly less than those that were merged. A mixture
            that is one Gaussian in truth is one cluster, and components apart stay as they are.
        sample_weight : as in `fit`, optional
        noise_variance : as in `predict`, optional
            Known noise of the rows; without it they are exact, also after a fit with noise.

        Returns
        -------
        Mixture
            This estimator, with `clusters_`, the cluster of each component, shape (k,), and
            `merging_`, the tree of merges with the entropy of each number of clusters and how much
            the merged ones shared (``merging_.clusters(n)`` is another cut of it).
            `predict_clusters`, model files and the outputs "cluster" and "cluster_posterior" have
            them; another fit or order of the components forgets them.

        Raises
        ------
        SettingError
            If there are not so many clusters.
        DataError
            If X has no rows, or a row cannot be used.

        References
        ----------
        .. [1] J.-P. Baudry, A. E. Raftery, G. Celeux, K. Lo, R. Gottardo, "Combining mixture
           components for clustering", Journal of Computational and Graphical Statistics 19 (2010)
           332-353, https://doi.org/10.1198/jcgs.2010.08111

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters(
        ...     [0.3, 0.3, 0.4], [[0.0], [1.0], [9.0]], [1.0, 1.0, 1.0], random_state=0
        ... )
        >>> X, _ = mixture.sample(1000)
        >>> mixture.merge_components(X).clusters_
        array([0, 0, 1])
        """
        check_is_fitted(self)
        check_n_clusters(n_clusters, len(self.weights_))
        given = source_of(X), Companions(sample_weight), noise_variance
        rows, beside, predictor = rows_beside(self, self._predictor(), *given)
        posteriors, counts = posterior_sample(predictor, rows, beside)
        check_some(weigh(counts, len(counts)), beside.weights is not None)
        with one_blas_thread():  # the order of additions would depend on their number
            self.merging_ = merge_by_entropy(posteriors, counts)
        self.clusters_ = self.merging_.clusters(n_clusters or self.merging_.elbow)
        return self

    def predict_clusters(self, X: Any) -> Any:
        """Return the most probable cluster of each row, after `merge_components`; as `predict`.

        The probability of a cluster is the sum of those of its components.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        array of int64, shape (n,)
            Numbers of clusters, from 0, in the form that `predict` has.

        Raises
        ------
        SettingError
            If the components were not merged.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters(
        ...     [0.3, 0.3, 0.4], [[0.0], [1.0], [9.0]], [1.0, 1.0, 1.0], random_state=0
        ... )
        >>> X, _ = mixture.sample(1000)
        >>> mixture.merge_components(X, n_clusters=2).predict_clusters([[0.2], [8.0]])
        array([0, 1])
        """
        return self._predict("cluster", X)

    def map_adapt(
        self,
        X: Any,
        relevance: float | Mapping[str, float] = 16.0,
        parameters: Sequence[str] = ("means",),
        sample_weight: Any = None,
        *,
        weights_are: str | None = None,
        n_iter: int = 1,
    ) -> Self:
        r"""Return this mixture adapted to few rows, as a background model to a speaker [1]_.

        Of a component with :math:`N_k` rows of X, the rows have the share
        :math:`\alpha_k = N_k / (N_k + r)` in its new parameters, and this mixture has the rest.
        A component without rows keeps its mean and covariance.

        Parameters
        ----------
        X : as in `fit`
            Rows that miss a value are an error or left out as the setting `missing` of this mixture
            says: ``mixture.set_params(missing="drop")``.
        relevance : float or mapping, default=16
            r, in rows; for each kind of parameter its own if it is a mapping from the names in
            `parameters`. Infinity keeps this mixture, 0 is the M-step of the rows.
        parameters : sequence of {"weights", "means", "covariances"}
            What is adapted; covariances only where they are free in volume, shape and orientation
            together ("full", "tied", "diag", "spherical", "EII", "EEI"). They are second moments
            about the adapted means, which is the published formula where means and covariances
            have one relevance. A tied covariance is the mean of these over components, with the
            weights :math:`N_k + r`.
        sample_weight : as in `fit`, optional
        weights_are : {"relative", "counts"}, optional
            What the weights mean, and so how many rows :math:`N_k` is, as n in `fit`.
        n_iter : int, default=1
            Passes over X. Each takes the responsibilities under the mixture of the one before,
            and adapts this mixture.

        Returns
        -------
        Mixture
            A new one of this class and settings; this one stays as it is. `adapted_` of it is a
            dict that says how: relevance of each kind of parameter, n_iter, source, rows, weight,
            effective_rows, weights_are, and background, what the first mixture was fitted to.
            It was not fitted itself: it has no `history_` and no `fitted_on_`, `criteria_` of no
            pass, `converged_` is False, `n_iter_` is the number of passes, `lower_bound_` and
            `gap_estimate_` are nan, and `lower_bounds_` is empty.

        Raises
        ------
        ValueError
            If an argument or a row cannot be used, or a covariance is singular; of a mixture with
            `noise` or `tails`, of one fitted with `noise_variance` and of a
            `BayesianGaussianMixture`, which cannot be adapted.

        Warns
        -----
        WeightsWarning
            As `bic` does: relevance is in rows.

        References
        ----------
        .. [1] D. A. Reynolds, T. F. Quatieri, R. B. Dunn, "Speaker verification using adapted
           Gaussian mixture models", Digital Signal Processing 10 (2000) 19-41,
           https://doi.org/10.1006/dspr.1999.0361

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> background = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [9.0]], [1.0, 1.0])
        >>> speaker = background.map_adapt([[1.0]] * 16, relevance=16)
        >>> speaker.means_.ravel()
        array([0.5, 9. ])
        """
        check_is_fitted(self)
        check_meaning(weights_are)
        relevances = relevances_of(self._structure_name, relevance, parameters)
        check_passes(n_iter)
        predictor = self._predictor()
        check_gaussian(self, predictor.parameters)
        check_whole_rows(self, remedy("map_adapt", "adapt"))
        if "weights" in relevances and has_equal_weights(self):
            raise ValueError(
                "The weights of a mixture with equal_weights=True are fixed. Adapt means and "
                "covariances, or fit one with weights of its own."
            )
        rows, weights = scoring_data(self, X, sample_weight)
        data = predictor.dataset(rows, Companions(weights), present=True)
        data = data.in_coordinates(predictor.transform.coordinates)
        prior = adapted = predictor.parameters
        reg_covar = float(getattr(self, "reg_covar", 0.0))
        with one_blas_thread():  # or rounding would depend on whether a task has just ended
            for _ in range(n_iter):
                found = moments_of(data, adapted)
                warn_of_far_rows(found.moments, adapted, self._axis_names())
                check_some(found.weighing, weights is not None)
                scale = found.weighing.counted(weights_are) / found.weighing.total
                adapted = adapt(prior, found.moments, relevances, scale, reg_covar)
        message = None if weights is None else doubt(found.weighing, weights_are, RELEVANCE_COUNTS)
        if message is not None:
            warn_user(message, WeightsWarning)
        facts = {
            "relevance": relevances,
            "n_iter": int(n_iter),
            **adapted_to(X, found.weighing, weights_are),
            "background": background_of(self),
        }
        return as_adapted(self, adapted, facts)

    def moments(self, X: Any, sample_weight: Any = None) -> MixtureMoments:
        r"""Return the expected sufficient statistics of rows under this mixture; one pass.

        With `step` they are EM by hand: where rows arrive in parts, or lie at several sites that
        share no rows, each part gives moments, and the mixture steps from their sum. Rows have no
        labels here, also after a fit with labels.

        Parameters
        ----------
        X : as in `fit`
            Rows that miss a value are an error or left out as the setting `missing` says.
        sample_weight : as in `fit`, optional

        Returns
        -------
        MixtureMoments
            Its size depends on k and d alone. Sums of parts differ from the moments of all rows by
            rounding, about 1e-15 relative, as the order of additions is another; the sum of the
            same parts in the same order has the same bits wherever they were taken.

        Raises
        ------
        DataError
            If a row cannot be used.
        SettingError
            If the M-step of this mixture needs more than moments: with a prior, `noise`, `tails`,
            ``missing="marginalise"`` or a fit with `noise_variance`.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [9.0]], [1.0, 1.0])
        >>> one, other = mixture.moments([[0.5], [8.0]]), mixture.moments([[9.5]])
        >>> (one + other).counts.round(3)
        array([1., 2.])
        """
        check_is_fitted(self)
        return moments_under(self, X, sample_weight)

    def step(self, moments: MixtureMoments) -> Self:
        """Return the mixture after one M-step, from moments under this one.

        It is the step of `fit` with ``acceleration=None``: the likelihood of the rows that the
        moments are of does not fall, but for `reg_covar`. Stop when `lower_bound_` rises by less
        than you care for.

        Parameters
        ----------
        moments : MixtureMoments
            Of all rows, under this mixture.

        Returns
        -------
        Mixture
            A new one of this class and settings; this one stays as it is. `lower_bound_` is the
            mean log-likelihood under this mixture, before the step, in nats per row, as in `fit`.
            `converged_` is False and `n_iter_` is 1.

        Raises
        ------
        SettingError
            If the moments are under another mixture or of no rows, or as in `moments`.
        ValueError
            If a covariance is singular.

        Warns
        -----
        ScaleWarning
            If a component moved so far that its covariance is rounded.
        DegenerateComponentWarning
            If a component has no rows, or a covariance that needed a ridge.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [9.0]], [1.0, 1.0])
        >>> moments = mixture.moments([[0.5], [1.5], [8.0], [9.0]])
        >>> mixture.step(moments).means_.ravel().round(3)
        array([1. , 8.5])
        """
        check_is_fitted(self)
        return stepped(self, moments)

    def standard_errors(
        self,
        X: Any,
        sample_weight: Any = None,
        *,
        labels: Any = None,
        noise_variance: Any = None,
        groups: Any = None,
        blocks: int = 1000,
        weights_are: str | None = None,
    ) -> StandardErrors:
        r"""Return the standard errors of weights, means and covariances, in two passes.

        They are the roots of the diagonal of :math:`J^{-1} K J^{-1}` [1]_ [2]_. K is the covariance
        of the slope of the log-likelihood, from the sums of the scores of all rows over blocks of
        neighbouring rows, or over groups. So standard errors hold where neighbours resemble each
        other, as along a track or in time, and where components are no Gaussians in truth. J is its
        curvature, of all rows too, from a second pass [3]_. With a `prior` J is that of the log
        posterior, after a further pass that surveys the rows, and the errors are those of its mode
        over samples of rows, with the prior as it is. With ``noise=True`` the volume of the uniform
        component is taken as known. After ``missing="marginalise"`` and
        with `noise_variance` both are those of the observed values, and the curvature takes a pass
        for each 64 free parameters.

        Parameters
        ----------
        X : as in `fit`
            The rows that the mixture was fitted to.
        sample_weight : as in `fit`, optional
        labels : as in `fit`, optional
            The labels of the fit. A row of known component lacks no information.
        noise_variance : as in `fit`, optional
            The noise of the fit.
        groups : as `sample_weight`, optional
            A whole number, text or category for each row, or the name of a column of X: rows of
            different groups (stations, patients, cruises) are independent, those of one need not
            be. Groups are independent, rather than blocks, then. The scores of all of them stay in
            memory.
        blocks : int, default=1000
            Number of blocks of neighbouring rows. Fewer are longer, so that dependence reaches
            less often from one to the next; but the standard errors are known to
            :math:`1 / \sqrt{2 B}` of B blocks only.
        weights_are : {"relative", "counts"}, optional
            What the weights mean, by default what was said to `fit`. Relative ones weigh rows of a
            survey: a row of weight 2 moves estimates twice as far, and it is one observation. A row
            that counts c stands for c independent ones: blocks are single rows then. With groups
            both give the same.

        Returns
        -------
        StandardErrors
            In the shapes and units of `weights_`, `means_` and `covariances_`; after `standardise`
            or `pca` in those coordinates, which are taken as known. ``in_data_units()`` undoes
            `standardise`, as its table does, and ``intervals(0.95)`` are confidence intervals.

        Raises
        ------
        ValueError
            If the rows do not identify the mixture, a component rests on a floor, or EM has stopped
            too far from the maximum: a quarter of a standard error.
        SettingError
            Of a mixture with `tails`, of a fit with labels or `noise_variance`
            if these are not given; with more than 3,000 free parameters, or 10,000 of them and of
            patterns of gaps multiplied, or covariances of
            factors ("ppca", "factor", "mcfa"); with a `prior` of structures between free ones; of a
            `BayesianGaussianMixture`. Of these a bootstrap tells: fits of rows that are drawn.
        DataError
            If a row cannot be used, or there are fewer than 30 blocks or groups.

        Warns
        -----
        DependenceWarning
            If rows depend on each other farther than a block.
        WeightsWarning
            As `bic` does, without groups.

        References
        ----------
        .. [1] P. J. Huber, "The behavior of maximum likelihood estimates under nonstandard
           conditions", Proceedings of the Fifth Berkeley Symposium 1 (1967) 221-233.
        .. [2] G. Boldea, J. R. Magnus, "Maximum likelihood estimation of the multivariate normal
           mixture model", Journal of the American Statistical Association 104 (2009) 1539-1549,
           https://doi.org/10.1198/jasa.2009.tm08273
        .. [3] T. A. Louis, "Finding the observed information matrix when using the EM algorithm",
           Journal of the Royal Statistical Society B 44 (1982) 226-233,
           https://doi.org/10.1111/j.2517-6161.1982.tb01203.x

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(10_000, 1))
        >>> errors = GaussianMixture().fit(X).standard_errors(X)
        >>> errors.means.round(2)
        array([[0.01]])
        """
        check_is_fitted(self)
        beside = Companions(sample_weight, labels, noise_variance, groups)
        with named_by(beside), cause_named(self, beside):
            check_no_texts(source_of(X), labels)
            found = standard_errors(self, X, beside, blocks, weights_are)
        estimates = replace(found.estimates, coordinates=self._coordinates())
        return replace(found, estimates=estimates)

    def _reorder(self, order: NDArray[np.intp]) -> None:
        names = ["weights_", "means_", "clean_shares_", "inflations_", "tail_degrees_"]
        if not STRUCTURES[self._structure_name].shared:
            names += ["covariances_", "precisions_", "precisions_cholesky_"]
        # New arrays, all made before any is set: others may hold the old ones.
        found = {name: np.asarray(getattr(self, name)) for name in names if hasattr(self, name)}
        self.__dict__.update({name: values[order] for name, values in found.items()})
        for name in NUMBERED:
            self.__dict__.pop(name, None)
