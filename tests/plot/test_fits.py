"""Pictures of fits: convergence, timeline, merges, profiles."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import GaussianMixture, plot
from daskgmm.em.events import Iterated, PassEnded, as_dict
from daskgmm.errors import SettingError
from daskgmm.plot.feature_axis import feature_axis
from daskgmm.plot.merging import order_of
from daskgmm.plot.timeline import BETWEEN, STARTS, steps_of
from tests.plot.notes import note_of

EQUAL = "all passes are equal up to rounding"


@pytest.fixture(scope="module")
def fitted(rows):
    events = []
    return GaussianMixture(2, random_state=0).fit(rows, listen=events.append), events


def test_convergence(fitted):
    ax = plot.convergence(fitted[0])
    x, y = ax.lines[0].get_data()
    assert_array_equal(y, fitted[0].lower_bounds_)
    assert x[0] == 1
    assert ax.get_ylabel() == "objective\n(nats per row)"
    gap = plot.convergence(fitted[0], gap=True)
    assert gap.get_yscale() == "log"
    assert np.isnan(gap.lines[0].get_ydata()).any()  # of the best one
    assert note_of(gap) != EQUAL


def test_passes_that_differ_by_rounding_have_no_gap(fitted):
    mixture = copy.copy(fitted[0])
    mixture.history_ = {
        "lower_bound": [-5.5, -5.5 + 1e-15], "accepted": [True, True], "initialisation": [0, 0],
    }  # fmt: skip
    gap = plot.convergence(mixture, gap=True)
    assert np.isnan(gap.lines[0].get_ydata()).all()
    assert note_of(gap) == EQUAL


def test_convergence_of_several_initialisations(fitted):
    mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    names = {"lower_bound": [-3.0, -2.0, -3.0, -1.0], "initialisation": [0, 0, 1, 1]}
    mixture.history_ = {**names, "accepted": [True, True, False, True]}
    ax = plot.convergence(mixture)
    best = max(ax.lines, key=lambda line: line.get_zorder())
    assert best.get_ydata().tolist() == [-3.0, -1.0]
    assert note_of(ax) == "grey: other initialisations   hollow: rejected"


def test_a_mixture_without_history(mixture):
    for draw in (plot.convergence, plot.timeline):
        with pytest.raises(SettingError, match="listen"):
            draw(mixture)


EVENTS = [
    PassEnded("survey", 1000, 8000, 0.5, 1),
    Iterated(iteration=1, lower_bound=-1.0, rows=1, seconds=9.0, nbytes=1, peak_memory=1),
    PassEnded("expectation", 1000, 8000, 0.25, 1),
    Iterated(iteration=2, lower_bound=-1.0, rows=1, seconds=0.75, nbytes=1, peak_memory=1),
]


def test_the_bars_of_a_timeline(tmp_path):
    steps = steps_of([EVENTS[0], *EVENTS[2:]])
    # The first iteration after a survey counts the survey's seconds as its own.
    assert [step.kind for step in steps] == ["survey", "iteration"]
    steps = steps_of(EVENTS)
    assert [(step.kind, step.seconds) for step in steps] == [
        ("survey", 0.5), (BETWEEN, 8.5), ("iteration", 0.25), (BETWEEN, 0.5),
    ]  # fmt: skip
    ax = plot.timeline(EVENTS)
    survey = ax.patches[0]
    assert_allclose((survey.get_width(), survey.get_height()), (0.5, 2.0))
    assert ax.get_ylabel() == "rows per second (thousands)"
    path = tmp_path / "run.jsonl"
    lines = [{"event": "FitStarted"}, as_dict(replace(EVENTS[0], seconds=7.0))]
    lines += [{"event": "FitStarted"}, *map(as_dict, EVENTS)]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert steps_of(path) == steps  # the last fit


def test_a_timeline_shows_how_long_tasks_waited_for_rows():
    events = [replace(EVENTS[0], waiting=0.3), *EVENTS[2:]]
    ax = plot.timeline(events)
    survey, waiting, expectation = ax.patches[:3]
    assert waiting.get_hatch()
    assert (survey.get_hatch(), expectation.get_hatch()) == (None, None)
    assert_allclose((waiting.get_x(), waiting.get_width()), (0.0, 0.3))
    assert_allclose(waiting.get_height(), survey.get_height())
    assert "40% of it waiting for rows" in note_of(ax)
    assert "waiting for rows" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_timeline_of_a_fit(fitted):
    mixture, events = fitted
    passes = [step for step in steps_of(events) if step.rows]
    assert len(passes) == sum(isinstance(event, PassEnded) for event in events)
    assert STARTS in {step.kind for step in steps_of(events)}
    assert len(steps_of(mixture)) == mixture.n_iter_
    assert plot.timeline(mixture).get_xlabel() == "time (s)"


@pytest.mark.parametrize("wrong", [[], {"seconds": [1.0]}, "no-such-file", 3])
def test_no_history(wrong):
    with pytest.raises(SettingError):
        plot.timeline(wrong)


@pytest.fixture(scope="module")
def merged(rows):
    means = [[0.0, 0.0, 5.0], [0.3, 0.0, 5.0], [6.0, 1.0, 5.0], [0.0, 0.5, 5.0]]
    mixture = GaussianMixture.from_parameters([0.25] * 4, means, [np.eye(3)] * 4)
    return mixture.merge_components(rows[:500])


def test_merging(merged):
    ax = plot.merging(merged)
    shared = [f"{100 * value:.0f} %" for value in merged.merging_.shared]
    assert [text.get_text() for text in ax.texts] == shared
    assert "cut: 2 clusters, the elbow" in note_of(ax)
    assert "the elbow is 2" in note_of(plot.merging(merged, n_clusters=3))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list(
        map(str, order_of(merged.merging_))
    )


def test_no_lines_of_the_tree_cross(merged):
    order, tree = order_of(merged.merging_).tolist(), merged.merging_
    assert sorted(order) == [0, 1, 2, 3]
    for n in range(1, 5):
        clusters = tree.clusters(n)[order]
        assert np.count_nonzero(np.diff(clusters)) == n - 1


def test_merging_needs_a_tree(mixture):
    with pytest.raises(SettingError, match="merge_components"):
        plot.merging(mixture)


def test_profiles(mixture):
    axes = plot.profiles(mixture, standardise=False)
    assert [ax.get_title(loc="left") for ax in axes] == ["component 1: 70 %", "component 0: 30 %"]
    assert_array_equal(axes[0].lines[1].get_ydata(), mixture.means_[1])
    assert_allclose(axes[0].lines[0].get_ydata(), mixture.weights_ @ mixture.means_)
    outer = axes[1].collections[0].get_paths()[0].get_extents()
    assert_allclose(
        (outer.y0, outer.y1), (-1.2816 * np.sqrt(2), 5 + 1.2816 * np.sqrt(0.1)), rtol=1e-4
    )
    vertical = plot.profiles(mixture, [2, 0], vertical=True)
    assert_array_equal(vertical[0].lines[1].get_xdata(), mixture.means_[1, [2, 0]])
    assert vertical[0].yaxis_inverted()


def test_the_share_of_a_single_component():
    one = GaussianMixture.from_parameters([1.0], [[0.0, 1.0]], [[1.0, 1.0]])
    assert plot.profiles(one)[0].get_title(loc="left") == "component 0: 100 %"


def test_profiles_are_standardised_where_units_differ(mixture):
    known = GaussianMixture.from_parameters(mixture.weights_, mixture.means_, mixture.covariances_)
    for units, scaled in (((None,) * 3, False), (("m", "m", "s"), True), (("m",) * 3, False)):
        known.feature_units_ = units
        axes = plot.profiles(known)
        assert (np.abs(axes[0].lines[0].get_ydata()).max() < 1e-12) == scaled
        assert ("deviations" in axes[0].figure.get_supylabel()) == scaled


def test_features_of_a_dimension_are_a_scale():
    depths = feature_axis(["temp(depth=10)", "temp(depth=100)", "temp(depth=500)"])
    assert (depths.at.tolist(), depths.title, depths.variable) == ([10, 100, 500], "depth", "temp")
    mixed = feature_axis(["temp(depth=10)", "salt(depth=10)"])
    assert (mixed.at.tolist(), mixed.variable) == ([0, 1], "value")
    assert max(map(len, feature_axis(["a" * 80, "b"]).texts)) <= 22
    assert len(feature_axis([str(number) for number in range(64)]).texts) <= 24
