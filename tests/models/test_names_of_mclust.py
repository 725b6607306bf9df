"""mclust's names for the structures of scikit-learn: taken everywhere, kept nowhere."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_array_equal

from daskgmm import BayesianGaussianMixture, GaussianMixture, load_model, plan, sweep
from daskgmm.cli import main
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.names import NAMES_OF_MCLUST
from tests.oracle.data import blobs

X = blobs(400, 3, 2, seed=3)
EVERY = pytest.mark.parametrize(("name", "known"), NAMES_OF_MCLUST.items())
KINDS = pytest.mark.parametrize("kind", [GaussianMixture, BayesianGaussianMixture])


@EVERY
@KINDS
def test_a_fit_has_the_structure_and_the_file_its_name(kind, name, known, tmp_path):
    mixture = kind(2, covariance_type=name, random_state=0).fit(X)
    other = kind(2, covariance_type=known, random_state=0).fit(X)
    assert mixture.covariance_type == name, "a fit changes no setting"
    assert_array_equal(mixture.covariances_, other.covariances_)
    assert_array_equal(mixture.predict(X), other.predict(X))
    mixture.save(tmp_path / "m.json")
    assert json.loads((tmp_path / "m.json").read_text())["settings"]["covariance_type"] == known
    loaded = load_model(tmp_path / "m.json")
    assert loaded.covariance_type == known
    assert_array_equal(loaded.covariances_, mixture.covariances_)
    reference = mixture.to_sklearn()
    assert reference.covariance_type == known
    assert kind.from_sklearn(reference).covariance_type == known


@EVERY
def test_a_checkpoint_and_a_warm_start_take_both_names_for_the_same(name, known, tmp_path):
    settings = {"random_state": 0, "warm_start": True, "tol": 1e-6}
    mixture = GaussianMixture(2, covariance_type=name, **settings).fit(X, checkpoint=tmp_path / "c")
    other = GaussianMixture(2, covariance_type=known, **settings).fit(X, checkpoint=tmp_path / "c")
    assert_array_equal(mixture.means_, other.means_)
    again = other.set_params(covariance_type=name).fit(X)
    assert again.lower_bound_ >= mixture.lower_bound_ - 1e-12
    assert plan(X, 2, covariance_type=name) == plan(X, 2, covariance_type=known)


@EVERY
def test_what_depends_on_the_structure_takes_the_name(name, known):
    given, known_as = (
        GaussianMixture(2, covariance_type=each, random_state=0).fit(X) for each in (name, known)
    )
    assert given.bic(X) == known_as.bic(X)
    assert_array_equal(given.map_adapt(X[:50]).means_, known_as.map_adapt(X[:50]).means_)
    assert_array_equal(given.sort_components().means_, known_as.sort_components().means_)
    start = {"precisions_init": known_as.precisions_, "means_init": known_as.means_}
    assert GaussianMixture(2, covariance_type=name, **start).fit(X).converged_


def test_a_sweep_has_each_structure_once_under_one_name():
    asked = ("VVV", "full", "EEE", "EEI")
    found = sweep(X, (2,), asked, n_init=1, random_state=0)
    assert set(found.table["covariance_type"]) == {"full", "tied", "EEI"}
    of_estimator = sweep(X, (2,), estimator=GaussianMixture(covariance_type="VII"), random_state=0)
    assert set(of_estimator.table["covariance_type"]) == {"spherical"}
    assert of_estimator.best().covariance_type == "spherical"


def test_no_name_is_in_the_table():
    """All of them in a sweep are as many as there are structures."""
    assert not set(NAMES_OF_MCLUST) & set(STRUCTURES)


@KINDS
@pytest.mark.parametrize("name", ["vvv", "VEX", "EIE"])
def test_other_names_are_refused_and_told_which_there_are(kind, name):
    with pytest.raises(ValueError, match=f"'VVI' for 'diag'.* Got '{name}'"):
        kind(2, covariance_type=name).fit(X)


def test_a_posterior_has_no_structure_that_only_point_estimates_have():
    with pytest.raises(ValueError, match="Got 'EEV'"):
        BayesianGaussianMixture(2, covariance_type="EEV").fit(X)


@EVERY
def test_the_command_line_fits_and_adapts(name, known, tmp_path):
    np.save(tmp_path / "x.npy", X)
    data, model, new = (str(tmp_path / end) for end in ("x.npy", "m.json", "n.json"))
    run = CliRunner().invoke
    commands = (
        ["fit", data, "-k", "2", "-o", model, "--covariance", name],
        ["adapt", model, data, "-o", new],
        ["plan", data, "-k", "2", "--covariance", name],
        ["sweep", data, "-k", "1-2", "-o", model, "--overwrite", "--covariance", name],
    )
    for command in commands:
        found = run(main, command)
        assert found.exit_code == 0, found.output
    assert load_model(new).covariance_type == load_model(model).covariance_type == known
    assert f"{known} covariance" in found.output
    wrong = run(main, ["fit", data, "-k", "2", "-o", model, "--covariance", "VIV"])
    assert wrong.exit_code == 2
    assert "'VIV' is not one of" in wrong.output
