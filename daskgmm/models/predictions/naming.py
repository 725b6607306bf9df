"""Names of outputs that do not exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from daskgmm.errors import SettingError
from daskgmm.spelling import did_you_mean


def check_outputs(names: Sequence[str], known: Iterable[str]) -> None:
    """Raise `SettingError` for outputs that are none of those known, or if none is named."""
    makers = tuple(known)
    unknown = [name for name in names if name not in makers]
    if unknown or not names:
        raise SettingError(
            f"outputs names {', '.join(map(repr, unknown)) or 'nothing'} (--outputs); give "
            f"some of {', '.join(makers)}. If a module of yours adds it to them, import that "
            f"first (--import).{did_you_mean(next(iter(unknown), ''), makers)}"
        )
