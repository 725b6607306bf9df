"""Fits whose early passes are in float32 end where those in float64 do."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from daskgmm import BayesianGaussianMixture, GaussianMixture, load_model, sweep
from daskgmm.em.events import Iterated
from daskgmm.em.iterations.precision import LOWERED, may_be_single, told
from daskgmm.errors import CheckpointError, SettingError
from daskgmm.gaussian.kernels.choice import LEAST_SINGLE_ROWS

pytestmark = pytest.mark.usefixtures("installed", "unset")


@pytest.fixture
def unset(monkeypatch):
    monkeypatch.delenv("DASKGMM_KERNEL", raising=False)


@pytest.fixture(scope="module")
def x():
    random = np.random.default_rng(0)
    centers = np.array([[0.0, 0.0, 0.0], [2.5, 0.0, 1.0], [0.0, 3.0, -1.0]])
    return np.concatenate([random.normal(size=(500, 3)) + center for center in centers])


STARTS = np.array([[-1.0, 1.0, 0.0], [1.0, -2.0, 0.0], [1.0, 2.0, 0.0]])
SETTINGS = {"means_init": STARTS, "random_state": 0, "precision": "float32"}


def mixture(**settings):
    """Return a mixture that begins far from where it ends."""
    return GaussianMixture(3, **{**SETTINGS, **settings})


@pytest.mark.parametrize("structure", ["full", "diag", "spherical", "tied"])
@pytest.mark.parametrize("acceleration", ["auto", None])
def test_it_ends_where_float64_does(x, structure, acceleration):
    settings = {
        "covariance_type": structure,
        "acceleration": acceleration,
        "tol": 1e-6,
        "max_iter": 1000,
    }
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=len(x))
    exact = mixture(precision="float64", **settings).fit(x, sample_weight=weights)
    found = mixture(**settings).fit(x, sample_weight=weights)
    assert found.converged_
    assert_allclose(found.lower_bound_, exact.lower_bound_, atol=1e-6)
    assert_allclose(found.score(x), exact.score(x), atol=1e-5)
    assert_allclose(found.means_, exact.means_, atol=5e-3)
    assert found.history_["in_float32"][0]
    assert not any(exact.history_["in_float32"])


def test_the_last_passes_are_in_float64_and_no_bound_falls(x):
    found = mixture(tol=1e-6).fit(x)
    in_float32, bounds = found.history_["in_float32"], found.history_["lower_bound"]
    single = sum(in_float32)
    assert single >= 3
    assert in_float32 == [True] * single + [False] * (len(in_float32) - single)
    assert len(in_float32) - single >= 2
    assert (np.diff(bounds) >= 0).all()


def test_bounds_in_float32_are_those_in_float64_less_their_error(x):
    exact, found = (
        mixture(precision=precision, acceleration=None, max_iter=3)
        for precision in ("float64", "float32")
    )
    with pytest.warns(ConvergenceWarning):
        lowered = np.subtract(exact.fit(x).lower_bounds_, found.fit(x).lower_bounds_)
    assert_allclose(lowered[:2], LOWERED, atol=LOWERED / 10)
    assert_allclose(lowered[2], 0.0, atol=1e-6)  # max_iter ends it, in float64


def test_a_fit_that_was_stopped_goes_on_to_the_same_bits(x, tmp_path):
    x, tol = x[::3], 0.01
    whole = mixture(tol=tol).fit(x)
    single = sum(whole.history_["in_float32"])
    assert single < whole.n_iter_

    class Stopped(Exception):
        pass

    for stop in (2, single):

        def listen(event, stop=stop):
            if isinstance(event, Iterated) and event.iteration == stop:
                raise Stopped

        path = tmp_path / f"{stop}.json"
        with pytest.raises(Stopped):
            mixture(tol=tol).fit(x, checkpoint=path, listen=listen)
        found = mixture(tol=tol).fit(x, checkpoint=path)
        assert_array_equal(found.means_, whole.means_)
        assert found.history_["in_float32"] == whole.history_["in_float32"]
        assert found.lower_bounds_ == whole.lower_bounds_
    with pytest.raises(CheckpointError, match="max_iter"):
        mixture(tol=tol, max_iter=101).fit(x, checkpoint=path)
    with pytest.raises(CheckpointError, match="precision"):
        mixture(tol=tol, precision="float64").fit(x, checkpoint=path)


def test_few_rows_are_in_float64(x):
    """The errors of their log densities do not average out."""
    least = int(LEAST_SINGLE_ROWS)
    weights = np.exp(1.5 * np.random.default_rng(0).normal(size=len(x)))
    for rows, w in ((x[:: len(x) // least + 1], None), (x, weights)):
        assert not any(mixture().fit(rows, sample_weight=w).history_["in_float32"])
    assert any(mixture().fit(x[:: len(x) // least]).history_["in_float32"])


def test_chunks_and_rows_of_float32(x):
    rows = x.astype(np.float32)
    first = mixture().fit(rows)
    assert first.history_["in_float32"][0]
    assert_allclose(first.means_, mixture(precision="float64").fit(rows).means_, atol=1e-2)


@pytest.mark.parametrize(
    ("settings", "because"),
    [
        ({"covariance_type": "VEE"}, "VEE"),
        ({"tails": "t"}, "tails"),
        ({"noise": True}, "noise"),
        ({"missing": "marginalise"}, "marginalise"),
    ],
)
def test_what_has_no_float32_is_refused(x, settings, because):
    with pytest.raises(SettingError, match=f"float32.*{because}.*Set precision='float64'"):
        mixture(**settings).fit(x)


def test_labels_and_known_noise_are_refused(x):
    with pytest.raises(SettingError, match="labels"):
        mixture().fit(x, labels=np.arange(len(x)) % 3)
    with pytest.raises(SettingError, match="known noise"):
        mixture().fit(x, noise_variance=0.1)
    with pytest.raises(SettingError, match="VEE"):
        sweep(x, [2], ["full", "VEE"], precision="float32")


def test_other_kernels_and_estimators_refuse_it(x, monkeypatch):
    monkeypatch.setenv("DASKGMM_KERNEL", "numpy")
    with pytest.raises(SettingError, match="compiled kernel"):
        mixture().fit(x)
    with pytest.raises(ValueError, match="precision"):
        GaussianMixture(precision="float16").fit(x)
    bayesian = BayesianGaussianMixture()
    bayesian.precision = "float32"
    with pytest.raises(ValueError, match="precision"):
        bayesian.fit(x)


def test_a_warm_start_is_in_float64(x):
    found = mixture(max_iter=3, warm_start=True)
    with pytest.warns(match="converge"):
        found.fit(x)
    found.set_params(max_iter=100).fit(x)
    assert not any(found.history_["in_float32"])


def test_a_sweep_measures_in_float64(x):
    found = sweep(x, [2], ["tied"], random_state=0, n_init=1, precision="float32")
    assert any(found.best().history_["in_float32"])
    assert_allclose(found.table["log_likelihood"][0], found.best().score(x), rtol=1e-12)


def test_the_model_tells(x, tmp_path):
    from daskgmm.report.model import describe_model

    path, found = tmp_path / "m.json", mixture().fit(x)
    found.save(path)
    again = load_model(path)
    single = sum(found.history_["in_float32"])
    sentence = f"float32 in {single} of {found.n_iter_} iterations, then float64"
    assert again.precision == "float32"
    for each in (found, again):
        assert sentence in describe_model(each, "m")
        assert sentence in each._repr_html_()
    few = mixture().fit(x[::6])
    assert "float64 in all iterations, though float32 was asked for" in describe_model(few, "m")
    exact = mixture(precision="float64").fit(x)
    exact.save(path)
    assert "float32" not in describe_model(exact, "m")
    assert '"precision": "float64"' not in path.read_text().split('"history"')[0]


def test_more_iterations_need_another_checkpoint(x):
    from daskgmm.cli.reporting import not_converged

    with pytest.warns(ConvergenceWarning):
        single = mixture(max_iter=3, tol=1e-9).fit(x)
    assert "--max-iter 9, and another --checkpoint" in not_converged(single, "c.json")
    exact = single.set_params(precision="float64")
    assert "--max-iter 9, which resumes from c.json" in not_converged(exact, "c.json")


def test_which_passes_may_be():
    settings = mixture()._settings()

    def record(**values):
        of_all = {"iteration": 1, "rows": 1, "seconds": 0.0, "nbytes": 1, "peak_memory": 1}
        return Iterated(**{"lower_bound": -1.0, "in_float32": True, **of_all, **values})

    assert may_be_single([], settings)
    assert may_be_single([record(change=math.inf)], settings)
    assert may_be_single([record(change=2 * LOWERED)], settings)
    for last in ({"change": LOWERED / 2}, {"accepted": False}, {"in_float32": False}):
        assert not may_be_single([record(**last)], settings)
    assert not may_be_single([record(change=1.0)] * 99, settings)
    fallen = told(record(lower_bound=-1.0 - 1e-6), -1.0)
    assert (fallen.lower_bound, fallen.change) == (-1.0, 0.0)
    exact = record(lower_bound=-2.0, in_float32=False)
    assert told(exact, -1.0) is exact
