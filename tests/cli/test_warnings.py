"""Warnings of other libraries, as lines of a command."""

import warnings

from daskgmm.cli.advice import plain_warnings


def test_what_a_library_repeats_is_said_once(capsys):
    """kr8s warns of a newer Kubernetes with every call: 1,068 lines in one fit."""
    with plain_warnings():
        for _ in range(3):
            warnings.warn("Kubernetes version v1.36.2 is not supported.", stacklevel=1)
        warnings.warn("Another one.", stacklevel=1)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "Warning: Kubernetes version v1.36.2 is not supported.",
        "Warning: Another one.",
    ]
