"""Maps: what is loaded is what is drawn, and values are what they mean."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import GaussianMixture, GaussianMixtureClassifier, plot
from daskgmm.drawing.style import colours, ground
from daskgmm.errors import SettingError
from daskgmm.plot.grids import grid_of, thin
from daskgmm.plot.maps import OUTLIERS
from tests.plot.notes import note_of


def image_of(ax):
    return ax.collections[0]


def bar_of(ax):
    return ax.child_axes[0]


def bar_texts(ax):
    return [tick.get_text() for tick in bar_of(ax).get_yticklabels()]


class Watched:
    """An array on disk: it says how many values were read, and refuses to be read whole."""

    def __init__(self, shape):
        self.shape, self.read, self.dtype = shape, 0, np.dtype(int)

    def __getitem__(self, taken):
        found = np.zeros(self.shape, int)[taken]
        self.read += found.size
        return found

    def __array__(self, *arguments, **settings):
        raise AssertionError("read whole")


def test_large_grids_are_thinned_before_they_are_loaded():
    labels = Watched((2500, 900))
    ax = plot.label_map(labels)
    assert labels.read == 834 * 900
    assert note_of(ax) == "one point of 3 \N{MULTIPLICATION SIGN} 1 drawn"
    assert image_of(ax).get_array().shape == (834, 900)


def test_lazy_grids_are_thinned_chunk_by_chunk():
    seen = []

    def block(part):
        seen.append(part.shape)
        return part

    lazy = da.zeros((400, 60), int, chunks=(100, 60))[::4].map_blocks(
        block, dtype=int, meta=np.empty((0, 0), int)
    )
    grid = grid_of(xr.DataArray(lazy, dims=("y", "x")), "labels", 50)
    assert grid.values.shape == (50, 30)
    x, said = thin(xr.Dataset({"t": (("y", "x", "z"), np.zeros((90, 10, 40)))}), ("z",), 30)
    assert dict(x.sizes) == {"y": 30, "x": 10, "z": 40}
    assert "3" in said


def test_arrays_have_the_first_row_at_the_top():
    ax = plot.label_map(np.array([[0, 1, 1], [0, -1, 2]]))
    values = image_of(ax).get_array()
    assert_array_equal(values.filled(-9), [[0, 1, 1], [0, -9, 2]])
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.yaxis_inverted()) == ("column", "row", True)
    assert bar_texts(ax) == ["0", "1", "2"]


def test_outliers_are_told_from_missing_points(rows):
    ax = plot.label_map(np.array([[0, 1], [-1, -2]]))
    assert bar_texts(ax) == ["outlier", "0", "1"]
    mixture = GaussianMixture.from_parameters([0.6, 0.4], [[0.0], [1.0]], [1.0, 1.0])
    mixture.noise_weight_, mixture.noise_log_volume_ = 0.1, 1.0
    ax = plot.label_map(np.array([[0, 1], [-1, 1]]), mixture=mixture)
    assert bar_texts(ax) == ["outlier", "0", "1"]
    faces = image_of(ax).cmap.colors
    assert list(faces) == [OUTLIERS, *colours(2)]


@pytest.fixture(scope="module")
def ocean():
    random = np.random.default_rng(0)
    lat, lon = np.linspace(-60, 60, 13), np.arange(0, 360, 20.0)
    temp = random.normal(size=(13, 18, 2)) + 10 * (np.abs(lat) > 30)[:, None, None]
    temp[4:6, 2] = np.nan
    found = xr.Dataset(
        {"temp": (("lat", "lon", "depth"), temp, {"units": "degC"})},
        {
            "lat": ("lat", lat, {"units": "degrees_north", "long_name": "latitude"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
            "depth": [5, 50],
        },
    )
    mixture = GaussianMixture(2, missing="drop", random_state=0).fit(found, feature_dims=["depth"])
    return found, mixture


def test_maps_of_labelled_predictions(ocean):
    data, mixture = ocean
    ax = plot.label_map(mixture.predict(data))
    assert ax.get_xlabel() == "lon (\N{DEGREE SIGN}E)"
    assert ax.get_ylabel() == "latitude (\N{DEGREE SIGN}N)"
    values = image_of(ax).get_array()
    assert values.mask.sum() == 2
    assert_array_equal(values.filled(-1), mixture.predict(data))
    assert bar_texts(ax) == ["0", "1"]
    assert not ax.yaxis_inverted()
    assert ax.get_aspect() == 1.0
    turned = plot.label_map(mixture.predict(data).transpose("lon", "lat"))
    assert turned.get_xlabel() == ax.get_xlabel()


def test_posteriors_and_ambiguity(ocean):
    data, mixture = ocean
    posterior = mixture.predict_proba(data)
    ax = plot.posterior_map(posterior, 1)
    assert_allclose(image_of(ax).get_array().filled(np.nan), posterior[..., 1])
    assert bar_of(ax).get_ylabel() == "probability of component 1"
    ordered = np.sort(posterior.values, axis=-1)
    doubt = 1 - (ordered[..., -1] - ordered[..., -2])
    for given in (posterior, posterior.values, xr.DataArray(doubt, dims=("lat", "lon"))):
        found = image_of(plot.ambiguity_map(given)).get_array()
        assert_allclose(found.filled(np.nan), doubt, atol=1e-12)


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_no_colour_of_a_map_is_that_of_missing_points(pyplot, style):
    def away(ax):
        own = image_of(ax).get_cmap()
        return np.abs(own(np.arange(own.N))[:, :3] - to_rgb(ground(ax))).sum(axis=1)

    with pyplot.style.context(style):
        doubt = away(plot.ambiguity_map(np.zeros((3, 4))))
        labels = away(plot.label_map(np.arange(12).reshape(3, 4)))
    assert min(doubt.min(), labels.min()) > 0.2
    assert doubt[-1] > doubt[0] + 1.0  # what is in doubt stands out


def test_names_of_classes_and_stored_labels(ocean):
    names = np.array([["oak", "ash"], [None, "oak"]], dtype=object)
    ax = plot.label_map(names)
    assert bar_texts(ax) == ["ash", "oak"]
    assert image_of(ax).get_array().mask.sum() == 1
    data, mixture = ocean
    decoded = mixture.predict(data).where(lambda labels: labels >= 0)  # as xarray opens a file
    assert bar_texts(plot.label_map(decoded)) == ["0", "1"]


def test_maps_of_classes(ocean):
    data, _ = ocean
    known = xr.DataArray(np.full((13, 18), -1), dims=("lat", "lon"))
    known[3, :5], known[12, :5] = 4, 7
    classifier = GaussianMixtureClassifier(missing="drop").fit(data, known, feature_dims=["depth"])
    ax = plot.label_map(classifier.predict(data), mixture=classifier)
    assert (bar_texts(ax), bar_of(ax).get_ylabel()) == (["4", "7"], "class")
    assert image_of(ax).get_array().mask.sum() == 2
    ax = plot.posterior_map(classifier.predict_proba(data), 7)
    assert bar_of(ax).get_ylabel() == "probability of class 7"


def test_no_map(ocean):
    data, mixture = ocean
    posterior = mixture.predict_proba(data)
    three = xr.DataArray(np.zeros((2, 3, 4), int), dims=("time", "lat", "lon"))
    for wrong, said in (
        (three, r"isel\(time=0\)"),
        (np.zeros(12, int), "reshape"),
        (posterior, "posterior_map"),
        (np.full((2, 2), 0.3), "not labels"),
        (np.arange(100).reshape(10, 10), "100 labels"),
    ):
        with pytest.raises(SettingError, match=said):
            plot.label_map(wrong)
    with pytest.raises(SettingError, match="there are 0, 1"):
        plot.posterior_map(posterior, 7)
    with pytest.raises(SettingError, match="there are 0, 1"):
        plot.posterior_map(posterior.values, 2)
    with pytest.raises(SettingError, match="no dimension of components"):
        plot.posterior_map(posterior.isel(component=0), 0)
    with pytest.raises(SettingError, match="most"):
        plot.label_map(np.zeros((2, 2), int), most=1)


@pytest.mark.parametrize("draw", [plot.label_map, plot.ambiguity_map])
def test_a_map_without_points_is_refused(draw):
    with pytest.raises(SettingError, match=r"has no points: its shape is \(0, 4\)"):
        draw(np.empty((0, 4), int))
    with pytest.raises(SettingError, match="has no points"):
        draw(xr.DataArray(np.empty((4, 0), int), dims=("y", "x")))


@pytest.mark.parametrize("component", [-1, 3, 1.0, "1"])
def test_an_array_has_its_own_components_alone(component):
    with pytest.raises(SettingError, match="There is no component"):
        plot.posterior_map(np.full((4, 5, 3), 1 / 3), component)
