"""Some mutations of some kinds of files; `python -m tests.lies` reads as many as it is asked to."""

import pytest

from tests.lies.judging import FINDING, Judge
from tests.lies.kinds import made

SEED = 1
COUNTS = {
    "model: plain": 60,
    "model: Bayesian": 60,
    "classifier": 60,
    "moments": 60,
    "checkpoint: plain": 60,
    "Zarr metadata: format 3": 40,
    "Zarr chunks: format 3, crc32c": 20,
    "Parquet footer: checksums": 20,
    "Parquet pages: checksums": 20,
    "CSV": 40,
    "NumPy": 40,
    "journal: Parquet": 4,
}

PATIENCE = 60.0
"""Seconds for one file, on machines that do much else."""

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("name", COUNTS)
def test_files_that_lie(name, tmp_path):
    judge = Judge(made(name), SEED, tmp_path / "files", PATIENCE)
    verdicts = [judge.judge(index) for index in range(COUNTS[name])]
    assert [each for each in verdicts if each.verdict == FINDING] == []
