"""Promise 4: a killed driver costs one iteration, and no bit."""

import json
import pickle
import random
import signal
import time

import numpy as np
import pytest

from daskgmm import GaussianMixture
from daskgmm.em.events import FitStarted, Iterated, PassEnded
from daskgmm.errors import CheckpointError, DataError
from tests.drivers import Driver
from tests.oracle.data import STRUCTURES, blobs
from tests.promises.fit_with_checkpoint import fit_with_checkpoint
from tests.promises.slow import ITERATIONS, SETTINGS, bits
from tests.promises.stopping import Stop, stop_after
from tests.waiting import LONGEST

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

KILLS = 5
"""At least; more where a busy machine has ended no iteration between them."""


def driver(stored, folder):
    return Driver(fit_with_checkpoint, stored, folder / "fit.ckpt", folder / "bits.pkl")


def iterations_of(resumed):
    return [text for text in resumed if text.isdigit() and int(text) > 0]


def test_kill_the_driver_at_random_moments_and_resume(stored, quiet, tmp_path):
    chance, kills, ended, resumed, longest = random.Random(0), 0, 0, [], 0.8

    def is_to_go_on():
        return kills < KILLS or (not iterations_of(resumed) and kills < 4 * KILLS)

    while is_to_go_on() or not ended:
        with driver(stored, tmp_path) as process:
            line = process.stdout.readline()  # it has begun
            resumed.append(line.split()[-1])
            if not iterations_of(resumed):  # a busy machine has not ended one yet
                longest *= 1.2
            if is_to_go_on():
                time.sleep(chance.uniform(0.0, longest))
                process.send_signal(signal.SIGKILL)
                kills += 1
            if process.wait(LONGEST) == 0:
                ended += 1
                assert pickle.loads((tmp_path / "bits.pkl").read_bytes()) == quiet
                if is_to_go_on():  # it was faster than we: once more from the beginning
                    (tmp_path / "fit.ckpt").unlink()
    assert iterations_of(resumed)
    # A killed writer leaves a part behind at most; later ones remove it after a minute.
    assert len(list(tmp_path.glob(".*partial"))) <= kills


X = blobs(3000, 3, 3, seed=5)


@pytest.mark.parametrize("covariance_type", STRUCTURES)
@pytest.mark.parametrize("stopped_at", [0, 1, 7])
def test_every_structure_resumes_to_the_same_bits(covariance_type, stopped_at, tmp_path):
    settings = {**SETTINGS, "covariance_type": covariance_type, "n_components": 3}
    alone = bits(GaussianMixture(**settings).fit(X))
    with pytest.raises(Stop):
        GaussianMixture(**settings).fit(X, checkpoint=tmp_path / "c", listen=stop_after(stopped_at))
    events = []
    mixture = GaussianMixture(**settings)
    mixture.fit(X, checkpoint=tmp_path / "c", listen=events.append)
    assert bits(mixture) == alone
    assert next(e.resumed for e in events if isinstance(e, FitStarted)) == stopped_at
    passes = [e.name for e in events if isinstance(e, PassEnded)]
    assert passes == ["expectation"] * (ITERATIONS - stopped_at)
    assert mixture.history_["iteration"] == list(range(1, ITERATIONS + 1))


@pytest.mark.parametrize("random_state", [3, None])
@pytest.mark.parametrize("stopped_at", [1, 4, 6, 9, 11])
def test_restarts_resume_in_the_middle(random_state, stopped_at, tmp_path):
    """Each start draws from the generator: its state is part of what is kept."""
    settings = {"n_components": 3, "n_init": 3, "max_iter": 4, "tol": 0.0, "init_params": "random"}
    weights = np.random.default_rng(0).uniform(size=len(X))

    def fitted(listen, seed):
        mixture = GaussianMixture(**settings, random_state=seed)
        return mixture.fit(X, None, weights, checkpoint=tmp_path / "c", listen=listen)

    with pytest.raises(Stop):
        fitted(stop_after(stopped_at), random_state)
    events = []
    resumed = fitted(events.append, random_state)
    # 3 starts of 4 iterations, and a checkpoint more for each start.
    done = stopped_at - stopped_at // 5
    assert len([e for e in events if isinstance(e, Iterated)]) == 12 - done
    if random_state is not None:
        alone = GaussianMixture(**settings, random_state=random_state).fit(X, None, weights)
        assert bits(resumed) == bits(alone)


def test_a_generator_ends_where_an_unbroken_fit_leaves_it(tmp_path):
    settings = {"n_components": 3, "n_init": 2, "max_iter": 3, "tol": 0.0}
    whole, broken, again = (np.random.RandomState(5) for _ in range(3))
    GaussianMixture(**settings, random_state=whole).fit(X)
    with pytest.raises(Stop):
        GaussianMixture(**settings, random_state=broken).fit(
            X, checkpoint=tmp_path / "c", listen=stop_after(2)
        )
    GaussianMixture(**settings, random_state=again).fit(X, checkpoint=tmp_path / "c")
    assert again.randint(1 << 30) == whole.randint(1 << 30)


def test_an_ended_fit_is_returned_without_a_pass(tmp_path):
    first = GaussianMixture(3, random_state=0).fit(X, checkpoint=tmp_path / "c")
    events = []
    second = GaussianMixture(3, random_state=0)
    second.fit(X, checkpoint=tmp_path / "c", listen=events.append)
    assert bits(first) == bits(second)
    assert second.converged_
    assert not [event for event in events if isinstance(event, PassEnded)]


def test_a_fit_that_did_not_converge_goes_on_with_more_iterations(tmp_path):
    settings = {"n_components": 3, "tol": 0.0, "random_state": 0}
    GaussianMixture(**settings, max_iter=5).fit(X, checkpoint=tmp_path / "c")
    more = GaussianMixture(**settings, max_iter=9).fit(X, checkpoint=tmp_path / "c")
    assert more.n_iter_ == 9
    assert bits(more) == bits(GaussianMixture(**settings, max_iter=9).fit(X))
    with pytest.raises(CheckpointError, match="9 iterations already, and max_iter is 4"):
        GaussianMixture(**settings, max_iter=4).fit(X, checkpoint=tmp_path / "c")


@pytest.mark.parametrize(
    ("settings", "rows", "weights", "words"),
    [
        ({"n_components": 4}, X, None, "n_components was 3 and is 4"),
        ({"tol": 0.5}, X, None, "tol was 0.001 and is 0.5"),
        ({"reg_covar": 0.1}, X, None, "reg_covar"),
        ({"covariance_type": "diag"}, X, None, "covariance_type was 'full' and is 'diag'"),
        ({"random_state": 1}, X, None, "random_state"),
        ({"init_params": "random"}, X, None, "init_params"),
        ({"means_init": X[:3]}, X, None, "means_init"),
        ({}, X[:-1], None, "rows of X was 3000 and is 2999"),
        ({}, X[:, :2], None, "columns of X was 3 and is 2"),
        ({}, X.astype(np.float32), None, "dtype of X was 'float64' and is 'float32'"),
        ({}, [X[:1000], X[1000:]], None, "chunks of X"),
        ({}, X + 1.0, None, "values of X"),
        ({}, X, np.ones(3000), "sample_weight was not given and is given now"),
    ],
)  # fmt: skip
def test_other_data_or_settings_are_refused_by_name(settings, rows, weights, words, tmp_path):
    path = tmp_path / "c"
    GaussianMixture(3, random_state=0, max_iter=2).fit(X, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=words):
        GaussianMixture(**{"n_components": 3, "random_state": 0, **settings}).fit(
            rows, None, weights, checkpoint=path
        )
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda content: content[: len(content) // 2], "damaged"),
        (lambda content: b"", "damaged"),
        (lambda content: content.replace(b"base64", b"base46", 1), "damaged"),
        (lambda content: content.replace(b'"rows": 3000', b'"rows": 3001', 1), "damaged"),
        (lambda content: b"\x89HDF" + content, "damaged"),
        (lambda content: b'{"format": "something"}', "not a checkpoint of daskgmm"),
        (lambda content: b"[1, 2]", "not a checkpoint of daskgmm"),
        (lambda content: content.replace(b'version": 2,', b'version": 9,'), "reads 2"),
    ],
)  # fmt: skip
def test_torn_and_foreign_files_are_named_and_kept(spoil, words, tmp_path):
    path = tmp_path / "fit.ckpt"
    GaussianMixture(3, random_state=0, max_iter=2).fit(X, checkpoint=path)
    spoiled = spoil(path.read_bytes())
    assert spoiled != path.read_bytes()
    path.write_bytes(spoiled)
    with pytest.raises(CheckpointError, match=rf"fit\.ckpt.*{words}"):
        GaussianMixture(3, random_state=0, max_iter=2).fit(X, checkpoint=path)
    assert path.read_bytes() == spoiled


def test_places_that_cannot_be_written_are_refused_before_the_first_pass(tmp_path):
    for path, words in ((tmp_path, "is a folder"), (tmp_path / "no" / "c", "no folder")):
        events = []
        with pytest.raises(CheckpointError, match=words):
            GaussianMixture(3).fit(X, checkpoint=path, listen=events.append)
        assert not events


def test_a_disk_that_fills_up_is_a_warning(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("daskgmm.storage.address.replace_file", full)
    with pytest.warns(UserWarning, match="No space left on device.*The fit continues") as caught:
        mixture = GaussianMixture(3, random_state=0).fit(X, checkpoint=tmp_path / "c")
    assert len(caught) == 1
    assert mixture.converged_


def test_another_version_is_a_warning(tmp_path, monkeypatch):
    GaussianMixture(3, random_state=0, max_iter=2).fit(X, checkpoint=tmp_path / "c")
    monkeypatch.setattr("daskgmm.em.checkpoints.checkpoint.__version__", "99.0")
    with pytest.warns(UserWarning, match="daskgmm 99.0"):
        GaussianMixture(3, random_state=0, max_iter=3).fit(X, checkpoint=tmp_path / "c")


def test_a_url_holds_a_checkpoint(tmp_path):
    url = f"memory://daskgmm-tests/{tmp_path.name}/fit.ckpt"
    with pytest.raises(Stop):
        GaussianMixture(3, random_state=0, max_iter=5, tol=0).fit(
            X, checkpoint=url, listen=stop_after(2)
        )
    mixture = GaussianMixture(3, random_state=0, max_iter=5, tol=0).fit(X, checkpoint=url)
    assert bits(mixture) == bits(GaussianMixture(3, random_state=0, max_iter=5, tol=0).fit(X))


@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
def test_it_is_a_matter_of_kilobytes_and_readable(tmp_path):
    rows = blobs(5000, 16, 8, seed=1)
    settings = {
        "n_components": 16,
        "random_state": 0,
        "max_iter": 16,
        "tol": 0,
        "init_params": "random_from_data",
    }
    GaussianMixture(**settings, acceleration=None).fit(rows, checkpoint=tmp_path / "plain")
    assert (tmp_path / "plain").stat().st_size < 150_000
    # Acceleration also keeps eleven points, of two matrices a component each.
    GaussianMixture(**settings).fit(rows, checkpoint=tmp_path / "c")
    content = (tmp_path / "c").read_bytes()
    assert len(content) < 1_500_000
    document = json.loads(content)
    assert document["identity"]["rows of X"] == 5000
    assert document["versions"]["numpy"] == np.__version__


def test_a_row_that_has_gone_bad_meanwhile_is_named(tmp_path):
    rows = X.copy()
    pieces = [rows[:1000], rows[1000:2000], rows[2000:2500], rows[2500:]]
    GaussianMixture(3, random_state=0, max_iter=2, tol=0.0).fit(pieces, checkpoint=tmp_path / "d")
    pieces[1][7, 2] = np.nan
    with pytest.raises(DataError, match=r"NaN in row 1007 .*column 2"):
        GaussianMixture(3, random_state=0, max_iter=3, tol=0.0).fit(
            pieces, checkpoint=tmp_path / "d"
        )
