"""Tests for estimators: subclass `EstimatorTests` and name one."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from daskgmm.arrays import Array
from daskgmm.em.events import Event, Iterated
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.models.estimators import ESTIMATORS
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.model_file import load_model

D, N = 3, 900

FITS_OF_ANY_SIZE = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::daskgmm.errors.DegenerateComponentWarning",
)

FITTED = ("weights_", "means_", "covariances_", "precisions_cholesky_")


class EstimatorTests:
    """Tests of every estimator of a mixture.

    Attributes
    ----------
    estimator : type of MixtureEstimator
        An entry of `ESTIMATORS`.
    """

    estimator: type[MixtureEstimator]

    def make(self, **settings: Any) -> MixtureEstimator:
        """Return an estimator with some settings; those it has no parameter for are left out."""
        known = inspect.signature(self.estimator).parameters
        asked = {"random_state": 0, **settings}
        return self.estimator(**{name: asked[name] for name in asked if name in known})

    def rows(self) -> Array:
        """Return rows of two clusters, shape (N, D)."""
        random = np.random.default_rng(0)
        rows: Array = random.normal(size=(N, D)) + 6.0 * random.integers(2, size=(N, 1))
        return rows

    def fitted(self, **settings: Any) -> MixtureEstimator:
        """Return an estimator that is fitted to the rows."""
        return self.make(**settings).fit(self.rows())

    def test_it_is_in_the_table(self) -> None:
        """Model files name it."""
        assert ESTIMATORS[self.estimator.__name__] is self.estimator

    def test_parameters_are_those_of_the_constructor(self) -> None:
        """Arguments are kept as scikit-learn's `clone` and `set_params` need them."""
        made = self.make()
        names = set(inspect.signature(self.estimator).parameters)
        assert set(made.get_params()) == names
        assert clone(made).get_params() == made.get_params()
        for name, value in made.get_params().items():
            assert made.set_params(**{name: value}) is made

    def test_a_fit_never_changes_a_parameter(self) -> None:
        """And sets what the methods need."""
        mixture = self.make()
        before = dict(mixture.get_params())
        assert mixture.fit(self.rows()) is mixture
        assert mixture.get_params() == before
        assert mixture.n_features_in_ == D
        assert_allclose(mixture.weights_.sum(), 1.0)
        assert np.isfinite(mixture.lower_bound_)
        assert mixture.n_iter_ >= 1

    def test_predictions_agree_with_each_other(self) -> None:
        """Labels are the most probable components, the score the mean of the densities."""
        mixture, rows = self.fitted(), self.rows()
        posteriors = mixture.predict_proba(rows)
        assert posteriors.shape == (N, len(mixture.weights_))
        assert_allclose(posteriors.sum(axis=1), 1.0)
        assert_array_equal(mixture.predict(rows), posteriors.argmax(axis=1))
        assert_allclose(mixture.score(rows), mixture.score_samples(rows).mean(), rtol=1e-12)
        weights = np.arange(N) % 3
        repeated = np.repeat(rows, weights, axis=0)
        assert_allclose(mixture.score(rows, sample_weight=weights), mixture.score(repeated))
        drawn, components = mixture.sample(50)
        assert drawn.shape == (50, mixture.n_features_in_)
        assert set(components) <= set(range(len(mixture.weights_)))

    def test_lazy_rows_give_what_rows_in_memory_give(self) -> None:
        """To rounding in the fit, and lazy in the predictions."""
        rows, here = self.rows(), self.fitted()
        lazy = da.from_array(rows, chunks=(250, D))
        there = self.make().fit(lazy)
        for name in FITTED:
            assert_allclose(getattr(there, name), getattr(here, name), rtol=1e-6, atol=1e-9)
        labels = here.predict(lazy)
        assert isinstance(labels, da.Array)
        assert_array_equal(labels.compute(), here.predict(rows))

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    def test_the_objective_never_falls(self) -> None:
        """Iteration by iteration, as the events tell."""
        events: list[Event] = []
        self.make(tol=0.0, max_iter=20).fit(self.rows(), listen=events.append)
        bounds = [event.lower_bound for event in events if isinstance(event, Iterated)]
        assert bounds
        assert (np.diff(bounds) >= -1e-10).all()

    def test_a_checkpoint_ends_in_the_same_bits(self, tmp_path: Path) -> None:
        """Of a fit that was interrupted after its second iteration."""
        settings = {"tol": 1e-9, "max_iter": 30}
        whole = self.fitted(**settings)
        counted: list[Event] = []

        def interrupt(event: Event) -> None:
            counted.extend([event] * isinstance(event, Iterated))
            if len(counted) == 2:
                raise KeyboardInterrupt

        path = tmp_path / "fit.ckpt"
        with pytest.raises(KeyboardInterrupt):
            self.make(**settings).fit(self.rows(), checkpoint=path, listen=interrupt)
        resumed = self.make(**settings).fit(self.rows(), checkpoint=path)
        for name in FITTED:
            assert_array_equal(getattr(resumed, name), getattr(whole, name))

    def test_it_is_saved_and_loaded_to_the_bit(self, tmp_path: Path) -> None:
        """From a file, whoever reads it, and by pickle."""
        mixture, rows = self.fitted(), self.rows()
        mixture.save(tmp_path / "m.json")
        copies = [
            load_model(tmp_path / "m.json"),
            self.estimator.load(tmp_path / "m.json"),
            pickle.loads(pickle.dumps(mixture)),
        ]
        for copy in copies:
            assert type(copy) is self.estimator
            assert copy.get_params() == mixture.get_params()
            for name in FITTED:
                assert_array_equal(getattr(copy, name), getattr(mixture, name))
            assert_array_equal(copy.predict_proba(rows), mixture.predict_proba(rows))

    @FITS_OF_ANY_SIZE
    def test_it_has_as_many_components_as_it_is_asked_for(self) -> None:
        """Where that is a parameter."""
        if "n_components" not in inspect.signature(self.estimator).parameters:
            return
        for k in (1, 2, 3):
            mixture = self.fitted(n_components=k, max_iter=2)
            assert mixture.weights_.shape == (k,)
            assert mixture.means_.shape == (k, D)
            assert mixture.predict_proba(self.rows()).shape == (N, k)

    @FITS_OF_ANY_SIZE
    def test_it_has_the_structure_that_it_is_asked_for(self) -> None:
        """Where that is a parameter."""
        if "covariance_type" not in inspect.signature(self.estimator).parameters:
            return
        for name in ("full", "tied", "diag", "spherical"):
            mixture = self.fitted(covariance_type=name, max_iter=2)
            k = len(mixture.weights_)
            assert mixture.covariances_.shape == STRUCTURES[name].external_shape(k, D)

    def test_what_cannot_be_used_is_refused_and_changes_nothing(self) -> None:
        """Values, columns and settings; what was fitted before stays."""
        mixture, rows = self.fitted(), self.rows()
        before = mixture.predict_proba(rows)
        holed = rows.copy()
        holed[3, 1] = np.nan
        with pytest.raises(ValueError, match="row 3"):
            mixture.fit(holed)
        with pytest.raises(ValueError, match=f"expecting {D} features"):
            mixture.predict(rows[:, :-1])
        assert_array_equal(mixture.predict_proba(rows), before)
        if "n_components" in inspect.signature(self.estimator).parameters:
            with pytest.raises(ValueError, match="n_components"):
                self.make(n_components=0).fit(rows)
