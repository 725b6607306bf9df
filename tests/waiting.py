"""How tests wait for what other processes do."""

import time

LONGEST = 300
"""Seconds until what does not come is given up. A busy machine starts processes many times slower
than a quiet one, so this bounds only waits that would never end."""


def wait_for(found, what, seconds=LONGEST, pause=0.1):
    """Wait until a function returns something true; return that."""
    deadline = time.monotonic() + seconds
    while True:
        result = found()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(pause)
