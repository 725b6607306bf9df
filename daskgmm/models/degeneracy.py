"""What is wrong with the components of a fit, in sentences that say what to do."""

from __future__ import annotations

from daskgmm.gaussian.maximise import Maximised


def degeneracies(step: Maximised) -> list[str]:
    """Return a sentence or two for each thing that is wrong with the last M-step."""
    messages = []
    if step.empty:
        names = ", ".join(map(str, step.empty))
        messages.append(
            f"Components without rows (weight 0): {names}. The data have fewer clusters than "
            "n_components, or the start was poor: reduce n_components, or try another "
            "random_state or init_params."
        )
    if step.collapsed:
        names = ", ".join("all" if k is None else str(k) for k in step.collapsed)
        messages.append(
            f"Components that collapsed onto rows without spread: {names}. They keep their "
            "covariance of the iteration before, as reg_covar is 0: set it to a variance below "
            "which differences do not matter, or reduce n_components."
        )
    if step.ridges:
        amounts = ", ".join(
            f"by {amount:.1e}" if k is None else f"{k} by {amount:.1e}"
            for k, amount in step.ridges.items()
        )
        messages.append(
            "Covariances that are singular to rounding were raised on their diagonals, beyond "
            f"reg_covar (component {amounts}). Columns may be copies or sums of others: drop "
            "those, raise reg_covar, or scale the data."
        )
    return messages
