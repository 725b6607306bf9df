"""The points that acceleration keeps: no more than a part of the memory, and planned."""

import gc
import re
import warnings
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

from daskgmm import GaussianMixture, plan
from daskgmm.em.acceleration import memory
from daskgmm.em.acceleration.memory import coordinates_nbytes, kept_nbytes, most_points
from daskgmm.em.acceleration.quasi_newton import along_gradient, uphill
from daskgmm.em.acceleration.search import Point
from daskgmm.em.events import PassEnded
from daskgmm.errors import CheckpointError, PlanError
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
    along = along_gradient(points[-1], search.in_hand, chart_at)
    direction = uphill(along, points)
    assert direction.points == len(points)
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
    assert "does not fit" not in str(plain)


def held(x, **settings):
    """Return the most bytes of points of acceleration that a fit holds after a pass."""
    found = []

    def look(event):
        if isinstance(event, PassEnded):
            points = [each for each in gc.get_objects() if isinstance(each, Point)]
            arrays = {id(owner(a)): owner(a).nbytes for each in points for a in arrays_of(each)}
            found.append(sum(arrays.values()))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GaussianMixture(10, max_iter=14, tol=1e-12, random_state=0, **settings).fit(x, listen=look)
    return max(found)


def arrays_of(value):
    if isinstance(value, np.ndarray):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from arrays_of(getattr(value, field.name))


def owner(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


@pytest.mark.parametrize(("settings", "starts"), [({}, 2), ({"sample_rows": 250}, 1)])
def test_several_starts_hold_what_the_plan_says(settings, starts):
    random = np.random.default_rng(0)
    x = random.normal(size=(10, 8))[np.arange(4000) % 10] + random.normal(size=(4000, 8))
    alone = plan(x, 10, **settings).acceleration_nbytes
    planned = plan(x, 10, n_init=3, **settings).acceleration_nbytes
    # A start on all rows that has ended waits with its points; of drawn starts one goes on.
    assert planned == starts * alone
    assert 0.9 * planned < held(x, n_init=3, init_params="random", **settings) < 1.1 * planned


def test_rows_that_may_not_count_leave_the_number_of_starts_open():
    x, settings = np.zeros((100_000, 4)), {"n_init": 3, "max_iter": 10}
    assert plan(x, 5, **settings).max_passes == 12
    assert plan(x, 5, sample_weight=np.ones(len(x)), **settings).max_passes == 32
    assert plan(x, 5, missing="drop", **settings).max_passes == 32


def test_a_checkpoint_is_planned(tmp_path):
    x, place = np.zeros((1000, 300)), tmp_path / "c.json"
    assert plan(x, 30, checkpoint=place).steps_nbytes > 1.5 * plan(x, 30).steps_nbytes
    assert not [*tmp_path.iterdir()]
    place.write_text('{"format": "another"}')
    with pytest.raises(CheckpointError, match="is not a checkpoint of daskgmm"):
        plan(x, 30, checkpoint=place)


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
    planned = plan(np.zeros((1000, 300)), 30)
    less = r"With acceleration=None it takes 26. MB less"
    with pytest.raises(PlanError, match=less):
        planned.check()
    assert re.search(r"\n\nIt does not fit, and .*This process would need .*" + less, str(planned))
    assert "which is too much" in repr(planned)
    advice = r"1.3 GB between passes, sums.*fewer components, a structure of fewer parameters"
    with pytest.raises(PlanError, match=advice):
        plan(np.zeros((1000, 300)), 60).check()
