"""What becomes of a file that lies: it is refused, harmless, or a finding."""

import resource
import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask

from daskgmm.errors import DaskGMMError
from tests.lies.mutations import chance_of, mutated

SLOWEST_SECONDS = 1.0
MOST_BYTES = 500 << 20
"""What one file may take to be read or refused: of a processor, as machines do other things too,
and of memory, above what the process has. `HANGS_SECONDS` is for what waits."""

LIMIT_BYTES = 6 << 30
"""Address space above which an allocation fails, rather than the machine."""

REFUSED, HARMLESS, UNSIGNED, FINDING = "refused", "harmless", "unsigned", "finding"


@dataclass(frozen=True)
class Subject:
    """A kind of file, and how it is read.

    Attributes
    ----------
    name : str
    files : mapping of bytes
        Whole files by their path in a folder.
    spoiled : tuple of str
        Those that are mutated, one at a time.
    read : callable
        Reads the files in a folder; returns a text that differs for other numbers.
    named : tuple of str
        One of these is in each error.
    sealed : bool
        Whether the format holds a checksum of all values, so that other numbers are a finding.
    sign : callable, optional
        Returns a document with the right checksum.
    others : sequence of bytes
        Whole files of other kinds, or of the same, that stand in their place.
    forged : tuple of types
        Errors that may come of a document that was changed and signed again.
    span : tuple of int, optional
        The bytes of the file that are mutated.
    """

    name: str
    files: Mapping[str, bytes]
    spoiled: tuple[str, ...]
    read: Callable[[Path], str]
    named: tuple[str, ...]
    sealed: bool = True
    sign: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    others: Sequence[bytes] = ()
    forged: tuple[type[BaseException], ...] = ()
    span: tuple[int, int] | None = None


DOUBTED = "[^ ]* says that it has the shape .* chunks that were looked for"
"""What the warning of an array of which the last half is not stored begins with."""


@dataclass(frozen=True)
class Verdict:
    """What one mutation came to."""

    index: int
    how: str
    verdict: str
    why: str
    seconds: float
    bytes: int


@dataclass
class Judge:
    """Reads mutations of one kind of file."""

    subject: Subject
    seed: int
    folder: Path
    slowest: float = SLOWEST_SECONDS
    expected: str = field(init=False)
    _first: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        self._lay(None, b"")
        self.expected = self.subject.read(self.folder)

    def judge(self, index: int) -> Verdict:
        """Return what becomes of one mutation."""
        subject, chance = self.subject, chance_of(self.subject.name, self.seed, index)
        name = chance.choice(subject.spoiled)
        is_json = name.endswith((".json", ".zarray", ".zattrs", ".zgroup"))
        whole = subject.files[name]
        first, stop = subject.span or (0, len(whole))
        how, part = mutated(whole[first:stop], chance, subject.others, is_json, subject.sign)
        content = part if part in subject.others else whole[:first] + part + whole[stop:]
        signed = subject.sign is not None and how == "values"
        self._lay(name, content)
        forget_peak()
        before, began = peak_bytes(), time.process_time()
        try:
            with warnings.catch_warnings(), dask.config.set({"daskgmm.retries": 0}):
                warnings.simplefilter("ignore")
                # Who was warned of a shape that nothing speaks for does not wait for its end.
                warnings.filterwarnings("error", DOUBTED, UserWarning)
                found: Any = subject.read(self.folder)
        except (Exception, RecursionError) as error:
            found = error
        seconds, taken = time.process_time() - began, max(0, peak_bytes() - before)
        if signed and isinstance(found, subject.forged) and not isinstance(found, DaskGMMError):
            verdict, why = UNSIGNED, f"{type(found).__name__}: {found}"
        else:
            told = signed or self._is_other(content)
            verdict, why = self._verdict(found, content == whole, told)
        if seconds > self.slowest or taken > MOST_BYTES:
            verdict, why = FINDING, f"{seconds:.1f} s, {taken / 1e6:.0f} MB; {why}"
        return Verdict(index, f"{how} of {name}", verdict, why, seconds, taken)

    def _verdict(self, found: Any, same: bool, whole: bool) -> tuple[str, str]:
        if isinstance(found, BaseException):
            text = f"{type(found).__name__}: {found}"
            if not isinstance(found, DaskGMMError) and "chunks that were looked" not in text:
                return FINDING, text
            if not any(name in str(found) for name in self.subject.named):
                return FINDING, f"no name of the file: {text}"
            return (FINDING, f"whole, yet {text}") if same else (REFUSED, text)
        if found == self.expected:
            return HARMLESS, ""
        if self.subject.sealed and not whole:
            return FINDING, f"another result: {found[:200]} for {self.expected[:200]}"
        return UNSIGNED, ""

    def _is_other(self, content: bytes) -> bool:
        """Return whether this is another file, but for what its beginning or end may lack."""
        inner = content.strip(b"{}\n ")
        return any(inner == other.strip(b"{}\n ") for other in self.subject.others)

    def _lay(self, name: str | None, content: bytes) -> None:
        """Write the files, one of them with other content."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for path, whole in self.subject.files.items():
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if path == name else whole)


def limit_memory() -> None:
    """Let allocations beyond reason fail in this process."""
    limit = _status("VmSize") + LIMIT_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def forget_peak() -> None:
    """Begin to measure the peak of memory anew, where Linux allows it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """Return the largest resident memory since the peak was forgotten."""
    return _status("VmHWM")


def _status(name: str) -> int:
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return 1024 * int(text.split(f"{name}:")[1].split()[0])
