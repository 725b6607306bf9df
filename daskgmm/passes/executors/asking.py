"""Workers are asked what they have, before the first task and after one that failed."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from daskgmm.errors import ClusterError, DaskGMMError
from daskgmm.passes.executors import environment
from daskgmm.user_warnings import warn_user
from daskgmm.version import __version__

ANSWER_SECONDS = 10.0
"""A worker that says nothing for so long is not waited for: importing daskgmm takes about one."""

PACKAGE, HOME = "daskgmm", "daskgmm.passes.executors.cluster"

COMPARED = ["numpy", "scipy", "zarr", "dask", "distributed"]
"""Packages whose objects travel in tasks, or that make the bits of results."""

NAMED = 5
"""Workers that an error names."""

Answer = Mapping[str, Any]
"""What `environment.environment` returns."""

# The text and not the function: Python's code differs from version to version.
_CALL = "exec(text, space) or space['environment'](*given)"


@dataclass
class _Asked:
    """Addresses of the workers of a client that were asked, and whether a warning was given."""

    addresses: set[str] = field(default_factory=set)
    warned: bool = False


_of_client: WeakKeyDictionary[Any, _Asked] = WeakKeyDictionary()


def check_workers(client: Any, patience: float = ANSWER_SECONDS) -> None:
    """Ask the workers that were not asked yet whether they can do the work.

    Workers that join later are asked by their first task: `nodes.call_node`.

    Parameters
    ----------
    client : distributed.Client
    patience : float
        Seconds to wait for answers; who does not answer is not asked again.

    Raises
    ------
    ClusterError
        If one lacks daskgmm or has another version of it.

    Warns
    -----
    UserWarning
        If one has another version of a package that matters; once a client.
    """
    known = _of_client.setdefault(client, _Asked())
    answers = _answers(client, known.addresses, [], patience)
    _refuse(answers)
    known.addresses.update(answers)
    other = _differences(answers)
    if other and not known.warned:
        known.warned = True
        warn_user(
            f"Workers have other versions than this process: {_listed(other)}. The last bits of "
            "results may depend on which worker computes what, and tasks may fail to load; give "
            "workers and this process one environment.",
        )


def explained(client: Any, error: BaseException, patience: float = ANSWER_SECONDS) -> BaseException:
    """Return what to raise for the error of a task: where it can be, what its worker lacks."""
    known = isinstance(error, (DaskGMMError, OSError, MemoryError))
    if known or client.status != "running":
        return error
    module = _root_here(error)
    answers = _answers(client, (), [] if module is None else [module], patience)
    found: BaseException | None = None
    try:
        _refuse(answers)
    except ClusterError as better:
        found = better
    if found is None and module is not None:
        found = _lacking(module, answers)
    if found is None and isinstance(error, (ImportError, AttributeError, TypeError)):
        found = _other_versions(error, answers)
    if found is None:
        return error
    found.__cause__ = error
    return found


def _answers(
    client: Any, known: Iterable[str], modules: Sequence[str], patience: float
) -> dict[str, Answer | None]:
    """Return what workers say, and None for those that do not; nothing if nobody answers."""
    skipped = frozenset(known)
    try:
        found: dict[str, Answer | None] = client.sync(
            _ask_all, client, skipped, modules, patience, callback_timeout=2 * patience
        )
    except (OSError, AttributeError):  # no answer, or no scheduler: the guard will say so
        return {}
    return found


async def _ask_all(
    client: Any, known: frozenset[str], modules: Sequence[str], patience: float
) -> dict[str, Answer | None]:
    addresses = await asyncio.wait_for(client.nthreads(), patience)
    # Workers of this process have what it has.
    others = [each for each in addresses if each not in known and not each.startswith("inproc:")]
    answers = await asyncio.gather(*(_ask(client, each, modules, patience) for each in others))
    return dict(zip(others, answers, strict=True))


async def _ask(client: Any, address: str, modules: Sequence[str], patience: float) -> Answer | None:
    space = {
        "text": inspect.getsource(environment),
        "space": {"__name__": "asked"},
        "given": (PACKAGE, HOME, COMPARED, list(modules)),
    }
    # In a thread of the worker's, as an import would hold up its event loop.
    question = client.run(
        asyncio.to_thread, eval, _CALL, space, workers=[address], on_error="return"
    )
    try:
        found = (await asyncio.wait_for(question, patience)).get(address)
    except OSError:
        return None
    return found if isinstance(found, Mapping) else None


def _refuse(answers: Mapping[str, Answer | None]) -> None:
    """Raise ClusterError if a worker cannot do the work."""
    faults = [
        f"{address} ({answer['executable']}) {fault}"
        for address, answer in answers.items()
        if answer is not None and (fault := _fault(answer)) is not None
    ]
    if faults:
        raise ClusterError(
            f"{len(faults)} of {len(answers)} workers cannot run daskgmm's tasks: "
            f"{_listed(faults)}. Install daskgmm {__version__}, as this process has it, in the "
            "image or environment that workers start from, and start them anew."
        )


def _fault(answer: Answer) -> str | None:
    version = answer["versions"].get(PACKAGE)
    if version is not None and version != __version__:
        return f"has daskgmm {version}, and this process {__version__}"
    if answer["fault"] is not None:
        return f"cannot import daskgmm: {answer['fault']}"
    return None


def _root_here(error: BaseException) -> str | None:
    """Return the module that could not be imported, if this process has it and it is not ours."""
    name = getattr(error, "name", None) if isinstance(error, ImportError) else None
    root = str(name).split(".")[0] if name else None
    if root in (None, PACKAGE) or importlib.util.find_spec(str(root)) is None:
        return None
    return root


def _lacking(module: str, answers: Mapping[str, Answer | None]) -> ClusterError | None:
    lacking = [
        f"{address} ({answer['executable']})"
        for address, answer in answers.items()
        if answer is not None and module in answer["lacking"]
    ]
    if not lacking:
        return None
    return ClusterError(
        f"{len(lacking)} of {len(answers)} workers lack {module}, which the tasks need and this "
        f"process has: {_listed(lacking)}. Install it in the image or environment that workers "
        "start from, and start them anew."
    )


def _other_versions(
    error: BaseException, answers: Mapping[str, Answer | None]
) -> ClusterError | None:
    other = _differences(answers)
    if not other:
        return None
    return ClusterError(
        f"A task failed on a worker with {type(error).__name__}: {error}. Workers have other "
        f"versions than this process: {_listed(other)}. Give both one environment."
    )


def _differences(answers: Mapping[str, Answer | None]) -> list[str]:
    """Return which workers have other versions of what is compared, in words."""
    here = _versions_here() if answers else {}
    found = []
    for address, answer in answers.items():
        there = {} if answer is None else answer["versions"]
        differing = [
            f"{name} {there[name]} (here {here[name]})"
            for name in here
            if there.get(name, here[name]) != here[name]
        ]
        if differing:
            found.append(f"{address} has {', '.join(differing)}")
    return found


@cache
def _versions_here() -> dict[str, str]:
    return dict(environment.environment(PACKAGE, HOME, COMPARED, [])["versions"])


def _listed(workers: Sequence[str]) -> str:
    more = len(workers) - NAMED
    return "; ".join(workers[:NAMED]) + (f"; and {more} more" if more > 0 else "")
