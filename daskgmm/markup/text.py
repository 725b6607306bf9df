"""Text in HTML, escaped unless it is markup already."""

from __future__ import annotations

from html import escape


class Html(str):
    """Markup as it stands; any other text is escaped where it enters a page."""

    __slots__ = ()


def html_of(text: str) -> Html:
    """Return text as markup: escaped, unless it is markup already."""
    return text if isinstance(text, Html) else Html(escape(text))


def element(tag: str, content: str, attributes: str = "") -> Html:
    """Return an element; `attributes` are written as they are, with a space before."""
    return Html(f"<{tag}{attributes}>{html_of(content)}</{tag}>")


def joined(*parts: str) -> Html:
    """Return parts one after the other."""
    return Html("".join(map(html_of, parts)))
