"""Facts and tables as aligned lines."""

from __future__ import annotations

from collections.abc import Sequence


def listed(facts: Sequence[tuple[str, str]]) -> str:
    """Return facts in aligned lines."""
    return aligned([(f"  {key}", value) for key, value in facts], left=(0, 1))


def aligned(rows: Sequence[Sequence[str]], left: Sequence[int] = ()) -> str:
    """Return a table as text, with the columns in `left` aligned on the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = ["<" if place in left else ">" for place in range(len(widths))]
    formats = [f"{{:{side}{width}}}" for side, width in zip(sides, widths, strict=True)]
    return "\n".join("  ".join(formats).format(*row).rstrip() for row in rows)
