"""The classifier: mixtures of classes, fitted in shared passes."""

from __future__ import annotations

import copy
import os
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import estimator_html_repr
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from daskgmm.companions import Companions
from daskgmm.counting import counted
from daskgmm.em.events import Listener, together
from daskgmm.em.survey.id_columns import judged_together, warn_of_ids_of
from daskgmm.em.survey.label_counts import LabelCounts, count_labels
from daskgmm.errors import DataError, ModelFileError, SettingError
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.live.showing import asked, showing
from daskgmm.models.cards.mixture_card import classifier_card
from daskgmm.models.classifying.accuracy import Hits, hits_of
from daskgmm.models.classifying.class_outputs import POSTERIOR, class_outputs, decoded
from daskgmm.models.classifying.class_priors import check_counted, priors_of, with_priors
from daskgmm.models.classifying.files import class_entry, from_entry
from daskgmm.models.classifying.fit_labels import labels_by_component
from daskgmm.models.classifying.own_mixtures import (
    RowsOfClass,
    checkpoint_of,
    fit_own,
    joined,
    take_features,
)
from daskgmm.models.classifying.sizes import of_class, sizes_of
from daskgmm.models.classifying.wording import in_words_of_the_classifier
from daskgmm.models.files.document_file import read_document, write_document
from daskgmm.models.files.model_document import document_of
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.inputs.costs import Running, TrainingData, cache_nbytes
from daskgmm.models.inputs.labels import KnownClasses
from daskgmm.models.inputs.rows import feature_names
from daskgmm.models.inputs.target import Target
from daskgmm.models.uncertainty.standard_errors import StandardErrors
from daskgmm.models.writers.job import Written
from daskgmm.names import ALL, CLASSIFIER, COVARIANCES, MARGINALISE
from daskgmm.progress import Forecast
from daskgmm.rows.companions.noise import column_names
from daskgmm.rows.companions.of_columns import named_by
from daskgmm.rows.rows import Rows
from daskgmm.rows.sources import source_of
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions

SHARED, OWN = "shared", "own"
"""What classes have in common: one structure of covariances, or nothing."""

PASSED_ON = ("tails", "tol", "reg_covar", "max_iter", "missing", "standardise", "random_state")
"""Settings that are those of the mixtures."""

CHOSEN_BY = ("covariance_type", "criterion")
"""Settings that mixtures of their own are chosen by."""


@dataclass(frozen=True, slots=True)
class KnownTarget:
    """What y says: the classes (c,), their labelled rows (c,), and priors (c,), if given."""

    classes: NDArray[Any]
    counts: NDArray[np.int64]
    priors: NDArray[np.float64] | None

    def title(self, estimator: BaseEstimator) -> str:
        """Return what a display calls the fit."""
        return f"{type(estimator).__name__}, {counted(len(self.classes), 'class', 'es')}"


class GaussianMixtureClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    r"""Classifier whose classes are Gaussian mixtures, fitted out of core.

    A row belongs to a class with the posterior probability of its components. With one component a
    class and ``covariance_type="full"`` that is quadratic discriminant analysis, with "tied" linear
    (each with maximum-likelihood covariances); with other structures eigenvalue decomposition
    discriminant analysis (EDDA [1]_), and with more components mixture discriminant analysis [2]_.

    Rows of unknown class count too: a labelled row has the components of its class alone, another
    one those of all classes.

    Parameters
    ----------
    n_components : int, or mapping from classes to int, default=1
        Components of each class. With ``structures="own"`` also a sequence of numbers, or a mapping
        to these, of which the best by `criterion` is taken.
    covariance_type : str, default="full"
        As in `GaussianMixture`, without factors. With ``structures="own"`` also a sequence of
        names, or "all", of which each class has the best by `criterion`.
    structures : {"shared", "own"}, default="shared"
        "shared": the components of all classes are fitted together, in the same passes; what the
        structure shares, all of them share. "own": each class has a mixture of its own, chosen by
        `criterion` (MclustDA [3]_), in a sweep of its own: passes are as many as those of all
        classes together, and rows of unknown class are left out.
    criterion : {"bic", "aic", "icl", "heldout"}, default="bic"
        What chooses between numbers and structures of ``structures="own"``.
    priors : array-like of shape (c,), or mapping from classes to float, optional
        Prior probabilities of classes in predictions, up to a common factor: they are divided by
        their sum. By default the parts of the rows that the fit gave to each class. `class_prior_`
        can be set after the fit too.
    tails : {"contaminated", "t"} or None, default=None
        As in `GaussianMixture`: so outliers among the rows of a class do not widen it. There is no
        `noise`, as the uniform component is no class that a row can be given.
    tol, reg_covar, max_iter, missing, standardise, random_state : as in `GaussianMixture`
        With ``missing="drop"`` rows that miss a value are predicted to be of class -1 (-2 where -1
        is a class), or None where classes have names; with "marginalise" those that miss all.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
    class_prior_ : ndarray of shape (c,)
        May be set; predictions hold to it.
    class_count_ : ndarray of int, shape (c,)
        Labelled rows of each class, those that ``missing="drop"`` leaves out too.
    mixture_ : GaussianMixture
        The components of all classes. Its `clusters_` are the numbers of classes, places of
        `classes_`.
    n_iter_ : int
        Iterations of the fit; of the longest where classes have mixtures of their own.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (d,)
        Only if X has column names that are strings.

    References
    ----------
    .. [1] H. Bensmail, G. Celeux, "Regularized Gaussian discriminant analysis through eigenvalue
       decomposition", Journal of the American Statistical Association 91 (1996) 1743-1748.
    .. [2] T. Hastie, R. Tibshirani, "Discriminant analysis by Gaussian mixtures", Journal of the
       Royal Statistical Society B 58 (1996) 155-176.
    .. [3] C. Fraley, A. E. Raftery, "Model-based clustering, discriminant analysis, and density
       estimation", Journal of the American Statistical Association 97 (2002) 611-631.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import GaussianMixtureClassifier
    >>> X = np.array([[0.0], [1.0], [0.5], [8.0], [9.0], [8.4]])
    >>> y = ["low", "low", None, "high", "high", None]
    >>> classifier = GaussianMixtureClassifier().fit(X, y)
    >>> classifier.predict([[1.2], [7.0]])
    array(['low', 'high'], dtype='<U4')
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **{
            name: MixtureEstimator._parameter_constraints[name]
            for name in PASSED_ON
            if name != "missing"
        },
        "n_components": "no_validation",  # see `sizes_of`
        "covariance_type": "no_validation",
        "structures": [StrOptions({SHARED, OWN})],
        "criterion": [StrOptions({"bic", "aic", "icl", "heldout"})],
        "priors": ["array-like", dict, None],
        "missing": [StrOptions({"error", "drop", MARGINALISE})],
    }

    classes_: NDArray[Any]
    class_prior_: NDArray[np.float64]
    class_count_: NDArray[np.int64]
    mixture_: GaussianMixture
    n_iter_: int

    def __init__(
        self,
        n_components: Any = 1,
        *,
        covariance_type: str | Sequence[str] = "full",
        structures: str = SHARED,
        criterion: str = "bic",
        priors: Any = None,
        tails: str | None = None,
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        missing: str = "error",
        standardise: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.structures = structures
        self.criterion = criterion
        self.priors = priors
        self.tails = tails
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.missing = missing
        self.standardise = standardise
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        noise_variance: Any = None,
        feature_dims: Sequence[Hashable] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        cache: int | str | None = None,
        listen: Listener | None = None,
        progress: bool | None = None,
        storage_options: StorageOptions | None = None,
    ) -> Self:
        """Fit the mixtures of all classes; eager, whatever X is.

        Parameters
        ----------
        X : as in `GaussianMixture.fit`
        y : as `sample_weight` of `GaussianMixture.fit`; shape (n,)
            The class of each row: whole numbers, and -1 or NaN where it is unknown (but -1 is a
            class beside 1 alone, and NaN is unknown there). Arrays, lists and series in memory, and
            columns of tables and of lists of these, may hold names too, with None or NaN (null)
            for unknown; columns of Dask frames, and grids, hold numbers. A string is a column or
            a variable of X, or a path or URL.
        checkpoint : path or URL, optional
            As in `GaussianMixture.fit`. With ``structures="own"`` each class has a file of its own,
            named as this one with its place among the classes added, as "fit.json.0".
        sample_weight, noise_variance, feature_dims, cache : as in `GaussianMixture.fit`
        listen, progress, storage_options : as in `GaussianMixture.fit`

        Returns
        -------
        GaussianMixtureClassifier
            This estimator.

        Raises
        ------
        ValueError, OSError
            As `GaussianMixture.fit`, and of labels that are no classes: it names the row.
        KeyboardInterrupt
            As `GaussianMixture.fit`, which leaves the model so far; with ``structures="own"`` the
            estimator stays as it was.

        Examples
        --------
        >>> from daskgmm import GaussianMixtureClassifier
        >>> X, y = [[0.0], [1.3], [0.4], [8.0], [9.1], [8.7]], ["low"] * 3 + ["high"] * 3
        >>> GaussianMixtureClassifier().fit(X, y).classes_
        array(['high', 'low'], dtype=object)
        """
        self._validate_params()
        saved = None if checkpoint is None else Address.of(checkpoint, storage_options)
        running = Running(saved, cache, listen, asked(progress))
        with in_words_of_the_classifier():
            target = Target.of(source_of(X, storage_options), y)
            beside_x = sample_weight, None, feature_dims, target.labels, None, noise_variance
            given = TrainingData(target.source, *beside_x)
            # A mixture of its own: what the fit of another one failed at must not be left on this.
            probe = self._mixture(1, "full")
            rows, beside = given.rows(probe)
            assert beside.labels is not None, "y is given"
            found = count_labels(beside.labels)
            if not len(found.values):
                raise DataError(
                    "Input y contains NaN, or -1, alone: the class of no row is known. Fit a "
                    "GaussianMixture."
                )
            classes = target.classes(found.values)
            priors = None if self.priors is None else priors_of(self.priors, classes)
            known = KnownTarget(classes, found.counts, priors)
            if self.structures == SHARED:
                self._fit_shared(given, found, known, running)
            else:
                self._fit_own(rows, beside, found, known, running, probe)
        return self

    def _fit_shared(
        self, given: TrainingData, found: LabelCounts, known: KnownTarget, running: Running
    ) -> None:
        """Fit the components of all classes in the same passes."""
        sizes = sizes_of(self.n_components, known.classes, several=False)
        mixture, of_components = self._shared([k for (k,) in sizes])
        given = replace(given, known=KnownClasses(found, of_components))
        forecast = Forecast(float(self.tol), int(self.max_iter))
        try:
            with (
                mixture._kept_if_it_fails(None),
                showing(running.shown, known.title(self), forecast) as display,
            ):
                told = together(display, running.listen)
                size = cache_nbytes(running.cache)
                mixture._fit(given, running.checkpoint, size, told, progress=False)
        except KeyboardInterrupt:
            if hasattr(mixture, "means_"):  # the model so far
                with suppress(DataError):
                    self._take(mixture, of_components, known)
            raise
        self._take(mixture, of_components, known)

    def _fit_own(
        self,
        rows: Rows,
        beside: Companions[Rows],
        found: LabelCounts,
        known: KnownTarget,
        running: Running,
        probe: GaussianMixture,
    ) -> None:
        """Fit a mixture to the rows of each class, one class after the other, and join them."""
        assert beside.labels is not None, "y is given"
        sizes = sizes_of(self.n_components, known.classes, several=True)
        settings = {name: getattr(self, name) for name in (*PASSED_ON, *CHOSEN_BY)}
        settings |= {"cache": running.cache, "noise_variance": beside.noise, "progress": False}
        own = []
        with judged_together() as parts, showing(running.shown, known.title(self)) as display:
            settings["listen"] = together(display, running.listen)
            for place, name in enumerate(known.classes.tolist()):
                value = int(found.values[place])
                part = RowsOfClass(beside.labels, beside.weights, value, found.content)
                saved = checkpoint_of(running.checkpoint, place)
                own.append(fit_own(rows, part, sizes[place], name, saved, settings))
        warn_of_ids_of(parts, rows.columns)
        mixture, of_components = joined(own), of_class([len(each.weights_) for each in own])
        own_settings = {name: getattr(self, name) for name in ("missing", "tol", "max_iter")}
        take_features(mixture.set_params(**own_settings), probe)
        self._take(mixture, of_components, known)

    def _take(
        self, mixture: GaussianMixture, of_components: Sequence[int], target: KnownTarget
    ) -> None:
        """Set the fitted attributes; raise `DataError` if a class has no rows that count."""
        classes, priors = target.classes, target.priors
        shares = np.bincount(of_components, mixture.weights_, len(classes))
        check_counted(shares, classes)
        mixture.clusters_ = np.array(of_components, np.intp)
        self.classes_, self.class_count_, self.mixture_ = classes, target.counts, mixture
        self.n_iter_ = mixture.n_iter_
        self.class_prior_ = shares / shares.sum() if priors is None else priors

    @in_words_of_the_classifier()
    def predict(self, X: Any, *, noise_variance: Any = None) -> Any:
        """Return the most probable class of each row, as `GaussianMixture.predict` does.

        Parameters
        ----------
        X : as in `fit`
        noise_variance : as in `fit`, optional
            Known noise of the rows, in all forms of X, as in `GaussianMixture.predict`.

        Returns
        -------
        array of shape (n,)
            In the type of `classes_`, in the form of `GaussianMixture.predict`.

        Examples
        --------
        >>> from daskgmm import GaussianMixtureClassifier
        >>> X, y = [[0.0], [1.3], [0.4], [8.0], [9.1], [8.7]], [0, 0, 0, 1, 1, 1]
        >>> GaussianMixtureClassifier().fit(X, y).predict([[7.0]])
        array([1])
        """
        places = self._predicting()._predict("cluster", X, noise_variance)
        return decoded(places, self.classes_)

    @in_words_of_the_classifier()
    def predict_proba(self, X: Any, *, noise_variance: Any = None) -> Any:
        """Return the posterior probability of each of `classes_`, shape (n, c).

        Parameters
        ----------
        X : as in `fit`
        noise_variance : as in `predict`, optional

        Returns
        -------
        array of shape (n, c)
            In the form of `GaussianMixture.predict_proba`.

        Examples
        --------
        >>> from daskgmm import GaussianMixtureClassifier
        >>> X, y = [[0.0], [1.3], [0.4], [8.0], [9.1], [8.7]], [0, 0, 0, 1, 1, 1]
        >>> GaussianMixtureClassifier().fit(X, y).predict_proba([[4.65]]).round(2)
        array([[1., 0.]])
        """
        return self._predicting()._predict(POSTERIOR, X, noise_variance)

    def _html_repr(self) -> str:
        """Return what notebooks show: scikit-learn's picture before a fit, a card after it."""
        if "mixture_" not in self.__dict__:
            return str(estimator_html_repr(self))
        return classifier_card(self)

    def _validate_params(self) -> None:
        """Check the settings, those of the mixtures too, before anything is read."""
        super()._validate_params()
        types = self.covariance_type
        for name in (types,) if isinstance(types, str) else types:
            if name in FAMILIES:
                raise SettingError(
                    f"covariance_type={name!r} has a number of factors, which a classifier does "
                    f"not set. Choose one without: {', '.join(COVARIANCES)}."
                )
        if self.structures == SHARED:
            self._shared([1])[0]._validate_params()

    def predict_log_proba(self, X: Any, *, noise_variance: Any = None) -> Any:
        """Return the logarithm of `predict_proba`, shape (n, c).

        Probabilities are not below 5e-283, nor are logarithms below -650: ratios of classes beyond
        that are lost. In single precision such probabilities are 0, and logarithms -inf.

        Parameters
        ----------
        X : as in `fit`
        noise_variance : as in `predict`, optional

        Returns
        -------
        array of shape (n, c)
            In the form of `GaussianMixture.predict_proba`.

        Examples
        --------
        >>> from daskgmm import GaussianMixtureClassifier
        >>> X, y = [[0.0], [1.3], [0.4], [8.0], [9.1], [8.7]], [0, 0, 0, 1, 1, 1]
        >>> GaussianMixtureClassifier().fit(X, y).predict_log_proba([[4.65]]).round(2)
        array([[-0.  , -9.36]])
        """
        with np.errstate(divide="ignore"):  # 0 in single precision
            return np.log(self.predict_proba(X, noise_variance=noise_variance))

    @in_words_of_the_classifier()
    def score_samples(self, X: Any, *, noise_variance: Any = None) -> Any:
        """Return log p(x) of each row in nats, whatever its class, shape (n,).

        Parameters
        ----------
        X : as in `fit`
        noise_variance : as in `predict`, optional

        Returns
        -------
        array of shape (n,)
            In the form of `GaussianMixture.score_samples`.

        Examples
        --------
        >>> from daskgmm import GaussianMixtureClassifier
        >>> X, y = [[0.0], [1.3], [0.4], [8.0], [9.1], [8.7]], [0, 0, 0, 1, 1, 1]
        >>> GaussianMixtureClassifier().fit(X, y).score_samples([[0.5], [1.5]]).round(2)
        array([-1.01, -2.48])
        """
        return self._predicting().score_samples(X, noise_variance=noise_variance)

    @in_words_of_the_classifier()
    def score(
        self, X: Any, y: Any, sample_weight: Any = None, *, noise_variance: Any = None
    ) -> float:
        """Return the part of the rows whose class is predicted, the accuracy; one streamed pass.

        Parameters
        ----------
        X : as in `fit`
        y : as in `fit`
            Rows of unknown class do not count. A label that is none of `classes_` is a miss, and so
            is a row that misses a value.
        sample_weight, noise_variance : as in `fit`, optional

        Returns
        -------
        float
            From 0 to 1.

        Raises
        ------
        DataError
            If no row has both a known class and a weight, or y and the weights do not go with X.

        Examples
        --------
        >>> from daskgmm import GaussianMixtureClassifier
        >>> X, y = [[0.0], [1.3], [0.4], [8.0], [9.1], [8.7]], [0, 0, 0, 1, 1, 1]
        >>> GaussianMixtureClassifier().fit(X, y).score([[0.5], [7.0], [2.0]], [0, 1, 1])
        0.6666666666666666
        """
        return self._hits(X, y, sample_weight, noise_variance).accuracy

    @in_words_of_the_classifier()
    def standard_errors(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        noise_variance: Any = None,
        groups: Any = None,
        blocks: int = 1000,
        weights_are: str | None = None,
    ) -> StandardErrors:
        """Return the standard errors of `mixture_`, which has one component a class.

        Parameters
        ----------
        X, y : as in `fit`
            The rows that the classifier was fitted to, and their labels. With ``structures="own"``
            all rows need labels, as a fit leaves the others out.
        sample_weight, noise_variance : as in `fit`, optional
        groups, blocks, weights_are : as in `GaussianMixture.standard_errors`

        Returns
        -------
        StandardErrors
            In the shapes of the attributes of `mixture_`, of which component i is of
            ``classes_[mixture_.clusters_[i]]``.

        Raises
        ------
        ValueError
            As `GaussianMixture.standard_errors`.
        SettingError
            As it, and if a class has several components.
        DataError
            As it, and of labels that are none of `classes_`.

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixtureClassifier
        >>> X = np.random.default_rng(0).normal(size=(10_000, 1))
        >>> y = np.where(X[:, 0] > 0, "above", "below")
        >>> errors = GaussianMixtureClassifier().fit(X, y).standard_errors(X, y)
        >>> errors.means.round(2)
        array([[0.01],
               [0.01]])
        """
        check_is_fitted(self)
        beside: Companions[Any] = Companions(sample_weight, None, noise_variance, groups)
        named = [name for part in beside for name in column_names(part) or _name_of(part)]
        with named_by(beside):
            target = self._target(X, y, named)
            x, labels = labels_by_component(self.mixture_, target, self.classes_)
        return self.mixture_.standard_errors(
            x, sample_weight, labels=labels, noise_variance=noise_variance, groups=groups,
            blocks=blocks, weights_are=weights_are,
        )  # fmt: skip

    def _hits(self, x: Any, y: Any, sample_weight: Any, noise_variance: Any) -> Hits:
        """Return how many rows `score` finds right, and of how many."""
        mixture = self._predicting()
        target = self._target(x, y, column_names(noise_variance))
        return hits_of(mixture, target, self.classes_, sample_weight, noise_variance)

    def _target(self, x: Any, y: Any, beside: Sequence[str] | None) -> Target:
        """Return y; where texts are beside X only its features and columns `beside` are read."""
        features = feature_names(self.mixture_)
        if features is not None:
            features = (*features, *(beside or ()))
        return Target.of(source_of(x), y, features)

    @in_words_of_the_classifier()
    def predict_to_zarr(
        self, X: Any, out: str | os.PathLike[str], outputs: Sequence[str] = ("label",), **how: Any
    ) -> Written:
        """Write predictions to a Zarr group, as `GaussianMixture.predict_to_zarr`.

        Parameters
        ----------
        X : as in `fit`
        out : as in `GaussianMixture.predict_to_zarr`
        outputs : sequence of str
            "label" is the most probable class, as `predict` returns it, where classes are numbers.
            Of classes with names it is their place in `classes_`, and -1 where a value is missing:
            the attributes flag_values and flag_meanings (CF conventions, 3.5) say what is what,
            and classes has the names as they are. "posterior" is of every class, with the
            coordinate "class_label". Others are those of the components of `mixture_`.
        **how
            dtype, chunks, shards, overwrite, noise_variance, storage_options and progress.

        Returns
        -------
        Written
            With the number of rows of each class.

        Examples
        --------
        >>> import numpy as np
        >>> import zarr
        >>> from daskgmm import GaussianMixtureClassifier
        >>> X = np.array([[0.0], [1.3], [0.4], [8.0], [9.1], [8.7]])
        >>> classifier = GaussianMixtureClassifier().fit(X, [0, 0, 0, 1, 1, 1])
        >>> written = classifier.predict_to_zarr(X, "classes.zarr")
        >>> zarr.open_group("classes.zarr")["label"][:]
        array([0, 0, 0, 1, 1, 1], dtype=int8)
        """
        done = self._predicting().predict_to_zarr(X, out, outputs, **how)
        return self._counted(done)

    @in_words_of_the_classifier()
    def predict_to_parquet(
        self, X: Any, out: str | os.PathLike[str], outputs: Sequence[str] = ("label",), **how: Any
    ) -> Written:
        """Write predictions to Parquet files, as `GaussianMixture.predict_to_parquet`.

        Parameters
        ----------
        X : as in `GaussianMixture.predict_to_parquet`
        out : as in `GaussianMixture.predict_to_parquet`
        outputs : sequence of str
            "label" is the most probable class, as `predict` returns it: a name, null where a value
            is missing, or a number. "posterior" is a column for each class, as
            ``posterior_setosa``. Others are those of the components of `mixture_`.
        **how
            key, dtype, overwrite, noise_variance, storage_options and progress.

        Returns
        -------
        Written
            With the number of rows of each class.

        Examples
        --------
        >>> import pandas as pd
        >>> from daskgmm import GaussianMixtureClassifier
        >>> X = pd.DataFrame({"depth": [0.0, 1.3, 0.4, 8.0, 9.1, 8.7]})
        >>> classifier = GaussianMixtureClassifier().fit(X, [0, 0, 0, 1, 1, 1])
        >>> written = classifier.predict_to_parquet(X, "classes.parquet")
        >>> pd.read_parquet("classes.parquet")["label"].tolist()
        [0, 0, 0, 1, 1, 1]
        """
        done = self._predicting().predict_to_parquet(X, out, outputs, **how)
        return self._counted(done)

    def _counted(self, done: Written) -> Written:
        return replace(done, counts=done.counts[: len(self.classes_)])

    def save(
        self, path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
    ) -> None:
        """Write the fitted classifier to a model file, exact to the bit.

        It is the file of `mixture_` with the classes: `daskgmm.load_model` reads the mixture.

        Parameters
        ----------
        path, storage_options : as in `GaussianMixture.save`

        Raises
        ------
        SettingError
            If classes are neither numbers nor texts.

        Examples
        --------
        >>> from daskgmm import GaussianMixtureClassifier
        >>> X, y = [[0.0], [1.3], [0.4], [8.0], [9.1], [8.7]], [0, 0, 0, 1, 1, 1]
        >>> GaussianMixtureClassifier().fit(X, y).save("classifier.json")
        """
        check_is_fitted(self)
        address = Address.of(path, storage_options)
        entry = {CLASSIFIER: class_entry(self)}
        write_document(document_of(self.mixture_) | entry, address)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
    ) -> Self:
        """Read a classifier that `save` wrote.

        Parameters
        ----------
        path, storage_options : as in `GaussianMixture.load`

        Returns
        -------
        GaussianMixtureClassifier
            Fitted, to the bit as it was saved.

        Raises
        ------
        ModelFileError
            If the file is missing or damaged, or holds no classifier.

        Examples
        --------
        >>> from daskgmm import GaussianMixtureClassifier
        >>> X, y = [[0.0], [1.3], [0.4], [8.0], [9.1], [8.7]], [0, 0, 0, 1, 1, 1]
        >>> GaussianMixtureClassifier().fit(X, y).save("classes.json")
        >>> GaussianMixtureClassifier.load("classes.json").predict([[7.0]])
        array([1])
        """
        mixture = GaussianMixture.load(path, storage_options)
        address = Address.of(path, storage_options)
        own = read_document(address).get(CLASSIFIER)
        if own is None:
            raise ModelFileError(
                f"{address} holds a mixture without classes. Read it with daskgmm.load_model."
            )
        made: Self = from_entry(cls, own, address)
        made.mixture_, made.n_iter_ = mixture, mixture.n_iter_
        return made

    @property
    def n_features_in_(self) -> int:
        """Number of columns of the rows."""
        return int(self._fitted("n_features_in_"))

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the columns, if they are strings."""
        names: NDArray[Any] = self._fitted("feature_names_in_")
        return names

    def _fitted(self, name: str) -> Any:
        mixture = self.__dict__.get("mixture_")
        if mixture is None or not hasattr(mixture, name):
            raise AttributeError(f"This {type(self).__name__} has no {name!r}.")
        return getattr(mixture, name)

    def _predicting(self) -> GaussianMixture:
        """Return the mixture with the prior probabilities of the classes."""
        check_is_fitted(self)
        made = copy.copy(with_priors(self.mixture_, priors_of(self.class_prior_, self.classes_)))
        made._own_outputs = class_outputs(self.classes_)
        return made

    def _mixture(self, k: int, covariance_type: str) -> GaussianMixture:
        settings = {name: getattr(self, name) for name in PASSED_ON}
        return GaussianMixture(k, covariance_type=covariance_type, **settings)

    def _shared(self, sizes: Sequence[int]) -> tuple[GaussianMixture, tuple[int, ...]]:
        """Return the mixture of all classes, not fitted, and the class of each component."""
        if not isinstance(self.covariance_type, str) or self.covariance_type == ALL:
            raise SettingError(
                f"covariance_type is {self.covariance_type!r}; the classes share one structure. "
                "Set structures='own' to choose one for each class."
            )
        return self._mixture(sum(sizes), self.covariance_type), of_class(sizes)


def _name_of(part: Any) -> tuple[str, ...]:
    """Return the column that goes beside rows, if it is given by its name."""
    return (part,) if isinstance(part, str) else ()
