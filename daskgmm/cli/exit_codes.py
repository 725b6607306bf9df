"""Exit codes; besides, click ends with 0 for success, 1 for a message and 2 for wrong usage."""

from __future__ import annotations

NOT_CONVERGED = 3
DRIFTED = 4
INTERRUPTED = 130
