"""The points that acceleration keeps: no more than a part of the memory, and planned."""

from dataclasses import fields, is_dataclass

import numpy as np
import pytest

from daskgmm import GaussianMixture, plan
from daskgmm.em.acceleration import memory
from daskgmm.em.acceleration.memory import coordinates_nbytes, kept_nbytes, most_points
from daskgmm.em.acceleration.quasi_newton import uphill
from daskgmm.errors import PlanError
from daskgmm.gaussian import STRUCTURES
from daskgmm.gaussian.charts.choice import chart_at
from daskgmm.models.inputs import costs
from daskgmm.models.sweeps import sweep as sweeps
from daskgmm.passes.place import Place

FULL = STRUCTURES["full"]


MEANS = 3.0 * np.vstack([np.zeros(3), np.eye(3)])


def overlapping(n=2000):
    random = np.random.default_rng(0)
    return MEANS[random.integers(4, size=n)] + random.normal(size=(n, 3))


def nbytes(value):
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, tuple):
        return sum(map(nbytes, value))
    if is_dataclass(value):
        return sum(nbytes(getattr(value, field.name)) for field in fields(value))
    return 0


def fitted(**settings):
    settings = {"tol": 1e-4, "random_state": 0, "means_init": MEANS, "warm_start": True} | settings
    return GaussianMixture(4, **settings).fit(overlapping())


def limit(monkeypatch, points):
    """Leave memory for so many points of four components in three features."""
    monkeypatch.setattr(memory, "POINTS_BYTES", 1 << 40)
    point = (kept_nbytes(FULL, 4, 3) + coordinates_nbytes(FULL, 4, 3)) // most_points(FULL, 4, 3)
    monkeypatch.setattr(memory, "POINTS_BYTES", points * point)


def test_usual_models_keep_all_points_and_large_ones_fewer():
    assert [most_points(FULL, 100, 64), most_points(FULL, 30, 300)] == [11, 6]
    assert most_points(FULL, 50, 600) == 4
    assert most_points(FULL, 50, 1500) == 0
    assert most_points(STRUCTURES["diag"], 1000, 1500) == 6
    assert most_points(FULL, 100, 64, together=40) == 5


@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical", "VEE", "ppca-1"])
def test_the_bytes_of_points_are_those_that_are_kept(structure):
    name, *q = structure.split("-")
    factors = {"n_factors": int(q[0])} if q else {}
    search = fitted(covariance_type=name, **factors)._ended.search
    points = search.points
    of_each = 4, 3
    share = len(points) / most_points(STRUCTURES[structure], *of_each)
    assert nbytes(points) == share * kept_nbytes(STRUCTURES[structure], *of_each)
    direction = uphill(points, search.in_hand, chart_at)
    of_all = 2 * len(points) * direction.origin.nbytes
    assert of_all == share * coordinates_nbytes(STRUCTURES[structure], *of_each)


@pytest.mark.parametrize("points", [0, 2, 3])
def test_fewer_points_end_where_many_do(monkeypatch, points):
    many = fitted(tol=1e-6, max_iter=1000)
    limit(monkeypatch, points)
    few = fitted(tol=1e-6, max_iter=1000)
    assert few.converged_
    assert len(few._ended.search.points) == points
    assert few.lower_bound_ == pytest.approx(many.lower_bound_, abs=1e-6)
    assert min(np.diff(few.lower_bounds_)) >= -1e-12


def test_a_fit_of_few_points_goes_on_to_the_same_bits(monkeypatch, tmp_path):
    limit(monkeypatch, 2)
    settings = {"means_init": MEANS, "tol": 1e-4, "random_state": 0}
    with pytest.warns(match="did not converge"):
        GaussianMixture(4, max_iter=7, **settings).fit(overlapping(), checkpoint=tmp_path / "c")
    gone_on = GaussianMixture(4, **settings).fit(overlapping(), checkpoint=tmp_path / "c")
    unbroken = GaussianMixture(4, **settings).fit(overlapping())
    np.testing.assert_array_equal(gone_on.covariances_, unbroken.covariances_)
    assert gone_on.n_iter_ == unbroken.n_iter_ > 7


def test_the_plan_counts_points_where_they_are_kept():
    x = np.zeros((1000, 300))
    with_points, plain = plan(x, 30), plan(x, 30, acceleration=None)
    points = 6 * 2 * 8 * 30 * 300**2
    assert points < with_points.acceleration_nbytes < 1.1 * points
    assert plain.acceleration_nbytes == 0
    assert with_points.worker_nbytes > plain.worker_nbytes + points
    assert "between passes" in str(plain)


def test_a_sweep_counts_the_points_of_all_its_models(monkeypatch):
    found = []

    def kept(*given, **named):
        found.append(costs.plan_of(*given, **named))
        raise InterruptedError

    monkeypatch.setattr(sweeps, "plan_of", kept)
    for sizes in ([20], [10, 20], [10, 20, 30]):
        with pytest.raises(InterruptedError):
            sweeps.sweep(np.random.default_rng(0).normal(size=(100, 70)), sizes, ["full"])
    of_ten = found[0].acceleration_nbytes / 2
    assert [each.acceleration_nbytes / of_ten for each in found] == pytest.approx([2, 3, 6])


def test_a_fit_that_does_not_fit_is_told_what_acceleration_takes(monkeypatch):
    small = Place("1 thread of this process", 1, 1, 1 << 28, 1 << 28, True, 1)
    monkeypatch.setattr("daskgmm.passes.executors.threads.this_process", lambda *_: small)
    with pytest.raises(PlanError, match=r"With acceleration=None it takes 26. MB less"):
        plan(np.zeros((1000, 300)), 30).check()
    advice = r"1.3 GB between passes, and what.*fewer components, a structure of fewer parameters"
    with pytest.raises(PlanError, match=advice):
        plan(np.zeros((1000, 300)), 60).check()
