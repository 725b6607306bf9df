"""A prior of one's own is one class and one line in the table."""

from dataclasses import replace

import numpy as np
import pytest
import zarr
from numpy.testing import assert_allclose
from sklearn.base import clone

from daskgmm import GaussianMixture, sweep
from daskgmm.cli import main
from daskgmm.errors import CheckpointError, EntryError
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.priors.prior import Prior, PseudoMoments
from daskgmm.gaussian.priors.table import PRIORS
from daskgmm.models.model_file import load_model
from daskgmm.testing import PriorTests


class EvenWeights(Prior):
    """A symmetric Dirichlet distribution of the weights, with alpha = 21."""

    name, count = "even", 20.0

    def pseudo_moments(self, k, mean, covariance, structure):
        d, m = len(mean), structure.n_covariances(k)
        none = np.zeros(k), np.tile(mean, (k, 1)), np.zeros(m), np.zeros((m, d, d))
        return PseudoMoments(np.full(k, self.count), *none)


EVEN = EvenWeights()


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(PRIORS, EVEN.name, EVEN)


class TestEvenWeights(PriorTests):
    name, prior = "even", EVEN


@pytest.fixture
def x():
    random = np.random.default_rng(0)
    return np.concatenate([random.normal(size=(90, 2)), random.normal(size=(10, 2)) + 20])


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda *about: None, "its pseudo_moments returned a NoneType instead of PseudoMoments"),
        (lambda *about: np.ones(3), "returned a ndarray instead of PseudoMoments"),
        (
            lambda k, mean, *about: EVEN.pseudo_moments(3, np.zeros(5), *about),
            r"means of shape \(3, 5\); 2 components of 2 features need the shape \(2, 2\)",
        ),
    ],
)
def test_what_is_no_prior_is_an_error_of_the_entry(x, monkeypatch, returned, message):
    monkeypatch.setitem(
        PRIORS, "even", type("Own", (Prior,), {"pseudo_moments": staticmethod(returned)})()
    )
    for fit in (GaussianMixture(2, prior="even").fit, lambda x: sweep(x, [2], prior="even")):
        with pytest.raises(EntryError, match=f"'even' of daskgmm.gaussian.PRIORS.*{message}"):
            fit(x)


@pytest.mark.slow
def test_fit_sweep_save_load_and_predict(x, tmp_path):
    mixture = GaussianMixture(2, prior="even", random_state=0).fit(x)
    assert_allclose(sorted(mixture.weights_), [30 / 140, 110 / 140], rtol=1e-6)
    mixture.save(tmp_path / "m.json")
    again = load_model(tmp_path / "m.json")
    assert again.prior == "even"
    assert (again.predict_proba(x) == mixture.predict_proba(x)).all()
    best = sweep(x, (1, 2, 3), prior="even", random_state=0).best()
    assert_allclose(sorted(best.weights_), [30 / 140, 110 / 140], rtol=1e-6)
    del PRIORS["even"]
    without = load_model(tmp_path / "m.json")
    assert without.prior == "even"
    assert (without.predict_proba(x) == mixture.predict_proba(x)).all()
    without.save(tmp_path / "again.json")
    assert load_model(tmp_path / "again.json").lower_bound_ == mixture.lower_bound_
    with pytest.raises(ValueError, match=r"'prior' parameter .* 'even'"):
        without.fit(x)


def other(monkeypatch):
    """Put a prior of the same name and other hyperparameters into the table."""
    weaker = type("EvenWeights", (EvenWeights,), {"count": 2.0})()
    monkeypatch.setitem(PRIORS, "even", weaker)


def test_checkpoints_are_of_the_hyperparameters_too(x, tmp_path, monkeypatch):
    fitted = GaussianMixture(2, prior="even", random_state=0).fit(x, checkpoint=tmp_path / "f")
    again = clone(fitted).fit(x, checkpoint=tmp_path / "f")
    assert again.lower_bounds_ == fitted.lower_bounds_
    sweep(x, (1, 2), prior="even", random_state=0, checkpoint=tmp_path / "s")
    other(monkeypatch)
    with pytest.raises(CheckpointError, match="density of the prior: other than before"):
        clone(fitted).fit(x, checkpoint=tmp_path / "f")
    with pytest.raises(CheckpointError, match="density of the prior: other than before"):
        sweep(x, (1, 2), prior="even", random_state=0, checkpoint=tmp_path / "s")


@pytest.mark.parametrize("kept", ["here", "file", "sweep"])
def test_a_warm_start_under_other_hyperparameters_begins_its_bounds_anew(
    kept, x, tmp_path, monkeypatch
):
    mixture = GaussianMixture(2, prior="even", random_state=0).fit(x)
    if kept == "file":
        mixture.save(tmp_path / "m.json")
        mixture = load_model(tmp_path / "m.json")
    if kept == "sweep":
        mixture = sweep(x, (2, 3), prior="even", random_state=0).models[0]
    mixture.set_params(warm_start=True).fit(x)
    assert np.isfinite(mixture.history_["change"][0])
    other(monkeypatch)
    mixture.fit(x)
    assert np.isinf(mixture.history_["change"][0])


def test_command_line(x, tmp_path):
    zarr.create_array(tmp_path / "x.zarr", data=x)
    data, out = str(tmp_path / "x.zarr"), str(tmp_path / "m.json")
    arguments = ["fit", data, "-k", "2", "--prior", "even", "--out", out, "-q"]
    assert main(arguments, standalone_mode=False) in (None, 0)
    assert_allclose(sorted(load_model(out).weights_), [30 / 140, 110 / 140], rtol=1e-6)


@pytest.mark.parametrize("wrong", [np.nan, -1.0])
def test_pseudo_moments_that_are_no_density_are_refused(wrong):
    good = PRIORS["conjugate"].pseudo_moments(2, np.zeros(3), np.eye(3), STRUCTURES["full"])
    for name in ("counts", "mean_counts", "scale_counts"):
        with pytest.raises(ValueError, match=name):
            replace(good, **{name: np.full(2, wrong)})
    with pytest.raises(ValueError, match=r"shapes \(3,\).* need \(2,\)"):
        replace(good, counts=np.zeros(3))
    with pytest.raises(ValueError, match="not all finite"):
        replace(good, means=np.full((2, 3), np.inf))
