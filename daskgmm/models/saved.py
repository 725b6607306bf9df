"""What is written to a file of its own and read from it, at a path or a URL."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from daskgmm.storage.address import Address


class Saved(ABC):
    """A fitted mixture, a classifier or moments: what can be saved and loaded."""

    def save(
        self, path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
    ) -> None:
        """Write it to a JSON file, exact to the bit.

        The file of a mixture begins with a model card that people can read: data, features and
        units, settings, criteria, versions, time. Settings that JSON cannot hold (a `RandomState`)
        are left out; all that predictions depend on is kept. The file of a classifier is that of
        its `mixture_` with the classes: `daskgmm.load_model` reads the mixture. Files are written
        aside and moved into place, so that at every moment `path` is either what it was or the
        whole new one.

        Parameters
        ----------
        path : path or URL
            Replaced if it exists.
        storage_options : mapping, optional
            For the file system of a URL, as fsspec takes them.

        Raises
        ------
        NotFittedError
            If it is an estimator that is not fitted.
        SettingError
            If the name is one of another format, such as "model.npy"; or if classes are neither
            numbers nor texts.
        ModelFileError
            If the file cannot be written.

        Examples
        --------
        >>> from daskgmm import GaussianMixture, MixtureMoments
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> mixture.save("mixture.json")
        >>> GaussianMixture.load("mixture.json").predict([[8.0]])
        array([1])
        >>> mixture.moments([[0.5], [8.0]]).save("site-a.json")
        >>> MixtureMoments.load("site-a.json").rows
        2
        """
        self._write(Address.of(path, storage_options))

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
    ) -> Self:
        """Read what `save` wrote, in this or an earlier version; it predicts the same.

        Nothing in the file can run. Its checksum finds accidents, not forgeries.

        Parameters
        ----------
        path : path or URL
            What `save` wrote.
        storage_options : mapping, optional
            For the file system of a URL, as fsspec takes them.

        Returns
        -------
        Mixture, GaussianMixtureClassifier or MixtureMoments
            Of the class that was saved, fitted, to the bit as it was.

        Raises
        ------
        ModelFileError
            If the file is missing, torn, foreign, or of a newer version than this one reads; or if
            it holds no classes and is read as a classifier.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> GaussianMixture.from_parameters([0.4, 0.6], [[0], [9]], [1.0, 1.0]).save("model.json")
        >>> GaussianMixture.load("model.json").weights_
        array([0.4, 0.6])
        """
        return cls._read(Address.of(path, storage_options))

    @abstractmethod
    def _write(self, address: Address) -> None:
        """Write the file, whole or not at all."""

    @classmethod
    @abstractmethod
    def _read(cls, address: Address) -> Self:
        """Read the file."""
