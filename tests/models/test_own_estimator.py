"""An estimator of one's own is one class and one line in the table."""

import inspect

import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal
from sklearn.base import clone

from daskgmm import GaussianMixture, load_model
from daskgmm.cli import main
from daskgmm.errors import ModelFileError
from daskgmm.models.estimator import MixtureEstimator
from daskgmm.models.estimators import ESTIMATORS
from daskgmm.testing import EstimatorTests


class AxisAlignedMixture(MixtureEstimator):
    """Clusters along the axes of standardised columns, that none may collapse in."""

    covariance_type, prior, standardise = "diag", "conjugate", True

    def __init__(self, n_components=2, *, missing="error", random_state=None):
        self.n_components, self.missing = n_components, missing
        self.random_state = random_state


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(ESTIMATORS, "AxisAlignedMixture", AxisAlignedMixture)


class TestAxisAlignedMixture(EstimatorTests):
    estimator = AxisAlignedMixture


@pytest.fixture
def x():
    random = np.random.default_rng(0)
    return np.concatenate([random.normal(size=(500, 2)) + center for center in (0.0, 9.0)])


def test_fit_predict_save_and_load(x, tmp_path):
    own = AxisAlignedMixture(2, random_state=0).fit(da.from_array(x, chunks=(300, 2)))
    same = {"covariance_type": "diag", "prior": "conjugate", "standardise": True}
    assert_array_equal(own.predict(x), GaussianMixture(2, random_state=0, **same).fit_predict(x))
    own.save(tmp_path / "m.json")
    for again in (load_model(tmp_path / "m.json"), AxisAlignedMixture.load(tmp_path / "m.json")):
        assert type(again) is AxisAlignedMixture
        assert again.get_params() == own.get_params()
        assert_array_equal(again.predict_proba(x), own.predict_proba(x))
    assert clone(own).get_params() == own.get_params()
    with pytest.raises(ValueError, match="n_components"):
        AxisAlignedMixture(0).fit(x)
    with pytest.raises(ValueError, match="'prior' parameter of Wrong"):
        type("Wrong", (AxisAlignedMixture,), {"prior": "conjugat"})(2).fit(x)


def test_the_command_line_predicts_with_it(x, tmp_path, capsys):
    own = AxisAlignedMixture(random_state=0).fit(x)
    own.save(tmp_path / "m.json")
    zarr.create_array(tmp_path / "x.zarr", data=x)
    paths = [str(tmp_path / name) for name in ("m.json", "x.zarr", "out.zarr")]
    main(["predict", paths[0], paths[1], "--out", paths[2], "-q"], standalone_mode=False)
    assert_array_equal(zarr.open_group(paths[2])["label"][:], own.predict(x))
    main(["info", paths[0]], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "prior" in shown
    assert "random_state=0, missing=error" in shown


def test_a_file_says_what_it_holds(x, tmp_path):
    AxisAlignedMixture(random_state=0).fit(x).save(tmp_path / "m.json")
    with pytest.raises(ModelFileError, match=r"holds a AxisAlignedMixture, not a GaussianMixture"):
        GaussianMixture.load(tmp_path / "m.json")
    del ESTIMATORS["AxisAlignedMixture"]
    with pytest.raises(ModelFileError, match=r"none of GaussianMixture\. Import the module"):
        load_model(tmp_path / "m.json")


def test_a_subclass_that_nobody_registered_is_read_as_what_it_is_made_from(x, tmp_path):
    class Named(GaussianMixture):
        pass

    Named(2, random_state=0).fit(x).save(tmp_path / "m.json")
    assert type(load_model(tmp_path / "m.json")) is GaussianMixture
    assert type(Named.load(tmp_path / "m.json")) is Named


def test_defaults_are_those_of_the_signature():
    for name, parameter in inspect.signature(GaussianMixture).parameters.items():
        assert getattr(MixtureEstimator, name) == parameter.default
