"""A uniform sample of rows, in a pass of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from daskgmm.em.survey.adaptation import checked_blocks
from daskgmm.em.survey.sample import Sample, SampleRule, join
from daskgmm.gaussian.block import Block
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import map_batches


def rule_of(data: Dataset, seed: int, capacity: int) -> SampleRule:
    """Return the rule that chooses at most so many of the rows that have a weight and no gap."""
    whole = data.weights is None and not data.transform.drop_missing
    return SampleRule(seed, capacity, data.rows.n_rows if whole else None)


def uniform_sample(
    data: Dataset, rule: SampleRule, columns: tuple[str, ...] | None
) -> tuple[Sample | None, int]:
    """Return the sample, None of no rows, and the number of all rows; names are for messages.

    Raises
    ------
    DataError
        At the first value that is no usable number, in the sample or not.
    """
    found, total = list[Sample](), 0
    for part, n in map_batches(data, _SampleOfBatch(rule, columns), name="daskgmm_sample"):
        total += n
        if part is not None:
            found = [join([*found, part]).smallest(rule.capacity)]
    return (found[0] if found else None), total


@dataclass(frozen=True, slots=True)
class _SampleOfBatch:
    """The sample of one batch, and its number of rows."""

    rule: SampleRule
    columns: tuple[str, ...] | None

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> tuple[Sample | None, int]:
        kept: list[Sample] = []
        checked = checked_blocks(batch, blocks, self.columns)
        n = sum(len(block.x) for block in self.rule.watch(batch, checked, kept))
        return (join(kept).smallest(self.rule.capacity) if kept else None), n
