"""Subscribers that keep or pass on what a fit tells: a table, a log."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from daskgmm.em.events import BatchDone, Event, Iterated, as_dict

LOGGER = logging.getLogger("daskgmm")


def history_table(iterations: Iterable[Iterated]) -> dict[str, list[Any]]:
    """Return one list a column, one entry an iteration: what `pandas.DataFrame` takes."""
    rows = list(iterations)
    return {field.name: [getattr(row, field.name) for row in rows] for field in fields(Iterated)}


def log_event(event: Event) -> None:
    """Log an event to the logger ``daskgmm``: batches at DEBUG, all others at INFO."""
    level = logging.DEBUG if isinstance(event, BatchDone) else logging.INFO
    if LOGGER.isEnabledFor(level):
        values = as_dict(event)
        name = values.pop("event")
        LOGGER.log(level, "%s %s", name, " ".join(f"{key}={each}" for key, each in values.items()))
