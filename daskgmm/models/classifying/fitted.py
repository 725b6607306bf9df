"""A fitted classifier: what it says of rows, and its file."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

from daskgmm.companions import Companions
from daskgmm.errors import ModelFileError
from daskgmm.models.cards.mixture_card import classifier_card
from daskgmm.models.classifying.accuracy import Hits, hits_of
from daskgmm.models.classifying.class_outputs import POSTERIOR, class_outputs, decoded
from daskgmm.models.classifying.class_priors import priors_of, with_priors
from daskgmm.models.classifying.files import class_entry, from_entry
from daskgmm.models.classifying.fit_labels import labels_by_component
from daskgmm.models.classifying.wording import in_words_of_the_classifier
from daskgmm.models.files.document_file import read_document, write_document
from daskgmm.models.files.model_document import document_of
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.inputs.named_groups import numbered_groups
from daskgmm.models.inputs.rows import feature_names
from daskgmm.models.inputs.target import Target
from daskgmm.models.mixtures.named_model import ReadFrom, mixture_digest
from daskgmm.models.saved import Saved
from daskgmm.models.uncertainty.standard_errors import StandardErrors
from daskgmm.models.writers.job import Written
from daskgmm.names import CLASSIFIER
from daskgmm.rows.companions.noise import column_names
from daskgmm.rows.companions.of_columns import named_by
from daskgmm.rows.sources import source_of
from daskgmm.storage.address import Address


class FittedClassifier(Saved, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier with fitted attributes; those of its mixture are read anew at each call."""

    classes_: NDArray[Any]
    class_prior_: NDArray[np.float64]
    class_count_: NDArray[np.int64]
    mixture_: GaussianMixture
    n_iter_: int
    _read_from: ReadFrom | None = None

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
        with named_by(beside):
            features, others = feature_names(self.mixture_), replace(beside, groups=None)
            left, numbers = numbered_groups(source_of(X), groups, features, others)
            both = isinstance(y, str) and isinstance(groups, str) and y == groups
            named = [name for part in others for name in column_names(part) or _name_of(part)]
            target = self._target(X if both else left.x, y, [*named, *_name_of(numbers)])
            x, labels = labels_by_component(self.mixture_, target, self.classes_)
        return self.mixture_.standard_errors(
            x, sample_weight, labels=labels, noise_variance=noise_variance, groups=numbers,
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

    def _write(self, address: Address) -> None:
        check_is_fitted(self)
        entry = {CLASSIFIER: class_entry(self)}
        write_document(document_of(self.mixture_) | entry, address)

    @classmethod
    def _read(cls, address: Address) -> Self:
        mixture = GaussianMixture._read(address)
        own = read_document(address).get(CLASSIFIER)
        if own is None:
            raise ModelFileError(
                f"{address} holds a mixture without classes. Read it with daskgmm.load_model."
            )
        made: Self = from_entry(cls, own, address)
        made.mixture_, made.n_iter_ = mixture, mixture.n_iter_
        if mixture._read_from is not None:
            # Priors of the classes are part of what is read.
            digest = mixture_digest(made._predicting())
            made._read_from = replace(mixture._read_from, digest=digest)
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
        made._read_from, made._class_name = self._read_from, type(self).__name__
        return made


def _name_of(part: Any) -> tuple[str, ...]:
    """Return the column that goes beside rows, if it is given by its name."""
    return (part,) if isinstance(part, str) else ()
