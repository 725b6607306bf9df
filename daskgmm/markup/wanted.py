"""Whether notebooks are to show HTML."""

from __future__ import annotations

from sklearn import get_config


def html_is_wanted() -> bool:
    """Return whether scikit-learn's setting `display` is "diagram", which it is by default."""
    return bool(get_config()["display"] == "diagram")
