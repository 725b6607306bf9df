"""What predicts, from a model file: a classifier if it has classes, else a mixture."""

from __future__ import annotations

from daskgmm.models.classifying.classifier import GaussianMixtureClassifier
from daskgmm.models.files.document_file import read_document
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.model_file import read_model
from daskgmm.names import CLASSIFIER
from daskgmm.storage.address import Address


def load_fitted(address: Address) -> MixtureEstimator | GaussianMixtureClassifier:
    """Read what `save` of a mixture or of a classifier wrote; it predicts the same.

    Raises
    ------
    ModelFileError
        As `load_model`.
    """
    if CLASSIFIER in read_document(address):
        return GaussianMixtureClassifier._read(address)
    return read_model(address)
