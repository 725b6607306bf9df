"""Model files whose numbers do not belong together are refused by name, whoever signed them."""

import json

import numpy as np
import pytest

from daskgmm import GaussianMixture, load_model
from daskgmm.errors import ModelFileError
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.validity import check_covariances
from tests.lies.documents import MIXTURES, X, signed

SHAPES = {"full": (2, 3, 3), "tied": (3, 3), "diag": (2, 3), "spherical": (2,)}


@pytest.fixture(params=SHAPES)
def saved(request, tmp_path):
    mixture = GaussianMixture(2, covariance_type=request.param, random_state=0).fit(X)
    mixture.save(tmp_path / "m.json")
    return tmp_path / "m.json"


def forge(path, name, change):
    document = json.loads(path.read_text())
    document[name] = change(np.array(document[name])).tolist()
    path.write_text(json.dumps(signed(document)))


FORGERIES = {
    "covariances of another": ("covariances", lambda s: 4 * s),
    "factors of another": ("precisions_cholesky", lambda u: 3 * u),
    "factors of its columns in another order": (
        "precisions_cholesky",
        lambda u: u[..., ::-1] * np.arange(1, 1 + u.shape[-1]),
    ),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_covariances_and_factors_that_do_not_belong_together(what, saved):
    forge(saved, *FORGERIES[what])
    with pytest.raises(ModelFileError, match=r"m\.json is damaged: 'precisions_cholesky'.* is not"):
        load_model(saved)


def test_factors_on_end(tmp_path):
    """What a writer in another language gets wrong first."""
    path = tmp_path / "m.json"
    GaussianMixture(2, random_state=0).fit(X @ [[1, 2, 0], [0, 1, 1], [0, 0, 1]]).save(path)
    forge(path, "precisions_cholesky", lambda u: u.transpose(0, 2, 1))
    with pytest.raises(ModelFileError, match="of component 0 is not of the inverse of its"):
        load_model(path)


def test_covariances_of_no_density(tmp_path):
    path = tmp_path / "m.json"
    GaussianMixture(2, random_state=0).fit(X).save(path)
    forge(path, "covariances", lambda s: s + 50 * (1 - np.eye(3)))
    with pytest.raises(ModelFileError, match="is not of the inverse of its 'covariances'"):
        load_model(path)


@pytest.mark.parametrize("settings", MIXTURES.values(), ids=MIXTURES)
def test_what_was_saved_is_read(settings, tmp_path):
    """Signed anew it is no forgery, of any structure and with room for outliers."""
    mixture = GaussianMixture(random_state=0, **{"n_components": 2, **settings}).fit(X)
    mixture.save(tmp_path / "m.json")
    forge(tmp_path / "m.json", "means", np.asarray)
    assert load_model(tmp_path / "m.json").means_.tobytes() == mixture.means_.tobytes()


@pytest.mark.parametrize("change", ["nothing", "a loading", "the noise", "an axis", "a sign"])
def test_covariances_of_low_rank(change):
    """Without matrices of all features; a loading may have any sign."""
    structure, d = STRUCTURES["factor-2"], 30
    random = np.random.default_rng(0)
    loadings, noise = random.normal(size=(3, 2, d)), random.uniform(0.5, 2.0, (3, 1, d))
    covariances = np.concatenate(
        [loadings * np.linalg.norm(loadings, axis=-1)[..., None], noise], 1
    )
    factors = structure.precision.factorise(covariances)
    changed = covariances.copy()
    if change == "a loading":
        changed[1, 0, 7] += 0.1 * np.abs(changed[1, 0]).max()
    elif change == "the noise":
        changed[1, -1, 7] *= 1.2
    elif change == "an axis":
        changed[1, 1] = np.roll(changed[1, 1], 1)
    elif change == "a sign":
        changed[1, 1] *= -1
    if change in ("nothing", "a sign"):
        check_covariances(structure, changed, factors, d)
    else:
        with pytest.raises(ValueError, match="of component 1 is not of the inverse"):
            check_covariances(structure, changed, factors, d)
