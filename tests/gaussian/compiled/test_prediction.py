"""Predictions of the compiled kernel against NumPy's, SciPy's and its own other instructions."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from daskgmm.gaussian import STRUCTURES
from daskgmm.gaussian.kernels.compiled.model import library_model
from daskgmm.gaussian.kernels.compiled.prediction import STEP, CompiledPrediction
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.prediction import Targets
from daskgmm.gaussian.kernels.tailed import natural_kernel
from daskgmm.models.predictions.posteriors.tile_posterior import TilePosterior
from daskgmm.testing.mixtures import log_joint, random_mixture
from tests.gaussian.compiled.test_tails_and_noise import joint_by_scipy, mixture

KINDS = ("plain", "t", "contaminated", "noise")

ANY_RANGE = 1e300


def problem(kind, structure, k, d, n, seed=0):
    """Return parameters, their kernel, and rows, some of which are far."""
    x = np.random.default_rng(seed).normal(size=(n, d)) * 2
    x[::13] *= 10.0
    plain = kind == "plain"
    parameters = (
        random_mixture(STRUCTURES[structure], k, d) if plain else mixture(kind, structure, k, d)
    )
    return parameters, natural_kernel(parameters, np.full(d, 0.3)), x


def predicting(library, kernel):
    model = library_model(kernel)
    assert model is not None
    return CompiledPrediction(library, model)


def empty(kernel, n):
    """Return targets of all kinds, with a column for the noise if there is some."""
    columns = kernel.shape[1]
    return Targets(np.full(n, -9), np.full((n, columns), np.nan), 0, np.full(n, np.nan))


def predicted(library, kernel, x):
    """Return labels, responsibilities and log densities."""
    targets, d = empty(kernel, len(x)), x.shape[1]
    assert predicting(library, kernel).fill(x, targets, np.full(d, ANY_RANGE)) == len(x)
    return targets.labels, targets.responsibilities, targets.log_densities


def same_bits(one, other):
    for a, b in zip(one, other, strict=True):
        assert_array_equal(a, b)


def check(found, parameters, kernel, x):
    """Compare with NumPy's; log densities relative to the largest term, as theirs are rounded."""
    labels, gamma, logs = found
    with kernel.workspace(len(x)) as work:
        b = work.joint.shape[1]
        for rows in (slice(i, i + b) for i in range(0, len(x), b)):
            tile = kernel.bind(work, len(x[rows]))
            tile.rows[:] = (x[rows] - kernel.center).T
            numpy = TilePosterior(tile, parameters, kernel.center, x[rows])
            best = numpy.labels.copy()
            expected = numpy.log_densities
            memberships = numpy.memberships.T
            assert_allclose(logs[rows], expected, rtol=1e-13, atol=1e-12)
            assert_allclose(gamma[rows], memberships, rtol=0, atol=1e-13 * max(1, x.shape[1]))
            two = np.sort(memberships, axis=1)[:, -2:]
            apart = two[:, -1] - two[:, 0] > 1e-12
            differ = labels[rows] != best
            assert not (differ & apart).any() if two.shape[1] > 1 else not differ.any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "diag", "spherical", "tied", "EEI"])
@pytest.mark.parametrize("k", [1, 2, 3, 7, 9, 17])
def test_they_are_those_of_numpy(loaded, kind, structure, k):
    parameters, kernel, x = problem(kind, structure, k, 1 + k % 7, 450)
    for library in loaded:
        check(predicted(library, kernel, x), parameters, kernel, x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("structure", "k", "d", "n"),
    [
        ("full", 1, 90, 400),
        ("full", 300, 1, 900),
        ("full", 3, 47, 385),
        ("diag", 23, 300, 384),
        ("spherical", 300, 30, 50),
        ("tied", 29, 121, 400),
    ],
)
def test_large_shapes(loaded, kind, structure, k, d, n):
    parameters, kernel, x = problem(kind, structure, k, d, n)
    for library in loaded:
        check(predicted(library, kernel, x), parameters, kernel, x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "tied"])
def test_they_are_those_of_scipy_s_densities(loaded, kind, structure):
    parameters, kernel, x = problem(kind, structure, 4, 3, 700)
    k = parameters.n_components
    with np.errstate(divide="ignore"):  # a component may be clean altogether
        joint = log_joint(parameters, x) if kind == "plain" else joint_by_scipy(parameters, x)
    if kind == "contaminated":
        joint = np.logaddexp(joint[:k], joint[k:])
    labels = joint.argmax(0)
    labels[labels == k] = -1
    logs = logsumexp(joint, axis=0)
    for library in loaded:
        found = predicted(library, kernel, x)
        assert_array_equal(found[0], labels)
        assert_allclose(found[1], np.exp(joint - logs).T, rtol=0, atol=1e-12)
        assert_allclose(found[2], logs, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "diag", "tied"])
def test_instructions_change_no_bit(loaded, kind, structure):
    if len(loaded) < 2:
        pytest.skip("this processor runs one library only")
    for k, d, n in ((1, 1, 1), (5, 3, 383), (7, 12, 1000), (10, 2, 769), (40, 9, 500)):
        _, kernel, x = problem(kind, structure, k, d, n, seed=k)
        first, *others = (predicted(library, kernel, x) for library in loaded)
        for other in others:
            same_bits(first, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "tied"])
def test_rows_are_alone(loaded, kind, structure):
    """Neither other rows, nor what else is asked for, changes a bit; nor does their number."""
    _, kernel, x = problem(kind, structure, 6, 5, 1000)
    for library in loaded:
        whole = predicted(library, kernel, x)
        for n in (0, 1, 2, 7, STEP - 1, STEP + 1, 383, 384, 385):
            same_bits(predicted(library, kernel, x[137 : 137 + n]), (a[137:][:n] for a in whole))
        assert all(len(part) == 0 for part in predicted(library, kernel, x[:0]))
        prediction, everywhere = predicting(library, kernel), np.full(5, ANY_RANGE)
        alone = empty(kernel, len(x))
        for name in ("labels", "responsibilities", "log_densities"):
            one = Targets(**{name: getattr(alone, name)})
            assert prediction.fill(x, one, everywhere) == len(x)
        same_bits((alone.labels, alone.responsibilities, alone.log_densities), whole)
        assert prediction.fill(x, Targets(), everywhere) == len(x)


def test_rows_of_any_kind(loaded):
    _, kernel, x = problem("plain", "full", 4, 3, 500)
    x = np.rint(4 * x) / 4
    unaligned = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)
    assert not unaligned.flags.aligned
    fixed = x.copy()
    fixed.flags.writeable = False
    kinds = [np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2], x[::-1][::-1], unaligned, fixed]
    kinds += [x.astype(np.float32), x.astype(">f8"), np.pad(x, ((0, 0), (2, 1)))[:, 2:5]]
    long = np.tile(x, (7, 1))  # more than one strip of what is copied
    for library in loaded:
        expected = predicted(library, kernel, x)
        for rows in kinds:
            same_bits(predicted(library, kernel, rows), expected)
        same_bits(
            predicted(library, kernel, np.asfortranarray(long)), predicted(library, kernel, long)
        )
        whole = np.rint(x)
        same_bits(
            predicted(library, kernel, whole.astype(np.int16)), predicted(library, kernel, whole)
        )


@pytest.mark.parametrize("kind", ["plain", "noise"])
def test_targets_of_any_type_and_place(loaded, kind):
    """Integers of all sizes, float32 and uint8, fields of records that lie on odd addresses."""
    _, kernel, x = problem(kind, "full", 5, 3, 500)
    k, n = 5, len(x)
    for library in loaded:
        labels, gamma, logs = predicted(library, kernel, x)
        prediction, everywhere = predicting(library, kernel), np.full(3, ANY_RANGE)
        for size in (np.int8, np.int16, np.int32, np.int64):
            fields = [("odd", "i1"), ("label", size), ("gamma", "f4", (k,)), ("log", "f4")]
            records = np.full(n, -7, np.dtype(fields))
            targets = Targets(records["label"], records["gamma"], 0, records["log"])
            assert prediction.fill(x, targets, everywhere) == n
            assert_array_equal(records["label"], labels)
            assert_array_equal(records["gamma"], gamma[:, :k].astype(np.float32))
            assert_array_equal(records["log"], logs.astype(np.float32))
            assert (records["odd"] == -7).all()
        for levels in (254, 255):
            wide = np.full((n, k + 3), 77, np.uint8)
            prediction.fill(
                x, Targets(responsibilities=wide[:, 1 : 1 + k], levels=levels), everywhere
            )
            assert_array_equal(wide[:, 1 : 1 + k], np.rint(gamma[:, :k] * levels))
            assert (wide[:, [0, k + 1, k + 2]] == 77).all()


def test_the_first_of_equal_components_is_the_label(loaded):
    parameters = random_mixture(STRUCTURES["full"], 4, 3)
    x = np.random.default_rng(0).normal(size=(100, 3))
    kernel = NaturalKernel.of(parameters, np.zeros(3))
    kernel.theta[[0, 2, 3]] = kernel.theta[2]
    kernel.theta[1, 0] = -np.inf
    for library in loaded:
        labels, gamma, _ = predicted(library, kernel, x)
        assert (labels == 0).all()
        assert_allclose(gamma[:, [0, 2, 3]], 1 / 3, rtol=1e-15)
        assert (gamma[:, 1] < 1e-280).all()


def test_rows_out_of_range_end_it(loaded):
    """The rows before the tile of the first one are filled; a NaN is out of any range."""
    _, kernel, x = problem("plain", "diag", 4, 3, 2000)
    within = np.abs(x - kernel.center).max(0)
    for library in loaded:
        prediction, tile = predicting(library, kernel), library.tile
        assert prediction.fill(x, empty(kernel, len(x)), within) == len(x)
        whole = predicted(library, kernel, x)
        for row, value in product((0, 500, 1999), (np.nan, np.inf, -np.inf, 1e3)):
            wild = x.copy()
            wild[row, 1] = value
            targets = empty(kernel, len(x))
            filled = prediction.fill(wild, targets, within)
            assert filled == row // tile * tile
            same_bits(
                (targets.labels[:filled], targets.log_densities[:filled]),
                (whole[0][:filled], whole[2][:filled]),
            )
            assert prediction.fill(np.asfortranarray(wild), targets, within) == filled
        assert prediction.fill(x, empty(kernel, len(x)), np.full(3, -1.0)) == 0


def test_rows_far_from_all_components(loaded):
    """Exponents end at -650, log densities do not."""
    parameters, kernel, x = problem("plain", "full", 4, 3, 300)
    for library in loaded:
        labels, gamma, logs = predicted(library, kernel, 1e4 * x)
        assert_allclose(gamma.sum(1), 1.0, rtol=1e-14)
        assert (gamma > 0).all()
        assert_allclose(logs, logsumexp(log_joint(parameters, 1e4 * x), axis=0), rtol=1e-9)
        assert_array_equal(labels, gamma.argmax(1))
