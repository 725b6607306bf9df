"""Predictions streamed to a Zarr group: one read, every output, and runs that can be resumed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.em.checkpoints.fingerprint import plain_digest, rows_digest
from daskgmm.models.writers.about import about
from daskgmm.models.writers.cutting import CutRows
from daskgmm.models.writers.job import Add, Job, Written, rows_in_words
from daskgmm.models.writers.tally import Tally
from daskgmm.models.writers.unlike import SEED
from daskgmm.models.writers.writing import GridWriting, Joining, Putting, RowWriting, n_counts
from daskgmm.models.writers.zarr_target import ZarrTarget
from daskgmm.passes.batches import aligned
from daskgmm.passes.configuration import Configuration
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.task import Progress
from daskgmm.rows.origins import origins
from daskgmm.storage.masking import harmless_errors


@dataclass(frozen=True)
class ZarrJob(Job):
    """Writes the arrays of a Zarr group.

    Attributes
    ----------
    cut : CutRows
    source : str or None
        Where the rows are, if anywhere: other rows do not go on with a run of these.
    """

    target: ZarrTarget
    cut: CutRows
    source: str | None

    @cached_property
    def data(self) -> Dataset:
        """The rows; in a line, batches begin at chunks of the target where they can."""
        data, rows = self.predictor.dataset(self.cut.rows), self.cut.rows
        if self.cut.grid is not None:
            return data
        return replace(data, batches=aligned(data.batches, rows, self.cut.layout.unit[0]))

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Digests of the model, the outputs, their layout and the rows."""
        outputs, layout = self.outputs.arrays, self.cut.layout
        arrays = [
            (each.name, each.shape, str(each.dtype), each.fill, *each.classes) for each in outputs
        ]
        return {
            "model": self.predictor.digest,
            SEED: self.predictor.seed,
            "outputs": plain_digest(arrays),
            "layout": plain_digest((layout.dims, layout.shape, layout.chunks, layout.shards)),
            "coordinates": _of_coordinates(self.cut.template),
            "rows": rows_digest(self.cut.rows),
            "source": None if self.source is None else plain_digest(self.source),
            "batches": len(self.data.batches),
        }

    @cached_property
    def said(self) -> dict[str, str]:
        """What is asked for in words."""
        layout = self.cut.layout
        cut = {"chunks": layout.chunks, "shards": layout.shards}
        words = [f"{name} {' x '.join(map(str, each))}" for name, each in cut.items() if each]
        return {
            **self._said_of_model,
            "outputs": ", ".join(f"{each.name} {each.dtype}" for each in self.outputs.arrays),
            "layout": f"{' x '.join(layout.dims)}, {', '.join(words)}",
            "rows": rows_in_words(self.cut.rows),
            "source": self.source or "in memory",
        }

    @property
    def n_counts(self) -> int:
        """Counts of `counts_of`."""
        return n_counts(self.predictor.parameters)

    def make(self) -> None:
        """Make the arrays, empty."""
        k = self.predictor.parameters.n_components
        self.target.make(self.cut, self.outputs, k, about(self.named, self.predictor))

    def work(self, tally: Tally) -> tuple[RowWriting | GridWriting, Add]:
        """Return what writes whole chunks, and what joins the pieces of others."""
        target, n, unit = self.target, int(self.cut.rows.n_rows or 0), self.cut.layout.unit[0]
        arrays, retries = target.arrays(self.outputs), Configuration.current().retries
        put = Putting(arrays, retries, target.guard, target.contested)
        batches = {batch.index: batch for batch in self.data.batches}
        join = Joining(put, batches, unit, n, tally)
        if self.cut.grid is None:
            return RowWriting(self.predictor, self.outputs, put, unit, n), join
        return GridWriting(self.predictor, self.outputs, put, self.cut.grid), join

    def finish(self, tally: Tally, work: RowWriting | GridWriting) -> int:
        """Put the group in its place."""
        self.target.finish(work.put.targets, tally.digests)
        return int(np.prod(self.cut.layout.shape, dtype=np.int64))


def _of_coordinates(template: Any) -> str | None:
    """Return a digest of coordinates that are in memory; lazy ones are told by their names."""
    if template is None:
        return None
    places = [
        (str(name), place.dims, place.shape, str(place.dtype), _of_values(place))
        for name, place in sorted(template.coords.items(), key=lambda pair: str(pair[0]))
    ]
    return plain_digest(places)


def _of_values(place: Any) -> str | None:
    if place.chunks is not None:
        return None
    values: NDArray[Any] = np.asarray(place.values)
    return plain_digest(values.tolist() if values.dtype.hasobject else values.tobytes())


def write_to_zarr(job: ZarrJob, read: list[Any], progress: Progress | None) -> Written:
    """Write outputs of rows to a Zarr group; what users gave to `read` is not replaced."""
    with harmless_errors(job.target.address.options):
        job.target.check_apart(origins(read))
        return job.run(progress)
