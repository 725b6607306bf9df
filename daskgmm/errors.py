"""Every exception and warning of daskgmm: what happened, where, and what to do about it.

All errors about input derive from ``ValueError`` as well, so that code written for
scikit-learn, which raises ``ValueError``, keeps working.
"""

from __future__ import annotations


class DaskGMMError(Exception):
    """Base of all errors that daskgmm raises on purpose."""


class DataError(DaskGMMError, ValueError):
    """The rows or the weights cannot be used: a value, a type or a shape is wrong."""


class SourceError(DaskGMMError, OSError):
    """A place that rows come from cannot be opened or failed while it was read."""

    tried_again: bool = False
    """Whether the read was tried again, as often as it is to be."""


class ClusterError(DaskGMMError, RuntimeError):
    """The cluster cannot do the work: no workers, workers that die of it, no scheduler."""


class PlanError(DaskGMMError, ValueError):
    """The work as planned needs more memory than there is."""


class CheckpointError(DaskGMMError, ValueError):
    """A checkpoint is torn, foreign, or of another fit."""


class ModelFileError(DaskGMMError, ValueError):
    """A model file is missing, torn, foreign or newer than this version reads."""


class OutputError(DaskGMMError, ValueError):
    """A file may not be written where it is to go."""


class ResolutionWarning(UserWarning):
    """Values are too far from all others, or from zero, for what numbers can hold."""


class DecodingWarning(UserWarning):
    """It is open what stored numbers mean, or what attributes declare is not applied."""


class DegenerateComponentWarning(UserWarning):
    """A component has no rows, or is as narrow as `reg_covar`, ties or rounding let it be."""


class ScaleWarning(UserWarning):
    """A setting in units of the data, such as `reg_covar`, is large beside a column's spread."""


class ChoiceWarning(UserWarning):
    """What a sweep chose is at the edge of what was tried, or is no evidence."""


class WeightsWarning(UserWarning):
    """Criteria depend on what `sample_weight` means, and it may not be what was taken."""


class ExchangeWarning(UserWarning):
    """What another library's classes cannot say of a mixture is lost in them."""
