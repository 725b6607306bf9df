"""The compiled back end in fits, and installations with and without a library."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import GaussianMixture, plan, sweep
from daskgmm.errors import ClusterError
from daskgmm.gaussian import STRUCTURES
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.backends import BACKENDS
from daskgmm.gaussian.kernels.compiled.building import SOURCE, build, compiler
from daskgmm.gaussian.kernels.compiled.library import libraries, library
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.passes.configuration import backend
from daskgmm.passes.executors.environment import environment
from daskgmm.passes.executors.worker_check import check_workers
from daskgmm.testing import BackendTests
from daskgmm.testing.mixtures import random_mixture

COMPILED, NUMPY = BACKENDS["compiled"], BACKENDS["numpy"]


@pytest.mark.usefixtures("installed")
class TestCompiled(BackendTests):
    name, backend = "compiled", COMPILED


@pytest.fixture
def unset(monkeypatch):
    monkeypatch.delenv("DASKGMM_KERNEL", raising=False)


@pytest.fixture
def x():
    random = np.random.default_rng(0)
    return np.concatenate([random.normal(size=(900, 3)) + center for center in (0.0, 4.0)])


@pytest.mark.usefixtures("installed", "unset")
def test_it_is_the_default_where_it_is_installed(monkeypatch):
    assert backend() is COMPILED
    monkeypatch.setenv("DASKGMM_KERNEL", "numpy")
    assert backend() is NUMPY
    with dask.config.set({"daskgmm.backend": "compiled"}):
        assert backend() is COMPILED


@pytest.mark.usefixtures("missing", "unset")
def test_numpy_does_all_where_it_is_not(x):
    assert backend() is NUMPY
    assert GaussianMixture(2, random_state=0).fit(x).converged_


@pytest.mark.usefixtures("missing")
def test_one_that_is_asked_for_and_missing_is_told_before_a_row_is_read(x, monkeypatch):
    events = []
    monkeypatch.setenv("DASKGMM_KERNEL", "compiled")
    with pytest.raises(ValueError, match=r"DASKGMM_KERNEL is 'compiled', .* Install daskgmm again"):
        GaussianMixture(2).fit(x, listen=events.append)
    monkeypatch.setenv("DASKGMM_KERNEL", "fast")
    with pytest.raises(ValueError, match="DASKGMM_KERNEL is 'fast', which is not one of numpy"):
        GaussianMixture(2).fit(x, listen=events.append)
    assert not events


@pytest.mark.usefixtures("missing")
def test_a_worker_without_it_says_so_and_mixes_no_sums(x):
    sent = pickle.dumps(COMPILED)
    kernel = NaturalKernel.of(random_mixture(STRUCTURES["full"], 2, 3), x.mean(0))
    with pytest.raises(ClusterError, match=r"no compiled kernel.*DASKGMM_KERNEL=numpy"):
        pickle.loads(sent).moments([kernel], iter([Block(x)]))


class OneWorker:
    """The client of a worker without a library."""

    def sync(self, *asked, **options):
        return {
            "tcp://there": environment("daskgmm", "daskgmm.passes", [], []) | {"kernel": "numpy"}
        }


@pytest.mark.usefixtures("installed", "unset")
def test_workers_without_it_are_named_before_the_first_task(monkeypatch):
    client = OneWorker()
    with pytest.raises(ClusterError, match=r"1 of 1 workers have no compiled.*tcp://there.*=numpy"):
        check_workers(client)
    monkeypatch.setenv("DASKGMM_KERNEL", "numpy")
    check_workers(client)


@pytest.mark.usefixtures("installed")
def test_a_worker_tells_its_own():
    assert environment("daskgmm", "daskgmm.passes", [], [])["kernel"] == "compiled"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical", "VVE"])
def test_fits_are_those_of_numpy(x, structure):
    settings = {"covariance_type": structure, "random_state": 0}
    found = {}
    for name in BACKENDS:
        with dask.config.set({"daskgmm.backend": name}):
            found[name] = GaussianMixture(2, **settings).fit(x)
    assert_allclose(found["compiled"].means_, found["numpy"].means_, rtol=1e-7, atol=1e-8)
    assert_allclose(found["compiled"].lower_bound_, found["numpy"].lower_bound_, rtol=1e-12)


@pytest.mark.usefixtures("installed")
def test_sweeps_noise_labels_and_tails(x):
    with dask.config.set({"daskgmm.backend": "compiled"}):
        assert sweep(x, (1, 2, 3), random_state=0).best().n_components == 2
        noisy = GaussianMixture(2, noise=True, random_state=0).fit(x)
        assert_allclose(noisy.weights_.sum() + noisy.noise_weight_, 1.0)
        tailed = GaussianMixture(2, tails="t", random_state=0).fit(x)
        assert tailed.converged_
        labels = np.repeat([0, 1], 900)
        assert GaussianMixture(2, random_state=0).fit(x, labels=labels).converged_


CHEAP = {"init_params": "k-means++", "n_init": 1, "random_state": 0}
"""A start that takes a tenth of the time of one that is chosen."""

ROOM = [{}, {"noise": True}, {"tails": "t"}, {"tails": "contaminated"}]
"""Settings of fits with and without room for outliers."""


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("room", ROOM, ids=str)
@pytest.mark.parametrize("structure", ["full", "tied"])
def test_threads_change_no_bit(x, structure, room):
    found = []
    rows = da.from_array(np.concatenate([x, 5.0 * x[::20]]), chunks=(100, 3))
    with dask.config.set({"daskgmm.backend": "compiled"}):
        for threads in (1, 2, 8):
            with dask.config.set(num_workers=threads):
                fitted = GaussianMixture(2, covariance_type=structure, **CHEAP, **room).fit(rows)
                found.append((fitted.means_, fitted.covariances_, fitted.lower_bound_))
    for other in found[1:]:
        for one, another in zip(found[0], other, strict=True):
            assert_array_equal(one, another)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("room", ROOM[1:], ids=str)
@pytest.mark.parametrize("structure", ["full", "tied", "diag"])
def test_fits_with_room_for_outliers_are_those_of_numpy(x, structure, room):
    settings = {"covariance_type": structure, "tol": 1e-8, **CHEAP, **room}
    rows, found = np.concatenate([x, 5.0 * x[::20]]), {}
    for name in BACKENDS:
        with dask.config.set({"daskgmm.backend": name}):
            found[name] = GaussianMixture(2, max_iter=500, **settings).fit(rows)
    assert_allclose(found["compiled"].means_, found["numpy"].means_, rtol=1e-6, atol=1e-6)
    assert_allclose(found["compiled"].lower_bound_, found["numpy"].lower_bound_, rtol=1e-10)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("apart", [0.0, 1e7])
@pytest.mark.parametrize("structure", ["full", "tied", "diag"])
def test_fits_with_labels_are_those_of_numpy(x, structure, apart):
    """Of clusters so far apart that components are about their own means, too."""
    rows, found = x.copy(), {}
    rows[900:] += apart
    labels = np.where(np.arange(1800) % 5 == 0, np.repeat([0, 1], 900), -1)
    for name in BACKENDS:
        with dask.config.set({"daskgmm.backend": name}):
            found[name] = GaussianMixture(2, covariance_type=structure, **CHEAP).fit(
                rows, labels=labels
            )
    assert_allclose(found["compiled"].means_, found["numpy"].means_, rtol=1e-7, atol=1e-7)
    assert_allclose(found["compiled"].covariances_, found["numpy"].covariances_, atol=1e-6)
    assert_allclose(found["compiled"].lower_bound_, found["numpy"].lower_bound_, rtol=1e-10)


def test_a_library_of_another_source_or_a_damaged_one_is_not_taken(folder, tmp_path, monkeypatch):
    path = next(folder.glob("*.so"))
    (tmp_path / path.name).write_bytes(b"no library")
    assert libraries(tmp_path) == []
    assert libraries(folder)
    monkeypatch.setattr("daskgmm.gaussian.kernels.compiled.library.checksum", lambda: 1)
    assert libraries(folder) == []


def test_a_library_of_other_headers_is_not_taken(folder, tmp_path, monkeypatch):
    for path in SOURCE.glob("*.[ch]"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr("daskgmm.gaussian.kernels.compiled.building.SOURCE", tmp_path)
    assert libraries(folder)
    with (tmp_path / "tails.h").open("a") as file:
        file.write("/* Another one. */")
    assert libraries(folder) == []


def test_a_library_of_other_flags_is_not_taken(folder, monkeypatch):
    monkeypatch.setattr("daskgmm.gaussian.kernels.compiled.building.FLAGS", ["-Ofast"])
    assert libraries(folder) == []


@pytest.mark.slow
def test_it_is_compiled_beside_its_source(tmp_path):
    if compiler() is None:
        pytest.skip("no C compiler (cc, or that of CC)")
    for path in (*SOURCE.glob("*.[ch]"), SOURCE / "building.py"):
        shutil.copy(path, tmp_path)
    command = [sys.executable, str(tmp_path / "building.py")]
    listed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    assert sorted(map(Path, listed)) == sorted(tmp_path.glob("*.kernel.so"))
    assert libraries(tmp_path)


def test_a_compiler_that_is_missing_or_fails_breaks_no_installation(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("CC", str(tmp_path / "nothing"))
    assert build(tmp_path) == []
    monkeypatch.setenv("CC", "false")
    assert build(tmp_path) == []
    assert "no compiled kernel for" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_sanitizers_find_nothing(folder, tmp_path):
    """The sums of all shapes under AddressSanitizer and UndefinedBehaviorSanitizer."""
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]
    runtime = subprocess.run(
        [*compiler(), "-print-file-name=libasan.so"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    taken = libraries(folder)[0].name  # others are the same source with other lanes
    if not Path(runtime).is_absolute() or not build(tmp_path, flags, [taken]):
        pytest.skip("the compiler has no AddressSanitizer")
    names = (
        "test_expectation.py",
        "test_labels.py",
        "test_tails_and_noise.py",
        "test_vectors.py",
        "test_prediction.py",
        "test_whitened.py",
    )
    tests = [str(Path(__file__).with_name(name)) for name in names]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {
        "LD_PRELOAD": runtime,
        "ASAN_OPTIONS": "detect_leaks=0",
        "DASKGMM_TEST_KERNELS": str(tmp_path),
    }
    subprocess.run(command, check=True, env=environment, timeout=600)


def test_the_library_is_found_once_a_process(installed):
    assert library() is library()


@pytest.mark.usefixtures("installed")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["numpy", "compiled"])
def test_plans_and_checkpoints_name_it(x, name, tmp_path):
    path = tmp_path / "fit.json"
    settings = {"n_init": 1, "random_state": 0, "tol": 0.0}
    with dask.config.set({"daskgmm.backend": name}):
        assert plan(x, 2).kernel == name
        GaussianMixture(2, max_iter=2, **settings).fit(x, checkpoint=path)
        assert json.loads(path.read_text())["versions"]["kernel"] == name
    other = {"numpy": "compiled", "compiled": "numpy"}[name]
    with (
        dask.config.set({"daskgmm.backend": other}),
        pytest.warns(UserWarning, match=rf"kernel {name}.* kernel {other}.* the same bits"),
    ):
        GaussianMixture(2, max_iter=3, **settings).fit(x, checkpoint=path)
