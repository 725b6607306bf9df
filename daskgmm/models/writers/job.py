"""A run that writes predictions: begun or gone on with, filled batch by batch, put in place."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.counting import counted
from daskgmm.em.checkpoints.fingerprint import DIGEST
from daskgmm.errors import DataError
from daskgmm.markup.card import with_bar
from daskgmm.markup.carded import Carded, Grid, Sheet
from daskgmm.models.predictions.made_outputs import Outputs
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.writers.about import NamedModel
from daskgmm.models.writers.journal import left_behind
from daskgmm.models.writers.marks import same_values
from daskgmm.models.writers.tally import Tally, WrittenBatch
from daskgmm.models.writers.target import Target
from daskgmm.models.writers.unlike import SEED, seed_in_words
from daskgmm.names import PREDICTIONS
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import map_batches
from daskgmm.passes.task import Progress, Task, Work
from daskgmm.rows.rows import Rows

Add = Callable[[WrittenBatch], None]

LOGGER = logging.getLogger(PREDICTIONS)
"""Tells whether a run goes on with what an interrupted one wrote."""


@dataclass(frozen=True, slots=True)
class Written(Carded):
    """Record of a run that has ended.

    Attributes
    ----------
    path : str
    rows : int
    counts : ndarray of int64, shape (k,)
        Rows of each component; if labels were not written, those of each cluster, and zeros after
        them, or zeros if clusters were not written either.
    missing : int
        Rows that miss a value, so that they have no label; 0 if neither labels nor `outlier`
        were written.
    outliers : int
        Rows that are outliers, by the output `outlier`, or by the label -1 of a mixture with noise;
        0 if neither was written. With tails they are in `counts` too.
    """

    path: str
    rows: int
    counts: NDArray[np.int64]
    missing: int
    outliers: int = 0

    def _sheet(self) -> Sheet:
        named = [*enumerate(self.counts.tolist()), ("out", self.outliers), ("none", self.missing)]
        rows = [
            (str(name), f"{count:,}", with_bar(f"{count / self.rows:.1%}", count / self.rows))
            for name, count in named
            if count
        ]
        grid = Grid("Rows by label", ("label", "rows", "share"), rows, left=())
        return Sheet(f"Predictions of {counted(self.rows, 'row')}", [("path", self.path)], [grid])


def rows_in_words(rows: Rows) -> str:
    """Return what rows are, without their values."""
    n = "unknown number of rows" if rows.n_rows is None else counted(rows.n_rows, "row")
    columns, chunks = counted(rows.n_features, "column"), counted(len(rows.lengths), "chunk")
    return f"{n} of {columns} {rows.dtype} in {chunks}"


@dataclass(frozen=True)
class Job(ABC):
    """All that a run needs to write predictions.

    Attributes
    ----------
    predictor : Predictor
    outputs : Outputs
    target : Target
    named : NamedModel
        What the model is called in what is written.
    """

    predictor: Predictor
    outputs: Outputs
    target: Target
    named: NamedModel

    @property
    @abstractmethod
    def data(self) -> Dataset:
        """The rows, cut into batches."""

    @property
    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Facts that a run must have in common with one that it goes on from."""

    @property
    @abstractmethod
    def said(self) -> dict[str, str]:
        """The same facts in words, as far as there are words for them."""

    @property
    def _said_of_model(self) -> dict[str, str]:
        digest = self.predictor.digest.removeprefix(DIGEST)
        return {
            "model": f"{self.named.name}, digest {digest}",
            SEED: seed_in_words(self.predictor.seed),
        }

    @property
    @abstractmethod
    def n_counts(self) -> int:
        """The length of `Tally.counts`."""

    @abstractmethod
    def make(self) -> None:
        """Make what is to be filled at the target."""

    @abstractmethod
    def work(self, tally: Tally) -> tuple[Work[WrittenBatch], Add]:
        """Return what writes a batch, and what takes its result into the tally."""

    @abstractmethod
    def finish(self, tally: Tally, work: Any) -> int:
        """Put in its place what is whole; return the number of rows."""

    def tasks(self, data: Dataset) -> list[Task[Any]] | None:
        """Return tasks that read the batches of a data set, if not its own."""
        return None

    def run(self, progress: Progress | None = None) -> Written:
        """Write what is missing, and put it in its place; of bad data nothing stays."""
        self.target.writes = [each.name for each in self.outputs.arrays]
        self.target.said = self.said
        with self.target.held():
            tally = self._taken()
            work, add = self.work(tally)
            try:
                self.fill(tally, work, add, progress)
            except DataError:
                # The same call would end here again.
                self.target.discard()
                raise
            rows = self.finish(tally, work)
        k = self.predictor.parameters.n_components
        counts, (missing, outliers) = tally.counts[:k], map(int, tally.counts[k : k + 2])
        return Written(self.target.address.url, rows, counts, missing, outliers)

    def _taken(self) -> Tally:
        """Take the place of the target; return what an interrupted run of this kind wrote."""
        tally = self.target.interrupted(self.identity)
        adds_up = tally is not None and self._adds_up(tally)
        if tally is not None and adds_up and same_values(self.data, tally, self.tasks):
            self.target.go_on(self.identity, tally)
            if tally.done:
                batches = counted(len(self.data.batches), "batch", "es")
                LOGGER.info("resuming from what is written, %d of %s", len(tally.done), batches)
            return tally
        self.target.check_like(self.identity, values=adds_up)
        if left_behind(self.target.address) is not None:
            LOGGER.info("beginning anew: what an earlier run left cannot be resumed")
        tally = Tally(np.zeros(self.n_counts, np.int64))
        self.target.begin(self.identity, tally, self.make)
        return tally

    def _adds_up(self, tally: Tally) -> bool:
        """Return whether what is counted may be the rows of the batches that are done."""
        counts, parameters = tally.counts, self.predictor.parameters
        if len(counts) != self.n_counts or (counts < 0).any():
            return False
        of = {batch.index: batch.rows for batch in self.data.batches}
        if not tally.done <= of.keys():
            return False
        k = parameters.n_components
        labelled, (missing, outliers) = int(counts[:k].sum()), map(int, counts[k : k + 2])
        if not labelled:  # no labels are written, or none was certain
            return True
        counted = labelled + missing + (outliers if parameters.has_noise else 0)
        rows = [of[index] for index in tally.done]
        known = [each for each in rows if each is not None]
        return len(known) < len(rows) or counted == sum(known)

    def fill(
        self, tally: Tally, work: Work[WrittenBatch], add: Add, progress: Progress | None
    ) -> None:
        """Write the batches that are missing, and keep the journal."""
        batches = tuple(b for b in self.data.batches if b.index not in tally.done)
        if not batches:
            return
        left = replace(self.data, batches=batches)
        results = map_batches(left, work, progress, "daskgmm_predict", self.tasks(left))
        # Closed, as no task may write once this run has left its place.
        with closing(results):
            for result in results:
                add(result)
                self.target.note(self.identity, tally)
