"""Exceptions and warnings of daskgmm.

Errors about input derive from ``ValueError`` as well, for code written for scikit-learn.
"""

from __future__ import annotations


class DaskGMMError(Exception):
    """Base class of daskgmm's errors."""


class DataError(DaskGMMError, ValueError):
    """A value, a type or a shape of the rows or weights is wrong."""


class SourceError(DaskGMMError, OSError):
    """A source of rows cannot be opened, or a read failed."""

    tried_again: bool = False
    """Whether all retries of the read are used up."""


class ClusterError(DaskGMMError, RuntimeError):
    """The cluster cannot run the tasks: it has no workers or no scheduler, or workers die."""


class PlanError(DaskGMMError, ValueError):
    """The plan needs more memory than a worker has."""


class CheckpointError(DaskGMMError, ValueError):
    """A checkpoint is incomplete, of another program, or of another fit."""


class ModelFileError(DaskGMMError, ValueError):
    """A model file is missing, incomplete, of another program, or newer than this version."""


class SettingError(DaskGMMError, ValueError):
    """A setting has a value that none takes, or two settings exclude each other, whatever X is."""


class EntryError(DaskGMMError, TypeError):
    """An entry that was added to a table, such as `gaussian.PRIORS`, returned what it may not."""


class OutputError(DaskGMMError, ValueError):
    """A file cannot or may not be written to its path."""


class ResolutionWarning(UserWarning):
    """Values are too far from all others, or from zero, for the precision of numbers."""


class DecodingWarning(UserWarning):
    """The meaning of stored numbers is ambiguous, or an attribute about it was not applied."""


class DegenerateComponentWarning(UserWarning):
    """A component has no rows, or is as narrow as `reg_covar`, ties or rounding allow."""


class IdColumnWarning(UserWarning):
    """A column of a table numbers its rows, as an id does, and was fitted as a feature."""


class ScaleWarning(UserWarning):
    """A setting in units of the data, such as `reg_covar`, is large for a column's spread."""


class ChoiceWarning(UserWarning):
    """The choice of a sweep is at the edge of the models tried, or has no evidence."""


class WeightsWarning(UserWarning):
    """Criteria depend on the meaning of `sample_weight`, which was assumed."""


class DependenceWarning(UserWarning):
    """Rows depend on each other farther than standard errors take into account."""


class ExchangeWarning(UserWarning):
    """The classes of another library cannot hold a property of the mixture."""
