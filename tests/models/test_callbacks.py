"""scikit-learn's callbacks, where the installed version has them."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from daskgmm import GaussianMixture

callback = pytest.importorskip("sklearn.callback")

X = np.random.default_rng(0).normal(size=(300, 2)) + 2.0 * (np.arange(300) % 3)[:, None]
SETTINGS = {"tol": 0.0, "max_iter": 5, "random_state": 0, "weights_init": np.full(4, 0.25)}


class Told:
    """A callback that keeps what it is told, and may stop after some iterations."""

    max_propagation_depth = None

    def __init__(self, stop=-1):
        self.events, self.models, self.stop = [], [], stop

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None, X=None):
        self.events.append(("end", context.task_name, context.task_id))
        self.models.append(fitted_estimator)
        return context.task_name == "iteration" and context.task_id + 1 == self.stop


def tasks(n):
    inside = [(kind, "iteration", i) for i in range(n) for kind in ("begin", "end")]
    return ["setup", ("begin", "fit", 0), *inside, ("end", "fit", 0), "teardown"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_each_iteration_is_a_task_and_has_its_model():
    told, alone = Told(), GaussianMixture(4, **SETTINGS).fit(X)
    mixture = GaussianMixture(4, **SETTINGS).set_callbacks(told).fit(X)
    assert told.events == tasks(5)
    assert mixture.means_.tobytes() == alone.means_.tobytes()
    assert [model.lower_bound_ for model in told.models[:-1]] == alone.lower_bounds_
    second = GaussianMixture(4, **{**SETTINGS, "max_iter": 2}).fit(X)
    assert told.models[1].predict_proba(X).tobytes() == second.predict_proba(X).tobytes()
    assert told.models[-1].n_iter_ == 5


def test_a_callback_may_stop_it():
    told = Told(stop=3)
    mixture = GaussianMixture(4, **SETTINGS).set_callbacks(told)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # who stops a fit knows that it may not have converged
        mixture.fit(X)
    assert told.events == tasks(3)
    assert (mixture.n_iter_, mixture.converged_) == (3, False)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_several_starts_are_counted_together():
    told = Told()
    GaussianMixture(4, n_init=2, init_params="random", **SETTINGS).set_callbacks(told).fit(X)
    assert told.events == tasks(10)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_they_are_torn_down_whatever_happens(error):
    def listen(event):
        raise error

    told = Told()
    mixture = GaussianMixture(2).set_callbacks(told)
    with pytest.raises(error):
        mixture.fit(X, listen=listen)
    assert told.events == ["setup", ("begin", "fit", 0), "teardown"]
    assert clone(mixture).set_callbacks() is not mixture
    assert not hasattr(mixture, "_callback_fit_ctx")


def test_they_come_with_a_pipeline():
    told = Told()
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0))
    pipeline.set_callbacks(told).fit(X)
    names = [event[1] for event in told.events if event[0] == "end"]
    assert names.count("iteration") == pipeline[-1].n_iter_
