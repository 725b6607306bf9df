"""Where predictions are written: never over what is read, nor over what no run has written."""

import json

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xarray as xr
import zarr

from daskgmm import GaussianMixture, open_labelled, open_parquet
from daskgmm.errors import OutputError
from daskgmm.models.writers.journal import place_of
from daskgmm.models.writers.partial_places import JOURNAL
from daskgmm.storage.address import Address

N = 60
X = np.random.default_rng(0).normal(size=(N, 2)) + np.arange(N)[:, None] % 2 * 8
MIXTURE = GaussianMixture(2, init_params="k-means++", random_state=0).fit(X)
FRAME = pd.DataFrame(X, columns=["a", "b"]).assign(id=np.arange(N) ** 2, note="dear to me")
NAMED = GaussianMixture(2, init_params="k-means++", random_state=0).fit(FRAME[["a", "b"]])
FIELDS = GaussianMixture(2, init_params="k-means++", random_state=0).fit(
    xr.Dataset({name: ("row", FRAME[name]) for name in "ab"})
)


def predictions_with_data(path):
    """Write what looks like predictions, with data in it."""
    group = zarr.open_group(path, mode="w", attributes={"n_components": 2})
    group.create_array("v", data=X, chunks=(20, 2), dimension_names=("row", "axis"))
    for name in "ab":
        values = FRAME[name].to_numpy()
        group.create_array(name, data=values, chunks=(20,), dimension_names=("row",))
    np.save(path / "v" / "x.npy", X)
    return path


def mapped(path):
    return np.load(path / "v" / "x.npy", mmap_mode="r")


def of_delayed(path):
    return da.from_delayed(dask.delayed(np.load)(str(path / "v" / "x.npy")), X.shape, X.dtype)


def of_dataset(path, **how):
    return xr.open_zarr(path, consolidated=False, **how)[["a", "b"]]


READ_FROM = {
    "path": lambda path: path / "v",
    "list of paths": lambda path: [str(path / "v")],
    "dask": lambda path: da.from_zarr(str(path / "v")),
    "dask of dask": lambda path: da.concatenate([da.zeros((3, 2)), da.from_zarr(path / "v")]) * 2,
    "dask of a store": lambda path: da.from_array(zarr.open_array(path / "v", mode="r")),
    "list": lambda path: [X, zarr.open_array(path / "v", mode="r")],
    "list of dask": lambda path: [da.from_zarr(path / "v")[:9]],
    "map": lambda path: mapped(path)[3:],
    "delayed": of_delayed,
    "frame": lambda path: dd.from_dask_array(da.from_zarr(path / "v"), columns=["a", "b"]),
    "dataset": of_dataset,
    "dataset without dask": lambda path: of_dataset(path, chunks=None),
    "dataset of no file": lambda path: of_dataset(path).astype("f4").drop_encoding(),
    "labelled": lambda path: open_labelled(path, ["a", "b"]) * 2,
}


@pytest.mark.parametrize("form", READ_FROM)
def test_what_is_read_stays(form, tmp_path):
    path = predictions_with_data(tmp_path / "x.zarr")
    x = READ_FROM[form](path)
    mixture = FIELDS if isinstance(x, xr.Dataset) else NAMED if "frame" in form else MIXTURE
    (tmp_path / "link").symlink_to(path)
    if form == "frame":  # for Zarr, lengths must be known
        x = x.to_dask_array(lengths=True)
        mixture = MIXTURE
    for out in (path, tmp_path / "link", f"file://{path}"):
        with pytest.raises(OutputError, match=r"is where the data are, at .*x\.zarr"):
            mixture.predict_to_zarr(x, out, overwrite=True)
    assert (zarr.open_array(path / "v", mode="r")[:] == X).all()
    assert {each.name for each in tmp_path.iterdir()} == {"x.zarr", "link"}
    written = mixture.predict_to_zarr(x, tmp_path / "out.zarr")
    mixture.predict_to_zarr(x, tmp_path / "out.zarr", overwrite=True)
    assert written.rows > 0


TABLES = {
    "path": lambda files: str(files[0]),
    "folder": lambda files: files[0].parent,
    "glob": lambda files: f"{files[0].parent}/*.parquet",
    "rows": lambda files: open_parquet(list(map(str, files)), ["a", "b"]),
    "dask": lambda files: dd.read_parquet(files[0].parent),
    "dask, some columns": lambda files: dd.read_parquet(files)[["a", "b"]],
    "dask of calls": lambda files: dd.from_map(pd.read_parquet, list(map(str, files))),
}


# Dask's own way with an index, as of pandas 3.1.
@pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame")
@pytest.mark.parametrize("form", TABLES)
def test_columns_that_are_no_keys_stay(form, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    files = [folder / "0.parquet", folder / "1.parquet"]
    for file, part in zip(files, (FRAME[:30], FRAME[30:]), strict=True):
        part.set_index("id").to_parquet(file)
    x = TABLES[form](files)
    lost = "" if "dask" in form else r".*(1\.parquet|'note')"  # a frame may have left out rows
    with pytest.raises(OutputError, match=f"is where the data are{lost}"):
        NAMED.predict_to_parquet(x, folder, key="id", overwrite=True)
    assert sorted(folder.iterdir()) == files
    assert pq.read_table(files[0]).column_names == ["a", "b", "note", "id"]
    if form == "path" or "dask" in form:
        return
    NAMED.predict_to_parquet(x, folder, key=["id", "note"], overwrite=True)
    found = pd.read_parquet(folder)
    assert (found["label"] == NAMED.predict(FRAME[["a", "b"]])).all()
    assert (found["note"] == "dear to me").all()


@pytest.mark.parametrize("read", ["d", "d/*.parquet"])
@pytest.mark.parametrize("kept", [lambda x: x, lambda x: x[x["a"] > 0], lambda x: x.partitions[0]])
def test_a_file_of_a_folder_that_is_read_stays(read, kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    for number, part in enumerate((FRAME[:30], FRAME[30:])):
        part.to_parquet(tmp_path / "d" / f"{number}.parquet")
    x = kept(dd.read_parquet(read))
    for out in ("d/0.parquet", tmp_path / "d" / "1.parquet", "d"):
        with pytest.raises(OutputError, match="Choose another place"):
            NAMED.predict_to_parquet(x, out, key=["id", "note"], overwrite=True)
    assert len(pd.read_parquet("d")) == len(FRAME)
    NAMED.predict_to_parquet(x, "other.parquet", key="id")
    NAMED.predict_to_parquet(x, "other.parquet", key="id", overwrite=True)


def zarr_at(out, **settings):
    return MIXTURE.predict_to_zarr(X, out, **settings)


def parquet_at(out, **settings):
    return NAMED.predict_to_parquet(FRAME, out, key="id", **settings)


WRITERS = pytest.mark.parametrize("write", [zarr_at, parquet_at])


@WRITERS
@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_no_run_has_left_stays(write, kind, tmp_path):
    """Also where a run was killed before somebody put it there."""
    out, aside = tmp_path / "out", tmp_path / "out.partial"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("dear to me")
    if kind == "link":
        aside.symlink_to(tmp_path / "mine")
    elif kind == "file":
        aside.write_text("dear to me")
    else:
        with pytest.raises(KeyboardInterrupt):
            write(out, progress=interrupt)
        (tmp_path / "mine").rename(aside / "mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileExistsError, match=r"out\.partial.* not left there by a run.*--out"):
        write(out)
    assert sorted(tmp_path.rglob("*")) == before
    if kind == "folder":
        (aside / "mine").rename(tmp_path / "mine")
        write(out)
        assert {each.name for each in tmp_path.iterdir()} == {"out", "mine"}


def interrupt(done, total):
    raise KeyboardInterrupt


@WRITERS
def test_what_comes_among_the_files_of_a_run_stays(write, tmp_path):
    out, aside = tmp_path / "out", tmp_path / "out.partial"

    def put(done, total):
        (aside / "notes").write_text("dear to me")

    write(out, progress=put)
    assert out.is_dir()
    assert [each.name for each in aside.iterdir()] == ["notes"]


@WRITERS
def test_what_runs_of_former_releases_left_is_removed(write, tmp_path):
    """They wrote aside without a folder of their own; their journals had no number."""
    out, aside = tmp_path / "out", tmp_path / "out.partial"
    (aside / "label").mkdir(parents=True)
    (aside / "zarr.json").write_text("{}")
    journal = tmp_path / f"out.partial{JOURNAL}"
    journal.write_text(json.dumps({"identity": {}, "done": [], "counts": [], "marks": {}}))
    write(out)
    assert list(tmp_path.iterdir()) == [out]


@WRITERS
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_written(write, there, tmp_path):
    (tmp_path / "disk").mkdir()
    real, link = tmp_path / "disk" / "real", tmp_path / "link"
    link.symlink_to(real)
    if there:
        write(real)
        with pytest.raises(FileExistsError, match="overwrite=True"):
            write(link)
    assert place_of(Address.of(link)).url == f"{real}.partial"
    assert write(link, overwrite=there).rows == N
    assert link.is_symlink()
    assert {each.name for each in tmp_path.iterdir()} == {"disk", "link"}
    assert list((tmp_path / "disk").iterdir()) == [real]


@WRITERS
def test_links_that_lead_nowhere(write, tmp_path):
    circle, nowhere = tmp_path / "circle", tmp_path / "nowhere"
    circle.symlink_to(circle)
    nowhere.symlink_to(tmp_path / "absent" / "out")
    with pytest.raises(FileExistsError, match="leads in a circle"):
        write(circle)
    with pytest.raises(FileNotFoundError, match=r"absent.*Make it first"):
        write(nowhere)
    assert {each.name for each in tmp_path.iterdir()} == {"circle", "nowhere"}


def test_a_link_to_a_model_stays(tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "real.json")
    MIXTURE.save(link)
    assert link.is_symlink()
    assert (GaussianMixture.load(tmp_path / "real.json").means_ == MIXTURE.means_).all()


@WRITERS
@pytest.mark.parametrize("scheme", ["file://", "local://"])
def test_urls_of_this_disk_are_paths(write, scheme, tmp_path):
    url = f"{scheme}{tmp_path}/out"
    with pytest.raises(FileNotFoundError, match="Make it first"):
        write(f"{scheme}{tmp_path}/absent/out")
    with pytest.raises(KeyboardInterrupt):
        write(url, progress=interrupt)
    assert (tmp_path / f"out.partial{JOURNAL}").exists()
    write(url, storage_options={"auto_mkdir": True})
    write(url, overwrite=True)
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("write", "names"),
    [
        (NAMED.predict_to_zarr, ["x.parquet", "x.pq/", "x.csv", "x.NC", "memory://a/x.json"]),
        (NAMED.predict_to_parquet, ["x.zarr", "x.zarr/", "x.csv", "x.feather"]),
    ],
)
def test_a_name_of_another_format_is_refused(tmp_path, monkeypatch, write, names):
    monkeypatch.chdir(tmp_path)
    for name in names:
        with pytest.raises(ValueError, match=r"ends in \.\w+, and the predictions would be"):
            write(FRAME, name)
    assert not list(tmp_path.iterdir())
