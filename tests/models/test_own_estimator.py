"""An estimator of one's own is one class and one line in the table."""

import inspect
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.mixture import GaussianMixture as Reference

from daskgmm import BayesianGaussianMixture, GaussianMixture, load_model, sweep
from daskgmm.cli import main
from daskgmm.em.objective import objective_name
from daskgmm.errors import ModelFileError
from daskgmm.models.estimators import ESTIMATORS
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.testing import EstimatorTests
from daskgmm.testing.estimators import FITS_OF_ANY_SIZE


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


class Deaf(GaussianMixture):
    """Ignores a setting."""

    ignored = ()

    def _settings(self, *arguments):
        return replace(super()._settings(*arguments), **dict(self.ignored))


@FITS_OF_ANY_SIZE
@pytest.mark.parametrize(
    ("ignored", "test"),
    [
        ({"n_components": 2}, EstimatorTests.test_it_has_as_many_components_as_it_is_asked_for),
        ({"structure": "full"}, EstimatorTests.test_it_has_the_structure_that_it_is_asked_for),
    ],
)
def test_an_estimator_that_ignores_a_parameter_does_not_pass(ignored, test):
    class Tests(EstimatorTests):
        estimator = Deaf

    test(Tests())
    Tests.estimator = type("Deaf", (Deaf,), {"ignored": tuple(ignored.items())})
    with pytest.raises(AssertionError):
        test(Tests())


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


@pytest.mark.slow
def test_it_is_swept(x, tmp_path):
    found = sweep(x, range(1, 5), estimator=AxisAlignedMixture(missing="drop"), random_state=0)
    same = {"prior": "conjugate", "standardise": True, "missing": "drop"}
    plain = sweep(x, range(1, 5), "diag", random_state=0, **same)
    assert found.table == plain.table
    best = found.best()
    assert type(best) is AxisAlignedMixture
    own = best.get_params()
    assert (own["n_components"], own["missing"]) == (2, "drop")
    assert_array_equal(best.predict_proba(x), plain.best().predict_proba(x))
    best.save(tmp_path / "m.json")
    assert_array_equal(load_model(tmp_path / "m.json").predict(x), best.predict(x))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"estimator": AxisAlignedMixture}, TypeError, "give an estimator of daskgmm, such as"),
        ({"estimator": Reference()}, TypeError, "give an estimator of daskgmm, such as"),
        ({"estimator": BayesianGaussianMixture()}, TypeError, "no likelihood that criteria"),
        ({"noise": True}, ValueError, "beside an estimator"),
        ({"covariance_type": "full"}, ValueError, "of AxisAlignedMixture is always 'diag'"),
        ({"tol": 1e-4}, ValueError, r"set it there, as in AxisAlignedMixture\(tol=0.0001\)"),
        ({"prior": "conjugate"}, ValueError, "beside an estimator"),
    ],
)
def test_a_sweep_refuses_settings_that_are_the_estimators(x, settings, error, message):
    with pytest.raises(error, match=message):
        sweep(x, [1, 2], **{"estimator": AxisAlignedMixture(), **settings})


def test_an_estimator_of_one_size_is_not_swept(x):
    class Pair(MixtureEstimator):
        n_components = 2

        def __init__(self, random_state=None):
            self.random_state = random_state

    with pytest.raises(ValueError, match="Pair has no parameter n_components"):
        sweep(x, [1, 2], estimator=Pair())


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
    with pytest.raises(ModelFileError, match=r"not one of Gauss.*Mixture\. Import the module"):
        load_model(tmp_path / "m.json")


def test_a_subclass_that_nobody_registered_is_read_as_what_it_is_made_from(x, tmp_path):
    class Named(GaussianMixture):
        pass

    Named(2, random_state=0).fit(x).save(tmp_path / "m.json")
    assert type(load_model(tmp_path / "m.json")) is GaussianMixture
    assert type(Named.load(tmp_path / "m.json")) is Named


class Stations(GaussianMixture):
    """Settings as attributes of the class, and a parameter of its own."""

    covariance_type, missing, prior, reg_covar = "diag", "drop", "conjugate", 1e-3

    def __init__(self, n_components=2, *, region="north", random_state=None):
        self.n_components, self.region, self.random_state = n_components, region, random_state


FIXED = {"covariance_type": "diag", "missing": "drop", "prior": "conjugate", "reg_covar": 1e-3}


@pytest.mark.parametrize("load", [load_model, GaussianMixture.load, Stations.load])
def test_files_hold_the_attributes_of_the_class(load, x, tmp_path):
    x[3, 1] = np.nan
    own = Stations(random_state=0, region="south").fit(x)
    own.save(tmp_path / "m.json")
    again = load(tmp_path / "m.json")
    assert {name: getattr(again, name) for name in FIXED} == FIXED
    assert_array_equal(again.predict_proba(x), own.predict_proba(x))
    assert objective_name(again._ended_with.prior) == "log posterior"
    assert getattr(again, "region", None) == ("south" if type(again) is Stations else None)
    again.save(tmp_path / "again.json")
    assert_array_equal(load_model(tmp_path / "again.json").predict_proba(x), own.predict_proba(x))


def test_a_class_reads_what_it_is_made_from_with_the_settings_of_the_file(x, tmp_path):
    GaussianMixture(2, random_state=0, reg_covar=1e-2).fit(x).save(tmp_path / "m.json")
    again = Stations.load(tmp_path / "m.json")
    found = again.covariance_type, again.missing, again.prior, again.reg_covar
    assert found == ("full", "error", None, 1e-2)
    assert Stations.covariance_type == "diag"


def test_scikit_learn_gets_the_attributes_of_the_class(x):
    class Three(AxisAlignedMixture):
        n_components, reg_covar, standardise = 3, 1e-3, False

        def __init__(self, *, random_state=None):
            self.random_state = random_state

    own = Three(random_state=0).fit(x)
    reference = own.to_sklearn()
    assert (reference.n_components, reference.reg_covar) == (3, 1e-3)
    assert reference.bic(x) == pytest.approx(own.bic(x), rel=1e-12)
    back = Three.from_sklearn(reference)
    assert type(back) is Three
    assert_array_equal(back.predict_proba(x), own.predict_proba(x))
    with pytest.raises(ValueError, match=r"Three has n_components=3, .* has n_components=2\. Use"):
        Three.from_sklearn(Reference(2, covariance_type="diag").fit(x))
    with pytest.raises(ValueError, match=r"has covariance_type='diag'.*covariance_type='full'"):
        Three.from_sklearn(Reference(3).fit(x))


def test_scikit_learn_gives_the_coordinates_of_the_class(x):
    own = AxisAlignedMixture(random_state=0).fit(x)
    back = AxisAlignedMixture.from_sklearn(own.to_sklearn())
    assert back.get_params()["n_components"] == 2
    assert_array_equal(back.predict(x), own.predict(x))
    with pytest.raises(ValueError, match=r"standardise=True.*standardise=False"):
        AxisAlignedMixture.from_sklearn(Reference(2, covariance_type="diag").fit(x))


def test_defaults_are_those_of_the_signature():
    for name, parameter in inspect.signature(GaussianMixture).parameters.items():
        assert getattr(MixtureEstimator, name) == parameter.default
