"""Promise 3: all of a fit runs on one thread of BLAS, in tasks and between them.

Otherwise an M-step would round by how many threads BLAS has at that moment, and that depends on
whether the last task has just ended.
"""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from daskgmm import BayesianGaussianMixture, GaussianMixture, sweep

X = np.concatenate([np.random.default_rng(i).normal(3 * i, size=(300, 3)) for i in range(2)])


def threads():
    return {found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"}


@pytest.mark.parametrize(
    "run",
    [
        lambda listen: GaussianMixture(2, random_state=0).fit(X, listen=listen),
        lambda listen: GaussianMixture(2, standardise=True, random_state=0).fit(X, listen=listen),
        lambda listen: GaussianMixture(2, tails="t", random_state=0).fit(X, listen=listen),
        lambda listen: BayesianGaussianMixture(2, random_state=0).fit(X, listen=listen),
        lambda listen: sweep(X, (1, 2), random_state=0, listen=listen),
    ],
    ids=["full", "standardise", "tails", "Bayesian", "sweep"],
)
def test_fits_have_one_between_their_passes_too(run):
    seen = []
    with threadpool_limits(2, user_api="blas"):
        run(lambda event: seen.append(threads()))
        assert threads() == {2}
    assert seen
    assert all(found == {1} for found in seen)
