"""Hatchling's hook: the README as package indexes show it, which have nothing beside it.

Links to files become plain words, and pictures are left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

BESIDE = r"\((?!https?:|#)[^)\s]+\)"
"""The target of a link to a file, as Markdown writes it."""

PICTURE = re.compile(rf"!\[[^\]]*\]{BESIDE}\n+(\(.*?\)\n+)?")
"""A picture, and the line in brackets below it that says whose it is."""

LINK = re.compile(rf"\[([^\]]+)\]{BESIDE}")


class ReadmeHook(MetadataHookInterface):  # type: ignore[misc, unused-ignore]
    """Makes the long description."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the README."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        plain = LINK.sub(r"\1", PICTURE.sub("", text))
        metadata["readme"] = {"content-type": "text/markdown", "text": plain}
