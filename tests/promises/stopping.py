"""Fits that end from outside, as by a signal, after so many checkpoints."""

from daskgmm.em.events import Checkpointed


class Stop(Exception):
    """Ends a fit from outside, as a signal would."""


def stop_after(iterations):
    """Return a listener that raises `Stop` once so many iterations are in the checkpoint."""

    def listen(event):
        if isinstance(event, Checkpointed):
            counted.append(event)
            if len(counted) == iterations + 1:  # the start is kept as well
                raise Stop

    counted = []
    return listen
