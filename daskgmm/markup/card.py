"""A card: a title, and below it facts, tables and warnings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from daskgmm.markup.text import Html, element, html_of, joined

COLOUR = "#1a7fb8"
"""Colour of bars and curves; its contrast is at least 3 to 1 beside white and beside the grounds of
dark themes. Text has the colour of the page, whatever its theme."""

STYLE = f"""<style>
.daskgmm-card {{ color: inherit; font-size: 13px; line-height: 1.45; max-width: 1100px;
  font-variant-numeric: tabular-nums; margin: 4px 0; }}
.daskgmm-card .daskgmm-title {{ font-weight: 600; font-size: 14px; margin: 0 0 4px; }}
.daskgmm-card .daskgmm-scroll {{ overflow-x: auto; margin: 6px 0; }}
.daskgmm-card table {{ border-collapse: collapse; border: none; margin: 0; color: inherit;
  font-size: inherit; table-layout: auto; }}
.daskgmm-card tr, .daskgmm-card tbody tr:nth-child(even), .daskgmm-card tbody tr:hover,
.daskgmm-card thead, .daskgmm-card th, .daskgmm-card td {{ background: transparent; }}
.daskgmm-card th, .daskgmm-card td {{ border: none; padding: 2px 14px 2px 0; text-align: right;
  vertical-align: top; white-space: nowrap; max-width: none; color: inherit; }}
.daskgmm-card tbody th {{ font-weight: normal; }}
.daskgmm-card thead th {{ font-weight: 600; vertical-align: bottom; white-space: normal;
  max-width: 16em; overflow-wrap: break-word;
  border-bottom: 1px solid rgba(128, 128, 128, 0.5); }}
.daskgmm-card th.daskgmm-left, .daskgmm-card td.daskgmm-left {{ text-align: left; }}
.daskgmm-card table.daskgmm-facts th {{ text-align: left; opacity: 0.75; }}
.daskgmm-card table.daskgmm-facts td {{ text-align: left; white-space: normal;
  overflow-wrap: anywhere; min-width: 12em; }}
.daskgmm-card tr.daskgmm-best td, .daskgmm-card tr.daskgmm-best th {{ font-weight: 600; }}
.daskgmm-card caption {{ caption-side: top; text-align: left; padding: 0 0 2px; color: inherit;
  opacity: 0.75; font-size: inherit; }}
.daskgmm-card .daskgmm-caption {{ opacity: 0.75; }}
.daskgmm-card .daskgmm-bar {{ display: inline-block; width: 56px; height: 8px; margin-left: 8px;
  border-radius: 2px; background: rgba(128, 128, 128, 0.28); overflow: hidden; }}
.daskgmm-card .daskgmm-bar > span {{ display: block; height: 100%; background: {COLOUR}; }}
.daskgmm-card .daskgmm-notice {{ border-left: 3px solid #d9730d; padding: 1px 0 1px 8px;
  margin: 6px 0; max-width: 80ch; }}
.daskgmm-card summary {{ cursor: pointer; }}
.daskgmm-card svg {{ display: block; margin: 2px 0 6px; max-width: 100%; height: auto; }}
</style>"""

LEFT = ' class="daskgmm-left"'


def card(title: str, *parts: str) -> str:
    """Return a card as HTML that stands for itself."""
    head = element("div", title, ' class="daskgmm-title"')
    body = element("div", joined(head, *parts), ' class="daskgmm-card"')
    return joined(Html(STYLE), body)


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Return names and values in two columns."""
    rows = [
        element("tr", joined(element("th", name, ' scope="row"'), element("td", value)))
        for name, value in pairs
    ]
    return _scrolled(element("table", element("tbody", joined(*rows)), ' class="daskgmm-facts"'))


def table(
    caption: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Sequence[int] = (),
    best: int | None = None,
) -> Html:
    """Return a table whose first cells name their rows.

    Columns `left` begin at the left, all others end at the right; the row `best` is bold.
    """
    head = [element("th", name, f' scope="col"{_side(j, left)}') for j, name in enumerate(header)]
    body = [_row(row, left, index == best) for index, row in enumerate(rows)]
    inside = joined(
        element("caption", caption),
        element("thead", element("tr", joined(*head))),
        element("tbody", joined(*body)),
    )
    return _scrolled(element("table", inside))


def _row(cells: Sequence[str], left: Sequence[int], best: bool) -> Html:
    first, *others = cells
    parts = [element("th", first, f' scope="row"{_side(0, left)}')]
    parts += [element("td", cell, _side(j, left)) for j, cell in enumerate(others, start=1)]
    return element("tr", joined(*parts), ' class="daskgmm-best"' if best else "")


def _side(column: int, left: Sequence[int]) -> str:
    return LEFT if column in left else ""


def _scrolled(wide: Html) -> Html:
    return element("div", wide, ' class="daskgmm-scroll"')


def more(summary: str, *parts: str) -> Html:
    """Return what is shown when its summary is opened."""
    return element("details", joined(element("summary", summary), *parts))


def notice(sentence: str) -> Html:
    """Return a warning."""
    return element("div", sentence, ' class="daskgmm-notice" role="note"')


def with_bar(text: str, share: float) -> Html:
    """Return a number with a bar that is full at a share of 1; the text says the same."""
    width = 100 * min(1.0, max(0.0, share))
    filled = f'<span style="width:{width:.1f}%"></span>'
    bar = element("span", Html(filled), ' class="daskgmm-bar" aria-hidden="true"')
    return joined(html_of(text), bar)
