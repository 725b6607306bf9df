"""Predictions on disk: one read, chunks written whole and once, runs that go on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr

from daskgmm import GaussianMixture
from daskgmm.models.outputs import NAMES, ambiguity, most_probable
from daskgmm.models.target import JOURNAL
from daskgmm.passes.batches import aligned
from daskgmm.rows import zarr_array
from daskgmm.rows.opening import as_rows

K, D, N = 4, 2, 5003


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    random = np.random.default_rng(0)
    return random.normal(size=(N, D)) + 3.0 * random.integers(0, 3, (N, 1))


@pytest.fixture(scope="module")
def mixture(rows: np.ndarray) -> GaussianMixture:
    return GaussianMixture(K, random_state=0).fit(rows)


def opened(path: Any) -> xr.Dataset:
    return xr.open_zarr(path, consolidated=False)


def stored(path: Path, x: np.ndarray, chunk: int, **options: Any) -> zarr.Array:
    array = zarr.create_array(path, shape=x.shape, chunks=(chunk, D), dtype=x.dtype, **options)
    array[:] = x
    return array


def irregular(n: int, longest: int = 900) -> tuple[int, ...]:
    random, cuts = np.random.default_rng(1), [0]
    while cuts[-1] < n:
        cuts.append(min(n, cuts[-1] + int(random.integers(0, longest))))
    return tuple(np.diff(cuts).tolist())


SOURCES: dict[str, Any] = {
    "numpy": lambda x, path: x,
    "zarr": lambda x, path: stored(path / "x.zarr", x, 1000),
    "zarr, one chunk": lambda x, path: stored(path / "x.zarr", x, N),
    "dask": lambda x, path: da.from_array(x, chunks=(700, 1)),
    "dask, irregular": lambda x, path: da.from_array(x, chunks=(irregular(N), D)),
    "dask, single rows": lambda x, path: da.from_array(x[:200], chunks=(1, D)),
    "list": lambda x, path: [x[:1234], da.from_array(x[1234:], chunks=(500, D))],
    "path": lambda x, path: (stored(path / "x.zarr", x, 512), str(path / "x.zarr"))[1],
}


@pytest.mark.parametrize("source", list(SOURCES))
@pytest.mark.parametrize(
    "cut", [{}, {"chunks": 333}, {"chunks": 100, "shards": 700}, {"chunks": 5 * N}]
)
def test_what_is_written_is_what_is_predicted(
    source: str, cut: dict[str, Any], rows: np.ndarray, mixture: GaussianMixture, tmp_path: Path
) -> None:
    x = SOURCES[source](rows, tmp_path)
    n = 200 if "single" in source else N
    out = tmp_path / "out.zarr"
    written = mixture.predict_to_zarr(x, out, NAMES, dtype="float64", top=3, **cut)
    found, labels = opened(out), mixture.predict(rows[:n])
    posteriors = mixture.predict_proba(rows[:n])
    np.testing.assert_array_equal(found.label, labels)
    np.testing.assert_allclose(found.posterior, posteriors, rtol=1e-12)
    np.testing.assert_allclose(found.log_density, mixture.score_samples(rows[:n]), rtol=1e-12)
    np.testing.assert_allclose(found.largest_posterior, posteriors.max(1), rtol=1e-12)
    two = np.sort(posteriors, axis=1)[:, -2:]
    np.testing.assert_allclose(found.ambiguity, 1 - (two[:, 1] - two[:, 0]), atol=1e-12)
    np.testing.assert_array_equal(found.top_component[:, 0], labels)
    np.testing.assert_allclose(
        found.top_posterior, -np.sort(-posteriors, axis=1)[:, :3], rtol=1e-12
    )
    np.testing.assert_array_equal(
        np.take_along_axis(posteriors, found.top_component.values.astype(int), axis=1),
        np.take_along_axis(posteriors, np.argsort(-posteriors, axis=1)[:, :3], axis=1),
    )
    assert written.rows == n
    assert written.counts.tolist() == np.bincount(labels, minlength=K).tolist()
    assert written.missing == 0
    assert not list(tmp_path.glob("*.partial*"))
    assert found.label.dims == ("row",)
    assert found.posterior.dims == ("row", "component")


def test_types_and_names(rows: np.ndarray, mixture: GaussianMixture, tmp_path: Path) -> None:
    mixture.predict_to_zarr(rows, tmp_path / "a.zarr", NAMES)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert group["label"].dtype == group["top_component"].dtype == np.int8
    for name in ("posterior", "top_posterior", "largest_posterior", "ambiguity", "log_density"):
        assert group[name].dtype == np.float32
    assert group["label"].attrs["flag_values"] == [0, 1, 2, 3]
    assert group["label"].attrs["long_name"] == "most probable component"
    assert group.attrs["n_components"] == K
    assert group["component"][:].tolist() == [0, 1, 2, 3]
    mixture.predict_to_zarr(rows, tmp_path / "b.zarr")
    assert sorted(zarr.open_group(tmp_path / "b.zarr", mode="r").array_keys()) == ["label"]


def test_uint8_is_within_half_a_step(
    rows: np.ndarray, mixture: GaussianMixture, tmp_path: Path
) -> None:
    mixture.predict_to_zarr(rows, tmp_path / "a.zarr", ["posterior", "ambiguity"], dtype="uint8")
    assert zarr.open_array(tmp_path / "a.zarr" / "posterior", mode="r").dtype == np.uint8
    found, posteriors = opened(tmp_path / "a.zarr"), mixture.predict_proba(rows)
    assert np.abs(found.posterior.values - posteriors).max() <= (1 / 510) * (1 + 1e-6)
    holed = rows.copy()
    holed[::3, 0] = np.nan
    drops = GaussianMixture(K, random_state=0, missing="drop").fit(holed)
    written = drops.predict_to_zarr(
        da.from_array(holed, chunks=(999, D)), tmp_path / "b.zarr", NAMES, dtype="uint8"
    )
    found, posteriors = opened(tmp_path / "b.zarr"), drops.predict_proba(holed)
    assert written.missing == len(holed[::3])
    assert (found.label[::3] == -1).all()
    assert (found.top_component[::3] == -1).all()
    for name in ("posterior", "top_posterior", "largest_posterior", "ambiguity", "log_density"):
        assert np.isnan(found[name][::3]).all()
        assert not np.isnan(found[name][1::3]).any()
    assert np.nanmax(np.abs(found.posterior.values - posteriors)) <= (1 / 508) * (1 + 1e-6)


@pytest.mark.parametrize("n_dims", [1, 2, 3, 4])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    "cut", [{}, {"chunks": {"y": 3}}, {"chunks": {"y": 2, "x": 3}, "shards": {"y": 4, "x": 6}}]
)
def test_grids_keep_their_coordinates(
    n_dims: int, lazy: bool, cut: dict[str, Any], tmp_path: Path
) -> None:
    dims = ("x", "y", "time", "band")[:n_dims]
    sizes = dict(zip(dims, (13, 9, 4, 3), strict=False))
    random = np.random.default_rng(0)
    ds = xr.Dataset(
        {name: (dims, random.normal(size=tuple(sizes.values()))) for name in ("u", "v")},
        {"x": np.arange(13) / 2, "spatial_ref": ((), 0, {"crs_wkt": "LOCAL_CS[]"})},
        attrs={"title": "test"},
    )
    if n_dims > 2:
        ds = ds.assign_coords(
            time=np.datetime64("2026-01-01", "ns") + np.arange(4).astype("m8[D]"),
            area=(("x", "y"), np.ones((13, 9))),
        )
    ds.u[0] = np.nan
    if lazy:
        # Uneven along x: Zarr's chunks cannot be so.
        ds = ds.chunk({"x": (5, 3, 5), **({"y": 4} if n_dims > 1 else {})})
    if n_dims == 1 and cut:
        cut = {name: {"x": 4 if name == "shards" else 2} for name in cut}
    mixture = GaussianMixture(2, random_state=0, missing="drop").fit(ds)
    out = tmp_path / "out.zarr"
    written = mixture.predict_to_zarr(ds, out, ["label", "posterior", "log_density"], **cut)
    found = opened(out)
    expected = mixture.predict(ds).load()
    xr.testing.assert_equal(found.label.variable, expected.astype("i1").variable)
    xr.testing.assert_equal(
        found.coords.to_dataset().drop_vars("component"), ds.coords.to_dataset()
    )
    np.testing.assert_allclose(found.posterior, mixture.predict_proba(ds), atol=1e-6)
    np.testing.assert_allclose(found.log_density, mixture.score_samples(ds), rtol=1e-5)
    assert found.posterior.dims == (*dims, "component")
    assert found.attrs["title"] == "test"
    assert written.missing == np.isnan(ds.u).sum()
    array = zarr.open_array(out / "label", mode="r")
    if "chunks" in cut:
        assert array.chunks == tuple(
            cut["chunks"].get(d, c) for d, c in zip(dims, array.chunks, strict=True)
        )
    if "shards" in cut:
        assert array.shards is not None


def test_chunks_are_those_of_the_grid(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    ds = xr.Dataset({"u": (("y", "x"), random.normal(size=(50, 40)))}).chunk(y=16, x=40)
    mixture = GaussianMixture(2, random_state=0).fit(ds)
    mixture.predict_to_zarr(ds, tmp_path / "out.zarr")
    assert opened(tmp_path / "out.zarr").label.chunks == ds.u.chunks


def test_everything_comes_from_one_read(
    rows: np.ndarray, mixture: GaussianMixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = stored(tmp_path / "x.zarr", rows, 100)
    reads: Counter[tuple[int, int]] = Counter()
    read = zarr_array.read

    def counted(array: Any, start: int, stop: int) -> Any:
        reads[start, stop] += 1
        return read(array, start, stop)

    monkeypatch.setattr(zarr_array, "read", counted)
    monkeypatch.setattr(zarr_array, "BLOCK_BYTES", 1600)
    mixture.predict_to_zarr(array, tmp_path / "out.zarr", NAMES, chunks=333)
    assert set(reads.values()) == {1}
    assert sorted(reads) == [(i, min(N, i + 100)) for i in range(0, N, 100)]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("chunks", [100, 77, 600])
@pytest.mark.parametrize("dies_at", [1, 4, 9])
def test_a_killed_run_goes_on(
    rows: np.ndarray,
    mixture: GaussianMixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chunks: int,
    dies_at: int,
) -> None:
    import dask

    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6)
    x, out = da.from_array(rows, chunks=(irregular(N, 300), D)), tmp_path / "out.zarr"
    whole = mixture.predict_to_zarr(
        x, tmp_path / "whole.zarr", ["label", "posterior"], chunks=chunks
    )
    seen: list[int] = []

    def dying(done: int, total: int) -> None:
        assert total > 10
        seen.append(done)
        if done == dies_at + 1:
            raise Killed

    with dask.config.set(num_workers=1):
        with pytest.raises(Killed):
            mixture.predict_to_zarr(x, out, ["label", "posterior"], chunks=chunks, progress=dying)
        assert not out.exists()
        aside = tmp_path / "out.zarr.partial"
        before = {path: path.stat().st_mtime_ns for path in (aside / "label" / "c").rglob("*")}
        done = json.loads((tmp_path / f"{aside.name}{JOURNAL}").read_text())["done"]
        torn = aside / "label" / "c" / "0.0123abcd.partial"
        torn.parent.mkdir(exist_ok=True)
        torn.write_bytes(b"half a chunk")
        again: list[int] = []
        written = mixture.predict_to_zarr(
            x, out, ["label", "posterior"], chunks=chunks, progress=lambda d, t: again.append(t)
        )
    now = {path: (out / path.relative_to(aside)).stat().st_mtime_ns for path in before}
    # Whatever batches that were done have a part in is left as it was.
    cut = as_rows(x)
    batches = aligned(mixture._predictor().dataset(cut).batches, cut, chunks)
    done_rows = [(batches[i].start_row, batches[i].start_row + batches[i].rows) for i in done]
    whole_chunks = {
        f"{chunk}"
        for start, stop in done_rows
        for chunk in range(start // chunks, (stop - 1) // chunks + 1)
        if start < stop
    }
    assert whole_chunks <= {path.name for path in before if now[path] == before[path]}
    assert len(batches) == 16
    assert not (out / "label" / "c" / torn.name).exists()
    assert len(done) >= dies_at - 2
    assert again[0] == 16 - len(done)
    for name in ("label", "posterior"):
        np.testing.assert_array_equal(opened(out)[name], opened(tmp_path / "whole.zarr")[name])
    assert written.counts.tolist() == whole.counts.tolist()


def test_another_run_begins_anew(
    rows: np.ndarray, mixture: GaussianMixture, tmp_path: Path
) -> None:
    def die(done: int, total: int) -> None:
        raise Killed

    out = tmp_path / "out.zarr"
    with pytest.raises(Killed):
        mixture.predict_to_zarr(rows, out, ["posterior"], progress=die)
    mixture.predict_to_zarr(rows, out, ["label"])
    assert sorted(zarr.open_group(out, mode="r").array_keys()) == ["label"]


def test_nothing_is_lost(rows: np.ndarray, mixture: GaussianMixture, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    mixture.predict_to_zarr(rows, out)
    with pytest.raises(FileExistsError, match="exists"):
        mixture.predict_to_zarr(rows, out)
    bad = rows.copy()
    bad[4000] = np.nan
    with pytest.raises(ValueError, match="NaN in row 4000"):
        mixture.predict_to_zarr(bad, out, overwrite=True)
    assert (opened(out).label == mixture.predict(rows)).all()
    mixture.predict_to_zarr(rows[:10], out, overwrite=True)
    assert opened(out).sizes["row"] == 10
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileExistsError, match="no Zarr store"):
        mixture.predict_to_zarr(rows, tmp_path / "folder", overwrite=True)
    with pytest.raises(FileNotFoundError, match="Make it first"):
        mixture.predict_to_zarr(rows, tmp_path / "absent" / "out.zarr")


def test_bad_requests(rows: np.ndarray, mixture: GaussianMixture, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    for message, settings in {
        "outputs names 'labels'": {"outputs": ["labels"]},
        "outputs names nothing": {"outputs": []},
        "dtype is 'int8'": {"dtype": "int8"},
        "give 1 to 4": {"outputs": ["top"], "top": 5},
        "chunks or shards are": {"chunks": {"time": 3}},
        "whole chunks": {"chunks": 100, "shards": 250},
    }.items():
        with pytest.raises(ValueError, match=message):
            mixture.predict_to_zarr(rows, out, **settings)
    unknown = da.from_array(rows, chunks=(1000, D))
    unknown = unknown[unknown[:, 0] > 0]
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        mixture.predict_to_zarr(unknown, out)
    assert not list(tmp_path.iterdir())


def test_no_rows(mixture: GaussianMixture, tmp_path: Path) -> None:
    empty = da.from_array(np.empty((0, D)), chunks=(1, D))
    assert mixture.predict_to_zarr(empty, tmp_path / "out.zarr", NAMES).rows == 0
    assert opened(tmp_path / "out.zarr").label.shape == (0,)


def test_on_a_cluster(rows: np.ndarray, mixture: GaussianMixture, tmp_path: Path) -> None:
    from distributed import Client, LocalCluster

    array = stored(tmp_path / "x.zarr", rows, 100)
    here = mixture.predict_to_zarr(array, tmp_path / "here.zarr", NAMES, chunks=333)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster),
    ):
        there = mixture.predict_to_zarr(array, tmp_path / "there.zarr", NAMES, chunks=333)
    xr.testing.assert_identical(
        opened(tmp_path / "here.zarr").load(), opened(tmp_path / "there.zarr").load()
    )
    assert here.counts.tolist() == there.counts.tolist()


def test_most_probable_components_come_in_order() -> None:
    posterior = np.array([[0.2, 0.5, 0.25], [0.5, 0.5, 0.25], [0.3, 0.0, 0.5]])
    assert most_probable(posterior, 2).tolist() == [[1, 0, 2], [2, 1, 0]]
    assert most_probable(posterior, 3)[2].tolist() == [0, 2, 1]
    np.testing.assert_allclose(ambiguity(posterior), [0.8, 1.0, 0.75])
    assert ambiguity(np.ones((1, 3))).tolist() == [0.0, 0.0, 0.0]
