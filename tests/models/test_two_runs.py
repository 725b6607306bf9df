"""Two runs that write to one place: one wins whole, the other ends with one clear error."""

import json

import dask
import dask.array as da
import fsspec
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from fsspec.implementations.local import LocalFileSystem

from daskgmm import GaussianMixture
from daskgmm.errors import OutputError
from daskgmm.models.writers.partial_places import JOURNAL
from daskgmm.models.writers.target import Target
from daskgmm.storage.address import Address
from daskgmm.testing import WriterTests
from daskgmm.testing.writers import CHUNK, TAKEN, D, Killed, N, after, die, fitted, nothing_beside

pytestmark = pytest.mark.slow  # runs that are killed, and runs at once

X = WriterTests().rows()
SMALL, LARGE = fitted(2), fitted(5)


@pytest.fixture(autouse=True)
def _many_batches(monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-7)
    with dask.config.set(num_workers=2):
        yield


class Served(LocalFileSystem):
    """Real folders at a URL of another kind than those of this disk."""

    protocol = "server"

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).removeprefix("server://"))

    def unstrip_protocol(self, name):
        return f"server://{self._strip_protocol(name)}"


@pytest.fixture
def server(tmp_path, request, monkeypatch):
    """A place at a URL: Zarr has a memory of its own, and no folders are made for Parquet.

    That of Zarr is on this disk, but by a protocol of its own, as `file` is that of paths.

    No task of a run is under way when its progress is told.
    """
    monkeypatch.setattr("daskgmm.passes.executors.threads.AHEAD", 1)
    with_form = getattr(request.node, "callspec", None)
    fsspec.register_implementation("server", Served, clobber=True)
    url = f"server://{tmp_path}/server"
    if with_form and with_form.params["form"] is ToParquet:
        url = "memory://two-runs"
    else:
        (tmp_path / "server").mkdir()
    with dask.config.set(num_workers=1):
        yield url
    if url.startswith("memory") and Address.of(url).exists():
        Address.of(url).remove()


class ToZarr:
    """Writes labels and posteriors of rows in a line."""

    outputs = ("label", "posterior")

    def __init__(self, folder, rows=X):
        self.x = da.from_array(rows, chunks=(CHUNK, D))

    def write(self, mixture, out, progress=None, chunks=CHUNK, **settings):
        settings |= {"storage_options": {"auto_mkdir": True}} if "://" in str(out) else {}
        return mixture.predict_to_zarr(
            self.x, out, self.outputs, chunks=chunks, progress=progress, **settings
        )

    def labels(self, out):
        return zarr.open_group(out, mode="r")["label"][:].ravel()

    def holds(self, mixture, out):
        """Return whether what is there is that of a mixture, and all of it."""
        group = zarr.open_group(out, mode="r")
        shape = group["posterior"].shape
        return (
            shape[-1] == mixture.n_components
            and (group["label"][:].ravel() == mixture.predict(X)).all()
            and np.allclose(group["posterior"][:].reshape(N, -1), mixture.predict_proba(X))
        )


class ToZarrAcross(ToZarr):
    """Chunks that do not fit those of X: the driver writes the ones that batches share."""

    def write(self, mixture, out, progress=None, **settings):
        return super().write(mixture, out, progress, chunks=CHUNK - 77, **settings)


class ToGrid(ToZarr):
    """Writes on a grid with coordinates."""

    def __init__(self, folder, rows=X):
        dims, shape = ("t", "y"), (12, N // 12)
        values = {name: (dims, rows[:, i].reshape(shape)) for i, name in enumerate("ab")}
        self.x = xr.Dataset(values, {"t": np.arange(12.0)}).chunk({"t": 1})

    def write(self, mixture, out, progress=None, **settings):
        return super().write(mixture, out, progress, chunks=None, **settings)


class ToParquet:
    """Writes files beside keys."""

    def __init__(self, folder, rows=X):
        self.frame = pd.DataFrame(rows, columns=["a", "b"]).assign(key=np.arange(N))
        folder.mkdir(exist_ok=True)
        self.frame.to_parquet(folder / "x.parquet", row_group_size=CHUNK)
        self.path = folder / "x.parquet"

    def write(self, mixture, out, progress=None, **settings):
        return named(mixture).predict_to_parquet(
            self.path, out, ["label"], key="key", progress=progress, **settings
        )

    def labels(self, out):
        return pd.read_parquet(out)["label"].to_numpy()

    def holds(self, mixture, out):
        found = pd.read_parquet(out)
        return len(found) == N and (found["label"] == mixture.predict(X)).all()


def named(mixture):
    """Return the mixture as if it had been fitted to a frame."""
    found = GaussianMixture.from_sklearn(mixture.to_sklearn())
    found.feature_names_in_ = np.array(["a", "b"], dtype=object)
    return found


FORMS = [ToZarr, ToZarrAcross, ToGrid, ToParquet]


@pytest.mark.parametrize("form", FORMS, scope="class")
class TestWriters(WriterTests):
    @pytest.fixture(autouse=True)
    def formed(self, form, tmp_path):
        self.forms = {}
        self.of = lambda rows: form(tmp_path / f"rows-{len(self.forms)}", rows)

    def write(self, mixture, rows, out, progress=None, *, overwrite=False):
        key = rows.tobytes()
        if key not in self.forms:  # Parquet files are written once
            self.forms[key] = self.of(rows)
        return self.forms[key].write(mixture, out, progress, overwrite=overwrite)

    def labels(self, out):
        return next(iter(self.forms.values())).labels(out)


@pytest.mark.parametrize("form", FORMS)
def test_the_loser_removes_the_empty_folder_first(form, tmp_path, monkeypatch):
    """Between the winner's move and its look at what is left of others."""
    job, out, move = form(tmp_path), tmp_path / "out", Target._move

    def moved(target):
        move(target)
        target._remove_root()

    monkeypatch.setattr(Target, "_move", moved)
    job.write(SMALL, out)
    assert job.holds(SMALL, out)
    assert nothing_beside(out)


@pytest.mark.parametrize("form", [ToZarr, ToParquet])
def test_bad_data_of_the_loser_remove_nothing_of_the_winner(form, tmp_path):
    job, out = form(tmp_path), tmp_path / "out"
    (tmp_path / "bad").mkdir()
    bad = form(tmp_path / "bad")
    if form is ToZarr:
        bad.x = da.from_array(np.r_[X[:-1], [[np.nan, 0.0]]], chunks=(CHUNK, D))
    else:
        bad.frame.loc[N - 1, "a"] = np.nan
        bad.frame.to_parquet(bad.path, row_group_size=CHUNK)

    def begin_and_die():
        with pytest.raises(Killed):
            job.write(LARGE, out, after(4, die), overwrite=True)

    with pytest.raises(OutputError, match=TAKEN):
        bad.write(SMALL, out, after(N // CHUNK - 3, begin_and_die))
    job.write(LARGE, out)
    assert job.holds(LARGE, out)


def test_what_appears_meanwhile_is_not_written_over(tmp_path):
    """The place was nobody's as the run began, and the other run was of no journal."""
    job, out = ToZarr(tmp_path), tmp_path / "out"

    def appear():
        job.write(LARGE, tmp_path / "elsewhere")
        (tmp_path / "elsewhere").rename(out)

    with pytest.raises(FileExistsError, match="exists by now"):
        job.write(SMALL, out, after(4, appear))
    assert job.holds(LARGE, out)
    job.write(SMALL, out, overwrite=True)
    assert job.holds(SMALL, out)
    assert nothing_beside(out)


@pytest.mark.parametrize("form", FORMS)
def test_at_a_url_the_other_run_ends_first(form, tmp_path, server):
    job, out = form(tmp_path), f"{server}/out"
    with pytest.raises(OutputError, match=TAKEN):
        job.write(SMALL, out, after(3, lambda: job.write(LARGE, out, overwrite=True)))
    assert job.holds(LARGE, out)
    assert Address.of(server).names() == {"out"}


@pytest.mark.parametrize("form", FORMS)
def test_at_a_url_the_other_run_goes_on_and_compares(form, tmp_path, server):
    job, out = form(tmp_path), f"{server}/out"

    def begin_and_die():
        with pytest.raises(Killed):
            job.write(LARGE, out, after(6, die), overwrite=True)

    with pytest.raises(OutputError, match=TAKEN):
        job.write(SMALL, out, after(3, begin_and_die))
    journal = json.loads(Address.of(f"{out}{JOURNAL}").read())
    assert journal["contested"]
    assert journal["digests"]
    job.write(LARGE, out)
    assert job.holds(LARGE, out)


@pytest.mark.parametrize("form", FORMS)
def test_at_a_url_what_comes_late_is_found(form, tmp_path, server):
    """The loser's write was on its way as the winner took the place, and lands last."""
    job, out, late = form(tmp_path), f"{server}/out", f"{server}/late"
    job.write(SMALL, late)
    with pytest.raises(Killed):
        job.write(SMALL, out, after(3, die))

    def land():
        first = "part-000000.parquet" if form is ToParquet else first_chunk(late)
        write_whole(f"{out}/{first}", Address.of(f"{late}/{first}").read())

    with pytest.raises(OutputError, match=r"Another run wrote to .* run this again"):
        job.write(LARGE, out, after(N // CHUNK, land), overwrite=True)
    assert Address.of(server).names() == {"late"}
    job.write(LARGE, out)
    assert job.holds(LARGE, out)


def first_chunk(group):
    array = zarr.open_group(group, mode="r")["label"]
    return "label/c/" + "/".join("0" * array.ndim)


def write_whole(url, content):
    Address.of(url).replace(content)


@pytest.mark.parametrize("form", FORMS)
def test_at_a_url_without_another_run_nothing_is_compared(form, tmp_path, server, monkeypatch):
    job, out = form(tmp_path), f"{server}/out"
    for name in (
        "zarr_target.ZarrTarget._compare",
        "parquet_target.ParquetTarget._compare",
        "writing.digest_of",
    ):
        monkeypatch.setattr(f"daskgmm.models.writers.{name}", None)
    journals = []

    def look(done, total):
        journals.append(json.loads(Address.of(f"{out}{JOURNAL}").read()))

    job.write(SMALL, out, look)
    assert job.holds(SMALL, out)
    assert [(each["contested"], each["digests"]) for each in journals[1:]] == [
        (False, {}) for _ in journals[1:]
    ]
    assert len(journals) > 6


def test_tasks_of_the_loser_write_no_more_at_a_url(tmp_path, server, monkeypatch):
    """They look themselves: their driver may be slow to hear of it."""
    from daskgmm.models.writers.ownership import Owner
    from daskgmm.models.writers.writing import Putting

    array = zarr.create_array(tmp_path / "a.zarr", shape=(4,), chunks=(2,), dtype="i1")
    write_whole(f"{server}/out{JOURNAL}", b'{"run": "1234", "folder": ""}')
    owner = Owner("1234", *map(Address.of, (f"{server}/out", f"{server}/out{JOURNAL}")))
    ones = {"label": np.ones(2, "i1")}
    assert Putting({"label": array}, 0, owner)((slice(0, 2),), ones) == {}
    put = Putting({"label": array}, 0, owner, compared=True)
    assert set(put((slice(0, 2),), ones)) == {"0:2"}
    write_whole(f"{server}/out{JOURNAL}", b'{"run": "1235", "folder": ""}')
    with pytest.raises(OutputError, match=TAKEN):
        put((slice(2, 4),), ones)
    assert array[:].tolist() == [1, 1, 0, 0]
