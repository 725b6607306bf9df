"""Fourth moments of pairs of components by the compiled kernel, and the curvature made of them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm.companions import Companions
from daskgmm.em.likelihood import Likelihood
from daskgmm.em.posterior import Posterior
from daskgmm.em.shared_rows import SharedRowsWork
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.conditionals import CompleteRows
from daskgmm.gaussian.charts.pairs import PairFrames, n_sums
from daskgmm.gaussian.charts.row_scores import scores_of_rows
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.charts.score_curvature import sums_of_squares
from daskgmm.gaussian.kernels.backends import backend_of
from daskgmm.gaussian.kernels.compiled.pairs import CompiledPairs
from tests.gaussian.mixtures import parameters_of

N = 700
NAMES = ("full", "tied", "diag", "spherical", "EEI", "EII")
KINDS = ("alike", "tiny", "narrow", "apart", "noisy", "labelled")


def problem(name, kind, d=3, k=3):
    """Return a chart and a block of rows, that overlap or are far from each other."""
    random = np.random.default_rng(2)
    roots = random.normal(size=(k, d, d))
    scale, apart = {"tiny": (1e-3, 1e-3), "apart": (1.0, 40.0)}.get(kind, (1.0, 1.0))
    matrices = (0.3 * roots @ roots.swapaxes(1, 2) + np.eye(d)) * scale**2
    means = apart * random.normal(size=(k, d))
    if kind == "narrow":  # each in another direction, and all about one point
        widths = np.where(np.arange(d) == np.arange(k)[:, None], 1e-3, 1.0)
        matrices *= widths[:, :, None] * widths[:, None, :]
        means *= 1e-4
    own = parameters_of(name, random.dirichlet(np.full(k, 5.0)), means, matrices)
    if kind == "noisy":
        noisy = {"noise_weight": 0.1, "log_volume": 5.0}
        own = replace(own, weights=0.9 * own.weights, **noisy)
    chart = ScoreChart.of(own, reg_covar=1e-3 * scale**2)
    component = random.integers(k, size=N)
    factors = np.linalg.cholesky(matrices)[component]
    x = means[component] + np.einsum("nij,nj->ni", factors, random.normal(size=(N, d)))
    labels = np.where(random.random(N) < 0.3, component, -1) if kind == "labelled" else None
    return chart, Block(x, Companions(random.uniform(0.5, 2.0, N), labels))


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("all_rows", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_curvature_is_that_of_the_scores_of_rows(name, kind, all_rows, loaded):
    chart, block = problem(name, kind)
    frames = PairFrames.of(chart, all_rows=all_rows)
    assert len(frames.frames) * frames.layout.size == n_sums(chart, all_rows=all_rows)
    likelihood = Likelihood(labelled=kind == "labelled")
    work = SharedRowsWork(frames, likelihood, backend_of("compiled", ""))
    blocks = [block.part(slice(0, 301)), block.part(slice(301, N))]
    found = work(None, iter(blocks))
    squares = frames.squares(found.weight, found.counts, found.products)
    wanted = sums_of_squares(chart, CompleteRows.of(chart), block, all_rows=all_rows)
    # Of rows that are far from all components squares of scores are large, and cancel.
    atol = 1e-10 * max(1.0, np.abs(wanted.of_rows).max())
    assert_allclose(squares.curvature(chart), wanted.curvature(chart), rtol=0, atol=atol)
    if all_rows:
        assert_allclose(squares.of_rows, wanted.of_rows, rtol=0, atol=atol)


@pytest.mark.parametrize("name", ["full", "diag", "spherical"])
def test_sums_depend_on_rows_alone_and_not_on_calls_or_processors(loaded, name):
    chart, block = problem(name, "alike")
    layout = PairFrames.of(chart, all_rows=True).layout
    gamma = np.random.default_rng(0).dirichlet(np.ones(3), N)
    found = []
    for library in loaded:
        for step in (1, 7, 64, N):
            sums = CompiledPairs(library, layout)
            for first in range(0, N, step):
                rows = slice(first, first + step)
                sums.add(block.x[rows], gamma[rows], block.weights[rows])
            found.append(sums.total())
    for other in found[1:]:
        assert_array_equal(other, found[0])


def test_products_are_those_of_numpy(loaded):
    chart, block = problem("full", "alike")
    frames = PairFrames.of(chart, all_rows=False)
    layout = frames.layout
    gamma = np.random.default_rng(0).dirichlet(np.ones(3), N)
    gamma[:50, 0], gamma[:50, 1:] = 1.0, 0.0  # nothing is shared
    sums = CompiledPairs(loaded[0], layout)
    sums.add(block.x, gamma, None)
    found = sums.total()
    for frame, own in zip(frames.frames, found, strict=True):
        y = (block.x - frame.point) @ frame.factor.T
        u = np.c_[np.ones(N), y]
        t = u[:, layout.left] * u[:, layout.right]
        c = gamma[:, frame.pair].prod(axis=1)
        whole = (t * c[:, None]).T @ t
        wanted = np.concatenate([row[:n] for row, n in zip(whole, layout.stops, strict=True)])
        assert_allclose(own, wanted, rtol=1e-11, atol=1e-11 * np.abs(wanted).max())


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", NAMES)
def test_scores_of_units_are_sums_of_those_of_rows(name):
    chart, block = problem(name, "alike")
    posterior = Posterior(chart, Likelihood(), backend_of("compiled", ""))
    assert posterior.is_exact(block.x)
    starts = np.array([0, 1, 350, 690])
    found = posterior.scores(block, starts)
    of_rows = scores_of_rows(chart, CompleteRows.of(chart), block) * block.weights
    assert_allclose(found, np.add.reduceat(of_rows, starts, axis=1).T, rtol=1e-10, atol=1e-9)


@pytest.mark.usefixtures("installed")
def test_rows_that_a_natural_kernel_loses_are_not_for_it():
    chart, block = problem("full", "alike")
    posterior = Posterior(chart, Likelihood(), backend_of("compiled", ""))
    assert not posterior.is_exact(block.x + 1e9)
    assert posterior.is_exact(block.x)
    assert not Posterior(chart, Likelihood(), backend_of("numpy", "")).is_exact(block.x)


@pytest.mark.usefixtures("installed")
def test_numpy_has_no_sums_of_pairs():
    chart, _ = problem("full", "alike")
    layout = PairFrames.of(chart, all_rows=False).layout
    assert backend_of("numpy", "").pairs(layout) is None
