"""Ctrl-C ends a fit with the model so far: that of its last iteration, to the bit."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

from daskgmm import BayesianGaussianMixture, GaussianMixture, GaussianMixtureClassifier, sweep
from daskgmm.em.events import BatchDone, Iterated, SweepIterated

random = np.random.default_rng(0)
X = random.normal(size=(300, 2)) + 2.0 * (np.arange(300) % 3)[:, None]
SETTINGS = {"tol": 0.0, "max_iter": 40, "random_state": 0}


def mixture_of(k, **settings):
    """A mixture with a start that costs next to nothing."""
    return GaussianMixture(k, weights_init=np.full(k, 1 / k), **settings)


def at(iteration, initialisation=0):
    """A listener that is interrupted after an iteration."""

    def listen(event):
        wanted = isinstance(event, Iterated) and event.iteration == iteration
        if wanted and event.initialisation == initialisation:
            raise KeyboardInterrupt

    return listen


def interrupted(mixture, listen, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the interruption says it all
        with pytest.raises(KeyboardInterrupt) as caught:
            mixture.fit(X, listen=listen, **how)
    assert type(caught.value) is KeyboardInterrupt
    assert str(caught.value) == ""
    return getattr(caught.value, "__notes__", [])


def same(one, other):
    kept = vars(other).keys() - {"max_iter", "n_init", "_skl_callbacks"}
    assert vars(one).keys() - {"max_iter", "n_init"} == kept
    for name in kept:
        first, second = getattr(one, name), getattr(other, name)
        if name == "history_":
            first, second = first["lower_bound"], second["lower_bound"]
        if name not in ("_ended_with", "_ended", "coordinates_"):
            assert_array_equal(np.asarray(first), np.asarray(second), err_msg=name)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda **s: mixture_of(4, **s),
        lambda **s: mixture_of(4, acceleration=None, covariance_type="tied", **s),
        pytest.param(
            lambda **s: mixture_of(3, standardise=True, tails="t", **s), marks=pytest.mark.slow
        ),
        pytest.param(
            lambda **s: BayesianGaussianMixture(4, init_params="k-means++", **s),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["accelerated", "plain", "tails", "bayesian"],
)
def test_it_is_what_max_iter_would_have_found(make):
    mixture = make(**SETTINGS)
    notes = interrupted(mixture, at(3))
    assert notes[0] == "The estimator has the model after 3 iterations, which has not converged."
    assert not mixture.converged_
    assert mixture.n_iter_ == 3
    same(mixture, make(**{**SETTINGS, "max_iter": 3}).fit(X))
    assert len(mixture.predict(X)) == 300
    assert "Not converged" in mixture._repr_html_()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_best_of_several_starts_counts():
    settings = {**SETTINGS, "max_iter": 6, "n_init": 3, "init_params": "random_from_data"}
    mixture, bounds = mixture_of(4, **settings), {}

    def listen(event):
        if isinstance(event, Iterated):
            bounds[event.initialisation] = event.lower_bound
        at(2, initialisation=2)(event)

    interrupted(mixture, listen)
    assert mixture.lower_bound_ == max(bounds.values())


def test_before_the_first_iteration_all_stays_as_it_was():
    def during_the_survey(event):
        if isinstance(event, BatchDone):
            raise KeyboardInterrupt

    mixture = mixture_of(3, random_state=0)
    assert interrupted(mixture, during_the_survey) == []
    with pytest.raises(NotFittedError):
        mixture.predict(X)
    mixture.fit(X)
    before = dict(vars(mixture))
    assert interrupted(mixture, during_the_survey) == []
    assert vars(mixture) == before


def test_a_model_that_was_fitted_before_is_replaced_by_the_model_so_far():
    mixture = mixture_of(3, random_state=0).fit(X)
    mixture.set_params(**SETTINGS)
    interrupted(mixture, at(2))
    assert mixture.n_iter_ == 2


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_warm_start_goes_on_from_there():
    whole = mixture_of(4, **{**SETTINGS, "max_iter": 9}).fit(X)
    mixture = mixture_of(4, warm_start=True, **SETTINGS)
    interrupted(mixture, at(4))
    mixture.set_params(max_iter=5).fit(X)
    assert mixture.means_.tobytes() == whole.means_.tobytes()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_checkpoint_is_that_of_its_iteration(tmp_path):
    settings, path = {**SETTINGS, "max_iter": 9}, tmp_path / "fit.json"
    whole = mixture_of(4, **settings).fit(X)
    interrupted(mixture_of(4, **settings), at(4), checkpoint=path)
    told = []
    resumed = mixture_of(4, **settings).fit(X, checkpoint=path, listen=told.append)
    assert sum(isinstance(event, Iterated) for event in told) == 5
    assert resumed.means_.tobytes() == whole.means_.tobytes()
    # An interruption right after it was resumed has the iterations of the checkpoint.
    path.unlink()
    interrupted(mixture_of(4, **settings), at(4), checkpoint=path)
    again = mixture_of(4, **settings)

    def in_the_next_pass(event):
        if isinstance(event, BatchDone):
            raise KeyboardInterrupt

    interrupted(again, in_the_next_pass, checkpoint=path)
    assert again.n_iter_ == 4


def test_degenerate_components_are_told():
    mixture = mixture_of(2, **SETTINGS)
    with pytest.raises(KeyboardInterrupt) as caught:
        mixture.fit(np.r_[X[::3], np.full((200, 2), 50.0)], listen=at(3))
    assert "rest on a floor" in caught.value.__notes__[1]


def test_a_classifier_has_its_classes(tmp_path):
    y = np.where(np.arange(300) % 4 > 0, np.array(["a", "b", "c"])[np.arange(300) % 3], None)
    classifier = GaussianMixtureClassifier(2, **SETTINGS)
    with pytest.raises(KeyboardInterrupt) as caught:
        classifier.fit(X, y, listen=at(3))
    assert caught.value.__notes__
    assert classifier.n_iter_ == 3
    assert classifier.classes_.tolist() == ["a", "b", "c"]
    assert set(classifier.predict(X)) == {"a", "b", "c"}
    own = GaussianMixtureClassifier(2, structures="own", **SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        own.fit(X, y, listen=after_a_pass)
    with pytest.raises(NotFittedError):
        own.predict(X)


def after_a_pass(event):
    if isinstance(event, SweepIterated):
        raise KeyboardInterrupt


def test_of_a_sweep_nothing_is_half():
    with pytest.raises(KeyboardInterrupt) as caught:
        sweep(X, [2], n_init=1, random_state=0, listen=after_a_pass)
    assert not hasattr(caught.value, "__notes__")


def test_a_stream_that_was_interrupted_goes_on(monkeypatch):
    mixture = mixture_of(3, **SETTINGS)

    def told(event):
        at(3)(event)

    monkeypatch.setattr("daskgmm.models.fitting.estimator.log_event", told)
    with pytest.raises(KeyboardInterrupt):
        mixture.partial_fit(X)
    monkeypatch.undo()
    mixture.partial_fit(X)
    assert mixture.n_seen_ == 600
