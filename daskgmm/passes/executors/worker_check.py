"""Check of the workers' environments, before the first task and after one that failed."""

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
from daskgmm.gaussian.kernels.compiled_backend import ONE_KERNEL
from daskgmm.passes.configuration import backend_name
from daskgmm.passes.executors import environment
from daskgmm.user_warnings import warn_user
from daskgmm.version import __version__

ANSWER_SECONDS = 10.0
"""Seconds to wait for the answers of workers; an import of daskgmm takes about one."""

PACKAGE, HOME = "daskgmm", "daskgmm.passes.executors.cluster"

COMPARED = ["numpy", "scipy", "zarr", "dask", "distributed"]
"""Packages whose objects travel in tasks, or that determine the bits of results."""

NAMED = 5
"""Number of workers that an error names."""

Answer = Mapping[str, Any]
"""The result of `environment.environment`."""

# Source text, as the byte code of a function differs between versions of Python.
_CALL = "exec(text, space) or space['environment'](*arguments)"


@dataclass
class _Checked:
    """Addresses of a client's workers that have answered, and whether a warning was given."""

    addresses: set[str] = field(default_factory=set)
    warned: bool = False


_of_client: WeakKeyDictionary[Any, _Checked] = WeakKeyDictionary()


def check_workers(client: Any, patience: float = ANSWER_SECONDS) -> None:
    """Refuse workers without this version of daskgmm; warn once of other versions and CPUs.

    Workers that were checked, or did not answer in `patience` seconds, are not asked again. The
    first task of a worker that joins later checks the version (`nodes.call_node`).
    """
    checked = _of_client.setdefault(client, _Checked())
    answers = _answers(client, checked.addresses, [], patience)
    _refuse(answers)
    _refuse_other_kernels(answers)
    checked.addresses.update(answers)
    differences = _differences(answers)
    if differences and not checked.warned:
        checked.warned = True
        warn_user(
            f"Workers have other versions or CPUs than this process: {_listed(differences)}. The "
            "last bits of results may depend on which worker computes what; where versions differ, "
            "tasks may fail to load too. Give workers and this process one environment, and one "
            "kind of CPU if the last bits count.",
        )


def explained(client: Any, error: BaseException, patience: float = ANSWER_SECONDS) -> BaseException:
    """Return the error of a task, or one that says what its worker lacks."""
    own = isinstance(error, (DaskGMMError, OSError, MemoryError))
    if own or client.status != "running":
        return error
    module = _root_here(error)
    answers = _answers(client, (), [] if module is None else [module], patience)
    cause: BaseException | None = None
    try:
        _refuse(answers)
    except ClusterError as refusal:
        cause = refusal
    if cause is None and module is not None:
        cause = _lacking(module, answers)
    if cause is None and isinstance(error, (ImportError, AttributeError, TypeError)):
        cause = _other_versions(error, answers)
    if cause is None:
        return error
    cause.__cause__ = error
    return cause


def _answers(
    client: Any, checked: Iterable[str], modules: Sequence[str], patience: float
) -> dict[str, Answer | None]:
    """Return the answers of workers by address, None without one; empty without a scheduler."""
    skipped = frozenset(checked)
    try:
        answers: dict[str, Answer | None] = client.sync(
            _ask_all, client, skipped, modules, patience, callback_timeout=2 * patience
        )
    except (OSError, AttributeError):  # no answer, or no scheduler: the watchdog reports it
        return {}
    return answers


async def _ask_all(
    client: Any, skipped: frozenset[str], modules: Sequence[str], patience: float
) -> dict[str, Answer | None]:
    workers = await asyncio.wait_for(client.nthreads(), patience)
    # Workers of this process have its environment.
    asked = [url for url in workers if url not in skipped and not url.startswith("inproc:")]
    answers = await asyncio.gather(*(_ask(client, url, modules, patience) for url in asked))
    return dict(zip(asked, answers, strict=True))


async def _ask(client: Any, address: str, modules: Sequence[str], patience: float) -> Answer | None:
    space = {
        "text": inspect.getsource(environment),
        "space": {"__name__": "environment"},
        "arguments": (PACKAGE, HOME, COMPARED, list(modules)),
    }
    # In a thread of the worker: an import would block its event loop.
    question = client.run(
        asyncio.to_thread, eval, _CALL, space, workers=[address], on_error="return"
    )
    try:
        answer = (await asyncio.wait_for(question, patience)).get(address)
    except OSError:
        return None
    return answer if isinstance(answer, Mapping) else None


def _refuse(answers: Mapping[str, Answer | None]) -> None:
    """Raise ClusterError if a worker cannot run the tasks."""
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


def _refuse_other_kernels(answers: Mapping[str, Answer | None]) -> None:
    """Raise ClusterError if workers have no compiled kernel for tasks that are to use it."""
    if backend_name() != "compiled":
        return
    lacking = [
        f"{address} ({answer['executable']})"
        for address, answer in answers.items()
        if answer is not None and answer["kernel"] == "numpy"
    ]
    if lacking:
        raise ClusterError(
            f"{len(lacking)} of {len(answers)} workers have no compiled kernel, and this process "
            f"has: {_listed(lacking)}. Results would depend on which worker has which batch. "
            f"{ONE_KERNEL}"
        )


def _fault(answer: Answer) -> str | None:
    version = answer["versions"].get(PACKAGE)
    if version is not None and version != __version__:
        return f"has daskgmm {version}, and this process {__version__}"
    if answer["fault"] is not None:
        return f"cannot import daskgmm: {answer['fault']}"
    return None


def _root_here(error: BaseException) -> str | None:
    """Return the package that could not be imported, if this process has it; None for daskgmm."""
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
    differences = _differences(answers, of_cpus=False)
    if not differences:
        return None
    return ClusterError(
        f"A task failed on a worker with {type(error).__name__}: {error}. Workers have other "
        f"versions than this process: {_listed(differences)}. Give both one environment."
    )


def _differences(answers: Mapping[str, Answer | None], *, of_cpus: bool = True) -> list[str]:
    """Return a sentence for each worker that has other versions of `COMPARED`, or another CPU."""
    here = _versions_here() if answers else {}
    if not of_cpus:
        here = {name: here[name] for name in here.keys() - environment.targets().keys()}
    sentences = []
    for address, answer in answers.items():
        there = {} if answer is None else answer["versions"]
        differing = [
            f"{name} {there[name]} (here {here[name]})"
            for name in here
            if there.get(name, here[name]) != here[name]
        ]
        if differing:
            sentences.append(f"{address} has {', '.join(differing)}")
    return sentences


@cache
def _versions_here() -> dict[str, str]:
    return dict(environment.environment(PACKAGE, HOME, COMPARED, [])["versions"])


def _listed(workers: Sequence[str]) -> str:
    more = len(workers) - NAMED
    return "; ".join(workers[:NAMED]) + (f"; and {more} more" if more > 0 else "")
