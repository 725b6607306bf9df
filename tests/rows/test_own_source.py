"""A kind of source of one's own is one class and one line in the table."""

from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import accumulate, pairwise
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import zarr
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import (
    GaussianMixture,
    load_model,
    open_data,
    open_labelled,
    open_parquet,
    plan,
    sweep,
)
from daskgmm.cli import main
from daskgmm.errors import DataError, EntryError
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.checks.naming import places
from daskgmm.rows.origins import origins
from daskgmm.rows.retries import retried
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.sources import SOURCES
from daskgmm.testing import SourceTests

LINES = 1500
NAMES = ("a", "b", "c", "d")


@dataclass(frozen=True)
class TextSegment:
    path: str
    bounds: tuple[int, ...]  # bytes at which chunks begin, and the last one ends
    columns: list[int] | int
    dependencies = ()

    def stream(self, dependencies=(), retries=0):
        for start, stop in pairwise(self.bounds):
            yield retried(partial(self.read, start, stop), retries)

    def read(self, start, stop):
        with Path(self.path).open("rb") as file:
            file.seek(start)
            block = np.loadtxt(BytesIO(file.read(stop - start)), delimiter=",", ndmin=2)
        return block[:, self.columns]


class TextRows(Rows):
    dtype = np.dtype(np.float64)

    def __init__(self, path, columns=None, weights=False):
        header, *lines = Path(path).read_bytes().splitlines(keepends=True)
        chunks = [lines[start : start + LINES] for start in range(0, len(lines), LINES)]
        self.bounds = [*accumulate((len(b"".join(c)) for c in chunks), initial=len(header))]
        self.lengths = np.array(list(map(len, chunks)), np.int64)
        self.source, self.names = path, tuple(header.decode().strip().split(","))
        self.found = places(columns or self.names, self.names)
        self.columns = None if weights else tuple(self.names[place] for place in self.found)
        self.n_features, self.chosen = len(self.found), self.found[0] if weights else self.found

    @property
    def all_columns(self):
        return self.names

    def select(self, names):
        return TextRows(self.source, names)

    def column(self, name):
        return TextRows(self.source, (name,), weights=True)

    def segment(self, first, stop):
        return TextSegment(self.source, tuple(self.bounds[first : stop + 1]), self.chosen)


class Text(Source):
    suffixes = (".points",)
    named = True

    def rows(self, columns=None):
        return TextRows(self.path, columns)


@pytest.fixture(autouse=True)
def registered():
    SOURCES.append(Text)
    yield
    SOURCES.remove(Text)


def written(data, path, names=NAMES):
    np.savetxt(path, data, "%.17g", ",", header=",".join(names), comments="")
    return str(path)


class TestText(SourceTests):
    kind, names = Text, NAMES

    def make(self, data, folder):
        return written(data, folder / "x.points")


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    return random.normal(size=(4000, 4)) + [6.0, 0.0, -6.0, 0.0] * random.integers(
        3, size=(4000, 1)
    )


@pytest.fixture
def x(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return written(data, "x.points")


@pytest.mark.slow
def test_it_is_fitted_swept_and_predicted(x, data):
    mixture = sweep(x, [2, 3, 4], ("full", "diag"), random_state=0).best()
    assert (mixture.n_components, mixture.feature_names_in_.tolist()) == (3, list(NAMES))
    assert mixture.fitted_on_["source"] == x
    mixture.save("m.json")
    mixture, frame = load_model("m.json"), pd.DataFrame(data, columns=NAMES)
    labels = mixture.predict(x)
    assert labels.chunks == ((1500, 1500, 1000),)
    assert_array_equal(labels, mixture.predict(frame))
    assert mixture.bic(x) == pytest.approx(mixture.bic(frame))
    mixture.predict_to_zarr(x, "p.zarr", ["posterior"], dtype="float64")
    assert_allclose(zarr.open_group("p.zarr")["posterior"], mixture.predict_proba(frame))
    with pytest.raises(TypeError, match="is not a table"):
        mixture.predict_to_parquet(x, "p.parquet")
    assert x in origins(x)


@pytest.mark.slow
def test_weights_are_a_column_a_file_or_an_array(x, data):
    """The column is no feature."""
    weights = np.abs(data[:, 3])
    weighted = written(np.column_stack([data[:, :3], weights]), "w.points")
    by_name = GaussianMixture(2, random_state=0).fit(weighted, sample_weight="d")
    assert by_name.feature_names_in_.tolist() == ["a", "b", "c"]
    rows = open_data(weighted, columns=["a", "b", "c"])
    alone = written(weights[:, None], "only.points", ["d"])
    for given in (alone, weights, open_data(alone)):
        mixture = GaussianMixture(2, random_state=0).fit(rows, sample_weight=given)
        assert_array_equal(mixture.means_, by_name.means_)
        assert mixture.score(weighted, sample_weight=given) == by_name.score(
            weighted, sample_weight="d"
        )


class Numbers:
    """Rows in memory, of a class that nobody else knows."""

    def __init__(self, values):
        self.values = values


class Held(Source):
    @classmethod
    def matches(cls, x):
        return isinstance(x, Numbers)

    def rows(self, columns=None):
        return ArrayRows(self.x.values)

    def lazy(self, columns=None):
        return None


class Unnamed(Text):
    suffixes = (".numbers",)

    def rows(self, columns=None):
        rows = super().rows()
        rows.columns = None
        return rows


@pytest.fixture
def others():
    SOURCES.extend([Held, Unnamed])
    yield
    SOURCES.remove(Held)
    SOURCES.remove(Unnamed)


@pytest.mark.usefixtures("others")
def test_what_is_in_memory_stands_beside_what_is_lazy(x, data):
    mixture = GaussianMixture(3, random_state=0).fit(data)
    expected = mixture.predict(data)
    for beside in (da.from_array(data, chunks=(900, 4)), x, data, Numbers(data)):
        for both in ([Numbers(data), beside], [beside, Numbers(data)]):
            labels = np.asarray(mixture.predict(both))
            assert_array_equal(labels, np.concatenate([expected, expected]))
    with pytest.raises(TypeError, match=r"not a table: .* Or have Held\.table return the rows"):
        mixture.predict_to_parquet(Numbers(data), "p.parquet")
    for opened in (open_data, open_parquet, open_labelled):
        with pytest.raises(TypeError, match=r"A path or URL is needed, and .*Numbers is neither"):
            opened(Numbers(data))


@pytest.mark.usefixtures("others")
def test_one_column_without_a_name_is_weights(x, data):
    weights = np.abs(data[:, 3:])
    mixture = GaussianMixture(1)
    expected = mixture.fit(data, sample_weight=weights[:, 0]).means_
    file = written(weights, "w.numbers", ["w"])
    for rows, given in (
        (data, Numbers(weights)),
        (da.from_array(data, chunks=(900, 4)), Numbers(weights)),
        (x, Numbers(weights[:, 0])),
        (x, file),
        ([x, data], [file, Numbers(weights)]),
    ):
        assert_allclose(mixture.fit(rows, sample_weight=given).means_, expected)
    for wrong, message in (
        (Numbers(data), "4 columns, and one is needed"),
        (Numbers(weights[:9]), "shape == \\(9,\\), expected"),
        (file, "at other rows"),
    ):
        with pytest.raises(DataError, match=message):
            mixture.fit(data, sample_weight=wrong)


def test_a_list_of_files_is_a_source(x, data):
    both = [written(data[:100], "1.points"), written(data[100:], "2.points")]
    mixture = GaussianMixture(3, random_state=0).fit(both)
    assert_allclose(mixture.score(x), mixture.score(both))
    assert len(mixture.predict(both)) == len(data)


@pytest.mark.slow
def test_the_command_line_takes_its_files(x, data, capsys):
    def run(*call):
        main(list(call), standalone_mode=False)
        return capsys.readouterr().out

    run("fit", x, "-k", "3", "--columns", "c,a", "-o", "m.json", "--seed", "0")
    mixture = load_model("m.json")
    assert mixture.feature_names_in_.tolist() == ["c", "a"]
    run("predict", "m.json", x, "-o", "p.zarr")
    assert_array_equal(zarr.open_group("p.zarr")["label"][:], mixture.predict(x).compute())
    run("sweep", x, "-k", "2-4", "-o", "s.json")
    assert "4,000" in run("plan", x, "-k", "3")
    assert "4,000, in 3 chunks" in run("info", x)
    assert plan(x, 3).batches == 1


def test_blocks_that_lack_rows_are_noticed(x, data, monkeypatch):
    read = TextSegment.read
    monkeypatch.setattr(TextSegment, "read", lambda *given: read(*given)[:-5])
    with pytest.raises(DataError, match=r"rows were read where \d+ were expected, in batch 0"):
        GaussianMixture(2, random_state=0).fit(x)


def test_a_kind_without_rows_is_an_error_of_the_kind(monkeypatch, data):
    class Empty(Source):
        @classmethod
        def matches(cls, x):
            return x == "nowhere" if isinstance(x, str) else False

        def rows(self, columns=None):
            return None

    monkeypatch.setattr("daskgmm.rows.sources.SOURCES", [*SOURCES, Empty])
    plain = GaussianMixture(2, random_state=0).fit(data)
    calls = (
        lambda: GaussianMixture(2).fit("nowhere"),
        lambda: GaussianMixture(2).fit(["nowhere", "nowhere"]),
        lambda: GaussianMixture(2).fit(data, sample_weight="nowhere"),
        lambda: plan("nowhere", 2),
        lambda: sweep("nowhere", [2]),
        lambda: plain.predict("nowhere"),
        lambda: plain.score("nowhere"),
        lambda: open_data("nowhere"),
    )
    for call in calls:
        with pytest.raises(EntryError, match=r"Empty, of .*its rows\(\) returned a NoneType"):
            call()
