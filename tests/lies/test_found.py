"""What mutations found, as plain cases: each was another exception, a wrong number or no end."""

import io
import json
import time
from unittest.mock import patch

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import zarr

from daskgmm import GaussianMixture, MixtureMoments, csv_to_parquet, load_model
from daskgmm.em.checkpoints.packing import pack, unpack
from daskgmm.errors import CheckpointError, DataError, ModelFileError, SourceError
from daskgmm.models.writers.journal import sealed
from daskgmm.models.writers.partial_places import JOURNAL
from daskgmm.rows.opening import as_rows
from daskgmm.rows.parquet.segment import read_piece
from tests.lies.documents import Killed, X, signed

ROWS = np.tile(X, (10, 1)) + np.arange(600.0)[:, None] / 100


@pytest.fixture(scope="module")
def mixture():
    return GaussianMixture(2, random_state=0, tol=0.1).fit(ROWS)


@pytest.fixture(autouse=True)
def no_retries():
    with dask.config.set({"daskgmm.retries": 0}):
        yield


# Documents.


@pytest.mark.parametrize("place", ["statistics", "weighing"])
def test_moments_of_another_form(place, mixture, tmp_path):
    path = tmp_path / "m.json"
    mixture.moments(X).save(path)
    document = json.loads(path.read_text())
    document[place]["value"]["fields"] = 0.5
    for spoiled in (document, signed(document)):
        path.write_text(json.dumps(spoiled))
        with pytest.raises(ModelFileError, match=r"m\.json is damaged"):
            MixtureMoments.load(path)


def test_a_name_that_stands_twice(mixture, tmp_path):
    """Of a file that was joined of two, parsers take the second."""
    path = tmp_path / "m.json"
    mixture.save(path)
    first, second = path.read_bytes(), path.read_bytes().lstrip(b"{\n")
    path.write_bytes(first[: first.index(b'"settings"')] + second)
    with pytest.raises(ModelFileError, match=r"m\.json is torn .*'format' stands twice"):
        load_model(path)


def _kept(path):
    seen = []

    def stop(event):
        if path.exists():
            seen.append(event)
            if len(seen) > 2:
                raise Killed

    with pytest.raises(Killed):
        GaussianMixture(2, random_state=0, tol=1e-9).fit(X, checkpoint=path, listen=stop)
    return json.loads(path.read_text())


def _changed(document, how):
    if how == "identity":
        return {**document, "identity": "a"}
    if how == "versions":
        return {**document, "versions": 1.5}
    if how == "state":
        return {**document, "state": "a"}
    state = document["state"]["value"]["fields"]
    state["current"] = 3 if how == "record" else state["current"]
    if how == "shape":
        document["state"]["arrays"][0]["shape"] = [10**400]
    return document


@pytest.mark.parametrize("how", ["identity", "versions", "state", "record", "shape"])
def test_a_checkpoint_of_another_form_that_is_signed(how, tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(signed(_changed(_kept(path), how))))
    with pytest.raises(CheckpointError, match=r"c\.json"):
        GaussianMixture(2, random_state=0, tol=1e-9).fit(X, checkpoint=path)


def test_a_checkpoint_of_lists_in_lists(tmp_path):
    path = tmp_path / "c.json"
    path.write_text('{"format": ' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(CheckpointError, match=r"c\.json is damaged"):
        GaussianMixture(2).fit(X, checkpoint=path)


def test_fields_of_another_type_are_refused(mixture):
    weighing = mixture.moments(X).weighing
    plain = pack(weighing)
    assert unpack(plain, {"Weighing": type(weighing)}) == weighing
    plain["value"]["fields"]["total"] = "1"
    with pytest.raises(TypeError, match="'total' of Weighing is a str"):
        unpack(plain, {"Weighing": type(weighing)})


# Parquet.


def _spoil_pages(path):
    """Change a byte in the middle of the last column chunk: the first may be an index."""
    content = bytearray(path.read_bytes())
    group = pq.read_metadata(path).row_group(0)
    chunk = group.column(group.num_columns - 1)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start + chunk.total_compressed_size // 2] ^= 1
    path.write_bytes(content)


def test_a_spoiled_page_is_told_by_its_checksum(mixture, tmp_path):
    path = tmp_path / "x.parquet"
    frame = pd.DataFrame(ROWS, columns=["a", "b", "c"])
    for checked in (False, True):
        frame.to_parquet(path, write_page_checksum=checked, use_dictionary=False, compression=None)
        _spoil_pages(path)
        if not checked:  # of a file without checksums it cannot be told
            mixture.score(path)
            continue
        with pytest.raises(SourceError, match=r"Row group 0 of .*x\.parquet.*write it again"):
            mixture.score(path)


def test_a_row_group_shorter_than_its_footer_says(mixture, tmp_path):
    """A reader may leave out a page, or stop before the end of a column."""
    path = tmp_path / "x.parquet"
    pd.DataFrame(ROWS, columns=["a", "b", "c"]).to_parquet(path)
    [piece] = as_rows(path).segment(0, 1).pieces
    with (
        patch("daskgmm.rows.parquet.segment._batches", return_value=iter(())),
        pytest.raises(DataError, match=r"Row group 0 of .*x\.parquet holds 0 rows.* 600"),
    ):
        list(read_piece(piece, as_rows(path).segment(0, 1).query))


def test_files_that_are_written_have_checksums(mixture, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n" + "".join(f"{at}.5,{at}.25\n" for at in range(500)))
    csv_to_parquet(tmp_path / "x.csv", tmp_path / "x.parquet")
    frame = pd.DataFrame(ROWS, columns=["a", "b", "c"])
    mixture.predict_to_parquet(frame, tmp_path / "out", outputs=["posterior"])
    for path in (tmp_path / "x.parquet", *(tmp_path / "out").iterdir()):
        _spoil_pages(path)
        with pytest.raises(SourceError, match="cannot be read"):
            GaussianMixture(1).fit(path)


# Zarr.


def _stored(path, **changes):
    array = zarr.create_array(path, shape=ROWS.shape, chunks=(50, 3), dtype="f8")
    array[:] = ROWS
    about = json.loads((path / "zarr.json").read_text())
    (path / "zarr.json").write_text(json.dumps({**about, **changes}))
    return path


@pytest.mark.parametrize("shape", [[10**9, 3], [10**15, 3], [10**30, 3]])
@pytest.mark.filterwarnings("error:.* says that it has the shape")
def test_a_shape_of_chunks_that_are_not_there(shape, mixture, tmp_path):
    path = _stored(tmp_path / "x.zarr", shape=shape)
    began = time.process_time()
    for use in (mixture.score, GaussianMixture(2).fit):
        with pytest.raises((SourceError, UserWarning), match=r"x\.zarr says that it has the shape"):
            use(path)
    assert time.process_time() - began < 1


def test_zeros_that_zarr_does_not_store_are_read(tmp_path):
    """It leaves out chunks of the fill value alone: such an array is whole."""
    array = zarr.create_array(tmp_path / "x.zarr", shape=(60_000, 2), chunks=(5, 2), dtype="i2")
    array[:5] = 1
    with pytest.warns(UserWarning, match="chunks that were looked for in its last half is stored"):
        rows = as_rows(tmp_path / "x.zarr")
    assert sum(rows.lengths) == 60_000


def test_a_large_array_whose_end_is_not_written(mixture, tmp_path):
    """Missing values there are no mistake; some chunks are enough for numbers."""
    for fill, last in ((np.nan, False), (0.0, True)):
        array = zarr.create_array(
            tmp_path / f"{fill}.zarr", shape=(60_000, 3), chunks=(5, 3), dtype="f8", fill_value=fill
        )
        array[:600] = ROWS
        if last:
            array[-5:] = 1.0
        assert sum(as_rows(tmp_path / f"{fill}.zarr").lengths) == 60_000


def test_chunks_of_no_length(mixture, tmp_path):
    zarr.create_array(tmp_path / "x.zarr", shape=(20, 3), chunks=(5, 3), dtype="f8", zarr_format=2)
    place = tmp_path / "x.zarr" / ".zarray"
    place.write_text(json.dumps({**json.loads(place.read_text()), "chunks": [0, 3]}))
    with pytest.raises(SourceError, match=r"x\.zarr (says|has metadata).*chunk.* shape .0, 3"):
        mixture.score(tmp_path / "x.zarr")


@pytest.mark.parametrize("length", [2**63, 10**400])
def test_chunks_longer_than_any_array(length, mixture, tmp_path):
    """Of the second Zarr reads none, and returns what memory held before."""
    grid = {"name": "regular", "configuration": {"chunk_shape": [length, 3]}}
    _stored(tmp_path / "x.zarr", chunk_grid=grid)
    with pytest.raises(SourceError, match=r"x\.zarr says that its chunks have more than"):
        mixture.score(tmp_path / "x.zarr")


def test_attributes_that_are_no_object(mixture, tmp_path):
    zarr.create_array(tmp_path / "x.zarr", shape=(20, 3), chunks=(5, 3), dtype="f8", zarr_format=2)
    (tmp_path / "x.zarr" / ".zattrs").write_text("1.5")
    told = (
        r"attributes of .*x\.zarr are damaged|x\.zarr cannot be opened: .* JSON object, got float"
    )
    with pytest.raises(SourceError, match=told):
        mixture.score(tmp_path / "x.zarr")


def test_a_chunk_with_a_wrong_checksum(mixture, tmp_path):
    path = tmp_path / "x.zarr"
    array = zarr.create_array(
        path, shape=ROWS.shape, chunks=(50, 3), dtype="f8", compressors=zarr.codecs.Crc32cCodec()
    )
    array[:] = ROWS
    chunk = path / "c" / "3" / "0"
    content = bytearray(chunk.read_bytes())
    content[100] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(SourceError, match=r"Rows \d+ to \d+ of .*x\.zarr cannot be read.*again"):
        mixture.score(path)


@pytest.mark.parametrize("lost", ["0/0", "1/1"])
def test_an_empty_shard_is_no_fill_value(lost, mixture, tmp_path):
    path = tmp_path / "x.zarr"
    array = zarr.create_array(path, shape=ROWS.shape, chunks=(50, 1), shards=(200, 2), dtype="f8")
    array[:400] = ROWS[:400]  # the last shards are not there, which is no mistake
    mixture.score(path)
    (path / "c" / lost).write_bytes(b"")
    with pytest.raises(SourceError, match=r"Rows 0 to 600 of .*x\.zarr cannot be read"):
        mixture.score(path)


def test_moments_of_a_file_without_rows(mixture, tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, ROWS[:0])
    (tmp_path / "x.npy").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="X has no rows"):
        mixture.moments(tmp_path / "x.npy")


# Journals.


def _more(document):
    document["counts"][0] += 5
    return document


def _counted_twice(document):
    return sealed(_more(document))


def _counted_below_0(document):
    return sealed({**document, "counts": [-7, *document["counts"][1:]]})


def _done_that_is_none(document):
    return sealed({**document, "done": [*document["done"], 99]})


def _whole(document):
    document["done"] = list(range(16))
    return document


def _elsewhere(document):
    return sealed({**document, "folder": "../../elsewhere"})


def _without(document):
    return sealed({name: each for name, each in document.items() if name != "contested"})


def _of_another_form(document):
    return sealed({**document, "counts": 3, "done": ["0", 1]})


@pytest.mark.parametrize(
    "spoil",
    [
        _of_another_form, _more, _whole, _elsewhere, _without, _counted_twice, _counted_below_0,
        _done_that_is_none,
    ],
)  # fmt: skip
def test_a_journal_that_lies_is_not_gone_on_from(spoil, mixture, tmp_path, monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
    x, out = da.from_array(ROWS, chunks=(100, 3)), tmp_path / "in" / "out.zarr"
    out.parent.mkdir()
    _die(mixture, x, out)
    journal = out.parent / f"out.zarr.partial{JOURNAL}"
    journal.write_text(json.dumps(spoil(json.loads(journal.read_text()))))
    _ends_well(mixture, x, out)


def test_metadata_that_lie_are_not_filled(mixture, tmp_path, monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
    x, out = da.from_array(ROWS, chunks=(100, 3)), tmp_path / "out.zarr"
    _die(mixture, x, out)
    [about] = (tmp_path / "out.zarr.partial").glob("*/label/zarr.json")
    about.write_text(about.read_text().replace('"fill_value": -1', '"fill_value": 1'))
    _ends_well(mixture, x, out)


def _die(mixture, x, out):
    def die(done, total):
        if done > 2:
            raise Killed

    with dask.config.set(num_workers=1), pytest.raises(Killed):
        mixture.predict_to_zarr(x, out, ["label"], chunks=100, progress=die)


def _ends_well(mixture, x, out):
    expected = mixture.predict(ROWS)
    written = mixture.predict_to_zarr(x, out, ["label"], chunks=100)
    assert written.counts.tolist() == np.bincount(expected).tolist()
    found = zarr.open_group(out, mode="r")["label"]
    np.testing.assert_array_equal(found[:], expected)
    assert found.fill_value == -1
    assert [each.name for each in out.parent.iterdir()] == ["out.zarr"]
