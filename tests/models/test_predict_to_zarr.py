"""Predictions on disk: one read, chunks written whole and once, runs that go on."""

from __future__ import annotations

import json
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr

from daskgmm import GaussianMixture
from daskgmm.models.predictions.outputs import OUTPUTS, ambiguity
from daskgmm.models.predictions.posteriors.posterior import most_probable
from daskgmm.models.predictions.room import OF_OUTLIERS
from daskgmm.models.writers.partial_places import JOURNAL
from daskgmm.passes.batches import Batch, aligned, cut_batches
from daskgmm.rows.opening import as_rows
from daskgmm.rows.stores import stored_rows, zarr_array

K, D, N = 4, 2, 5003


OF_SOME = ("latent", "reconstruction_error", "cluster", "cluster_posterior", *OF_OUTLIERS)
ALL = tuple(name for name in OUTPUTS if name not in OF_SOME)
"""All outputs of a mixture without factors or outliers whose components were not merged."""


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
    "zarr, one chunk": lambda x, path: stored(path / "x.zarr", x, len(x)),
    "dask": lambda x, path: da.from_array(x, chunks=(700, 1)),
    "dask, irregular": lambda x, path: da.from_array(x, chunks=(irregular(len(x)), D)),
    "dask, single rows": lambda x, path: da.from_array(x, chunks=(1, D)),
    "list": lambda x, path: [x[:1234], da.from_array(x[1234:], chunks=(500, D))],
    "path": lambda x, path: (stored(path / "x.zarr", x, 512), str(path / "x.zarr"))[1],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "cut"),
    [
        ("numpy", {}),
        ("numpy", {"chunks": 100, "shards": 700}),
        ("zarr", {}),
        ("zarr", {"chunks": 333}),
        ("zarr, one chunk", {"chunks": 5 * N}),
        ("zarr, one chunk", {"chunks": 100, "shards": 700}),
        ("dask", {"chunks": 333}),
        ("dask", {"chunks": 100, "shards": 700}),
        ("dask, irregular", {}),
        ("dask, irregular", {"chunks": 333}),
        ("dask, irregular", {"chunks": 100, "shards": 700}),
        ("dask, irregular", {"chunks": 5 * N}),
        ("dask, single rows", {"chunks": 333}),
        ("list", {}),
        ("list", {"chunks": 333}),
        ("path", {"chunks": 5 * N}),
    ],
)
def test_what_is_written_is_what_is_predicted(
    source: str, cut: dict[str, Any], rows: np.ndarray, mixture: GaussianMixture, tmp_path: Path
) -> None:
    n = 200 if "single" in source else 2003
    x = SOURCES[source](rows[:n], tmp_path)
    out = tmp_path / "out.zarr"
    written = mixture.predict_to_zarr(x, out, ALL, dtype="float64", top=3, **cut)
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
    mixture.predict_to_zarr(rows, tmp_path / "a.zarr", ALL)
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


@pytest.mark.slow
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
        da.from_array(holed, chunks=(999, D)), tmp_path / "b.zarr", ALL, dtype="uint8"
    )
    found, posteriors = opened(tmp_path / "b.zarr"), drops.predict_proba(holed)
    assert written.missing == len(holed[::3])
    assert (found.label[::3] == -1).all()
    assert (found.top_component[::3] == -1).all()
    for name in ("posterior", "top_posterior", "largest_posterior", "ambiguity", "log_density"):
        assert np.isnan(found[name][::3]).all()
        assert not np.isnan(found[name][1::3]).any()
    assert np.nanmax(np.abs(found.posterior.values - posteriors)) <= (1 / 508) * (1 + 1e-6)


@pytest.fixture(
    scope="module", params=[(1, True), (2, False), (2, True), (3, True), (4, False)], ids=str
)
def grid(request: pytest.FixtureRequest) -> xr.Dataset:
    """A grid of one to four dimensions, in memory or lazy, of which a part is missing."""
    n_dims, lazy = request.param
    dims = ("x", "y", "time", "band")[:n_dims]
    sizes = dict(zip(dims, (13, 9, 4, 3), strict=False))
    random = np.random.default_rng(0)
    groups = (np.arange(13) % 2 * 8).reshape(-1, *[1] * (n_dims - 1))
    ds = xr.Dataset(
        {name: (dims, random.normal(size=tuple(sizes.values())) + groups) for name in ("u", "v")},
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
    return ds


@pytest.fixture(scope="module")
def grid_and_mixture(grid: xr.Dataset) -> tuple[xr.Dataset, GaussianMixture]:
    """The grid and a mixture of it."""
    return grid, GaussianMixture(2, random_state=0, missing="drop").fit(grid)


@pytest.mark.slow
@pytest.mark.parametrize(
    "cut", [{}, {"chunks": {"y": 3}}, {"chunks": {"y": 2, "x": 3}, "shards": {"y": 4, "x": 6}}]
)
def test_grids_keep_their_coordinates(
    grid_and_mixture: tuple[xr.Dataset, GaussianMixture], cut: dict[str, Any], tmp_path: Path
) -> None:
    ds, mixture = grid_and_mixture
    dims = ds.u.dims
    if len(dims) == 1 and cut:
        cut = {name: {"x": 4 if name == "shards" else 2} for name in cut}
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

    def counted(array: Any, part: tuple[slice]) -> Any:
        reads[part[0].start, part[0].stop] += 1
        return read(array, part)

    monkeypatch.setattr(zarr_array, "read", counted)
    monkeypatch.setattr(stored_rows, "BLOCK_BYTES", 1600)
    mixture.predict_to_zarr(array, tmp_path / "out.zarr", ALL, chunks=333)
    assert set(reads.values()) == {1}
    assert sorted(reads) == [(i, min(N, i + 100)) for i in range(0, N, 100)]


class Killed(BaseException):
    pass


def chunks_of(done: list[Batch], chunks: int) -> set[str]:
    """Return the names of chunks that batches have a part in."""
    return {
        f"{chunk}"
        for batch in done
        if batch.rows
        for chunk in range(
            batch.start_row // chunks, (batch.start_row + batch.rows - 1) // chunks + 1
        )
    }


@pytest.mark.slow
@pytest.mark.parametrize(("chunks", "dies_at"), [(100, 1), (77, 4), (600, 4), (77, 9)])
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
        [aside] = (tmp_path / "out.zarr.partial").iterdir()
        before = {path: path.stat().st_mtime_ns for path in (aside / "label" / "c").rglob("*")}
        done = json.loads((tmp_path / f"out.zarr.partial{JOURNAL}").read_text())["done"]
        torn = aside / "label" / "c" / "0.0123abcd.partial"
        torn.parent.mkdir(exist_ok=True)
        torn.write_bytes(b"half a chunk")
        again: list[int] = []
        written = mixture.predict_to_zarr(
            x, out, ["label", "posterior"], chunks=chunks, progress=lambda d, t: again.append(t)
        )
    now = {path: (out / path.relative_to(aside)).stat().st_mtime_ns for path in before}
    cut = as_rows(x)
    batches = aligned(mixture._predictor().dataset(cut).batches, cut, chunks)
    kept = {path.name for path in before if now[path] == before[path]}
    assert chunks_of([batches[i] for i in done], chunks) <= kept
    assert len(batches) == 16
    assert not (out / "label" / "c" / torn.name).exists()
    assert len(done) >= dies_at - 2
    assert again[0] == 16 - len(done)
    for name in ("label", "posterior"):
        np.testing.assert_array_equal(opened(out)[name], opened(tmp_path / "whole.zarr")[name])
    assert written.counts.tolist() == whole.counts.tolist()


def test_another_run_begins_anew_only_if_it_may(
    rows: np.ndarray, mixture: GaussianMixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-7)
    x = da.from_array(rows, chunks=(100, rows.shape[1]))

    def die(done: int, total: int) -> None:
        if done == 3:
            raise Killed

    out = tmp_path / "out.zarr"
    drawn, filled = tmp_path / "drawn.zarr", deepcopy(mixture).set_params(missing="marginalise")
    with dask.config.set(num_workers=1), pytest.raises(Killed):
        filled.predict_to_zarr(x, drawn, ["imputed"], chunks=100, random_state=5, progress=die)
    for seed, asked in ((6, "6"), (None, "none")):
        words = rf"wrote with another random_state \(--seed\) \(written: 5; asked: {asked}\)\."
        with pytest.raises(FileExistsError, match=words):
            filled.predict_to_zarr(x, drawn, ["imputed"], chunks=100, random_state=seed)
    with dask.config.set(num_workers=1), pytest.raises(Killed):
        mixture.predict_to_zarr(x, out, ["posterior"], chunks=100, progress=die)
    before = (tmp_path / f"out.zarr.partial{JOURNAL}").read_bytes()
    other = GaussianMixture.from_parameters([1.0], mixture.means_[:1], mixture.covariances_[:1])
    labels = r"other outputs \(written: posterior float32; asked: label int8\)"
    models = r"another model \(written: GaussianMixture, digest \w+; asked: .*, digest \w+\)"
    with pytest.raises(FileExistsError, match=f"{models}, {labels}"):
        other.predict_to_zarr(x, out, ["label"], chunks=100)
    for words, settings in {
        r"shards or dimensions \(written: row, chunks 100; asked: row, chunks 50\)\.": {
            "outputs": ["posterior"],
            "chunks": 50,
        },
        r"other outputs \(written: posterior float32; asked: posterior uint8\)\.": {
            "outputs": ["posterior"],
            "dtype": "uint8",
        },
        rf"{labels}\. If it .* The same call .* resumes.*--overwrite": {},
    }.items():
        with pytest.raises(FileExistsError, match=words):
            mixture.predict_to_zarr(x, out, **{"chunks": 100} | settings)
    assert (tmp_path / f"out.zarr.partial{JOURNAL}").read_bytes() == before
    mixture.predict_to_zarr(x, out, ["label"], overwrite=True)
    assert sorted(zarr.open_group(out, mode="r").array_keys()) == ["label"]


def test_nothing_is_lost(rows: np.ndarray, mixture: GaussianMixture, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    mixture.predict_to_zarr(rows, out)
    with pytest.raises(FileExistsError, match=r"exists\. Choose .*overwrite=True"):
        mixture.predict_to_zarr(rows, out)
    bad = rows.copy()
    bad[4000] = np.nan
    with pytest.raises(ValueError, match="NaN in row 4000"):
        mixture.predict_to_zarr(bad, out, overwrite=True)
    assert (opened(out).label == mixture.predict(rows)).all()
    mixture.predict_to_zarr(rows[:10], out, overwrite=True)
    assert opened(out).sizes["row"] == 10
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileExistsError, match="not a group of predictions"):
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


def test_of_one_component_there_is_one_most_probable(rows: np.ndarray, tmp_path: Path) -> None:
    GaussianMixture(1).fit(rows).predict_to_zarr(rows, tmp_path / "out.zarr", ["top"])
    assert opened(tmp_path / "out.zarr").top_component.shape == (len(rows), 1)


def test_no_rows(mixture: GaussianMixture, tmp_path: Path) -> None:
    empty = da.from_array(np.empty((0, D)), chunks=(1, D))
    assert mixture.predict_to_zarr(empty, tmp_path / "out.zarr", ALL).rows == 0
    assert opened(tmp_path / "out.zarr").label.shape == (0,)


@pytest.mark.slow
def test_on_a_cluster(rows: np.ndarray, mixture: GaussianMixture, tmp_path: Path) -> None:
    from distributed import Client, LocalCluster

    array = stored(tmp_path / "x.zarr", rows, 100)
    here = mixture.predict_to_zarr(array, tmp_path / "here.zarr", ALL, chunks=333)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster),
    ):
        there = mixture.predict_to_zarr(array, tmp_path / "there.zarr", ALL, chunks=333)
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


def ocean(path: Path, chunks: dict[str, int]) -> xr.Dataset:
    random = np.random.default_rng(0)
    ds = xr.Dataset(
        {"u": (("t", "y", "x"), random.normal(size=(24, 12, 10)), {"grid_mapping": "polar"})},
        {"t": np.arange(24), "polar": ((), 0, {"grid_mapping_name": "polar_stereographic"})},
    )
    ds.chunk(chunks).to_zarr(path, consolidated=False)
    return xr.open_zarr(path, consolidated=False)


@pytest.fixture(scope="module")
def on_grid() -> GaussianMixture:
    return GaussianMixture(2, random_state=0).fit(
        xr.Dataset({"u": ("t", np.random.default_rng(1).normal(size=500))})
    )


@pytest.mark.parametrize(
    ("stored", "cut"),
    [
        ({"t": 1, "y": 12, "x": 10}, {}),
        ({"t": 1, "y": 12, "x": 10}, {"t": 4, "x": 5}),
        ({"t": 1, "y": 12, "x": 10}, {"t": 8, "y": 5, "x": 3}),
        ({"t": 6, "y": 4, "x": 5}, {"t": 4, "y": 6}),
        ({"t": 5, "y": 7, "x": 4}, {"t": 3, "y": 2, "x": 7}),
    ],
)
def test_blocks_of_a_grid_are_read_once(
    stored: dict[str, int], cut: dict[str, int], on_grid: GaussianMixture, tmp_path: Path
) -> None:
    ds = ocean(tmp_path / "x.zarr", stored)
    reads: Counter[Any] = Counter()

    def counted(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        if block_info:
            reads[tuple(block_info[0]["chunk-location"])] += 1
        return block

    watched = ds.assign(u=ds.u.copy(data=ds.u.data.map_blocks(counted, dtype=float)))
    on_grid.predict_to_zarr(watched, tmp_path / "out.zarr", chunks=cut)
    assert set(reads.values()) == {1}
    assert len(reads) == ds.u.data.npartitions
    found = opened(tmp_path / "out.zarr").label
    np.testing.assert_array_equal(found, on_grid.predict(ds))
    wanted = {**stored, **cut}
    assert [c[0] for c in found.chunks] == [min(wanted[d], ds.sizes[d]) for d in ("t", "y", "x")]


def test_chunks_that_fit_badly_are_refused(
    on_grid: GaussianMixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds = ocean(tmp_path / "x.zarr", {"t": 5, "y": 12, "x": 10})
    monkeypatch.setattr("daskgmm.models.writers.cutting.MOST_BLOCK_BYTES", 10_000)
    on_grid.predict_to_zarr(ds, tmp_path / "out.zarr", chunks={"t": 5, "x": 5})
    with pytest.raises(ValueError, match=r"t: 5 and 7, y: 12 and 12.*X\.chunk"):
        on_grid.predict_to_zarr(ds, tmp_path / "bad.zarr", chunks={"t": 7})
    line = GaussianMixture(2, random_state=0).fit(np.arange(100.0)[:, None])
    with pytest.raises(ValueError, match="Give smaller ones"):
        line.predict_to_zarr(np.zeros((20_000, 1)), tmp_path / "bad.zarr", chunks=20_000)
    assert not (tmp_path / "bad.zarr").exists()


def test_a_grid_mapping_stays_with_its_variables(on_grid: GaussianMixture, tmp_path: Path) -> None:
    ds = ocean(tmp_path / "x.zarr", {"t": 6, "y": 12, "x": 10})
    on_grid.predict_to_zarr(ds, tmp_path / "out.zarr", ["label", "posterior"])
    found = xr.open_zarr(tmp_path / "out.zarr", consolidated=False, decode_coords="all")
    assert found.label.encoding["grid_mapping"] == "polar"
    assert found.posterior.encoding["grid_mapping"] == "polar"
    assert found.polar.attrs["grid_mapping_name"] == "polar_stereographic"


@pytest.mark.parametrize("lazy", [False, True])
def test_an_empty_grid(lazy: bool, on_grid: GaussianMixture, tmp_path: Path) -> None:
    ds = ocean(tmp_path / "x.zarr", {"t": 6, "y": 12, "x": 10}).isel(y=slice(0, 0))
    on_grid.predict_to_zarr(ds if lazy else ds.load(), tmp_path / "out.zarr")
    assert opened(tmp_path / "out.zarr").label.shape == (24, 0, 10)


def killed_after(mixture: GaussianMixture, x: Any, out: Path, batches: int) -> None:
    def die(done: int, total: int) -> None:
        if done > batches:
            raise Killed

    with pytest.raises(Killed):
        mixture.predict_to_zarr(x, out, progress=die)


@pytest.mark.slow
def test_a_grid_goes_on(
    on_grid: GaussianMixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6)
    ds = ocean(tmp_path / "x.zarr", {"t": 1, "y": 12, "x": 10})
    killed_after(on_grid, ds, tmp_path / "out.zarr", 5)
    left: list[int] = []
    on_grid.predict_to_zarr(ds, tmp_path / "out.zarr", progress=lambda _, total: left.append(total))
    assert left[0] < 16
    np.testing.assert_array_equal(opened(tmp_path / "out.zarr").label, on_grid.predict(ds))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr", "grid, another time"])
def test_other_data_do_not_go_on(
    kind: str, on_grid: GaussianMixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6)
    out = tmp_path / "out.zarr"
    if kind == "grid, another time":
        whole = ocean(tmp_path / "x.zarr", {"t": 1, "y": 12, "x": 10})
        one, other = whole.isel(t=slice(0, 12)), whole.isel(t=slice(12, 24))
        killed_after(on_grid, one, out, 5)
        with pytest.raises(FileExistsError, match="wrote with other coordinates"):
            on_grid.predict_to_zarr(other, out)
        on_grid.predict_to_zarr(other, out, overwrite=True)
        assert opened(out).t[0] == 12
        np.testing.assert_array_equal(opened(out).label, on_grid.predict(other))
        return
    line = GaussianMixture(2, random_state=0)
    line.fit(np.r_[np.zeros(50), np.ones(50)][:, None] + np.arange(100)[:, None] * 1e-3)
    one, other = np.zeros((600_000, 1)), np.ones((600_000, 1))
    if kind == "dask":
        one, other = (da.from_array(x, chunks=(100_000, 1)) for x in (one, other))
    if kind == "zarr":
        array = zarr.create_array(tmp_path / "x.zarr", data=one, chunks=(1000, 1))
        killed_after(line, array, out, 1)
        array[:] = other
        other = array
    else:
        killed_after(line, one, out, 1)
    with pytest.raises(FileExistsError, match=r"wrote with other (rows|values of the rows)"):
        line.predict_to_zarr(other, out)
    line.predict_to_zarr(other, out, overwrite=True)
    assert len(np.unique(opened(out).label)) == 1


@pytest.mark.parametrize("place", ["x.zarr", "."])
def test_the_data_are_not_written_over(
    place: str, on_grid: GaussianMixture, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    ds = ocean(folder / "x.zarr", {"t": 6, "y": 12, "x": 10})
    with pytest.raises((ValueError, FileExistsError), match=r"exists|where the data are"):
        on_grid.predict_to_zarr(ds, folder / place, overwrite=True)
    assert ds.u.mean().compute() == pytest.approx(0, abs=0.1)


def test_options_are_of_urls_only(on_grid: GaussianMixture, tmp_path: Path) -> None:
    ds = ocean(tmp_path / "x.zarr", {"t": 6, "y": 12, "x": 10})
    on_grid.predict_to_zarr(ds, tmp_path / "out.zarr", storage_options={"anon": True})
    assert opened(tmp_path / "out.zarr").label.shape == (24, 12, 10)


def test_batches_stay_even_where_few_borders_fit() -> None:
    rows = as_rows(da.zeros((6_553_600, 1), chunks=(65_536, 1)))
    batches = tuple(cut_batches(rows, 1e-6))
    moved = aligned(batches, rows, 100_000)
    assert len(moved) == len(batches)
    assert max(batch.rows or 0 for batch in moved) <= 2 * max(batch.rows or 0 for batch in batches)
    fitting = aligned(tuple(cut_batches(rows, 1e-7)), rows, 131_072)
    assert len(fitting) == 16
    assert all(batch.start_row % 131_072 == 0 for batch in fitting)
    assert sum(batch.rows or 0 for batch in fitting) == 6_553_600
