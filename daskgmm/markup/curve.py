"""A small curve as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from daskgmm.markup.card import COLOUR
from daskgmm.markup.text import Html, element, html_of, joined

WIDTH, HEIGHT, MARGIN = 320, 64, 5
"""Pixels of the picture, and of the room around the curve."""

DOTTED = 40
"""Largest number of points that have a dot each."""


def curve(
    values: Sequence[float],
    caption: str,
    *,
    ends: tuple[str, str] = ("", ""),
    ring: int | None = None,
) -> Html:
    """Return values, from left to right, as a curve; those that are not finite are left out.

    `caption` says what it shows; `ends` stand beside its lowest and highest value, and where they
    read the same it is flat, as what differs is rounding; a ring is around the value `ring`. Empty
    if fewer than two values are finite.
    """
    known = [(place, value) for place, value in enumerate(values) if math.isfinite(value)]
    if len(known) < 2:
        return Html("")
    if any(ends) and ends[0] == ends[1]:
        known = [(place, known[0][1]) for place, _ in known]
        ends = ("", ends[1])
    points = _points(known, len(values))
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [f'<polyline points="{path}" fill="none" stroke="{COLOUR}" stroke-width="1.6"/>']
    if len(points) <= DOTTED:
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{COLOUR}"/>' for x, y in points]
    ringed = [point for point, (place, _) in zip(points, known, strict=True) if place == ring]
    parts += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.2" fill="none" stroke="currentColor"/>'
        for x, y in ringed
    ]
    for text, y in zip(ends, (HEIGHT - 3, 11), strict=True):
        if text:  # with a space, as untrusted notebooks leave out the picture and keep its text
            parts.append(
                f'<text x="{WIDTH + 4}" y="{y}" fill="currentColor" font-size="11" '
                f'font-family="inherit">{html_of(text)} </text>'
            )
    wide = WIDTH + (100 if any(ends) else 0)
    said = html_of(caption)
    picture = Html(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{HEIGHT}" '
        f'viewBox="0 0 {wide} {HEIGHT}" role="img" aria-label="{said}">'
        f"{''.join(parts)}</svg>"
    )
    return joined(element("div", said, ' class="daskgmm-caption" aria-hidden="true"'), picture)


def _points(known: Sequence[tuple[int, float]], n: int) -> list[tuple[float, float]]:
    lowest, highest = min(v for _, v in known), max(v for _, v in known)
    spread = highest - lowest
    across, up = (WIDTH - 2 * MARGIN) / max(1, n - 1), HEIGHT - 2 * MARGIN

    def height(value: float) -> float:
        # Halves first, so that the difference of the largest numbers is finite.
        return 0.5 if not spread > 0 else (value / 2 - lowest / 2) / (highest / 2 - lowest / 2)

    return [(MARGIN + across * x, MARGIN + up * (1 - height(v))) for x, v in known]
