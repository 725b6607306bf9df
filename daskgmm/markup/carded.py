"""Results that notebooks show as cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sklearn import get_config

from daskgmm.markup.card import card, facts, more, notice, table
from daskgmm.markup.text import Html

FIRST_ROWS, MOST_ROWS = 12, 112
"""Rows of a table that are shown at once, and in all."""


class Grid(NamedTuple):
    """A table of a sheet; columns `left` begin at the left.

    Attributes
    ----------
    caption : str
    header : sequence of str
    rows : sequence of sequences of str
        The first cell of each names it.
    left : sequence of int
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: Sequence[int] = (0,)

    def shown(self) -> list[Html]:
        """Return the first rows, and behind them a part to be opened with the others."""
        first, others = self.rows[:FIRST_ROWS], self.rows[FIRST_ROWS:]
        parts = [table(self.caption, self.header, first, left=self.left)] if first else []
        if others:
            some = others[: MOST_ROWS - FIRST_ROWS]
            hidden = len(others) - len(some)
            rest = table(f"{self.caption}, continued", self.header, some, left=self.left)
            parts.append(more(f"{len(some)} more", rest, f"and {hidden:,} more." if hidden else ""))
        return parts


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a card says of a result.

    Attributes
    ----------
    title : str
    facts : sequence of pairs of str
        Names and values; a value may be markup.
    grids : sequence of Grid
    notices : sequence of str
        Sentences that stand out.
    """

    title: str
    facts: Sequence[tuple[str, str]] = ()
    grids: Sequence[Grid] = ()
    notices: Sequence[str] = ()

    def html(self) -> str:
        """Return the card."""
        known = [facts(self.facts)] if self.facts else []
        tables = [part for grid in self.grids for part in grid.shown()]
        return card(self.title, *known, *map(notice, self.notices), *tables)


class Carded:
    """A result that has a `Sheet`, and is shown as a card where scikit-learn's estimators are."""

    __slots__ = ()

    def _sheet(self) -> Sheet:
        raise NotImplementedError

    def _card(self) -> str:
        return self._sheet().html()

    def _repr_html_(self) -> str | None:
        return self._card() if html_is_wanted() else None


def html_is_wanted() -> bool:
    """Return whether scikit-learn's setting `display` is "diagram", which it is by default."""
    return bool(get_config()["display"] == "diagram")
