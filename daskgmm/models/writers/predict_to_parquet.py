"""Predictions streamed to Parquet files beside keys: one read, and runs that can be resumed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from daskgmm.em.checkpoints.fingerprint import plain_digest, rows_digest
from daskgmm.errors import SettingError
from daskgmm.models.predictions.made_outputs import Outputs
from daskgmm.models.writers.about import about
from daskgmm.models.writers.job import Add, Job, Written, rows_in_words
from daskgmm.models.writers.parquet_target import ParquetTarget
from daskgmm.models.writers.part_writing import PartWriting
from daskgmm.models.writers.tally import Tally
from daskgmm.models.writers.unlike import SEED
from daskgmm.models.writers.writing import n_counts
from daskgmm.passes.configuration import Configuration
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.keyed_task import keyed_tasks
from daskgmm.passes.task import Progress, Task
from daskgmm.rows.origins import origins
from daskgmm.rows.tables.keyed import Table


@dataclass(frozen=True)
class ParquetJob(Job):
    """Writes a file for each chunk of a table.

    Attributes
    ----------
    table : Table
    """

    target: ParquetTarget
    table: Table

    @cached_property
    def data(self) -> Dataset:
        """The rows of the table."""
        return self.predictor.dataset(self.table.rows)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Digests of the model, the columns that are written, and the rows."""
        return {
            "model": self.predictor.digest,
            SEED: self.predictor.seed,
            "columns": plain_digest((str(self._writing.schema), *self.outputs.classes)),
            "rows": rows_digest(self.table.rows),
            "source": plain_digest(self.table.mark),
            "batches": len(self.data.batches),
        }

    @cached_property
    def said(self) -> dict[str, str]:
        """What is asked for in words."""
        schema = self._writing.schema
        columns = (f"{field.name} {field.type}" for field in schema)
        return {
            **self._said_of_model,
            "columns": ", ".join(columns),
            "rows": rows_in_words(self.table.rows),
        }

    @property
    def n_counts(self) -> int:
        """Counts of `counts_of`, and of all rows."""
        return n_counts(self.predictor.parameters) + 1

    @property
    def _writing(self) -> PartWriting:
        target, retries = self.target, Configuration.current().retries
        return PartWriting(
            self.predictor, self.outputs, target.place, self.table.schema,
            about(self.named, self.predictor), retries, target.guard, target.contested,
        )  # fmt: skip

    def make(self) -> None:
        """Make the folder, empty."""
        self.target.make()

    def tasks(self, data: Dataset) -> list[Task[Any]]:
        """Return tasks that read keys as well."""
        return keyed_tasks(data, self.table)

    def work(self, tally: Tally) -> tuple[PartWriting, Add]:
        """Return what writes files, and what counts them."""
        return self._writing, tally.add

    def finish(self, tally: Tally, work: PartWriting) -> int:
        """Put the folder in its place."""
        self.target.finish(len(self.table.rows.lengths), tally.digests)
        return int(tally.counts[-1])


def check_columns(table: Table, outputs: Outputs, dtype: str | None) -> None:
    """Raise `ValueError` unless outputs can be columns beside the keys of a table."""
    if dtype == "uint8":
        raise SettingError(
            "dtype is 'uint8' (--dtype), which needs a scale factor, and Parquet has none; give "
            "'float32'."
        )
    taken = set(table.schema.names)
    for name in (name for each in outputs.arrays for name in each.columns):
        if name in taken:
            key = name in table.schema.names
            what, option = ("key", "--key") if key else ("output", "--outputs")
            raise ValueError(
                f"The {what} {name!r} ({option}) is called as a column of predictions is; "
                "rename it, or leave that out of outputs."
            )
        taken.add(name)


def write_to_parquet(
    job: ParquetJob, read: Any, beside: Any = None, progress: Progress | None = None
) -> Written:
    """Write outputs of a table to Parquet files beside its keys.

    Files of a whole table may be replaced; what else users gave to `read`, and what is `beside` it,
    is not.
    """
    table, target = job.table, job.target
    if table.whole:
        target.check_replaced(origins(table.rows), {*table.features, *table.schema.names})
    else:
        target.check_apart(origins(read))
    target.check_apart(origins(beside))
    return job.run(progress)
