"""Priors with hyperparameters of the user: modes in closed form, files, and early refusals."""

import json
import pickle

import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.testing import assert_allclose
from scipy.stats import invwishart, multivariate_normal
from sklearn.base import clone

from daskgmm import ConjugatePrior, DirichletPrior, GaussianMixture, load_model, sweep
from daskgmm.cli import main
from daskgmm.errors import CheckpointError, ModelFileError, SettingError

D, N = 3, 50
SCALE = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 2.0]])
MEAN = np.array([1.0, -2.0, 0.5])


@pytest.fixture
def x():
    return np.random.default_rng(3).normal(size=(N, D)) * [1.0, 2.0, 3.0] + 5.0


def test_the_mode_of_one_component_is_that_of_the_closed_form(x):
    prior = ConjugatePrior(mean_count=7.0, mean=MEAN, degrees_of_freedom=12.0, scale=SCALE)
    mixture = GaussianMixture(1, prior=prior, reg_covar=0.0).fit(x)
    mean, within = x.mean(0), (x - x.mean(0)).T @ (x - x.mean(0))
    shift = mean - MEAN
    assert_allclose(mixture.means_[0], (N * mean + 7.0 * MEAN) / (N + 7.0), rtol=1e-12)
    scatter = SCALE + within + 7.0 * N / (7.0 + N) * np.outer(shift, shift)
    assert_allclose(mixture.covariances_[0], scatter / (N + 12.0 + D + 2), rtol=1e-12)


def test_the_mode_is_that_of_the_densities_of_scipy(x):
    prior = ConjugatePrior(mean_count=7.0, mean=MEAN, degrees_of_freedom=12.0, scale=SCALE)
    mixture = GaussianMixture(1, prior=prior, reg_covar=0.0).fit(x)

    def log_posterior(mean, covariance):
        return (
            multivariate_normal(mean, covariance).logpdf(x).sum()
            + multivariate_normal(MEAN, covariance / 7.0).logpdf(mean)
            + invwishart(12.0, SCALE).logpdf(covariance)
        )

    mean, covariance = mixture.means_[0], mixture.covariances_[0]
    best, random = log_posterior(mean, covariance), np.random.default_rng(0)
    for _ in range(50):
        turn = np.eye(D) + 1e-2 * random.normal(size=(D, D))
        moved = mean + 1e-2 * random.normal(size=D), turn @ covariance @ turn.T
        assert log_posterior(*moved) < best


def test_without_a_count_the_means_have_no_prior(x):
    prior = ConjugatePrior(mean_count=0.0, degrees_of_freedom=12.0, scale=SCALE)
    mixture = GaussianMixture(1, prior=prior, reg_covar=0.0).fit(x)
    within = (x - x.mean(0)).T @ (x - x.mean(0))
    assert_allclose(mixture.means_[0], x.mean(0), rtol=1e-12)
    assert_allclose(mixture.covariances_[0], (SCALE + within) / (N + 12.0 + D + 1), rtol=1e-12)


def test_each_component_may_have_a_prior_of_its_own():
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(size=(30, 2)), random.normal(size=(60, 2)) + 50.0])
    means, scales = np.array([[0.0, 1.0], [50.0, 40.0]]), np.stack([np.eye(2), 9.0 * np.eye(2)])
    prior = ConjugatePrior(
        mean_count=1e9, mean=means, degrees_of_freedom=1e9, scale=1e9 * scales, concentration=31.0
    )
    mixture = GaussianMixture(2, prior=prior, means_init=means).fit(x)
    assert_allclose(mixture.means_, means, atol=1e-5)
    assert_allclose(mixture.covariances_, scales, rtol=1e-5, atol=1e-6)
    assert_allclose(mixture.weights_, [60 / 150, 90 / 150], rtol=1e-6)


@pytest.mark.slow
def test_names_are_the_defaults(x):
    for name, prior in (("conjugate", ConjugatePrior()), ("dirichlet", DirichletPrior())):
        one = GaussianMixture(2, prior=name, random_state=0).fit(x)
        other = GaussianMixture(2, prior=prior, random_state=0).fit(x)
        assert (one.means_ == other.means_).all()
        assert one.lower_bounds_ == other.lower_bounds_


def test_files_clones_and_pickles_keep_the_hyperparameters(x, tmp_path):
    prior = ConjugatePrior(mean_count=7.0, mean=MEAN, degrees_of_freedom=12, scale=SCALE)
    mixture = GaussianMixture(1, prior=prior, random_state=0).fit(x)
    mixture.save(tmp_path / "m.json")
    for again in (load_model(tmp_path / "m.json"), pickle.loads(pickle.dumps(mixture))):
        assert again.prior == prior
        assert (again.fit(x).means_ == mixture.means_).all()
    assert clone(mixture).prior == prior
    GaussianMixture(2, prior=ConjugatePrior(), random_state=0).fit(x).save(tmp_path / "n.json")
    assert json.loads((tmp_path / "n.json").read_text())["settings"]["prior"] == "conjugate"


@pytest.mark.slow
def test_a_checkpoint_is_of_its_hyperparameters(x, tmp_path):
    for fit in (
        lambda prior: GaussianMixture(2, prior=prior, random_state=0).fit(
            x, checkpoint=tmp_path / "f"
        ),
        lambda prior: sweep(x, (1, 2), prior=prior, random_state=0, checkpoint=tmp_path / "s"),
    ):
        fit("conjugate")
        fit(ConjugatePrior())
        with pytest.raises(CheckpointError, match="density of the prior: other than before"):
            fit(ConjugatePrior(scale=SCALE))


@pytest.mark.parametrize(
    ("prior", "said"),
    [
        (ConjugatePrior(mean=np.zeros(2)), r"mean has the shape \(2,\); give one of \(3,\) or"),
        (ConjugatePrior(scale=np.eye(2)), r"scale has the shape \(2, 2\); give one of \(3, 3\) or"),
        (ConjugatePrior(scale=np.ones((3, 3))), "not symmetric and positive definite"),
        (ConjugatePrior(scale=np.triu(np.ones((3, 3)))), "not symmetric and positive definite"),
        (ConjugatePrior(degrees_of_freedom=2.0), "3 features need more than 2"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_read(prior, said):
    def read(block_info=None):
        raise AssertionError("a chunk was read")

    x = da.map_blocks(read, chunks=((10,), (3,)), dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(SettingError, match=said):
        GaussianMixture(2, prior=prior).fit(x)
    with pytest.raises(SettingError, match=said):
        sweep(x, (1, 2), prior=prior)


def test_a_scale_for_each_component_is_not_for_a_shared_covariance(x):
    prior = ConjugatePrior(scale=np.stack([np.eye(3)] * 2))
    GaussianMixture(2, prior=prior).fit(x)
    with pytest.raises(SettingError, match=r"\(2, 3, 3\); give one of \(3, 3\)\."):
        GaussianMixture(2, covariance_type="tied", prior=prior).fit(x)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mean_count": -1.0}, {"mean_count": np.nan}, {"mean_count": "1"}, {"mean_count": True},
        {"concentration": 0.5}, {"mean": [np.nan, 0.0]}, {"scale": np.full((2, 2), np.inf)},
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused_at_once(wrong):
    with pytest.raises(SettingError, match=f"The prior's {next(iter(wrong))} is"):
        ConjugatePrior(**wrong)


@pytest.mark.slow
def test_a_file_with_other_hyperparameters_is_refused(x, tmp_path):
    prior = ConjugatePrior(mean_count=7.0)
    GaussianMixture(2, prior=prior, random_state=0).fit(x).save(tmp_path / "m.json")
    text = (tmp_path / "m.json").read_text()
    (tmp_path / "m.json").write_text(text.replace('"mean_count"', '"mean_size_"'))
    with pytest.raises(ModelFileError, match=r"m\.json"):
        load_model(tmp_path / "m.json")


def test_command_line(x, tmp_path, capsys):
    zarr.create_array(tmp_path / "x.zarr", data=x)
    arguments = [
        "fit",
        str(tmp_path / "x.zarr"),
        "-k",
        "2",
        "-q",
        "--out",
        str(tmp_path / "m.json"),
    ]
    given = "conjugate:mean_count=7,degrees_of_freedom=12"
    assert main([*arguments, "--prior", given], standalone_mode=False) in (None, 0)
    fitted = load_model(tmp_path / "m.json")
    assert fitted.prior == ConjugatePrior(mean_count=7.0, degrees_of_freedom=12.0)
    for wrong, said in (
        ("other:mean_count=1", "not one of 'conjugate', 'dirichlet'"),
        ("conjugate:count=1", "has the hyperparameters mean_count, mean, degrees"),
        ("conjugate:mean_count=x", "not a number of a hyperparameter"),
        ("conjugate:mean_count=-1", "at least 0"),
    ):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--prior", wrong])
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
