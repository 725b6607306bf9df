"""Checkpoints of fits and sweeps in words, for `daskgmm info`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from daskgmm.counting import counted
from daskgmm.em.checkpoints.checkpoint import State, read_document
from daskgmm.em.checkpoints.packing import MALFORMED
from daskgmm.errors import CheckpointError
from daskgmm.report.listing import listed
from daskgmm.storage.address import Address


def describe_checkpoint(address: Address, name: str) -> str:
    """Return of what a checkpoint is, how far that is, and how to go on.

    Raises
    ------
    CheckpointError
        If it is torn, damaged, or of another version.
    """
    document = read_document(address)
    try:
        return _described(document or {}, name)
    except MALFORMED as error:
        raise CheckpointError(
            f"The checkpoint {address} is damaged: it is not of the form that fits write. Remove "
            "it to begin anew."
        ) from error


def _described(document: Mapping[str, Any], name: str) -> str:
    identity, state = document["identity"], document["state"]["value"]
    is_fit, fields = state["record"] == State.__name__, state["fields"]
    what, command = ("a fit", "fit") if is_fit else ("a sweep", "sweep")
    columns = counted(identity["columns of X"], "column")
    facts = [
        ("of", f"{_sizes(identity['n_components'])}, {_names(identity['covariance_type'])}"),
        (
            "rows",
            f"{_number(identity['rows of X'])} of {columns}",
        ),
        ("so far", _of_fit(fields) if is_fit else _of_sweep(fields)),
        ("written", f"{document['written']}, by {document['by']}"),
        (
            "to resume",
            f"give the same `daskgmm {command}` command again, with the same data and settings and "
            f"--checkpoint {name}: it writes the model at its end",
        ),
    ]
    return f"{name}: checkpoint of {what}, which is not a model yet\n{listed(facts)}"


def _of_fit(fields: Mapping[str, Any]) -> str:
    """Return how far the current start is."""
    current = fields["current"]["fields"]
    iterations = current["iterations"]["tuple"]
    start = fields["initialisation"]
    of_start = f" of start {start + 1}" if start else ""
    if not iterations:
        return f"no iteration{of_start}"
    bound = iterations[-1]["fields"]["lower_bound"]
    ended = "converged" if current["converged"] else "not converged"
    return f"{counted(len(iterations), 'iteration')}{of_start}, bound {bound:.6g}, {ended}"


def _of_sweep(fields: Mapping[str, Any]) -> str:
    """Return how many models have converged."""
    models = [model["fields"] for model in fields["models"]["tuple"]]
    fits = [model["fit"]["fields"] for model in models]
    done = sum(bool(fit["converged"]) for fit in fits)
    return f"{done} of {counted(len(fits), 'model')} converged"


def _number(n: int | None) -> str:
    return "unknown" if n is None else f"{n:,}"


def _sizes(k: int | Sequence[int]) -> str:
    if isinstance(k, int):
        return counted(k, "component")
    return f"{', '.join(map(str, k))} components"


def _names(structures: str | Sequence[str]) -> str:
    return structures if isinstance(structures, str) else ", ".join(structures)
