"""The estimator: scikit-learn's `GaussianMixture`, for rows that need not fit in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from daskgmm.gaussian.priors.prior import Prior
from daskgmm.models.density.given_parameters import (
    check_kept,
    check_names,
    given_parameters,
    made_of,
)
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.settings.truncation import left_out_of


class GaussianMixture(MixtureEstimator):
    r"""Gaussian mixture fitted by expectation-maximisation, out of core.

    Parameters, attributes and methods have the names, defaults and meanings of
    `sklearn.mixture.GaussianMixture`. X may be a NumPy array, a memory map, a Zarr array, a
    Dask array, the path or URL of a Zarr array or of Parquet files, a data frame of pandas, Dask
    or Polars, or a list of any of these; rows are read chunk by chunk, one pass for the survey
    and one for each iteration. Passes run on the current `distributed.Client` if there is
    one, else on threads.

    Parameters
    ----------
    n_components : int, default=1
        k, the number of components.
    covariance_type : str, default="full"
        "full": each component its own covariance matrix; "tied": one matrix for all; "diag": a
        variance for each feature; "spherical": a single variance. Or another one of the fourteen
        structures of Celeux & Govaert [1]_ by the name that mclust has for it, whose letters are
        volume, shape and orientation: equal for all components (E), varying (V), or along the
        axes and spherical (I). "EII", "EEI", "VEI", "EVI" are spherical or along the axes; "VEE",
        "EVE", "VVE", "EEV", "VEV", "EVV" are matrices; "VII" is taken for "spherical", "VVI" for
        "diag", "EEE" for "tied", and "VVV" for "full", which files and sweeps call it.

        Or a subspace of `n_factors` dimensions in each component, and noise: "ppca" with one noise
        variance a component (principal components [2]_), "factor" with one for each feature
        (factor analysers [3]_). Or "mcfa", one subspace and one noise variance a feature for all
        components [4]_, with a mean and a covariance matrix in the subspace of each: for many
        features and components, and for one picture of all rows (`transform`). The components lie
        in the subspace through the mean of all rows, which the authors put through the origin;
        `means_init` is moved there.
    n_factors : int or None, default=None
        Dimensions of the subspace of each component, q, fewer than there are features; of "ppca",
        "factor" and "mcfa", which need it.
    tol : float, default=1e-3
        Plain EM stops when the mean log-likelihood changes by less, in nats per row, as
        scikit-learn's does. Accelerated EM stops when less than a hundredth of it is predicted
        to be left, twice in a row: the last change is no measure of that.
    reg_covar : float, default=1e-6
        Added to the diagonals of the covariances, in squared units of the data.
    prior : {"conjugate", "dirichlet"}, Prior or None, default=None
        The prior whose posterior mode is found; None for maximum likelihood. "conjugate" is that of
        Fraley & Raftery (2007): means about that of the data, with the weight of a hundredth of a
        row, and covariances about that of the data divided by :math:`k^{2/d}`, so that none
        collapses unless that of the data does; diagonal and spherical ones have its restriction.
        "dirichlet" adds a row to the weight of each component (a Dirichlet distribution of
        parameter 2), so that no weight falls to 0. Weighted rows count as in criteria
        (`weights_are`). A `ConjugatePrior` or `DirichletPrior` has other hyperparameters, and
        entries may be added to `daskgmm.gaussian.PRIORS`.
    max_iter : int, default=100
        Most iterations; each is one pass.
    n_init : int, default=1
        Number of starts; the best is kept. Where starts are tried on a sample, up to eight for
        each.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}, default="kmeans"
        How to start. With acceleration, where there are more than twice as many rows as
        `sample_rows`, up to eight starts are tried on a sample of them (fewer where they would
        take long), and the last two compared on all rows in one pass. Otherwise the start is made
        on all rows, as scikit-learn does (without acceleration on a sample if there are more than
        100,000), and with "kmeans" and acceleration compared with up to eight others.
    acceleration : {"auto", None}, default="auto"
        "auto" takes fewer passes than EM, and its likelihood never falls. None is plain EM,
        iteration by iteration scikit-learn's.
    sample_rows : int or None, default=None
        Rows of the sample that starts are made on; None for 50 for each free parameter, at
        least 10,000. They depend on the data, the seed and the row numbers, not on chunks.
    missing : {"error", "drop", "marginalise"}, default="error"
        What to do with rows that miss a value: NaN, or what the source declares as missing
        (`_FillValue` and the like). "drop" fits to the other rows, and predicts -1 and NaN
        for these. "marginalise" fits to the values that rows have, by exact EM with the others
        as missing data, and predicts from these; `impute` fills gaps. That is right where a
        value is missing by chance, or for a reason that the others of its row tell. Rows
        without any value are left out. Not with `pca`, `noise`, `tails` or factors. Each
        pattern of missing values adds to the time of a pass.
    standardise : bool, default=False
        Whether to divide the columns by their standard deviations, which the first pass tells.
    pca : int, float or None, default=None
        Fit in principal components of the columns: so many, or as few as explain this part of
        the variance (0 < pca < 1). Both belong to the model: rows are given as they are, and
        `means_`, `covariances_` and densities are those of the mapped rows, and `reg_covar` is
        in their units. See `means_in_data_units`. `means_init` are points of the data all the
        same; `precisions_init` cannot be given.
    noise : bool, default=False
        Whether a uniform component over the box that holds all rows takes outliers in (Banfield &
        Raftery 1993). Its density is 1 / V, with V the product of the columns' ranges; a constant
        column has no part in it. Rows that belong to it most probably get the label -1, and rows
        that miss a value -2. `bic` counts 2 parameters for it, as mclust does: weight and volume.
        With `standardise` one huge value shrinks all others of its column, in units of
        `reg_covar`: give columns of like units instead. Not with `pca`, whose ranges are unknown,
        `tails`, or a prior that takes mean and scale from all rows.
    tails : {"contaminated", "t"} or None, default=None
        "contaminated": a part of each component has a larger covariance, a multiple of its own
        (Punzo & McNicholas 2016). `weights_` are of both parts, and so are posteriors and labels;
        `outlier_proba` tells the parts apart. "t": components are multivariate Student-t
        distributions, each with degrees of freedom of its own (Peel & McLachlan 2000), from 1
        (Cauchy) to 1000, or ten for each feature, which is Gaussian to 0.003 nats per row. Starts
        leave out the rows that are far from all others, with `noise` as well. None of these has
        `to_sklearn` or `map_adapt`. Refused with `prior`.
    equal_weights : bool, default=False
        Whether the mixing proportions are fixed at 1 / k: k - 1 parameters fewer. With `noise`
        the components share what it leaves in equal parts. Refused with a prior of the weights
        ("dirichlet") and with `weights_init`.
    precision : {"float64", "float32"}, default="float64"
        "float32": early passes compute densities in float32, as long as each gains more than 1e-4
        nats per row and a bound on rounding errors allows it. Sums over rows and the last passes,
        which the parameters and the log-likelihood come from, are in float64. `history_` says
        which passes were in float32; their lower bounds are reported 1e-4 nats per row lower, which
        is more than their error. For "full", "tied", "diag" and "spherical" covariances and the
        compiled kernel; not with `noise`, `tails`, labels, known noise or `missing="marginalise"`.
        Warm starts and fits of fewer than 300 effective rows (Kish) stay in float64.
    n_candidates : int or None, default=None
        m, for mixtures of hundreds of components and more: each row has densities under m
        components alone, the candidates of its cell, so that a pass takes time in m and not in k.
        There are about 64 k / m cells, about the centres of clusters of the columns in units of
        their standard deviations; the posteriors of a sample choose the candidates, and choose
        them anew where EM has converged, as long as that gains `tol`. What EM raises is then a
        lower bound of the likelihood, which never falls [5]_; some rows are compared with all
        components in each pass, and `left_out_` tells what the candidates lack. The start is one
        of clusters within regions. Predictions, `score` and criteria of rows are those of the whole
        mixture; `lower_bound_`, and `criteria_` after it, are those of the bound. Not with factors,
        `noise`, `tails`, labels, known noise, `missing="marginalise"`, `precision="float32"`,
        another `init_params` than "kmeans", nor a part of weights, means and precisions to start
        from. A warm start has cells of its own.
    weights_init : array-like of shape (k,), optional
        The weights to start from, of sum 1.
    means_init : array-like of shape (k, d), optional
        The means to start from, in the units of the data.
    precisions_init : array-like or float, optional
        In the shape of `precisions_`, (k, d, d) of "full"; a number for "EII". In units of the data
        to the power -2.
    random_state : int, RandomState instance or None, default=None
        The seed of the starts, and of `sample`.
    warm_start : bool, default=False
        Whether the next call of `fit` continues from this one's result.
    verbose : int, default=0
        1 prints each start and every `verbose_interval`-th iteration, 2 their times too.
    verbose_interval : int, default=10
        Iterations from one print to the next.

    Attributes
    ----------
    weights_ : ndarray of shape (k,)
    means_ : ndarray of shape (k, d)
    covariances_, precisions_, precisions_cholesky_ : ndarray
        (k, d, d) full, (d, d) tied, (k, d) diag, (k,) spherical; (k, d, d), (k, d) or (k,) of
        other structures, without k where all components share one: (d,) EEI, () EII; float64,
        as all of these, whatever the type of X. (k, q + 1, d) of "ppca", "factor" and "mcfa": of
        covariances q loadings, each times its length, and noise variances, so that nothing of size
        d^2 is kept. See `factor_loadings_`, and `covariances_in_data_units` for matrices.
    factor_loadings_ : ndarray of shape (k, d, q), (d, q) of "mcfa"
        Loadings of "ppca" and "factor": covariances are W W^T plus the noise. Those of "mcfa" are
        scaled so that this is the covariance of all components together.
    noise_variance_ : ndarray of shape (k,) of "ppca", (k, d) of "factor", (d,) of "mcfa"
    explained_variance_ : ndarray of shape (k, q), (q,) of "mcfa"
        Of "ppca" the variances along the principal axes of each component, of others the squared
        lengths of loadings.
    factor_means_, factor_covariances_ : ndarray of shape (k, q), (k, q, q)
        Means and covariances of the factors in each component; only of "mcfa".
    noise_weight_, noise_log_volume_ : float
        Proportion of the uniform component, and log V; only with `noise`. `weights_` sum to 1 less
        the proportion.
    clean_shares_, inflations_ : ndarray of shape (k,)
        Proportion of each component that has its covariance, at least 1/2, and the multiple of the
        covariance that the rest has; only with ``tails="contaminated"``.
    tail_degrees_ : ndarray of shape (k,)
        Degrees of freedom :math:`\nu`; only with ``tails="t"``. `covariances_` are then scatter
        matrices: the covariance of a component is :math:`\nu / (\nu - 2)` times as large, and
        there is none for :math:`\nu \le 2`.
    converged_ : bool
    n_iter_ : int
        Iterations of the best start.
    lower_bound_ : float
        Mean log-likelihood, in nats per row, that the best pass measured: of the parameters
        before the last M-step, as in scikit-learn. With acceleration it is that of rows with
        noise of variance `reg_covar`, a lower bound of the other (`score`): adding `reg_covar`
        to the covariances never lowers it, while the other may fall by about as much. With a prior
        its log density, up to a constant and divided by the weight of all rows, is in it.
    lower_bounds_ : list of float
        The same for every iteration; a pass that rejected what acceleration had proposed
        repeats the one before.
    gap_estimate_ : float
        How much more likelihood a longer fit would find, in nats per row, as far as the last
        passes tell; nan for plain EM. It sees no plateaus, and no other maxima: where clusters
        overlap much, 60 times as much was measured.
    history_ : dict of lists
        One entry for each iteration of the best start: initialisation, iteration,
        lower_bound, change, gap (as `gap_estimate_`), accepted, in_float32, left_out (as
        `left_out_`, nan without candidates), rows, seconds, nbytes (read)
        and peak_memory (bytes, of the largest process). `pandas.DataFrame` takes it as it is.
    left_out_ : float
        Only with `n_candidates`: by how much the mean log-likelihood of rows under all components
        is more than under their candidates, in nats per row, as the rows tell that the last pass
        compared (one of 10 k / m, 1,000 at least).
    coordinates_ : Coordinates or None
        The map from columns to what the mixture is fitted in, of `standardise` and `pca`.
    fitted_on_ : dict
        What the model was fitted to, in plain values: source, rows, missing (rows left out),
        weight (the sum of all), dtype, mean, minimum, maximum, effective_rows, weights_are (what
        was said of them), noise_variance (the mean of what is known, if any is), and sha256, a
        digest of the facts before these; labelled_rows of a fit with labels.
    n_seen_ : float
        Only after `step`, `update` or `partial_fit`: weight of the rows that parameters hold.
    adapted_ : dict
        Only of a mixture that `map_adapt` made, without `fitted_on_` and `history_`: how, and to
        what rows.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (d,)
        Only if X has column names that are strings. Of labelled arrays: names of variables
        and places along `feature_dims`, as in "temp(depth=10)".
    feature_dims_, feature_units_ : tuple of str
        Only of labelled arrays: `feature_dims`, and the units that variables declare.

    Notes
    -----
    Acceleration is squared extrapolation (Varadhan & Roland 2008) followed by limited-memory
    quasi-Newton steps with the gradient that the statistics of a pass give, in coordinates in
    which EM is steepest ascent; what lowers the likelihood is thrown away for the EM step. Of
    structures that are not free, of `noise` and of `tails` the EM step stands for the gradient.

    A component that dies is tried once on one half of the heaviest one, and kept with weight 0
    if that does not raise the likelihood.

    Differs from scikit-learn: `fit` takes `sample_weight`; sums are in float64 whatever the
    type of X; data far from the origin and components far apart lose no digits; components
    without rows and singular covariances end in a `DegenerateComponentWarning` and a usable
    model where `reg_covar` is positive.

    References
    ----------
    .. [1] G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition
       28 (1995) 781-793, https://doi.org/10.1016/0031-3203(94)00125-6
    .. [2] M. E. Tipping, C. M. Bishop, "Mixtures of probabilistic principal component analysers",
       Neural Computation 11 (1999) 443-482, https://doi.org/10.1162/089976699300016728
    .. [3] Z. Ghahramani, G. E. Hinton, "The EM algorithm for mixtures of factor analyzers",
       Technical report CRG-TR-96-1, University of Toronto (1996).
    .. [4] J. Baek, G. J. McLachlan, L. K. Flack, "Mixtures of factor analyzers with common factor
       loadings", IEEE Transactions on Pattern Analysis and Machine Intelligence 32, 1298-1309
       (2010).
    .. [5] J. Lücke, J. Eggert, "Expectation truncation and the benefits of preselection in
       training generative models", Journal of Machine Learning Research 11 (2010) 2855-2900.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import GaussianMixture
    >>> X = np.random.default_rng(0).normal([[0.0, 0.0]] * 200 + [[10.0, 2.0]] * 200)
    >>> mixture = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> mixture.means_.round() + 0.0
    array([[10.,  2.],
           [ 0.,  0.]])
    >>> mixture.predict([[0, 0], [12, 3]])
    array([1, 0])
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        n_factors: int | None = None,
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        prior: str | Prior | None = None,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        acceleration: str | None = "auto",
        sample_rows: int | None = None,
        missing: str = "error",
        standardise: bool = False,
        pca: int | float | None = None,
        noise: bool = False,
        tails: str | None = None,
        equal_weights: bool = False,
        precision: str = "float64",
        n_candidates: int | None = None,
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
    ) -> None:
        self._keep_settings(locals())

    @property
    def left_out_(self) -> float:
        """What candidates leave out of the mean log-likelihood, in nats per row.

        Known of fits with `n_candidates` alone.
        """
        found = left_out_of(self)
        if found is None:
            raise AttributeError(
                "left_out_ is measured by fits with n_candidates, and nothing was measured for "
                "this mixture."
            )
        return found

    @classmethod
    def from_parameters(
        cls,
        weights: Any,
        means: Any,
        covariances: Any,
        *,
        covariance_type: str | None = None,
        feature_names: Sequence[str] | None = None,
        **settings: Any,
    ) -> Self:
        """Return the mixture with these parameters, which needs no fit.

        Parameters
        ----------
        weights : array-like of shape (k,)
            They sum to 1.
        means : array-like of shape (k, d)
            In the units of the data.
        covariances : array-like
            (k, d, d) full, (d, d) tied, (k, d) diag, (k,) spherical.
        covariance_type : str, optional
            By default what the shape of the covariances tells. With k = d (d, d) may be tied or
            diag: say which.
        feature_names : sequence of str, optional
            Names of the columns.
        **settings
            Those of the constructor that parameters do not tell, such as `random_state` and
            `missing`.

        Returns
        -------
        GaussianMixture
            Ready to predict; it was fitted to no rows.

        Raises
        ------
        SettingError
            If shapes do not go together, weights do not sum to 1, or a covariance is not symmetric
            and positive definite; it names the component.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [[1.0], [1.0]],
        ...                                           covariance_type="diag")
        >>> mixture.predict([[0.5], [3.0]])
        array([0, 1])
        """
        parameters = given_parameters(weights, means, covariances, covariance_type)
        check_names(feature_names, parameters.n_features)
        check_kept(settings)
        return made_of(cls, parameters, settings, feature_names)
