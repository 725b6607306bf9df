"""Model files: exact to the bit, whole or not there, and refused with advice."""

import copy
import functools
import json

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from daskgmm import GaussianMixture
from daskgmm.errors import ModelFileError
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.models.model_file import FORMAT_VERSION, load_model, save_model
from tests.cli.data import clusters

FITTED = ("weights_", "means_", "covariances_", "precisions_cholesky_", "precisions_")


@functools.cache
def fitted(structure):
    return GaussianMixture(3, covariance_type=structure, random_state=0).fit(clusters(500, 5))


@pytest.fixture(params=STRUCTURES)
def mixture(request):
    return copy.deepcopy(fitted(request.param))


def test_same_bits(mixture, tmp_path):
    save_model(mixture, tmp_path / "m.json")
    loaded = load_model(tmp_path / "m.json")
    for name in FITTED:
        assert getattr(loaded, name).tobytes() == getattr(mixture, name).tobytes()
    for name in ("converged_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_"):
        assert getattr(loaded, name) == getattr(mixture, name)
    assert loaded.get_params() == mixture.get_params()
    x = clusters(5000, 5, seed=1)
    for method in ("predict", "predict_proba", "score_samples"):
        assert getattr(loaded, method)(x).tobytes() == getattr(mixture, method)(x).tobytes()


def test_every_float_survives(mixture, tmp_path):
    """Subnormal, huge, and with every bit of the significand set or not."""
    bits = np.random.default_rng(0).integers(0, 0x7FF0 << 48, mixture.means_.size)
    mixture.means_ = bits.view(np.float64).reshape(mixture.means_.shape)
    mixture.means_[0, :3] = 5e-324, -0.0, np.finfo(np.float64).max
    save_model(mixture, tmp_path / "m.json")
    assert load_model(tmp_path / "m.json").means_.tobytes() == mixture.means_.tobytes()


def test_a_second_writing_reads_the_same(mixture, tmp_path):
    for name in ("a.json", "b.json"):
        save_model(mixture, tmp_path / name)
        mixture = load_model(tmp_path / name)
    a, b = (json.loads((tmp_path / name).read_text()) for name in ("a.json", "b.json"))
    for document in (a, b):
        del document["written"], document["sha256"]
    assert a == b


def test_settings_that_json_cannot_hold_are_left_out(tmp_path):
    x = clusters(200)
    mixture = GaussianMixture(
        2, random_state=np.random.RandomState(0), means_init=x[:2], tol=np.float64(1e-2)
    ).fit(x)
    save_model(mixture, tmp_path / "m.json")
    loaded = load_model(tmp_path / "m.json")
    assert loaded.random_state is None
    assert loaded.tol == 1e-2
    np.testing.assert_array_equal(loaded.means_init, x[:2])
    loaded.fit(x)


def test_feature_names(tmp_path):
    mixture = GaussianMixture(2, random_state=0).fit(clusters(100, 2))
    mixture.feature_names_in_ = np.array(["depth", "größe"], dtype=object)
    save_model(mixture, tmp_path / "m.json")
    assert load_model(tmp_path / "m.json").feature_names_in_.tolist() == ["depth", "größe"]


def test_warm_start_goes_on(tmp_path):
    x = clusters(2000, 4)
    whole = GaussianMixture(3, random_state=0, tol=1e-9).fit(x)
    first = GaussianMixture(3, random_state=0, tol=1e-2, warm_start=True).fit(x)
    save_model(first, tmp_path / "m.json")
    second = load_model(tmp_path / "m.json").set_params(tol=1e-9).fit(x)
    np.testing.assert_allclose(second.lower_bound_, whole.lower_bound_, rtol=1e-9)


def test_not_fitted(tmp_path):
    with pytest.raises(NotFittedError):
        save_model(GaussianMixture(), tmp_path / "m.json")
    assert not list(tmp_path.iterdir())


def test_not_writable(mixture, tmp_path):
    with pytest.raises(ModelFileError, match="cannot be written"):
        save_model(mixture, tmp_path / "no" / "m.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelFileError, match="cannot be written"):
        save_model(mixture, tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_failed_writing_leaves_the_old(mixture, tmp_path, monkeypatch):
    path = tmp_path / "m.json"
    save_model(mixture, path)
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(ModelFileError, match="No space left"):
        save_model(mixture, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def changed(path, **entries):
    document = json.loads(path.read_text())
    document.update(entries)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"format": "other"}, "no model of daskgmm"),
        ({"format_version": FORMAT_VERSION + 1}, "pip install --upgrade daskgmm"),
        ({"format_version": "x"}, "format_version x"),
        ({"weights": [1.0]}, "damaged: 'means' has the shape"),
        ({"weights": []}, "damaged: 'weights' is empty"),
        ({"weights": None}, "damaged"),
        ({"means": [[1.0], [2.0, 3.0]]}, "damaged"),
        ({"means": "abc"}, "damaged"),
        ({"covariances": [[1.0]]}, "damaged: 'covariances' has the shape"),
        ({"n_features": 7}, "damaged: 'means' has the shape"),
        ({"settings": {"covariance_type": "round"}}, "'round' is not one of full, tied, diag"),
        ({"settings": {"colour": "red"}}, "damaged: .*colour"),
        ({"settings": None}, "damaged"),
        ({"lower_bounds": None}, "damaged"),
    ],
)
def test_damaged(mixture, tmp_path, entries, words):
    path = tmp_path / "m.json"
    save_model(mixture, path)
    changed(path, **entries)
    with pytest.raises(ModelFileError, match=words):
        load_model(path)


def test_missing_entry(mixture, tmp_path):
    path = tmp_path / "m.json"
    save_model(mixture, path)
    document = json.loads(path.read_text())
    may_be_missing = {"format", "format_version", "written", "versions", "types", "objective"}
    for name in document.keys() - may_be_missing:
        path.write_text(json.dumps({key: document[key] for key in document if key != name}))
        with pytest.raises(ModelFileError, match=f"'{name}' is missing"):
            load_model(path)


def test_not_finite(mixture, tmp_path):
    path = tmp_path / "m.json"
    save_model(mixture, path)
    changed(path, weights=[0.5, 0.5, float("nan")])
    with pytest.raises(ModelFileError, match="not finite"):
        load_model(path)


def test_torn_anywhere(mixture, tmp_path):
    path = tmp_path / "m.json"
    save_model(mixture, path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError):
            load_model(path)


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"\x93NUMPY", b"{\xff", b"{" * 100_000, b"{}"])
def test_foreign(tmp_path, content):
    (tmp_path / "m.json").write_bytes(content)
    with pytest.raises(ModelFileError):
        load_model(tmp_path / "m.json")


def test_missing(tmp_path):
    with pytest.raises(ModelFileError, match="There is no model file"):
        load_model(tmp_path / "m.json")
    with pytest.raises(ModelFileError, match="is a folder"):
        load_model(tmp_path)
