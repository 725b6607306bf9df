"""What predictions say of how they were made: the model, the seed, gaps, and the features."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from daskgmm.models.predictions.prediction import Predictor
from daskgmm.names import MARGINALISE

IN_ZARR, IN_PARQUET = "daskgmm_", "daskgmm."
"""What the names of these facts begin with, in attributes of a group and metadata of a file."""

MODEL, SHA256, DIGEST, VERSION = "model", "model_sha256", "model_digest", "version"
SEED, MISSING, FEATURES, NUMBER = "random_state", "missing", "features", "n_features"
NO_TEXTS = (SEED, FEATURES, NUMBER)
NAMES = (MODEL, SHA256, DIGEST, VERSION, MISSING, *NO_TEXTS)


@dataclass(frozen=True, slots=True)
class NamedModel:
    """What a mixture is called in what it writes.

    Attributes
    ----------
    name : str
        Of its file, or of its class if it was not read from one or was changed since.
    sha256 : str or None
        The checksum in the file.
    """

    name: str
    sha256: str | None = None


def about(named: NamedModel, predictor: Predictor) -> dict[str, Any]:
    """Return the facts by name, in plain values; those that are not known are left out.

    `model_digest` is of all that predictions depend on but the seed, whatever file that came from.
    """
    transform = predictor.transform
    dropped = "drop" if transform.drop_missing else "error"
    columns = predictor.columns
    facts = {
        MODEL: named.name,
        SHA256: named.sha256,
        DIGEST: predictor.digest,
        VERSION: version("daskgmm"),
        SEED: predictor.seed,
        MISSING: MARGINALISE if transform.marginalise else dropped,
        FEATURES: None if columns is None else list(columns),
        NUMBER: predictor.n_columns,
    }
    return {name: value for name, value in facts.items() if value is not None}


def in_zarr(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts as attributes of a group."""
    return {f"{IN_ZARR}{name}": value for name, value in facts.items()}


def in_parquet(facts: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Return the facts as metadata of a file: texts as they are, others as JSON."""
    return {
        f"{IN_PARQUET}{name}".encode(): (json.dumps(value) if name in NO_TEXTS else value).encode()
        for name, value in facts.items()
    }


def from_zarr(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts among the attributes of a group."""
    return {name: attributes[key] for name in NAMES if (key := f"{IN_ZARR}{name}") in attributes}


def from_parquet(metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    """Return the facts among the metadata of a file; what is no JSON is a text."""
    texts = {name: metadata.get(f"{IN_PARQUET}{name}".encode()) for name in NAMES}
    return {
        name: _value(text) if name in NO_TEXTS else text.decode(errors="replace")
        for name, text in texts.items()
        if text is not None
    }


def _value(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")
