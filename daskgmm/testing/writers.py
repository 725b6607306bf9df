"""Conformance tests for writers of predictions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.errors import DataError, OutputError
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.writers.job import Written
from daskgmm.passes.task import Progress

N, D, CHUNK = 6000, 2, 500
"""Number of rows, of columns, and of rows in a chunk: a batch each."""

TAKEN = "Another run has taken the place of .*out.*Let one run write there at a time"


class Killed(BaseException):
    """Ends a run from outside, as a signal would."""


class WriterTests:
    """Tests of a writer: all of it or nothing, and a run that was killed goes on."""

    def rows(self) -> Array:
        """Return rows of five clusters, shape (N, D)."""
        rows: Array = np.random.default_rng(0).normal(size=(N, D))
        return rows + np.arange(N)[:, None] % 5 * 8

    def write(
        self,
        mixture: GaussianMixture,
        rows: Array,
        out: Path,
        progress: Progress | None = None,
        *,
        overwrite: bool = False,
    ) -> Written:
        """Write the labels of rows, which are in chunks of CHUNK rows."""
        raise NotImplementedError

    def labels(self, out: Path) -> NDArray[np.integer[Any]]:
        """Return the labels that were written, in the order of the rows."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _a_batch_for_each_chunk(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-7)
        with dask.config.set(num_workers=2):
            yield

    @pytest.fixture
    def small(self) -> GaussianMixture:
        """Return a mixture of two components."""
        return fitted(2)

    @pytest.fixture
    def large(self) -> GaussianMixture:
        """Return a mixture of five components."""
        return fitted(5)

    def test_all_rows_are_written(self, small: GaussianMixture, tmp_path: Path) -> None:
        """The result says how many rows each component has, and nothing else is left."""
        out, told = tmp_path / "out", []
        written = self.write(small, self.rows(), out, lambda *done: told.append(done))
        self._check(small, out)
        assert (written.path, written.rows, written.missing) == (str(out), N, 0)
        assert_array_equal(written.counts, np.bincount(self.labels(out)))
        assert told[-1] == (len(told), len(told))
        assert len(told) > 6

    def test_a_run_that_was_killed_goes_on(self, small: GaussianMixture, tmp_path: Path) -> None:
        """A part that is not whole has no name; the same call writes the rest."""
        out, left = tmp_path / "out", []
        with pytest.raises(Killed):
            self.write(small, self.rows(), out, after(4, die))
        assert not out.exists()
        self.write(small, self.rows(), out, lambda done, total: left.append(total))
        assert left[0] < N // CHUNK
        self._check(small, out)

    def test_another_run_does_not_go_on_with_it(
        self, small: GaussianMixture, large: GaussianMixture, tmp_path: Path
    ) -> None:
        """A run of another mixture, or of other rows, removes it only if it may."""
        out, moved = tmp_path / "out", self.rows()[::-1].copy()
        with pytest.raises(Killed):
            self.write(small, self.rows(), out, after(4, die))
        with pytest.raises(FileExistsError, match=r"wrote with another model \(written: "):
            self.write(large, self.rows(), out)
        with pytest.raises(Killed):
            self.write(large, self.rows(), out, after(4, die), overwrite=True)
        with pytest.raises(FileExistsError, match=r"wrote with other (rows|values of the rows)\."):
            self.write(large, moved, out)
        self.write(large, moved, out, overwrite=True)
        assert_array_equal(self.labels(out), large.predict(moved))
        assert nothing_beside(out)

    def test_what_exists_is_replaced_when_the_new_one_is_whole(
        self, small: GaussianMixture, large: GaussianMixture, tmp_path: Path
    ) -> None:
        """And only if that was asked for, and only by what is of its kind."""
        out, foreign = tmp_path / "out", tmp_path / "foreign"
        self.write(small, self.rows(), out)
        with pytest.raises(FileExistsError, match="out exists"):
            self.write(large, self.rows(), out)
        with pytest.raises(Killed):
            self.write(large, self.rows(), out, after(4, die), overwrite=True)
        assert_array_equal(self.labels(out), small.predict(self.rows()))
        self.write(large, self.rows(), out, overwrite=True)
        self._check(large, out)
        foreign.mkdir()
        (foreign / "thesis.tex").write_text("dear to me")
        with pytest.raises(FileExistsError, match="foreign"):
            self.write(small, self.rows(), foreign, overwrite=True)
        assert [path.name for path in foreign.iterdir()] == ["thesis.tex"]

    def test_bad_rows_leave_nothing_at_the_name(
        self, small: GaussianMixture, tmp_path: Path
    ) -> None:
        """The error names the column."""
        out, bad = tmp_path / "out", self.rows()
        bad[N - 1, 0] = np.nan
        with pytest.raises(DataError, match=r"NaN.*column 0"):
            self.write(small, bad, out)
        assert not out.exists()
        self.write(small, self.rows(), out)
        self._check(small, out)

    def test_the_other_run_ends_first(
        self, small: GaussianMixture, large: GaussianMixture, tmp_path: Path
    ) -> None:
        """The later one of two runs takes the place, if it may."""
        out = tmp_path / "out"

        def other() -> None:
            with pytest.raises(FileExistsError, match="overwrite=True"):
                self.write(large, self.rows(), out)
            self.write(large, self.rows(), out, overwrite=True)

        with pytest.raises(OutputError, match=TAKEN):
            self.write(small, self.rows(), out, after(3, other))
        self._check(large, out)

    def test_the_other_run_is_killed_and_goes_on(
        self, small: GaussianMixture, large: GaussianMixture, tmp_path: Path
    ) -> None:
        """The earlier one of two runs has lost the place all the same."""
        out, left = tmp_path / "out", []

        def begin_and_die() -> None:
            with pytest.raises(Killed):
                self.write(large, self.rows(), out, after(4, die), overwrite=True)

        with pytest.raises(OutputError, match=r"of the model sha256:.* begun .* by process"):
            self.write(small, self.rows(), out, after(3, begin_and_die))
        assert not out.exists()
        self.write(large, self.rows(), out, lambda done, total: left.append(total))
        assert left[0] < N // CHUNK
        self._check(large, out)

    def test_a_run_that_goes_on_takes_the_place_of_its_predecessor(
        self, small: GaussianMixture, tmp_path: Path
    ) -> None:
        """A job was queued again, while the first one still lives."""
        out, left = tmp_path / "out", []

        def again() -> None:
            self.write(small, self.rows(), out, lambda done, total: left.append(total))

        with pytest.raises(OutputError, match="has ended there"):
            self.write(small, self.rows(), out, after(4, again))
        assert left[0] < N // CHUNK
        self._check(small, out)

    def test_runs_on_threads_of_their_own(
        self, small: GaussianMixture, large: GaussianMixture, tmp_path: Path
    ) -> None:
        """The first one is half through as the second one begins, and both write at once."""
        out, winners = tmp_path / "out", []

        def run(mixture: GaussianMixture, progress: Progress | None = None) -> None:
            try:
                self.write(mixture, self.rows(), out, progress, overwrite=mixture is large)
            except (OutputError, FileExistsError):
                return
            winners.append(mixture)

        other = threading.Thread(target=run, args=(large,))
        run(small, after(4, other.start))
        other.join(60)
        (winner,) = winners
        self._check(winner, out)

    def _check(self, mixture: GaussianMixture, out: Path) -> None:
        """Assert that the predictions of a mixture are all that is there."""
        assert_array_equal(self.labels(out), mixture.predict(self.rows()))
        assert nothing_beside(out)


@cache
def fitted(k: int) -> GaussianMixture:
    """Return a mixture of k components."""
    mixture = GaussianMixture(k, init_params="k-means++", random_state=0, tol=0.1)
    return mixture.fit(WriterTests().rows())


def after(batches: int, do: Callable[[], object]) -> Progress:
    """Return a progress that does something once so many batches are done."""

    def progress(done: int, total: int) -> None:
        assert total > 6
        if done == batches:
            do()

    return progress


def die() -> None:
    """Raise `Killed`."""
    raise Killed


def nothing_beside(out: Path) -> bool:
    """Return whether a place is all that a run left."""
    return [path.name for path in out.parent.glob(f"{out.name}*")] == [out.name]
