"""Model files of every version load for ever; what is damaged is refused; nothing in one runs."""

import copy
import json
import math
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest

import daskgmm
from daskgmm import GaussianMixture, load_model, save_model, sweep
from daskgmm.em.checkpoints.checkpoint import digest_of
from daskgmm.errors import ModelFileError, OutputError
from daskgmm.gaussian.coordinates import coordinates_of
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.models.model_file import FORMAT_VERSION, check_free, save_new
from daskgmm.storage.address import Address
from tests.cli.data import ENVIRONMENT, clusters
from tests.oracle.data import STRUCTURES as FIRST

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(path for path in GOLDEN.glob("v*.json") if "expected" not in path.name)
FITTED = ("weights_", "means_", "covariances_", "precisions_cholesky_", "precisions_")
STORED = ("weights", "means", "covariances", "precisions_cholesky")


def golden(path):
    return json.loads(path.read_text())


def without_coordinates(mixture):
    """Return the mixture of the coordinates themselves."""
    inner = copy.deepcopy(mixture)
    if getattr(mixture, "coordinates_", None) is not None:
        inner.coordinates_, inner.n_features_in_ = None, mixture.means_.shape[1]
        del inner.feature_names_in_
    return inner


@pytest.fixture
def mixture():
    return GaussianMixture(3, random_state=0).fit(clusters(500, 2))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.json"


def test_every_version_and_structure_has_a_golden_file():
    found = {path.name for path in FILES}
    assert found >= {f"v1-{name}.json" for name in FIRST}
    for version in range(2, FORMAT_VERSION + 1):
        assert found >= {f"v{version}-{name}.json" for name in (*STRUCTURES, *FAMILIES)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden(path):
    loaded, stored = load_model(path), golden(path)
    for name in STORED:
        expected = np.array(stored[name], np.float64)
        assert getattr(loaded, f"{name}_").tobytes() == expected.tobytes()
    for name in ("converged", "n_iter", "lower_bounds"):
        assert getattr(loaded, f"{name}_") == stored[name]
    if stored["lower_bound"] != "-inf":
        assert loaded.lower_bound_ == stored["lower_bound"]
    # A golden file may be older than a setting, never the other way round.
    assert {name: getattr(loaded, name) for name in stored["settings"]} == stored["settings"]
    expected = golden(path.with_name(f"{path.stem}-expected.json"))
    inner, x = without_coordinates(loaded), np.array(expected["rows"])
    assert inner.predict(x).tolist() == expected["labels"]
    # Bits of predictions are those of a linear algebra library and a processor.
    np.testing.assert_allclose(
        inner.predict_proba(x), expected["posteriors"], rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(inner.score_samples(x), expected["log_densities"], rtol=1e-12)


def test_golden_with_coordinates_takes_rows_of_the_data():
    loaded = load_model(GOLDEN / "v2-coordinates.json")
    expected = golden(GOLDEN / "v2-coordinates-expected.json")["whole"]
    x = pd.DataFrame(expected["rows"], columns=loaded.feature_names_in_)
    assert loaded.predict(x).tolist() == expected["labels"]
    # Eleven digits: 1e5 is taken from values before they are divided.
    np.testing.assert_allclose(
        loaded.predict_proba(x), expected["posteriors"], rtol=1e-10, atol=1e-14
    )
    np.testing.assert_allclose(loaded.score_samples(x), expected["log_densities"], rtol=1e-10)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_written_again_predicts_the_same_bits(path, tmp_path):
    loaded = load_model(path)
    save_model(loaded, tmp_path / "m.json")
    again = load_model(tmp_path / "m.json")
    for name in FITTED:
        assert getattr(again, name).tobytes() == getattr(loaded, name).tobytes()
    x = np.array(golden(path.with_name(f"{path.stem}-expected.json"))["rows"])
    one, other = without_coordinates(loaded), without_coordinates(again)
    for method in ("predict", "predict_proba", "score_samples"):
        assert getattr(one, method)(x).tobytes() == getattr(other, method)(x).tobytes()


@pytest.mark.parametrize(
    "path", [path for path in FILES if not path.name.startswith("v1")], ids=lambda path: path.stem
)
def test_golden_written_again_holds_the_same(path, tmp_path):
    save_model(load_model(path), tmp_path / "m.json")
    was, now = golden(path), golden(tmp_path / "m.json")
    assert was["settings"].items() <= now["settings"].items()
    for name in was.keys() - {"written", "versions", "sha256", "settings", "format_version"}:
        assert now[name] == was[name], name


def test_a_stopped_fit():
    loaded = load_model(GOLDEN / "v2-stopped.json")
    assert loaded.lower_bound_ == -math.inf
    assert math.isnan(loaded.gap_estimate_)
    assert loaded.lower_bounds_ == loaded.history_["lower_bound"] == []


def test_version_1_wrote_null_for_a_bound_that_is_not_finite(path):
    document = golden(GOLDEN / "v1-full.json")
    path.write_text(json.dumps({**document, "lower_bound": None, "gap_estimate": None}))
    loaded = load_model(path)
    assert loaded.lower_bound_ == -math.inf
    assert math.isnan(loaded.gap_estimate_)


def test_coordinates():
    stored, loaded = (
        golden(GOLDEN / "v2-coordinates.json"),
        load_model(GOLDEN / "v2-coordinates.json"),
    )
    assert (loaded.n_features_in_, loaded.means_.shape[1]) == (3, 2)
    for name, values in stored["coordinates"].items():
        assert getattr(loaded.coordinates_, name).tobytes() == np.array(values).tobytes()
    assert loaded.feature_names_in_.tolist() == ["salinity", "größe", "depth"]
    assert loaded.feature_units_ == ["1", None, "m"]


def test_coordinates_without_axes(mixture, path):
    mixture.coordinates_ = coordinates_of(
        np.array([1.0, 2.0]), np.diag([4.0, 9.0]), standardise=True, pca=None
    )
    mixture.save(path)
    loaded = load_model(path).coordinates_
    assert loaded.axes is None
    assert loaded.explained is None
    np.testing.assert_array_equal(loaded.scales, [2.0, 3.0])


@pytest.mark.parametrize("acceleration", ["auto", None])
def test_the_history_comes_back_to_the_bit(acceleration, path):
    mixture = GaussianMixture(3, random_state=0, acceleration=acceleration).fit(clusters(500))
    mixture.save(path)
    loaded = load_model(path)
    # repr, as nan differs from itself, and as 1 and True and 1.0 should not be taken for equal
    assert repr(loaded.history_) == repr(mixture.history_)
    assert repr(loaded.gap_estimate_) == repr(mixture.gap_estimate_)


def test_the_head_is_a_card(mixture, path):
    mixture.fitted_on_ = {"source": "rows.zarr", "rows": 500, "weight": 123.5, "dtype": "float32"}
    mixture.feature_dims_ = [["depth", 3]]
    mixture.save(path)
    document = json.loads(path.read_text())
    *card, weights, means, covariances, factors, digest = document
    assert (weights, means, covariances, factors) == STORED
    assert digest == "sha256"
    assert card[:4] == ["format", "format_version", "written", "versions"]
    assert {"criteria", "settings", "data", "feature_names", "feature_units"} < set(card)
    assert document["versions"].keys() >= {"daskgmm", "numpy", "scipy", "scikit-learn", "dask"}
    assert document["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    lines = path.read_text().splitlines()
    assert [json.loads(f"{{{line.rstrip(',')}}}") for line in lines[1:-1]] == [
        {key: value} for key, value in document.items()
    ]
    loaded = load_model(path)
    assert loaded.fitted_on_ == mixture.fitted_on_
    assert loaded.feature_dims_ == mixture.feature_dims_


def test_facts_of_kinds_that_json_lacks_do_not_stop_the_writing(mixture, path):
    mixture.fitted_on_ = {"source": Path("a.zarr"), "rows": np.int64(500), "mean": np.ones(2)}
    mixture.save(path)
    assert load_model(path).fitted_on_ == {"source": "a.zarr", "rows": 500, "mean": [1.0, 1.0]}


def test_criteria_of_a_fit(mixture, path):
    mixture.fitted_on_ = None
    assert math.isnan(mixture.criteria_["aic"])
    assert math.isnan(mixture.criteria_["bic"])
    x = clusters(500, 2)
    mixture.fitted_on_ = {"rows": 500, "weight": 500.0}
    criteria = mixture.criteria_
    assert criteria["n_parameters"] == 17
    # Without what `reg_covar` takes from the bound of an accelerated fit.
    assert criteria["log_likelihood"] == pytest.approx(mixture.score(x), abs=mixture.tol)
    assert criteria["log_likelihood"] > mixture.lower_bound_
    # Of the pass before the last step, which gained less than tol.
    assert criteria["bic"] == pytest.approx(mixture.bic(x), abs=2 * 500 * mixture.tol)
    assert criteria["aic"] == pytest.approx(mixture.aic(x), abs=2 * 500 * mixture.tol)
    mixture.save(path)
    assert load_model(path).criteria_ == criteria


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")  # few sizes
def test_criteria_of_a_sweep_are_exact(path):
    x = clusters(600)
    found = sweep(x, range(1, 4), n_init=1, random_state=0)
    for index, model in enumerate(found.models):
        for name in ("aic", "bic", "icl", "heldout"):
            assert model.criteria_[name] == found.table[name][index]
    best = found.best()
    assert best.criteria_["icl"] == pytest.approx(best.icl(x), rel=1e-9)
    best.save(path)
    loaded = load_model(path)
    assert loaded.criteria_ == best.criteria_
    assert "icl" not in loaded.fit(x).criteria_  # a fit knows nothing of an earlier one


def test_set_up_by_hand(path):
    """What scikit-learn's predictions need is enough."""
    mixture = GaussianMixture(2, covariance_type="diag")
    mixture.weights_ = np.array([0.25, 0.75])
    mixture.means_ = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    mixture.precisions_cholesky_ = np.full((2, 3), 0.5)
    mixture.save(path)
    loaded = load_model(path)
    assert not loaded.converged_
    assert math.isnan(loaded.lower_bound_)
    x = clusters(20)
    assert loaded.predict_proba(x).tobytes() == mixture.predict_proba(x).tobytes()


def test_the_structure_of_a_loaded_model_is_its_own(mixture, path):
    mixture.save(path)
    with pytest.raises(ValueError, match="covariance_type was set to 'diag' after a fit"):
        load_model(path).set_params(covariance_type="diag").predict(clusters(5, 2))


def test_settings_that_are_not_finite_or_no_json_are_left_out(mixture, path):
    mixture.set_params(tol=math.nan, random_state=np.random.RandomState(0), means_init=(1, 2))
    mixture.save(path)
    loaded = load_model(path)
    assert (loaded.tol, loaded.random_state) == (1e-3, None)
    assert loaded.means_init == [1, 2]


def test_methods_and_functions_are_the_same(mixture, path):
    class Mine(GaussianMixture):
        pass

    mixture.save(path)
    assert type(load_model(path)) is GaussianMixture
    assert type(Mine.load(path)) is Mine
    assert Mine.load(path).means_.tobytes() == mixture.means_.tobytes()


def test_a_large_model_is_a_small_file(path):
    random = np.random.default_rng(0)
    mixture = GaussianMixture(256, covariance_type="diag")
    mixture.weights_ = np.full(256, 1 / 256)
    mixture.means_ = random.normal(size=(256, 64))
    mixture.precisions_cholesky_ = random.uniform(0.5, 2, (256, 64))
    mixture.save(path)
    assert path.stat().st_size < 2.5e6
    assert load_model(path).means_.tobytes() == mixture.means_.tobytes()


# Where it goes: paths and URLs.


def test_a_url(mixture):
    url = "memory://daskgmm-models/m.json"
    with pytest.raises(ModelFileError, match="There is no model file"):
        load_model("memory://daskgmm-models/none.json")
    mixture.save(url, {"skip_instance_cache": True})
    assert load_model(url, {}).means_.tobytes() == mixture.means_.tobytes()


def test_storage_options_reach_the_file_system(mixture, monkeypatch):
    seen = []
    real = fsspec.core.url_to_fs

    def url_to_fs(url, **options):
        seen.append(options)
        return real(url)

    monkeypatch.setattr("fsspec.core.url_to_fs", url_to_fs)
    save_model(mixture, "memory://daskgmm-models/o.json", {"key": "a"})
    load_model("memory://daskgmm-models/o.json", {"key": "b"})
    assert seen[0] == {"key": "a"}
    assert seen[1:] == [{"key": "b"}] * 2


@pytest.mark.parametrize("url", ["nothing://bucket/m.json", "memory://"])
def test_a_url_that_leads_nowhere(mixture, url):
    with pytest.raises(ModelFileError):
        load_model(url)
    if url != "memory://":
        with pytest.raises(ModelFileError, match="cannot be written to nothing://"):
            mixture.save(url)


def test_where_a_model_may_go(mixture, tmp_path):
    url = "memory://daskgmm-models/place.json"
    check_free(Address.of(url), overwrite=False)
    mixture.save(url)
    with pytest.raises(FileExistsError, match="exists"):
        check_free(Address.of(url), overwrite=False)
    check_free(Address.of(url), overwrite=True)
    for place in ("memory://daskgmm-models/labels.bin", tmp_path / "labels.bin"):
        Address.of(place).replace(b"\x00\x01")
        with pytest.raises(FileExistsError, match="is not a model file"):
            check_free(Address.of(place), overwrite=True)
        Address.of(place).replace(b"")  # what a killed writer may leave where puts are not whole
        check_free(Address.of(place), overwrite=True)
    with pytest.raises(FileExistsError, match="is not a model file"):
        check_free(Address.of(tmp_path), overwrite=True)


# What is wrong with it.


@pytest.mark.slow
def test_one_flipped_bit_is_found(path):
    whole = (GOLDEN / "v2-coordinates.json").read_bytes()
    for place in range(0, len(whole), 3):
        spoiled = bytearray(whole)
        spoiled[place] ^= 1 << (place // 3 % 7)
        path.write_bytes(spoiled)
        try:
            load_model(path)
        except ModelFileError:
            continue
        # The 17th digit may have no say in a float, nor has E instead of e.
        assert json.loads(spoiled) == json.loads(whole), place


def test_torn_anywhere(path):
    whole = (GOLDEN / "v2-full.json").read_bytes()
    for length in range(0, len(whole) - 2, 13):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match=r"torn|does not begin as JSON"):
            load_model(path)


def test_changed_by_hand(path):
    document = golden(GOLDEN / "v2-full.json")
    document["means"][0][0] += 1e-9
    path.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match=r"checksum is wrong.*Fit the model again"):
        load_model(path)


def test_a_version_that_was_changed_does_not_pass_for_an_old_one(path):
    text = (GOLDEN / "v2-full.json").read_text()
    path.write_text(text.replace('"format_version": 2', '"format_version": 1'))
    with pytest.raises(ModelFileError, match="checksum is wrong"):
        load_model(path)


SPOILED = [
    ({"weights": [0.5, 0.75, -0.25]}, "not all positive or 0"),
    ({"weights": [0.5, 0.25, 0.2]}, "sum 1"),
    ({"n_iter": 10**30}, "'n_iter' is not a count"),
]
SETTINGS = [
    ({"n_components": 4}, "n_components is 4, and there are 3 weights"),
    ({"n_components": "3"}, "'n_components' parameter"),
    ({"tol": -1.0}, "'tol' parameter"),
    ({"missing": "guess"}, "'missing' parameter"),
    ({"max_iter": 1.5}, "'max_iter' parameter"),
]


@pytest.mark.parametrize(("entries", "told"), SPOILED + [({"settings": s}, t) for s, t in SETTINGS])
@pytest.mark.parametrize("version", [1, 2])
def test_values_that_no_fit_has(version, entries, told, path):
    document = golden(GOLDEN / f"v{version}-full.json")
    if "settings" in entries:
        entries = {"settings": {**document["settings"], **entries["settings"]}}
    document |= entries
    document.pop("sha256", None)
    if version > 1:
        document["sha256"] = digest_of(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match=f"{told}.*Fit the model again"):
        load_model(path)


@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("precisions_cholesky", -1.0, "a diagonal that is not positive"),
        ("precisions_cholesky", 0.0, "a diagonal that is not positive"),
        ("precisions_cholesky", None, "not finite"),
        ("covariances", -1.0, "a variance below 0"),
    ],
)
def test_a_component_that_has_no_density_is_named(structure, name, value, told, path):
    rows = np.random.default_rng(0).normal(size=(60, 2)) + [[0.0, 0.0], [9.0, 9.0]] * 30
    mixture = GaussianMixture(2, covariance_type=structure, random_state=0).fit(rows)
    mixture.save(path)
    document = json.loads(path.read_text())
    del document["sha256"]
    spoiled = document[name]
    while isinstance(spoiled[-1], list):
        spoiled = spoiled[-1]
    spoiled[-1] = value
    document["sha256"] = digest_of(document)
    path.write_text(json.dumps(document))
    where = "" if structure == "tied" or value is None else " of component 1"
    with pytest.raises(ModelFileError, match=f"{path.name}.*'{name}'{where} .*{told}"):
        load_model(path)


def test_a_model_without_a_density_is_not_written(mixture, path):
    mixture.precisions_cholesky_ = -mixture.precisions_cholesky_
    with pytest.raises(ValueError, match=r"'precisions_cholesky' of component 0 .*Set it back"):
        mixture.save(path)


def test_what_could_not_be_read_again_is_not_written(mixture, path):
    for settings, told in SETTINGS:
        spoiled = copy.deepcopy(mixture).set_params(**settings)
        with pytest.raises(ValueError, match=f"{told}.*Set it back"):
            spoiled.save(path)
    assert not path.exists()


def test_another_layout_of_the_same_values_is_the_same_model(path):
    document = golden(GOLDEN / "v2-full.json")
    path.write_text(json.dumps(dict(reversed(document.items())), indent=4, ensure_ascii=False))
    assert load_model(path).means_.tolist() == document["means"]


def test_a_newer_version(path):
    document = {**golden(GOLDEN / "v2-full.json"), "format_version": FORMAT_VERSION + 1}
    path.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match=r"reads up to 2.*pip install --upgrade daskgmm"):
        load_model(path)


NESTED = "[" * 5000 + "]" * 5000
DEEP = "[" * 200 + "1" + "]" * 200

HOSTILE = [
    {"means": "__import__('os').system('touch hacked')"},
    {"weights": ["__import__('os').system('touch hacked')"] * 3},
    {"settings": {"__reduce__": ["os.system", ["touch hacked"]]}},
    {"settings": {"__class__": "os.system", "n_components": 3}},
    {"settings": {"self": 1}},
    {"settings": {"covariance_type": {"__reduce__": 1}}},
    {"settings": ["n_components"]},
    {"weights": {"py/object": "os.system"}},
    {"means": 10**400},
    {"means": [[10**400] * 3] * 3},
    {"means": json.loads(DEEP)},
    {"n_features": 10**30},
    {"n_features": True},
    {"n_features": -1},
    {"n_iter": 1.5},
    {"lower_bound": "1 + 1"},
    {"lower_bound": [1]},
    {"lower_bounds": [{}]},
    {"history": [1, 2]},
    {"history": {"rows": 5}},
    {"history": {"rows": [1], "change": [1, 2]}},
    {"history": {"rows": ["exit()"]}},
    {"objective": ["prior"]},
    {"objective": {"prior": "conjugate"}},
    {"objective": {"noise": "exit()"}},
    {"objective": {"noise": 0.0, "prior": {"a": 1}}},
    {"objective": {"noise": 0.0, "colour": "red"}},
    {"criteria": "bic"},
    {"criteria": {"bic": "exit()"}},
    {"data": [1]},
    {"feature_names": "abc"},
    {"feature_names": ["a"]},
    {"feature_units": {"a": "m"}},
    {"feature_dims": 3},
    {"coordinates": 1},
    {"coordinates": {"origin": [0, 0, 0]}},
    {"coordinates": {"origin": [0, 0, 0], "scales": [1, 0, 1], "axes": None, "explained": None}},
    {"coordinates": {"origin": [0, 0, 0], "scales": [1, 1, 1], "axes": [], "explained": None}},
    {"coordinates": {"origin": [0, 0], "scales": [1, 1], "axes": None, "explained": None}},
    {"sha256": None},
    {"sha256": {"a": []}},
    {"format": ["daskgmm-gaussian-mixture"]},
    {"format_version": "2; import os"},
    {"format_version": True},
]


def hostile_texts():
    document = golden(GOLDEN / "v2-full.json")
    yield from (json.dumps({**document, **entries}) for entries in HOSTILE)
    good = json.dumps(document)
    yield good.replace('"weights": [', f'"weights": [{NESTED}, ', 1)
    yield good.replace('"lower_bound": ', '"lower_bound": 1e999, "x": ', 1)
    yield good.replace('"lower_bound": ', '"lower_bound": -Infinity, "x": ', 1)
    yield good.replace('"n_iter": ', f'"n_iter": {"9" * 5000}, "x": ', 1)


def test_hostile_content_is_an_error(path):
    for text in hostile_texts():
        path.write_text(text)
        with pytest.raises(ModelFileError):
            load_model(path)


def test_settings_of_unknown_names_are_named(path):
    document = golden(GOLDEN / "v2-full.json")
    path.write_text(json.dumps({**document, "settings": {"colour": "red"}}))
    with pytest.raises(ModelFileError, match="damaged: there is no setting 'colour'"):
        load_model(path)


WATCHED = """
import sys
from pathlib import Path
from daskgmm import load_model
from daskgmm.errors import ModelFileError, OutputError

files = sorted(Path(sys.argv[1]).glob("*.json"))
wanted = [load_model(each).n_components for each in files if "good" in each.name]
FORBIDDEN = ("exec", "compile", "import", "os.", "subprocess.", "pickle.", "ctypes.", "marshal.",
             "socket.", "code.", "shutil.")
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith(FORBIDDEN) else None)
refused = 0
for each in files:
    try:
        load_model(each)
    except ModelFileError:
        refused += 1
print(refused, len(files), sorted(set(seen)))
"""


@pytest.mark.slow
def test_nothing_runs(tmp_path):
    """Python tells an audit hook of all that compiles, imports, unpickles or starts anything."""
    (tmp_path / "good.json").write_bytes((GOLDEN / "v2-full.json").read_bytes())
    count = 0
    for count, text in enumerate(hostile_texts(), 1):
        (tmp_path / f"{count}.json").write_text(text)
    found = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tmp_path)],
        env={**ENVIRONMENT, "PYTHONPATH": str(Path(daskgmm.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert found.stdout.split(maxsplit=2) == [str(count), str(count + 1), "[]\n"]
    assert not (tmp_path / "hacked").exists()


def test_a_model_that_another_run_wrote_meanwhile_is_left(mixture, path):
    """The later one is kept beside: hours of fitting are in it."""
    place = Address.of(path)
    check_free(place, overwrite=False)
    save_model(mixture, path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match=r"another run .* The model of this run is in"):
        save_new(mixture.sort_components(), place, overwrite=False)
    assert path.read_bytes() == before
    [beside] = [each for each in path.parent.iterdir() if each != path]
    np.testing.assert_array_equal(load_model(beside).means_, mixture.means_)
    save_new(mixture, place, overwrite=True)
    np.testing.assert_array_equal(load_model(path).means_, mixture.means_)
