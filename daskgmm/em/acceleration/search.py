"""Safeguarded acceleration: fewer passes than EM takes, and never below where EM would be.

Each pass evaluates one proposal and gives its likelihood, its gradient (or the EM step, which
stands for it where there is none: `gaussian.charts.structured`) and its EM image. A
proposal that lowers the objective is thrown away for the EM image of the best point, which
is in hand: that costs one pass, and what is best never falls.

First come cycles of squared extrapolation (SQUAREM, Varadhan & Roland 2008, scheme S3), two
passes each; once these gain little, quasi-Newton steps. Both work in coordinates about a
current point (`gaussian.charts`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.acceleration.quasi_newton import Direction, Point, along_gradient, uphill
from daskgmm.gaussian.charts.chart import ChartAt
from daskgmm.gaussian.parameters import Parameters

SLACK = 1e-13
"""Part of the objective's size by which rounding may lower it."""

GROWTH = 4.0
"""Factor of the longest extrapolation, when one as long was right or wrong."""

LITTLE = 1e-3
"""Nats a row and pass below which extrapolation hands over."""

FIRST_RADIUS, SMALLEST_RADIUS, LARGEST_RADIUS = 3.0, 1.0, 1e4
"""Length of a quasi-Newton step, in EM steps."""

MIN_PAIRS = 4
"""Pairs below which the predicted gain is a guess."""

SURE = 0.01
"""Where an EM step itself would gain less than this part of the tolerance, no pairs are needed."""

Kind = Literal["em", "extrapolation", "newton", "revival"]


@dataclass(frozen=True, slots=True)
class Search:
    """State between two passes.

    Attributes
    ----------
    proposal : Parameters
        What the next pass evaluates.
    image : Parameters or None
        The EM image of the best point.
    kind : {"em", "extrapolation", "newton", "revival"}
        Where it comes from; a revival gives rows to components that have none.
    points : tuple of Point
        The last that were evaluated, the best one last.
    begun : Point or None
        Where the current cycle of extrapolation began; None between cycles.
    newton : bool
        Whether the quasi-Newton steps have begun.
    longest, radius : float
        Bounds of the next extrapolation and quasi-Newton step, in EM steps.
    length, expected : float
        Of the proposal: in EM steps, and the gain that is predicted, in nats per row.
    passes : int
        Passes since the last cycle ended.
    before : float
        The objective at its end, in nats per row.
    gap : float
        The increase of the objective that is predicted to be left, in nats per row.
    calm : int
        How many passes in a row predicted less than the tolerance.
    """

    proposal: Parameters
    image: Parameters | None = None
    kind: Kind = "em"
    points: tuple[Point, ...] = ()
    begun: Point | None = None
    newton: bool = False
    longest: float = 1.0
    radius: float = FIRST_RADIUS
    length: float = 1.0
    expected: float = 0.0
    passes: int = 0
    before: float = -math.inf
    gap: float = math.inf
    calm: int = 0

    @property
    def best(self) -> Point:
        """The best point evaluated."""
        return self.points[-1]

    @property
    def in_hand(self) -> Parameters:
        """The EM image of the best point; there is one once a pass was made."""
        assert self.image is not None
        return self.image


@dataclass(frozen=True, slots=True)
class Rules:
    """What a search goes by.

    Attributes
    ----------
    tolerance : float
        Predicted gain, in nats per row, below which a pass counts as calm.
    most : int
        Points that are kept at most, two or more.
    chart_at : callable
        Makes the coordinates.
    """

    tolerance: float
    most: int
    chart_at: ChartAt


def advance(
    search: Search,
    image: Parameters,
    em: Parameters,
    shares: Array,
    objective: float,
    rules: Rules,
) -> tuple[Search, bool]:
    """Return the search after a pass, and whether its proposal was accepted.

    `image` is what the M-step made of the proposal, `em` what a step along the gradient would, and
    `shares` (3, k) as of `Point`; the objective is in nats per row.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        # Beyond what numbers hold there is no direction, so the EM step is taken.
        point = Point.of(search.proposal, em, shares, objective)
        return _advance(search, point, image, rules)


def _advance(search: Search, point: Point, image: Parameters, rules: Rules) -> tuple[Search, bool]:
    tolerance, most, chart_at = rules.tolerance, rules.most, rules.chart_at
    accepted = not search.points or search.kind == "em" or not _falls(point, search.best)
    search = _resized(search, point, accepted)
    search = replace(
        search,
        points=_remembered(search, point, accepted, most),
        image=image if accepted else search.image,
        passes=search.passes + 1,
    )
    direction = along_gradient(search.best, search.in_hand, chart_at)
    if search.newton or direction.em_gain < tolerance:
        direction = uphill(direction, search.points)
    search = _judged(search, direction, accepted, tolerance, most)
    if search.newton:
        return _newton(search, direction, accepted), accepted
    return _extrapolate(search, direction, accepted, chart_at), accepted


def remaining_gain(changes: Sequence[float], tolerance: float) -> float:
    """Return what EM would still gain after the last of two changes of the objective.

    Aitken's delta-squared extrapolation (Boehning et al. 1994, https://doi.org/10.1007/BF01720593):
    changes shrink by a constant factor. Infinite where they do not shrink.
    """
    last = changes[-1]
    if last < SURE * tolerance:
        return max(last, 0.0)
    ratio = last / changes[0] if len(changes) > 1 and 0 < changes[0] < math.inf else math.inf
    return last * ratio / (1 - ratio) if ratio < 1 else math.inf


def without_points(search: Search, image: Parameters) -> Search:
    """Return what is told of a search that ended at an image; most of its memory is points."""
    return Search(image, gap=search.gap, calm=search.calm)


def restart(search: Search, image: Parameters) -> Search:
    """Return a search that goes on from an image whose M-step was not exact."""
    return Search(image, longest=search.longest, gap=search.gap)


def _falls(point: Point, best: Point) -> bool:
    return not point.objective >= best.objective - SLACK * max(1.0, abs(best.objective))


def _remembered(search: Search, point: Point, accepted: bool, most: int) -> tuple[Point, ...]:
    """Return the points with the new one: last if it is the best, else beside the best."""
    if accepted:
        return (*search.points, point)[-most:]
    if search.kind == "extrapolation" or not np.isfinite(point.objective):
        return search.points  # too far away to tell of the curvature here
    return (*search.points[:-1], point, search.best)[-most:]


def _judged(
    search: Search, direction: Direction, accepted: bool, tolerance: float, most: int
) -> Search:
    """Note the predicted gain, and for how many passes in a row it was small."""
    gap = max(direction.gain, direction.em_gain)
    known = direction.pairs >= min(MIN_PAIRS, most - 1) and not direction.saddle
    small = gap < tolerance and (known or direction.em_gain < SURE * tolerance)
    return replace(search, gap=gap, calm=search.calm + 1 if small and accepted else 0)


def _resized(search: Search, point: Point, accepted: bool) -> Search:
    """Adapt the bounds to how the proposal went."""
    if search.kind == "extrapolation" and search.length >= search.longest:
        factor = GROWTH if accepted else 1 / GROWTH
        return replace(search, longest=max(1.0, search.longest * factor))
    if search.kind != "newton":
        return search
    if not accepted:
        return replace(search, radius=max(SMALLEST_RADIUS, 0.25 * search.length))
    gained = point.objective - search.best.objective
    if gained > 0.5 * search.expected:
        return replace(search, radius=min(max(search.radius, 2 * search.length), LARGEST_RADIUS))
    if gained < 0.1 * search.expected:
        return replace(search, radius=max(SMALLEST_RADIUS, 0.5 * search.length))
    return search


def _em_step(search: Search, begun: Point | None = None) -> Search:
    return replace(search, proposal=search.in_hand, kind="em", begun=begun)


def _extrapolate(search: Search, direction: Direction, accepted: bool, chart_at: ChartAt) -> Search:
    """Return the search with the next proposal of a cycle: EM step, then extrapolation."""
    if search.begun is not None:
        return _far_proposal(search, search.begun, chart_at)
    if not accepted:
        return _em_step(search)
    gain = (search.best.objective - search.before) / search.passes
    search = replace(search, passes=0, before=search.best.objective)
    if gain >= LITTLE:
        return _em_step(search, search.best)
    if direction.points < len(search.points):
        direction = uphill(direction, search.points)
    return _newton(replace(search, newton=True), direction, accepted)


def _far_proposal(search: Search, begun: Point, chart_at: ChartAt) -> Search:
    """Return the search with the extrapolation along two EM steps as its proposal."""
    anchor = chart_at(begun.parameters)
    x0, x1, x2 = map(anchor.coordinates, (begun.parameters, search.best.parameters, search.in_hand))
    first, bend = x1 - x0, (x2 - x1) - (x1 - x0)
    wanted = float(np.linalg.norm(first)) / max(float(np.linalg.norm(bend)), 1e-300)
    length = min(wanted, search.longest)
    while length > 1.0001:
        proposal = anchor.parameters(x0 + 2 * length * first + length**2 * bend)
        if proposal is not None:
            return replace(
                search, proposal=proposal, kind="extrapolation", begun=None, length=length
            )
        length = 0.5 * (length + 1.0)
    # Two EM steps, as far as the first cycle may go: the next one may go farther.
    longest = GROWTH if search.longest <= 1.0 < wanted else search.longest
    return _em_step(replace(search, longest=longest))


def _newton(search: Search, direction: Direction, accepted: bool) -> Search:
    """Return the search with a quasi-Newton step as its proposal, or the EM step in hand."""
    em, whole = np.linalg.norm(direction.em_step), np.linalg.norm(direction.step)
    if not accepted or not direction.pairs or not min(em, whole) > 0:
        return _em_step(search)
    share = min(1.0, search.radius * float(em / whole))
    proposal = direction.anchor.parameters(direction.origin + share * direction.step)
    if proposal is None:
        return _em_step(search)
    return replace(
        search,
        proposal=proposal,
        kind="newton",
        begun=None,
        length=share * float(whole / em),
        expected=2 * share * (1 - 0.5 * share) * direction.gain,
    )
