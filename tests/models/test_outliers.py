"""Rows that belong to no component: noise and contaminated tails, from fit to file."""

import copy
import json

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from joblib import hash as digest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import GaussianMixture, load_model, sweep
from daskgmm.cli import main
from daskgmm.errors import SettingError

WAYS = {"noise": {"noise": True}, "contaminated": {"tails": "contaminated"}, "t": {"tails": "t"}}
WAY = pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
N = 1000


def clusters(seed=0):
    random = np.random.default_rng(seed)
    left, right = random.normal(size=(N, 2)), random.normal((6, 0), (0.5, 1), (N, 2))
    return np.concatenate([left, right])


def outliers(kind, seed=1):
    random = np.random.default_rng(seed)
    if kind == "everywhere":
        return random.uniform(-100, 100, (N // 5, 2))
    if kind == "far cluster":
        return random.normal(80, 5, (N // 5, 2))
    return np.array([[1e6, 1e6]])


FITTED = {}
"""What was fitted to which rows with which settings."""


CHEAP = {"init_params": "k-means++", "random_state": 0}


def fitted(x, k=2, **settings):
    key = digest((x, k, settings))
    if key not in FITTED:
        FITTED[key] = GaussianMixture(k, **{**CHEAP, **settings}).fit(x)
    return copy.deepcopy(FITTED[key])


def test_a_mixture_without_room_for_outliers_refuses_to_tell_them(tmp_path):
    x = clusters()
    plain = GaussianMixture(2, **CHEAP).fit(x)
    with pytest.raises(SettingError, match=r"Fit with noise=True or .*or density_rank\(X\)"):
        plain.outlier_proba(x)
    for name in ("outlier", "outlier_probability"):
        with pytest.raises(SettingError, match=f"output '{name}' needs a mixture with room"):
            plain.predict_to_zarr(x, tmp_path / "o.zarr", ["label", name])
    assert not (tmp_path / "o.zarr").exists()
    # Noise of which no row is has room for some.
    noisy = GaussianMixture(2, noise=True, **CHEAP).fit(x)
    assert (noisy.outlier_proba(x) < 0.5).all()


def sorted_means(mixture):
    return mixture.means_[np.argsort(mixture.means_[:, 0])]


STANDARD_ERRORS = np.array([[1.0, 1.0], [0.5, 1.0]]) / np.sqrt(N)


@pytest.mark.slow
@WAY
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ResolutionWarning")
@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
@pytest.mark.parametrize("kind", ["everywhere", "far cluster", "single"])
def test_outliers_do_not_move_the_means(kind, way):
    x, far = clusters(), outliers(kind)
    clean, dirty = sorted_means(fitted(x)), np.concatenate([x, far])
    off = np.abs(sorted_means(fitted(dirty, **way)) - clean) / STANDARD_ERRORS
    assert off.max() < 3
    off = np.abs(sorted_means(fitted(dirty)) - clean) / STANDARD_ERRORS
    assert off.max() > 10


@WAY
@pytest.mark.parametrize("kind", ["everywhere", "far cluster", "single"])
def test_outliers_are_told(kind, way):
    x, far = clusters(), outliers(kind)
    mixture = fitted(np.concatenate([x, far]), **way)
    assert (mixture.outlier_proba(far) > 0.5).mean() > 0.98
    assert (mixture.outlier_proba(x) > 0.5).mean() < 0.01


@WAY
def test_room_for_outliers_costs_clean_rows_nothing(way):
    x = clusters()
    assert abs(fitted(x, **way).score(x) - fitted(x).score(x)) < 0.01


@WAY
def test_the_likelihood_never_falls_and_the_last_is_that_of_the_rows(way):
    x = np.concatenate([clusters(), outliers("everywhere")])
    mixture = fitted(x, **way)
    assert mixture.converged_
    assert np.diff(mixture.lower_bounds_).min() >= -1e-12
    assert_allclose(mixture.score(x), mixture.criteria_["log_likelihood"], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
def test_every_structure_takes_noise(structure):
    x = np.concatenate([clusters(), outliers("everywhere")])
    mixture = fitted(x, covariance_type=structure, noise=True)
    assert_allclose(sorted_means(mixture), [[0, 0], [6, 0]], atol=0.2)
    assert 0.08 < mixture.noise_weight_ < 0.1
    proba = mixture.predict_proba(x)
    assert_allclose(proba.sum(axis=1) + mixture.outlier_proba(x), 1.0, rtol=1e-12)
    assert mixture.bic(x) < fitted(x, covariance_type=structure).bic(x)


@pytest.mark.slow
@pytest.mark.parametrize("tails", ["contaminated", "t"])
@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical", "EII", "EEI", "VEV"])
def test_every_structure_takes_tails(structure, tails):
    x = np.concatenate([clusters(), outliers("far cluster")])
    cheap = {"init_params": "k-means++", "n_init": 1}
    mixture = fitted(x, covariance_type=structure, tails=tails, max_iter=300, **cheap)
    assert_allclose(sorted_means(mixture), [[0, 0], [6, 0]], atol=0.2)
    if tails == "contaminated":
        assert (mixture.inflations_ > 1).all()
    assert_allclose(mixture.predict_proba(x).sum(axis=1), 1.0, rtol=1e-12)


def test_the_density_of_noise_is_that_of_the_box():
    x = np.concatenate([clusters(), outliers("everywhere")])
    mixture = fitted(x, noise=True)
    volume = np.log(np.ptp(x, axis=0)).sum()
    assert_allclose(mixture.noise_log_volume_, volume, rtol=1e-12)
    expected = np.log(mixture.noise_weight_) - volume
    assert_allclose(mixture.score_samples([[-90.0, 90.0]]), expected, rtol=1e-6)
    assert_allclose(mixture.weights_.sum() + mixture.noise_weight_, 1.0)


def test_parameters_of_outliers_are_counted():
    x = clusters()
    plain = fitted(x).criteria_["n_parameters"]
    assert fitted(x, noise=True).criteria_["n_parameters"] == plain + 2  # as mclust counts
    assert fitted(x, tails="contaminated").criteria_["n_parameters"] == plain + 4
    assert fitted(x, tails="t").criteria_["n_parameters"] == plain + 2


def test_labels_tell_outliers_from_rows_that_miss_a_value():
    x = np.concatenate([clusters(), outliers("everywhere")])
    x[3, 1] = np.nan
    mixture = fitted(x, noise=True, missing="drop")
    labels = mixture.predict(x)
    assert labels[3] == -2
    assert (labels == -2).sum() == 1
    assert (labels[2 * N :] == -1).mean() > 0.98
    lazy = mixture.predict(da.from_array(x, chunks=(700, 2))).compute()
    assert_array_equal(lazy, labels)
    assert np.isnan(mixture.outlier_proba(x)[3])


@pytest.mark.parametrize("tails", ["contaminated", "t"])
def test_labels_of_components_with_tails_stay_components(tails):
    x = np.concatenate([clusters(), outliers("everywhere")])
    x[3, 1] = np.nan
    labels = fitted(x, tails=tails, missing="drop").predict(x)
    assert labels[3] == -1
    assert set(labels[2 * N :]) <= {0, 1}


@WAY
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_outliers_are_written_to_zarr(way, dtype, tmp_path):
    x = np.concatenate([clusters(), outliers("everywhere")])
    x[3, 1] = np.nan
    mixture = fitted(x, missing="drop", **way)
    names = ["label", "outlier", "outlier_probability"]
    written = mixture.predict_to_zarr(x, tmp_path / "p.zarr", names, dtype=dtype)
    found = xr.open_zarr(tmp_path / "p.zarr", consolidated=False).load()
    labels = mixture.predict(x)
    assert_array_equal(found.label.values, labels)
    assert_array_equal(written.counts, np.bincount(labels[labels >= 0], minlength=2))
    assert written.missing == 1
    assert written.outliers == (found.outlier.values == 1).sum() > 0
    alone = mixture.predict_to_zarr(x, tmp_path / "alone.zarr", ["outlier"])
    assert (alone.missing, alone.outliers) == (1, written.outliers)
    assert found.outlier.values[3] == -1
    chances = mixture.outlier_proba(x)
    assert_allclose(found.outlier_probability, chances, atol=1 / 500)
    if "noise" in way:
        assert_array_equal(found.outlier.values[labels > -2], labels[labels > -2] == -1)
        assert found.label.attrs["flag_meanings"].split()[:2] == ["missing", "outlier"]
    assert found.outlier.values[2 * N :].mean() > 0.98


def test_outliers_are_written_to_parquet(tmp_path):
    pd = pytest.importorskip("pandas")
    x = np.concatenate([clusters(), outliers("everywhere")])
    x[3, 1] = np.nan
    frame = pd.DataFrame(x, columns=["a", "b"])
    mixture = fitted(frame, noise=True, missing="drop")
    written = mixture.predict_to_parquet(frame, tmp_path / "p", ["label", "outlier"], key=())
    found = pd.read_parquet(tmp_path / "p")
    labels = np.asarray(mixture.predict(frame))
    assert_array_equal(found.label, labels)
    assert (written.missing, written.outliers) == (1, (labels == -1).sum())
    assert_array_equal(found.outlier, np.where(labels == -2, -1, labels == -1))


@WAY
def test_files_hold_them_to_the_bit(way, tmp_path):
    x = np.concatenate([clusters(), outliers("everywhere")])
    mixture = fitted(x, standardise=True, **way)
    mixture.save(tmp_path / "m.json")
    loaded = load_model(tmp_path / "m.json")
    assert_array_equal(loaded.predict(x), mixture.predict(x))
    assert_array_equal(loaded.score_samples(x), mixture.score_samples(x))
    assert_array_equal(loaded.outlier_proba(x), mixture.outlier_proba(x))
    assert loaded.criteria_ == mixture.criteria_
    loaded.save(tmp_path / "again.json")
    assert_array_equal(
        load_model(tmp_path / "again.json").score_samples(x), loaded.score_samples(x)
    )


def test_files_of_plain_mixtures_say_nothing_of_outliers(tmp_path):
    fitted(clusters()).save(tmp_path / "m.json")
    document = json.loads((tmp_path / "m.json").read_text())
    assert not {"noise", "contamination", "student"} & document.keys()
    assert not {"noise", "tails"} & document["settings"].keys()


@pytest.mark.parametrize(
    ("entry", "name", "value"),
    [
        ("noise", "weight", 1.5),
        ("noise", "log_volume", None),
        ("contamination", "clean_shares", [0.9]),
        ("contamination", "inflations", [0.5, 2.0]),
        ("student", "degrees_of_freedom", [0.0, 2.0]),
        ("student", "degrees_of_freedom", [2.0]),
    ],
)
def test_files_with_bad_values_are_refused(entry, name, value, tmp_path):
    from daskgmm.models.files.model_document import document_of, mixture_of

    way = WAYS[{"noise": "noise", "contamination": "contaminated", "student": "t"}[entry]]
    document = document_of(fitted(clusters(), **way))
    document[entry][name] = value
    with pytest.raises(ValueError, match=r"noise|contamination|student|shape"):
        mixture_of(document, lambda names: GaussianMixture)


@WAY
def test_weights_are_repeated_rows(way):
    x = np.concatenate([clusters(), outliers("everywhere")])
    counts = 1 + np.arange(len(x)) % 3
    settings = {"means_init": [[0, 0], [6, 0]], "weights_init": [0.5, 0.5], "max_iter": 500, **way}
    settings["precisions_init"] = np.tile(np.eye(2), (2, 1, 1))
    one = GaussianMixture(2, **settings).fit(x, sample_weight=counts, weights_are="counts")
    other = fitted(np.repeat(x, counts, axis=0), **settings)
    assert_allclose(one.means_, other.means_, rtol=1e-6, atol=1e-8)
    assert_allclose(one.criteria_["bic"], other.criteria_["bic"], rtol=1e-9)


@pytest.mark.slow
@WAY
def test_chunks_change_nothing(way):
    x = np.concatenate([clusters(), outliers("everywhere")])
    for chunk in (301, 2200):
        other = fitted(da.from_array(x, chunks=(chunk, 2)), **way)
        assert_allclose(other.means_, fitted(x, **way).means_, rtol=1e-9, atol=1e-9)


@WAY
def test_plain_em_takes_them_too(way):
    x = np.concatenate([clusters(), outliers("everywhere")])
    mixture = fitted(x, acceleration=None, **way)
    assert_allclose(sorted_means(mixture), [[0, 0], [6, 0]], atol=0.2)


@pytest.mark.parametrize("way", [WAYS["noise"], WAYS["contaminated"]])
def test_a_sample_has_their_share(way):
    x = np.concatenate([clusters(), outliers("everywhere")])
    mixture = fitted(x, **way)
    rows, labels = mixture.sample(20_000)
    assert_array_equal(np.sort(labels[labels >= 0]), labels[labels >= 0])
    if "noise" in way:
        assert_allclose((labels == -1).mean(), mixture.noise_weight_, atol=0.01)
        assert (rows[labels == -1] >= x.min(axis=0)).all()
    far = (np.abs(rows - [3, 0]) > 20).any(axis=1).mean()
    assert_allclose(far, (np.abs(x - [3, 0]) > 20).any(axis=1).mean(), atol=0.02)


@WAY
def test_components_can_be_sorted(way):
    x = np.concatenate([clusters()[: N + N // 2], outliers("everywhere")])
    mixture = fitted(x, **way)
    before = mixture.score_samples(x)
    assert_allclose(mixture.sort_components().score_samples(x), before, rtol=1e-10)


@WAY
def test_a_warm_start_goes_on(way):
    x = np.concatenate([clusters(), outliers("everywhere")])
    mixture = fitted(x, warm_start=True, **way)
    before = mixture.lower_bound_
    assert mixture.fit(x).lower_bound_ >= before - 1e-12
    mixture.set_params(noise=False, tails=None)
    with pytest.raises(ValueError, match="warm_start"):
        mixture.fit(x)


def test_a_new_fit_forgets_the_outliers_of_the_last():
    x = np.concatenate([clusters(), outliers("everywhere")])
    mixture = fitted(x, noise=True).set_params(noise=False).fit(clusters())
    assert not hasattr(mixture, "noise_weight_")
    assert (mixture.predict(x) >= 0).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": True, "tails": "contaminated"}, "one of them"),
        ({"noise": True, "tails": "t"}, "one of them"),
        ({"tails": "t", "prior": "conjugate"}, "prior=None"),
        ({"noise": True, "pca": 1}, "pca=None"),
        ({"noise": True, "pca": 0.9}, "pca=None"),
        ({"tails": "contaminated", "prior": "conjugate"}, "prior=None"),
        ({"tails": "fat"}, "tails"),
        ({"noise": "yes"}, "noise"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_before_a_row_is_read(settings, message):
    def never(block):
        raise AssertionError("a row was read")

    x = da.zeros((100, 2), chunks=(50, 2)).map_blocks(never, dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(ValueError, match=message):
        GaussianMixture(2, **settings).fit(x)


@WAY
def test_scikit_learn_has_no_such_mixture(way):
    with pytest.raises(ValueError, match="scikit-learn has no mixture"):
        fitted(clusters(), **way).to_sklearn()


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--noise"], ["--tails", "contaminated"], ["--tails", "t"]])
def test_the_command_line_fits_predicts_and_tells(options, tmp_path):
    np.save(tmp_path / "x.npy", np.concatenate([clusters(), outliers("everywhere")])[::4])
    data, model = str(tmp_path / "x.npy"), str(tmp_path / "m.json")
    run = CliRunner().invoke
    found = run(main, ["fit", data, "-k", "2", "-o", model, *options, "-q"])
    assert found.exit_code == 0, found.output
    found = run(main, ["info", model])
    assert found.exit_code == 0, found.output
    told = {"--noise": "uniform", "contaminated": "contaminated", "t": "Student-t"}
    assert told[options[-1]] in found.output
    out = str(tmp_path / "p.zarr")
    found = run(main, ["predict", model, data, "-o", out, "--outputs", "label,outlier"])
    assert found.exit_code == 0, found.output
    if options == ["--noise"]:
        assert " out " in found.output
    best = str(tmp_path / "best.json")
    found = run(main, ["sweep", data, "-k", "1-2", "-o", best, *options, "-q"])
    assert found.exit_code == 0, found.output
    swept = load_model(best)
    assert swept.noise == (options == ["--noise"])
    assert swept.n_components == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "way",
    [WAYS["noise"], WAYS["contaminated"], WAYS["t"]],
    ids=list(WAYS),
)
def test_a_sweep_makes_the_room_in_all_its_models(way):
    x = np.concatenate([clusters(), outliers("everywhere")])[::3]
    found = sweep(x, range(1, 5), random_state=0, n_init=1, **way)
    best = found.best()
    assert found.table["n_components"][found.models.index(best)] in (2, 3)
    for k, p, model in zip(
        found.table["n_components"], found.table["n_parameters"], found.models, strict=True
    ):
        assert p == model.criteria_["n_parameters"] == 6 * k - 1 + n_of_outliers(way, k)
    for name in ("bic", "icl"):
        assert_allclose(best.criteria_[name], getattr(best, name)(x), rtol=1e-10)
    two = found.models[found.table["n_components"].index(2)]
    assert (two.outlier_proba(outliers("everywhere")) > 0.5).mean() > 0.8
    own = sweep(x, 2, estimator=GaussianMixture(**way), random_state=0, n_init=1).models[0]
    alone = fitted(x, **way)
    assert own.score(x) >= alone.score(x) - 1e-4


def n_of_outliers(way, k):
    return {"noise": 2, "contaminated": 2 * k, "t": k}["noise" if "noise" in way else way["tails"]]


def test_a_sweep_with_contaminated_tails_knows_the_entropy_of_components():
    x = np.concatenate([clusters(), outliers("everywhere")])
    found = sweep(x, [2], covariance_type=["full", "tied"], random_state=0, tails="contaminated")
    for model in found.models:
        gamma = model.predict_proba(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            entropy = -np.nansum(gamma * np.log(gamma))
        icl = model.criteria_["bic"] + 2 * entropy
        assert_allclose(model.criteria_["icl"], icl, rtol=1e-6)


def test_a_sweep_refuses_room_for_outliers_that_does_not_go_together():
    with pytest.raises(ValueError, match="one of them"):
        sweep(clusters(), [2], noise=True, tails="t")
    with pytest.raises(ValueError, match="set it there"):
        sweep(clusters(), [2], estimator=GaussianMixture(), tails="t")
