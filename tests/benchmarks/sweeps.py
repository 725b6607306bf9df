"""Claim: many sizes cost few passes more than one, and a few times its time.

A million rows of 12 clusters in 8 dimensions, in a Zarr store that counts how often each chunk
is read; one fit of 20 components against a sweep of 2 to 20 with 3 starts each. Every BIC is
compared with scikit-learn's at the same parameters.
"""

import math
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import sklearn.mixture
import zarr
from zarr.storage import LocalStore

import daskgmm
from tests.benchmarks.tables import against, print_table, seconds, times

D, CLUSTERS, LARGEST, CHUNK = 8, 12, 20, 50_000

ALLOWED_READS, ALLOWED_TIMES = 5, 6.0


class Counting(LocalStore):
    """A local store that counts the reads of each chunk."""

    reads: ClassVar[Counter[str]] = Counter()

    async def get(self, key: str, *args: Any, **options: Any) -> Any:
        """Count and read."""
        if "zarr.json" not in key:
            self.reads[key] += 1
        return await super().get(key, *args, **options)


def main(smoke: bool = False) -> None:
    """Print the table."""
    n, largest = (1_000, 3) if smoke else (1_000_000, LARGEST)
    random = np.random.default_rng(0)
    means = 2.5 * random.normal(size=(CLUSTERS, D))
    x = means[random.choice(CLUSTERS, n, p=random.dirichlet(np.full(CLUSTERS, 5.0)))]
    x += random.normal(size=(n, D))
    with tempfile.TemporaryDirectory(prefix="daskgmm-benchmark-") as folder:
        path = Path(folder) / "rows.zarr"
        zarr.create_array(path, data=x, chunks=(CHUNK, D), compressors=None)
        rows = zarr.open_array(Counting(path), mode="r")
        mixture = daskgmm.GaussianMixture(largest, random_state=0)
        one, one_reads, _ = timed(lambda: mixture.fit(rows))
        all_of_them, reads, found = timed(
            lambda: daskgmm.sweep(rows, range(2, largest + 1), n_init=3, random_state=0)
        )
    print_table(
        f"{n:,} rows, d={D}: sizes 2 to {largest} with 3 starts each, against one fit",
        ["", "reads of a chunk", "time", "x", "target", "reached"],
        [
            [f"fit, k={largest}", str(one_reads), seconds(one), "1x", "-", "-"],
            [
                "sweep",
                str(reads),
                seconds(all_of_them),
                times(all_of_them / one),
                times(ALLOWED_TIMES),
                against(all_of_them / one, ALLOWED_TIMES, at_most=True),
            ],
        ],
    )
    print(f"reads: at most {one_reads + ALLOWED_READS} allowed, {reads} made")
    print(f"best by BIC: {found.best().n_components} components")
    print(f"BIC against scikit-learn's: largest relative difference {worst(found, x):.1e}")


def timed(work: Any) -> tuple[float, int, Any]:
    """Return the seconds, the most reads of any chunk, and what the work returns."""
    Counting.reads.clear()
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, max(Counting.reads.values()), result


def worst(found: Any, x: Any) -> float:
    """Return the largest relative difference of a BIC from scikit-learn's."""
    differences = []
    for mixture, bic in zip(found.models, found.table["bic"], strict=True):
        theirs = sklearn.mixture.GaussianMixture(mixture.n_components)
        for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
            setattr(theirs, name, getattr(mixture, name))
        differences.append(abs(bic / theirs.bic(x) - 1) if math.isfinite(bic) else math.inf)
    return max(differences)
