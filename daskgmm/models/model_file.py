"""The model file: one JSON document that holds a fitted mixture, exact to the bit.

JSON, because a model should be readable in twenty years, by people and in any language, and
because nothing in it can run. Python writes a float with the fewest digits that read back as
the same float64. `daskgmm.models.files.model_document` says what is in it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from daskgmm.errors import ModelFileError, OutputError, SettingError
from daskgmm.models.estimators import ESTIMATORS
from daskgmm.models.files.document_file import may_be_model, read_document, read_mixture
from daskgmm.models.files.model_document import FORMAT_VERSION as FORMAT_VERSION
from daskgmm.models.files.model_document import UnknownNameError
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.signed_file import is_checkpoint
from daskgmm.models.writers.naming import check_model_name
from daskgmm.names import CLASSIFIER
from daskgmm.readers import remedy
from daskgmm.storage.address import Address
from daskgmm.storage.local import exists
from daskgmm.storage.masking import masked


def save_model(
    mixture: MixtureEstimator,
    path: str | os.PathLike[str],
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Write a fitted mixture to a JSON file; as `GaussianMixture.save`.

    Parameters
    ----------
    mixture : MixtureEstimator
        Fitted.
    path : path or URL
        Replaced if it exists.
    storage_options : mapping, optional
        For the file system of a URL, as fsspec takes them.

    Raises
    ------
    NotFittedError
        If the mixture is not fitted.
    SettingError
        If the name is one of another format, such as "model.npy".
    ModelFileError
        If the file cannot be written.

    Examples
    --------
    >>> from daskgmm import GaussianMixture, save_model
    >>> save_model(GaussianMixture.from_parameters([1.0], [[0.0]], [2.0]), "saved.json")
    """
    mixture.save(path, storage_options)


def load_model(
    path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
) -> MixtureEstimator:
    """Read a mixture that `save_model` wrote; as `GaussianMixture.load`, of any estimator.

    Parameters
    ----------
    path : path or URL
        What `save_model` wrote, or the method `save` of an estimator.
    storage_options : mapping, optional
        For the file system of a URL, as fsspec takes them.

    Returns
    -------
    MixtureEstimator
        Fitted, of the class that was saved.

    Raises
    ------
    ModelFileError
        If the file is missing, torn, foreign, or of a newer version than this one reads.

    Examples
    --------
    >>> from daskgmm import GaussianMixture, load_model, save_model
    >>> save_model(GaussianMixture.from_parameters([1.0], [[0.0]], [2.0]), "loaded.json")
    >>> load_model("loaded.json").covariances_
    array([2.])
    """
    return read_model(Address.of(path, storage_options))


def read_model(address: Address) -> MixtureEstimator:
    """Read a mixture of any estimator."""
    return read_mixture(_known, address)


def load_to_change(address: Address) -> MixtureEstimator:
    """Read a mixture as `load_model` does, to write another one that is made from it.

    Raises
    ------
    SettingError
        If the file has classes, which the other one would not have.
    """
    mixture = read_model(address)
    if CLASSIFIER in read_document(address):
        raise SettingError(
            f"{address} holds a {remedy('GaussianMixtureClassifier', 'classifier')}, whose classes "
            "a changed mixture would lose. Fit the classifier to all rows, or "
            f"{remedy('save its mixture_ and change that', 'fit a mixture without --classifier')}."
        )
    return mixture


def _known(types: Sequence[str]) -> type[MixtureEstimator]:
    for name in types:
        if name in ESTIMATORS:
            return ESTIMATORS[name]
    raise UnknownNameError(
        f"it holds a {types[0]}, which is not one of {', '.join(ESTIMATORS)}. Import the module "
        "that adds it to daskgmm.models.estimators.ESTIMATORS first (--import), or use the "
        "load method of that class."
    )


def check_free(address: Address, overwrite: bool) -> None:
    """Raise unless a model may be written to an address."""
    check_model_name(address.url)
    path = None if address.is_url else address.path
    address.check_place(ModelFileError)
    there = address.read_head(1) is not None if path is None else path.exists()
    if there and not overwrite:
        raise FileExistsError(exists(str(address)))
    if there and is_checkpoint(address):
        raise FileExistsError(
            f"{address} is the checkpoint of a fit or sweep, and no model, so it is not "
            "overwritten. Choose another place for the model (--out)."
        )
    if there and not may_be_model(address):
        raise FileExistsError(
            f"{address} exists and is not a model file, so it is not overwritten. Choose another "
            "place (--out)."
        )


def save_new(mixture: MixtureEstimator, address: Address, overwrite: bool) -> None:
    """Write a fitted mixture to where `check_free` let it go when the fit began.

    Where that is no longer possible it is written elsewhere, as hours of work may be in it.
    """
    try:
        place = _free_by_now(address, overwrite)
        mixture.save(place.url, place.options)
    except Exception as error:  # of whatever kind the file system's library raises
        kept = _kept(mixture)
        if kept is None:
            raise
        why = masked(str(error), address.options)
        raise OutputError(f"{why} The model of this run is in {kept}.") from address.harmless(error)
    if place is not address:
        raise OutputError(
            f"{address} was written by another run while this one was fitting, and is left as "
            f"it is. The model of this run is in {place}."
        )


def _free_by_now(address: Address, overwrite: bool) -> Address:
    """Return an address, or one beside it if another run has written there."""
    try:
        check_free(address, overwrite)
    except FileExistsError:
        folder, slash, name = address.url.rpartition("/")
        return Address.of(f"{folder}{slash}{uuid4().hex[:8]}-{name}", address.options)
    return address


def _kept(mixture: MixtureEstimator) -> Path | None:
    """Write a mixture to the current or the temporary folder; return where, None if nowhere."""
    name = f"{uuid4().hex[:8]}-model.json"
    for folder in (Path.cwd, tempfile.gettempdir):
        with suppress(ModelFileError, OSError):
            place = Path(folder(), name)
            mixture.save(place)
            return place
    return None
