"""Read files that lie: python -m tests.lies [--count N] [--seed N] [--only NAME] [--index N]."""

import argparse
import faulthandler
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from dataclasses import asdict
from pathlib import Path

from tests.lies.judging import FINDING, HARMLESS, REFUSED, UNSIGNED, Judge, Verdict, limit_memory
from tests.lies.kinds import MAKERS, made, share_of

HANGS_SECONDS = 20
"""After which a process that reads a file is taken for one that hangs."""

SHOWN = 5
"""Findings of a kind that are shown."""


def main():
    """Share the mutations among the kinds, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.lies", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="mutations, over all kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="kinds whose name begins so")
    parser.add_argument("--index", type=int, help="one mutation alone: what it came to")
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child or asked.index is not None:
        read_some(asked)
        return
    table = [name for name in MAKERS if name.startswith(asked.only or "")]
    shares = [share_of(name) for name in table]
    print(row("kind of file", "mutations", REFUSED, HARMLESS, UNSIGNED, FINDING, "s", "MB"))
    findings = 0
    for name, share in zip(table, shares, strict=True):
        count = max(1, round(asked.count * share / sum(shares)))
        findings += show(name, run(name, count, asked.seed), asked.seed)
    print(f"{findings} findings")
    sys.exit(findings > 0)


def run(name, count, seed):
    """Return the verdicts of a kind; a process that dies is begun again after what killed it."""
    found, first = [], 0
    while first < count:
        command = [sys.executable, "-m", "tests.lies", "--child", "--only", name]
        command += ["--count", str(count), "--seed", str(seed), "--first", str(first)]
        ended = subprocess.run(command, capture_output=True, text=True)
        lines = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
        found += lines
        first = first + len(lines)
        if first < count:
            why = f"the process died with {ended.returncode}: {ended.stderr[-1500:]}"
            found.append(asdict(Verdict(first, "?", FINDING, why, 0.0, 0)))
            first += 1
            if not lines and first == 1:
                break
    return found


def read_some(asked):
    """Read the mutations of one kind, and print each verdict as a line of JSON."""
    subject = made(asked.only)
    faulthandler.enable()
    with tempfile.TemporaryDirectory(dir=shared_memory()) as folder:
        judge = Judge(subject, asked.seed, Path(folder, "files"))
        limit_memory()
        one = asked.index
        for index in range(asked.first, asked.count) if one is None else [one]:
            faulthandler.dump_traceback_later(HANGS_SECONDS, exit=True)
            print(json.dumps(asdict(judge.judge(index))), flush=True)
            faulthandler.cancel_dump_traceback_later()


def shared_memory():
    """Return a folder in memory, where there is one."""
    place = Path("/dev/shm")
    return place if place.is_dir() else None


def show(name, verdicts, seed):
    """Print a line of the table, and the findings; return how many there are."""
    counts = Counter(each["verdict"] for each in verdicts)
    slowest = max((each["seconds"] for each in verdicts), default=0)
    largest = max((each["bytes"] for each in verdicts), default=0) / 1e6
    numbers = [counts[kind] for kind in (REFUSED, HARMLESS, UNSIGNED, FINDING)]
    print(row(name, len(verdicts), *numbers, f"{slowest:.2f}", f"{largest:.0f}"), flush=True)
    alike = defaultdict(list)
    for each in verdicts:
        if each["verdict"] == FINDING:
            alike[each["why"][:40]].append(each)
    for some in list(alike.values())[:SHOWN]:
        print(f"    {len(some)} x {some[0]['how']}: {' '.join(some[0]['why'].split())[:400]}")
        print(f"    --only {name!r} --seed {seed} --index {some[0]['index']}", flush=True)
    return counts[FINDING]


def row(name, *cells):
    """Return a line of the table."""
    return f"{name:34}" + "".join(f"{cell!s:>10}" for cell in cells)


if __name__ == "__main__":
    main()
