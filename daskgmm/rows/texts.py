"""Columns of texts, which stand for classes."""

from __future__ import annotations

from abc import abstractmethod

from daskgmm.rows.rows import Rows


class Texts(Rows):
    """A column whose entries are texts, and None where one is missing."""

    n_features = 1

    @abstractmethod
    def among(self, names: tuple[str, ...]) -> Rows:
        """Return the places of the texts among sorted ones, -1 where one is missing."""
