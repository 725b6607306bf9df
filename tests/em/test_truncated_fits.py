"""Fits with candidates: the bound never falls, what is left out is told, ends are dense ones."""

import copy
import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

from daskgmm import BayesianGaussianMixture, GaussianMixture, load_model, plan, save_model
from daskgmm.em.cells import admitted
from daskgmm.em.checkpoints.checkpoint import RECORDS
from daskgmm.em.checkpoints.packing import pack, unpack
from daskgmm.em.events import Iterated, PassEnded
from daskgmm.errors import CheckpointError, SettingError
from daskgmm.gaussian.truncation.kernel import TruncatedKernel
from tests.lies.documents import signed
from tests.promises.stopping import Stop, stop_after

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning"),
]

K, D, N = 24, 4, 4000

RNG = np.random.default_rng(0)

MEANS = RNG.normal(size=(K, D)) * 4

X = MEANS[RNG.integers(K, size=N)] + RNG.normal(size=(N, D))

WEIGHTS = RNG.uniform(0.0, 2.0, N)

SETTINGS = {"n_components": K, "n_candidates": 10, "random_state": 0, "max_iter": 20}


@pytest.fixture(scope="module")
def whole():
    """Return a fit of all rows that ended as it did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GaussianMixture(**SETTINGS).fit(X)


@pytest.mark.parametrize(
    ("name", "weighted"),
    [("full", False), ("full", True), ("tied", True), ("diag", False), ("VEE", True)],
)
def test_the_bound_never_falls_and_is_below_the_likelihood(name, weighted):
    mixture = GaussianMixture(covariance_type=name, **SETTINGS)
    mixture.fit(X, sample_weight=WEIGHTS if weighted else None)
    bounds = np.array(mixture.lower_bounds_)
    assert len(bounds) > 2
    assert (np.diff(bounds) >= -1e-12).all()
    score = mixture.score(X, sample_weight=WEIGHTS if weighted else None)
    assert mixture.lower_bound_ <= score + 1e-9
    # The compared rows are one in 40; the last M-step raises the score a little more.
    assert score - mixture.lower_bound_ == pytest.approx(mixture.left_out_, abs=0.01)
    assert 0 <= mixture.left_out_ < 0.01


@pytest.mark.parametrize("acceleration", ["auto", None])
def test_clusters_apart_end_as_a_dense_fit_does(acceleration):
    """From the same start, where no row has to do with more than its own candidates."""
    means = 60.0 * np.stack(np.meshgrid(*[np.arange(3.0)] * 2), axis=-1).reshape(-1, 2)
    x = np.repeat(means, 300, axis=0) + np.random.default_rng(1).normal(size=(2700, 2))
    given = {
        "weights_init": np.full(9, 1 / 9),
        "means_init": means + 1.0,
        "precisions_init": np.tile(np.eye(2), (9, 1, 1)),
    }
    settings = {"n_components": 9, "acceleration": acceleration, "random_state": 0, **given}
    dense = GaussianMixture(**settings).fit(x)
    truncated = GaussianMixture(n_candidates=3, **settings).fit(x)
    assert truncated.n_iter_ == dense.n_iter_
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_allclose(getattr(truncated, name), getattr(dense, name), rtol=1e-9)
    assert truncated.left_out_ == 0.0


def test_a_fit_is_as_good_as_a_dense_one(whole):
    dense = GaussianMixture(K, random_state=0).fit(X)
    assert whole.score(X) > dense.score(X) - 0.02


def test_chunks_and_threads_change_no_bit(whole):
    import dask
    import dask.array as da

    with dask.config.set(num_workers=3):
        other = GaussianMixture(**SETTINGS).fit(da.from_array(X, chunks=(2000, D)))
    assert whole.lower_bounds_ == pytest.approx(other.lower_bounds_, abs=1e-9)
    with dask.config.set(num_workers=1):
        again = GaussianMixture(**SETTINGS).fit(da.from_array(X, chunks=(2000, D)))
    assert other.means_.tobytes() == again.means_.tobytes()
    assert other.lower_bounds_ == again.lower_bounds_


def test_what_was_interrupted_goes_on_with_its_cells(tmp_path, whole):
    with pytest.raises(Stop):
        GaussianMixture(**SETTINGS).fit(X, checkpoint=tmp_path / "c", listen=stop_after(2))
    passes = []
    again = GaussianMixture(**SETTINGS).fit(X, checkpoint=tmp_path / "c", listen=passes.append)
    assert again.lower_bounds_ == whole.lower_bounds_
    assert again.means_.tobytes() == whole.means_.tobytes()
    assert next(event.iteration for event in passes if isinstance(event, Iterated)) == 3


@pytest.fixture
def wrong_at_first(monkeypatch):
    """Starts have the candidates of other components."""
    from daskgmm.em import cells as made
    from daskgmm.em.starts import nested

    def wrong(cells, sample, model, parameters, n_candidates):
        found = made.with_candidates(cells, sample, model, parameters, n_candidates)
        return replace(found, candidates=np.sort((found.candidates + 7) % K, axis=1))

    monkeypatch.setattr(nested, "with_candidates", wrong)


@pytest.mark.slow
def test_candidates_are_chosen_anew_where_that_gains(wrong_at_first):
    """Candidates that are wrong at first are those of the components after a renewal."""
    passes = []
    mixture = GaussianMixture(**{**SETTINGS, "max_iter": 300, "tol": 1e-2})
    mixture.fit(X[:2500], listen=lambda event: passes.append(event))
    surveys = [each for each in passes if isinstance(each, PassEnded) and each.name == "survey"]
    assert len(surveys) >= 3  # the first pass, one renewal that gained, and one that did not
    jumps = np.diff(mixture.lower_bounds_)
    assert (jumps >= -1e-12).all()
    assert mixture.converged_
    assert mixture.left_out_ < 0.02


def test_no_renewal_lowers_the_bound(monkeypatch):
    """Candidates that a sample tells, and all rows do not confirm, are not kept."""
    from daskgmm.em import cells as made
    from daskgmm.em.iterations import renewal

    def worse(cells, sample, model, parameters, n_candidates):
        found = made.with_candidates(cells, sample, model, parameters, n_candidates)
        return replace(found, candidates=np.sort((found.candidates + 7) % K, axis=1))

    settings = {**SETTINGS, "max_iter": 300}
    plain = GaussianMixture(**settings).fit(X)
    monkeypatch.setattr(renewal, "with_candidates", worse)
    mixture = GaussianMixture(**settings).fit(X)
    assert mixture.converged_
    assert mixture.means_.tobytes() == plain.means_.tobytes()
    assert mixture.lower_bound_ == plain.lower_bound_


def test_a_few_collapsed_components_change_no_other(monkeypatch):
    """A fit is that of the slower form for all; cells with and without them are its part."""
    clumps = np.repeat(X[:3] + 3.0, 30, axis=0)
    x = RNG.permutation(np.concatenate([X[:2000], clumps]))
    settings = {**SETTINGS, "n_components": 20, "n_candidates": 8, "max_iter": 12}
    found = GaussianMixture(**settings).fit(x)
    monkeypatch.setattr(TruncatedKernel, "with_narrow", lambda kernel, *_: kernel)
    expected = GaussianMixture(**settings).fit(x)
    assert (np.linalg.eigvalsh(found.covariances_)[:, 0] < 1e-5).any()
    np.testing.assert_allclose(found.lower_bounds_, expected.lower_bounds_, rtol=1e-9)
    np.testing.assert_allclose(found.means_, expected.means_, rtol=1e-5, atol=1e-5)


REFUSED = {
    "no fewer": ({"n_candidates": K}, "no more components, n_components=24"),
    "noise": ({"noise": True}, "noise and tails need all components"),
    "tails": ({"tails": "t"}, "noise and tails need all components"),
    "gaps": ({"missing": "marginalise"}, "rows that miss values are in no cell"),
    "factors": ({"covariance_type": "ppca", "n_factors": 1}, "moments of its own"),
    "float32": ({"precision": "float32"}, "precision='float32' needs all components"),
    "another start": ({"init_params": "random"}, "starts are clusters within regions"),
    "some means": ({"means_init": MEANS}, "given together, or none"),
    "a small sample": ({"sample_rows": 10}, "needs a sample of as many rows"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_needs_all_components_is_refused_before_a_row_is_read(what):
    settings, words = REFUSED[what]
    mixture = GaussianMixture(**{**SETTINGS, **settings})
    for call in (mixture.fit, lambda x: plan(x, estimator=mixture)):
        with pytest.raises(SettingError, match=rf"(?s){words}.*Set n_candidates=None"):
            call(X)


def test_a_warm_start_goes_on_with_cells_of_its_own(whole):
    going_on = copy.deepcopy(whole).set_params(warm_start=True, max_iter=3).fit(X)
    assert going_on.lower_bound_ >= whole.lower_bound_ - 0.01
    assert going_on.left_out_ < 0.01
    dense = copy.deepcopy(whole).set_params(warm_start=True, n_candidates=None).fit(X)
    assert dense.lower_bounds_[0] >= whole.lower_bound_
    assert dense.score(X) >= whole.score(X) - 1e-9
    again = copy.deepcopy(dense).set_params(n_candidates=10, max_iter=3).fit(X)
    assert again.lower_bound_ == pytest.approx(dense.lower_bound_, abs=0.01)


@pytest.mark.parametrize("iterations", [5, 20])
def test_what_acceleration_knew_of_a_bound_is_forgotten(iterations):
    """Where warm starts are meant from the beginning, fits keep it."""
    settings = {**SETTINGS, "max_iter": iterations}
    going_on = GaussianMixture(**settings, warm_start=True).fit(X)
    going_on.set_params(n_candidates=None).fit(X)
    begun_anew = GaussianMixture(**settings).fit(X)
    begun_anew.set_params(n_candidates=None, warm_start=True).fit(X)
    assert going_on.lower_bounds_ == begun_anew.lower_bounds_


def test_a_warm_start_on_other_rows_has_no_bound_to_stay_above(whole):
    far = 2.0 * X
    assert whole.score(far) < whole.lower_bound_ - 2.0
    there = copy.deepcopy(whole).set_params(warm_start=True).fit(far)
    assert there.lower_bound_ < whole.lower_bound_ - 2.0
    assert (np.diff(there.lower_bounds_) >= -1e-12).all()


def test_labels_and_known_noise_are_refused():
    mixture = GaussianMixture(**SETTINGS)
    with pytest.raises(SettingError, match="a labelled row"):
        mixture.fit(X, labels=np.full(N, -1) + (np.arange(N) == 0))
    with pytest.raises(SettingError, match="known noise"):
        mixture.fit(X, noise_variance=np.full(D, 0.1))


def test_a_bayesian_mixture_has_no_candidates():
    assert "n_candidates" not in BayesianGaussianMixture().get_params()


def test_fits_without_candidates_leave_nothing_out():
    mixture = GaussianMixture(2).fit(X[:100])
    assert np.isnan(mixture.history_["left_out"]).all()
    with pytest.raises(AttributeError, match="nothing was measured"):
        _ = mixture.left_out_


def test_a_model_file_keeps_what_is_left_out(tmp_path, whole):
    save_model(whole, tmp_path / "m.json")
    loaded = load_model(tmp_path / "m.json")
    assert loaded.left_out_ == whole.left_out_
    assert loaded.n_candidates == 10
    assert "10 of 24 for each row" in loaded._repr_html_()


def test_a_plan_tells_of_candidates_and_of_their_passes():
    planned = str(plan(X, estimator=GaussianMixture(**SETTINGS)))
    assert "\ncandidates       10 of 24 for each row; where EM has converged, 2 passes" in planned
    assert "candidates" not in str(plan(X, K))


def test_memory_is_planned_for_the_cells():
    dense, truncated = plan(X, K), plan(X, K, n_candidates=10)
    assert truncated.thread_nbytes > dense.thread_nbytes


FORGED = {
    "no cells": (lambda fit: replace(fit, cells=None), "it has cells, or none"),
    "no components": (
        lambda fit: replace(fit, cells=replace(fit.cells, candidates=fit.cells.candidates + K)),
        "'candidates' are no components",
    ),
    "twice": (
        lambda fit: replace(fit, cells=replace(fit.cells, candidates=0 * fit.cells.candidates)),
        "'candidates' are no components",
    ),
    "fewer": (
        lambda fit: replace(fit, cells=replace(fit.cells, candidates=fit.cells.candidates[:, 1:])),
        "not those of its anchors",
    ),
    "scales of 0": (
        lambda fit: replace(fit, cells=replace(fit.cells, scales=np.zeros(D))),
        "'scales' are not all positive",
    ),
    "regions without end": (
        lambda fit: replace(
            fit,
            cells=replace(
                fit.cells, anchors=replace(fit.cells.anchors, first=fit.cells.anchors.first + 1)
            ),
        ),
        "'first' are not those of its regions",
    ),
}


@pytest.mark.parametrize("what", FORGED)
def test_cells_of_no_fit(what, tmp_path):
    path, (change, words) = tmp_path / "c.json", FORGED[what]
    with pytest.raises(Stop):
        GaussianMixture(**SETTINGS).fit(X, checkpoint=path, listen=stop_after(1))
    document = json.loads(path.read_text())
    state = unpack(document["state"], RECORDS)
    forged = replace(state, current=change(state.current))
    path.write_text(json.dumps(signed({**document, "state": pack(forged)})))
    with pytest.raises(CheckpointError, match=rf"(?s)c\.json is damaged \(.*{words}"):
        GaussianMixture(**SETTINGS).fit(X, checkpoint=path)


def test_another_number_of_candidates_is_another_fit(tmp_path):
    with pytest.raises(Stop):
        GaussianMixture(**SETTINGS).fit(X, checkpoint=tmp_path / "c", listen=stop_after(1))
    with pytest.raises(CheckpointError, match="n_candidates was 10 and is 12"):
        GaussianMixture(**{**SETTINGS, "n_candidates": 12}).fit(X, checkpoint=tmp_path / "c")


HARD = {
    "one outlier": (lambda x: np.vstack([x[:2000], [[50.0] * D]]), {"n_components": 25}),
    "heavy tails": (lambda x: RNG.standard_t(2, size=(3000, D)), {"n_components": 100}),
    "few rows": (lambda x: x[:600], {"n_components": 100}),
    "one candidate": (lambda x: x, {"n_candidates": 1}),
    "two candidates": (lambda x: x[:3000], {"n_components": 300, "n_candidates": 2}),
    "a small sample": (lambda x: x, {"n_components": 60, "sample_rows": 200}),
    "few distinct rows": (lambda x: np.repeat(x[:40], 100, axis=0), {"n_components": 60}),
    "as many rows as components": (lambda x: x[: K + 1], {}),
    "equal rows": (lambda x: np.ones((200, 2)), {"n_components": 12, "n_candidates": 4}),
}


@pytest.mark.parametrize("what", HARD)
def test_starts_of_hard_rows_lose_no_component(what):
    """The bound is that of a mixture from the first pass on, and never falls."""
    rows, changed = HARD[what]
    x, settings = rows(X), {**SETTINGS, "max_iter": 5, "covariance_type": "spherical", **changed}
    bounds = np.array(GaussianMixture(**settings).fit(x).lower_bounds_)
    assert bounds[0] > -200
    assert (np.diff(bounds) >= -1e-9).all()


@pytest.mark.parametrize(("k", "m", "n"), [(300, 2, 3000), (200, 4, 4000), (30, 1, 3000)])
def test_each_component_is_a_candidate_somewhere(k, m, n, tmp_path):
    settings = {"n_candidates": m, "random_state": 0, "covariance_type": "spherical"}
    with pytest.raises(Stop):
        GaussianMixture(k, **settings).fit(X[:n], checkpoint=tmp_path / "c", listen=stop_after(1))
    state = unpack(json.loads((tmp_path / "c").read_text())["state"], RECORDS)
    dead = np.flatnonzero(state.current.step.parameters.weights == 0)
    somewhere = set(state.current.cells.candidates.ravel())
    assert somewhere | set(dead) == set(range(k))
    assert len(dead) <= k // 20


def test_lost_components_take_places_of_those_that_have_others():
    ranked = np.array([[0, 1, 2], [1, 2, 0], [2, 1, 0]])
    found = admitted(ranked, np.array([3, 4]), lambda component: np.array([component - 3, 2]))
    assert found[0].tolist() == [0, 1, 3]
    assert found[1].tolist() == [1, 2, 4]
    assert set(found.ravel()) == {0, 1, 2, 3, 4}


@pytest.mark.slow
def test_more_iterations_go_on_where_max_iter_ended_at_convergence(wrong_at_first, tmp_path):
    """Candidates are chosen anew there as well, as in a fit that was never ended."""
    settings, events, x = {**SETTINGS, "tol": 1e-2}, [], X[:2500]
    whole = GaussianMixture(**{**settings, "max_iter": 300}).fit(x, listen=events.append)
    surveys = [i for i, e in enumerate(events) if isinstance(e, PassEnded) and e.name == "survey"]
    done = sum(isinstance(each, Iterated) for each in events[: surveys[1]])
    path = tmp_path / "c"
    ended = GaussianMixture(**{**settings, "max_iter": done + 1}).fit(x, checkpoint=path)
    assert ended.converged_
    assert ended.n_iter_ < whole.n_iter_
    again = GaussianMixture(**{**settings, "max_iter": 300}).fit(x, checkpoint=path)
    assert again.lower_bounds_ == whole.lower_bounds_
    assert again.means_.tobytes() == whole.means_.tobytes()


def test_patterns_of_weights_hide_nothing_that_is_left_out():
    weights = np.where(np.arange(N) % 2, 1.0, 0.0)
    mixture = GaussianMixture(**{**SETTINGS, "max_iter": 3}).fit(X, sample_weight=weights)
    assert mixture.left_out_ >= 0
