"""The picture of a choice shows every model, and names the best."""

import sys
from functools import partial

import matplotlib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import GaussianMixture
from daskgmm.drawing.style import STRUCTURES, colours_of_structures, ordered_structures
from daskgmm.plot import components, corner, criterion, label_map, profiles
from tests.plot.notes import note_of

KS, SEEDS, TYPES = range(2, 21), range(3), ("diag", "full")


@pytest.fixture
def table():
    """Return 114 models; the best has 9 components, full, seed 1."""
    random = np.random.default_rng(0)
    rows = [(k, structure, seed) for structure in TYPES for k in KS for seed in SEEDS]
    bic = [
        3.72e7 + 4e4 * (structure == "diag") + 2e6 * np.exp(-k / 2) + 15e3 * abs(k - 9) + 5 * seed
        for k, structure, seed in rows
    ]
    bic[rows.index((9, "full", 1))] -= 100
    heldout = -np.array(bic) / 4e6
    return {
        "n_components": [row[0] for row in rows],
        "covariance_type": [row[1] for row in rows],
        "seed": [row[2] for row in rows],
        "status": ["sample" if row[0] < 5 else "fitted" for row in rows],
        "bic": bic,
        "heldout": heldout.tolist(),
        "heldout_se": random.uniform(0.001, 0.002, len(rows)).tolist(),
    }


def picked(table, keep):
    """Return the rows of a table that `keep` wants, called with a dictionary of each."""
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    return {name: [row[name] for row in rows if keep(row)] for name in table}


def line(ax, structure):
    """Return the line of a covariance type."""
    return next(each for each in ax.lines if each.get_label() == structure)


def dots(ax, structure, fitted):
    """Return the sorted points of one fill; without the ring of the best."""
    found = [
        point
        for each in ax.lines
        if each.get_marker() == "o"
        and each.get_fillstyle() == "full"
        and each.get_color() == STRUCTURES[structure]
        and (each.get_markerfacecolor() == STRUCTURES[structure]) == fitted
        for point in each.get_xydata().tolist()
    ]
    return sorted(found)


def ring(ax):
    return next(each for each in ax.lines if each.get_fillstyle() == "none")


def test_lines_run_through_the_best_start_of_each_k(table):
    ax = criterion(table)
    for structure in TYPES:
        found = line(ax, structure)
        mine = picked(table, lambda row, which=structure: row["covariance_type"] == which)
        best = np.reshape(mine["bic"], (len(KS), len(SEEDS))).min(axis=1)
        assert_array_equal(found.get_xdata(), KS)
        assert_array_equal(found.get_ydata(), best)
        assert found.get_color() == STRUCTURES[structure]


def test_every_model_is_a_dot_hollow_where_it_was_beaten_on_the_sample(table):
    ax = criterion(table)
    for structure in TYPES:
        for fitted in (True, False):
            status = "fitted" if fitted else "sample"
            which = (structure, status)
            mine = picked(
                table, lambda row, which=which: (row["covariance_type"], row["status"]) == which
            )
            expected = sorted(map(list, zip(mine["n_components"], mine["bic"], strict=True)))
            assert_array_equal(dots(ax, structure, fitted), expected)


def test_the_best_is_ringed_and_named(table):
    ax = criterion(table)
    assert_array_equal(ring(ax).get_xydata(), [[9, min(table["bic"])]])
    assert [text.get_text() for text in ax.texts] == ["best: 9 components, full"]
    assert ax.texts[0].xyann[1] < 0


def test_heldout_is_better_where_higher_and_has_its_errors(table):
    ax = criterion(table, "heldout")
    best = int(np.argmax(table["heldout"]))
    assert_array_equal(ring(ax).get_xydata(), [[9, table["heldout"][best]]])
    assert ax.texts[0].xyann[1] > 0
    assert "nats per row" in ax.get_ylabel()
    assert "higher is better" in ax.get_ylabel()
    bars = np.concatenate([each.get_segments() for each in ax.collections if _has_segments(each)])
    assert len(bars) == len(KS) * len(TYPES)
    mine = bars[np.isclose(bars.mean(axis=1)[:, 1], table["heldout"][best], rtol=1e-14)][0]
    error = table["heldout_se"][best]
    assert_allclose(mine[:, 1], table["heldout"][best] + np.array([-error, error]))
    assert "band" in note_of(ax)


def _has_segments(collection):
    return hasattr(collection, "get_segments")


def test_axes_are_labelled_with_units_and_whole_numbers(table):
    ax = criterion(table)
    assert ax.get_xlabel() == "number of components k"
    assert ax.get_ylabel() == "BIC (nats; lower is better)"
    assert_array_equal(ax.get_xticks(), np.round(ax.get_xticks()))
    low, high = ax.get_xlim()
    assert low < 2 < 20 < high
    assert note_of(ax) == "small: other starts   hollow: beaten on the sample"
    ax.figure.canvas.draw()
    assert "e7" not in "".join(label.get_text() for label in ax.get_yticklabels())


@pytest.mark.parametrize("k", [1, 7])
def test_a_single_k_has_a_single_tick(table, k):
    one = picked(table, lambda row: (row["n_components"], row["covariance_type"]) == (7, "full"))
    ax = criterion(one | {"n_components": [k] * len(one["seed"])}, "heldout")
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low < tick < high] == [k]
    assert ax.texts[0].get_text() == f"best: {k} component{'s' if k > 1 else ''}, full"


def test_a_legend_only_where_there_is_something_to_tell_apart(table):
    legend = criterion(table).get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["full", "diag"]
    one = picked(table, lambda row: row["covariance_type"] == "diag")
    ax = criterion(one)
    assert ax.get_legend() is None
    assert line(ax, "diag").get_color() == STRUCTURES["diag"]


def test_explains_only_what_there_is(table):
    keep = picked(table, lambda row: row["seed"] == 0 and row["status"] == "fitted")
    assert note_of(criterion(keep)) == ""


def test_fitted_models_come_before_those_of_the_sample(table):
    """What a sample says of a model that was beaten there is no rival to all rows."""
    first = table["n_components"].index(12)
    table["status"][first : first + 3] = ["sample", "fitted", "fitted"]
    table["bic"][first] = 0.0
    ax = criterion(table)
    assert_array_equal(ring(ax).get_xydata()[:, 0], [9])
    assert line(ax, "diag").get_ydata()[12 - 2] == min(table["bic"][first + 1 : first + 3])
    assert [12, 0.0] in dots(ax, "diag", fitted=False)


def test_where_all_stayed_on_the_sample_the_best_of_them_is_marked(table):
    ax = criterion(table | {"status": ["sample"] * len(table["seed"])})
    assert_array_equal(ring(ax).get_xydata(), [[9, min(table["bic"])]])


def test_models_without_a_value_are_left_out(table):
    best = int(np.argmin(table["bic"]))
    table["bic"][best], table["bic"][0] = None, np.inf
    ax = criterion(table)
    drawn = sum(len(dots(ax, structure, fitted)) for structure in TYPES for fitted in (True, False))
    assert drawn == len(table["bic"]) - 2
    assert np.isfinite(ring(ax).get_ydata()).all()


def test_draws_where_it_is_told(table, pyplot):
    figure, axes = pyplot.subplots(1, 2)
    assert criterion(table, ax=axes[1]) is axes[1]
    assert not axes[0].lines
    assert pyplot.get_fignums() == [figure.number]


def test_takes_other_criteria_and_covariance_types(table):
    table["my_cost"] = table.pop("bic")
    table["covariance_type"] = [f"low rank {name}" for name in table["covariance_type"]]
    ax = criterion(table, "my_cost")
    assert ax.get_ylabel() == "my_cost"
    colours = {line(ax, f"low rank {name}").get_color() for name in TYPES}
    assert len(colours) == 2
    assert not colours & set(STRUCTURES.values())


def test_structures_of_one_size_stand_beside_each_other(table):
    one = picked(table, lambda row: row["n_components"] == 9)
    ax = criterion(one)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["full", "diag"]
    assert ax.get_xlabel() == "covariance type (9 components)"
    assert_array_equal(ring(ax).get_xdata(), [0])
    assert {float(x) for x in line(ax, "diag").get_xdata()} == {1.0}
    assert ax.get_legend() is None


def test_fourteen_structures_have_colours_of_their_own():
    found = colours_of_structures(ordered_structures([*map(str, range(10)), *STRUCTURES]))
    assert list(found)[:4] == list(STRUCTURES)
    assert len(set(found.values())) == 14


def test_takes_a_data_frame(table):
    pandas = pytest.importorskip("pandas")
    ax = criterion(pandas.DataFrame(table), "heldout")
    assert_array_equal(ring(ax).get_xdata(), [9])


def test_settings_of_matplotlib_stay(table):
    before = dict(matplotlib.rcParams)
    criterion(table)
    assert dict(matplotlib.rcParams) == before


def test_says_what_is_wrong_with_a_table(table):
    with pytest.raises(ValueError, match="no column 'icl'; it has 'n_components', "):
        criterion(table, "icl")
    without = {name: column for name, column in table.items() if name != "status"}
    with pytest.raises(ValueError, match="no column 'status'"):
        criterion(without)
    with pytest.raises(ValueError, match="differ in length"):
        criterion(table | {"heldout_se": [0.1]}, "heldout")
    with pytest.raises(ValueError, match="nothing to draw"):
        criterion(table | {"bic": [np.nan] * len(table["seed"])})
    with pytest.raises(ValueError, match="nothing to draw"):
        criterion({name: [] for name in table})


def test_names_what_is_missing(table, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    mixture = GaussianMixture.from_parameters([1.0], [[0.0, 1.0]], [[1.0, 1.0]])
    draws = (partial(criterion, table), partial(components, mixture), partial(corner, mixture))
    for draw in (*draws, partial(label_map, np.zeros((2, 2), int)), partial(profiles, mixture)):
        with pytest.raises(ImportError, match=r"pip install 'daskgmm\[plot\]'"):
            draw()


def test_degenerate_models_are_crossed(table):
    k, structure = np.array(table["n_components"]), np.array(table["covariance_type"])
    ax = criterion(table | {"degenerate": ((k == 9) & (structure == "full")).astype(int).tolist()})
    crosses = [each.get_xydata()[:, 0] for each in ax.lines if each.get_marker() == "x"]
    assert np.concatenate(crosses).tolist() == [9.0] * 3
    assert "crossed: degenerate" in note_of(ax)
    assert "best: 9 components, full" not in [text.get_text() for text in ax.texts]
