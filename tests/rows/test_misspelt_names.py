"""Names that are not there are refused with the one that was meant."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from daskgmm import GaussianMixture, GaussianMixtureClassifier, open_data, open_labelled
from daskgmm.errors import DaskGMMError
from daskgmm.spelling import MANY, did_you_mean


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table as CSV."""
    path = tmp_path_factory.mktemp("table") / "trees.csv"
    values = np.random.default_rng(0).normal(size=(40, 2))
    frame = pd.DataFrame(values, columns=["height", "girth"])
    frame.assign(Species=["oak", "ash"] * 20).to_csv(path, index=False)
    return path


def grid():
    return xr.Dataset({"temp": (("row", "depth"), np.zeros((4, 2)))})


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda table: open_data(table, columns=["heigth"]), "'height'"),
        (lambda table: open_data(table, columns=["HEIGHT"]), "'height'"),
        (
            lambda table: GaussianMixture(1).fit(
                open_data(table, columns=["height"]), sample_weight="girht"
            ),
            "'girth'",
        ),
        (
            lambda table: GaussianMixtureClassifier(1).fit(
                open_data(table, columns=["height"]), "Girth"
            ),
            "'girth'",
        ),
        (lambda _: GaussianMixture(1).fit(grid(), feature_dims=["dept"]), "'depth'"),
        (lambda _: GaussianMixture(1).fit(grid(), sample_weight="tmep"), "'temp'"),
    ],
)
def test_the_name_that_was_meant(table, call, meant):
    with pytest.raises(DaskGMMError, match=f"Did you mean {meant}\\?"):
        call(table)


def test_a_variable_that_was_meant(tmp_path):
    grid().to_zarr(tmp_path / "ocean.zarr", consolidated=False)
    with pytest.raises(DaskGMMError, match=r"no variable 'tmep'\. Did you mean 'temp'"):
        open_labelled(tmp_path / "ocean.zarr", ["tmep"])


def test_nothing_is_guessed_of_names_that_are_far_or_too_many():
    assert did_you_mean("a", ["b", "height"]) == ""
    assert did_you_mean("b0", (f"b{number}" for number in range(MANY + 1))) == ""


def test_columns_given_as_options_of_a_store(table):
    with pytest.raises(TypeError, match=r"storage_options are a mapping.*a list.*columns=\[\.\.\."):
        open_data(table, ["height"])
    with pytest.raises(TypeError, match=r"storage_options are a mapping"):
        open_labelled(table, None, "anon")


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("id", ["kind", "star_id"], "star_id"),
        ("ID", ["kind", "Star ID"], "Star ID"),
        ("flx", ["flx_b", "flux"], "flux"),
        ("id", ["kind", "star_id", "field_id"], "kind"),  # of two nobody knows which
    ],
)
def test_a_word_of_one_name_is_that_name(name, known, meant):
    assert did_you_mean(name, known) == f" Did you mean {meant!r}?"
