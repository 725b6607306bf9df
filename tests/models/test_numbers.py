"""Settings are numbers of Python's or NumPy's; what is no number of axes is refused."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import daskgmm
from daskgmm import GaussianMixture, load_model
from tests.oracle.data import blobs

X = blobs(400, 3, 2, separation=10)


@pytest.mark.parametrize(
    ("name", "given", "plain"),
    [
        ("n_components", np.int64(2), 2),
        ("tol", np.float32(0.25), 0.25),
        ("tol", np.longdouble(0.25), 0.25),
        ("reg_covar", np.float16(2**-14), 2**-14),
        ("max_iter", np.uint8(50), 50),
        ("n_init", np.int32(2), 2),
        ("sample_rows", np.int64(150), 150),
        ("standardise", np.True_, True),
        ("pca", np.int64(2), 2),
        ("pca", np.float32(0.75), 0.75),
        ("pca", np.float64(0.75), 0.75),
        ("random_state", np.int64(3), 3),
        ("verbose", np.int64(0), 0),
        ("verbose_interval", np.int64(3), 3),
        ("warm_start", np.False_, False),
    ],
)
def test_numbers_of_numpy_are_numbers(name, given, plain, tmp_path):
    settings = {"n_components": 2, "random_state": 0, "init_params": "k-means++", "n_init": 1}
    expected = GaussianMixture(**{**settings, name: plain}).fit(X)
    path = tmp_path / "fit.ckpt"
    found = GaussianMixture(**{**settings, name: given}).fit(X, checkpoint=path)
    assert_array_equal(found.means_, expected.means_)
    found.save(tmp_path / "m.json")
    assert load_model(tmp_path / "m.json").get_params() == expected.get_params()
    # A checkpoint does not tell them apart.
    again = GaussianMixture(**{**settings, name: plain}).fit(X, checkpoint=path)
    assert_array_equal(again.means_, expected.means_)


@pytest.mark.parametrize("pca", [np.float32(0.75), np.int64(2)])
def test_so_they_are_in_plans_and_sweeps(pca):
    settings = {"pca": pca, "sample_rows": np.int64(300), "cache": np.int64(10**6)}
    plain = {"pca": pca.item(), "sample_rows": 300, "cache": 10**6}
    assert str(daskgmm.plan(X, np.int64(2), **settings)) == str(daskgmm.plan(X, 2, **plain))
    found = daskgmm.sweep(X, [np.int64(2)], n_init=np.int64(1), random_state=0, **settings)
    expected = daskgmm.sweep(X, [2], n_init=1, random_state=0, **plain)
    assert found.table == expected.table


@pytest.mark.parametrize("pca", [True, False, np.True_, 0, 0.0, 1.0, -1, 1.5, "2"])
def test_what_is_no_number_of_axes_is_refused(pca):
    advice = r"'pca' parameter .* a number of axes \(an int from 1 on\), .*0\.99; True is neither"
    for call in (GaussianMixture(2, pca=pca).fit, lambda x: daskgmm.plan(x, 2, pca=pca)):
        with pytest.raises(ValueError, match=advice):
            call(X)


SHAPES = {"full": (2, 3, 3), "tied": (3, 3), "diag": (2, 3), "spherical": (2,)}


@pytest.mark.parametrize("given", [(2, 2), (3, 3, 3), (2, 2, 2, 2), (5,)])
@pytest.mark.parametrize("structure", SHAPES)
def test_precisions_of_other_dimensions_are_named(structure, given):
    mixture = GaussianMixture(2, covariance_type=structure, precisions_init=np.ones(given))
    with pytest.raises(ValueError, match="should have the shape of") as refused:
        mixture.fit(X)
    assert str(refused.value) == (
        f"The parameter '{structure} precision' should have the shape of {SHAPES[structure]}, but "
        f"got {given}. Give precisions_init as covariance_type='{structure}' has it for "
        "n_components=2 and 3 columns."
    )
