"""How many examples a property is asked: few in tests, in `tests.properties` as many as wanted."""

from unittest.mock import patch

from hypothesis import HealthCheck, settings

FEW = 8
"""Examples in tests: the same ones in each run, so that no run fails that another would pass."""


def load(examples=FEW, **changed):
    """Let each property be asked so many examples."""
    profile = {"derandomize": True} | changed
    settings.register_profile(
        "daskgmm",
        max_examples=examples,
        deadline=None,  # machines do other things, too
        database=None,
        stateful_step_count=12,
        suppress_health_check=list(HealthCheck),
        **profile,
    )
    settings.load_profile("daskgmm")


def small_batches():
    """Cut few rows into as many batches as there are chunks."""
    return patch("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
