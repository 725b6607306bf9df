"""The model file: one JSON document that holds a fitted mixture, exact to the bit.

JSON, because a model should be readable in twenty years, by people and in any language.
Python writes a float with the fewest digits that read back as the same float64.
"""

from __future__ import annotations

import json
import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from daskgmm.errors import ModelFileError
from daskgmm.files import replace_bytes
from daskgmm.gaussian.structures import STRUCTURES
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.version import __version__

FORMAT = "daskgmm-gaussian-mixture"
FORMAT_VERSION = 1

FIT_AGAIN = "Fit the model again, or fetch an undamaged copy of the file."


def save_model(mixture: GaussianMixture, path: str | os.PathLike[str]) -> None:
    """Write a fitted mixture to a JSON file.

    The file is written aside and moved into place, so that at every moment `path` is either
    what it was or the whole new model. Settings that JSON cannot hold (a `RandomState`) are
    left out; everything that predictions depend on is kept to the bit.

    Parameters
    ----------
    mixture : GaussianMixture
        Fitted.
    path : str or path
        Replaced if it exists.

    Raises
    ------
    NotFittedError
        If the mixture is not fitted.
    ModelFileError
        If the file cannot be written.
    """
    check_is_fitted(mixture)
    lines = (
        f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}"
        for key, value in _document(mixture).items()
    )
    _replace(Path(path), "{\n" + ",\n".join(lines) + "\n}\n")


def model_path(out: str | os.PathLike[str], overwrite: bool) -> Path:
    """Return where a model goes; raise unless it may go there.

    Raises
    ------
    FileNotFoundError
        If the folder that it names does not exist.
    FileExistsError
        If it exists, and is no model file or `overwrite` is false.
    """
    path = Path(out)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} for {out}. Make it first.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{out} exists.")
    if path.exists() and not _may_be_model(path):
        raise FileExistsError(f"{out} exists and is no model file, so it is not overwritten.")
    return path


def load_model(path: str | os.PathLike[str]) -> GaussianMixture:
    """Read a mixture that `save_model` wrote; it predicts the same bits.

    Raises
    ------
    ModelFileError
        If the file is missing, torn, foreign, or of a newer version than this one reads.
    """
    document = _read(Path(path))
    if document.get("format") != FORMAT:
        raise ModelFileError(
            f"{path} is JSON, but no model of daskgmm: its 'format' is not '{FORMAT}'. "
            "Give a file that `daskgmm fit` or save_model wrote."
        )
    version = document.get("format_version")
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format_version {version}; this daskgmm reads up to {FORMAT_VERSION}. "
            "Update it with: pip install --upgrade daskgmm"
        )
    try:
        return _mixture(document)
    except KeyError as error:
        raise ModelFileError(f"{path} is damaged: {error} is missing. {FIT_AGAIN}") from error
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"{path} is damaged: {error}. {FIT_AGAIN}") from error


def _document(mixture: GaussianMixture) -> dict[str, Any]:
    names = getattr(mixture, "feature_names_in_", None)
    bound = float(mixture.lower_bound_)
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"daskgmm": __version__, "numpy": np.__version__},
        "settings": _settings(mixture),
        "n_features": int(mixture.n_features_in_),
        "feature_names": None if names is None else [str(name) for name in names],
        "converged": bool(mixture.converged_),
        "n_iter": int(mixture.n_iter_),
        "gap_estimate": _finite(getattr(mixture, "gap_estimate_", math.nan)),
        "lower_bound": bound if math.isfinite(bound) else None,
        "lower_bounds": [float(each) for each in mixture.lower_bounds_],
        "weights": mixture.weights_.tolist(),
        "means": mixture.means_.tolist(),
        "covariances": mixture.covariances_.tolist(),
        "precisions_cholesky": mixture.precisions_cholesky_.tolist(),
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _settings(mixture: GaussianMixture) -> dict[str, Any]:
    """Return the constructor's parameters, as far as JSON can hold them."""
    kept = {}
    for name, value in mixture.get_params(deep=False).items():
        plain = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        try:
            json.dumps(plain, allow_nan=False)
        except (TypeError, ValueError):
            continue
        kept[name] = plain
    return kept


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            if file.read(1) != b"{":  # before a file of many GB is read to the end
                raise ModelFileError(
                    f"{path} is no model file: it does not begin as JSON. Give a file that "
                    "`daskgmm fit` or save_model wrote."
                )
            text = b"{" + file.read()
        document: dict[str, Any] = json.loads(text)
    except FileNotFoundError as error:
        raise ModelFileError(
            f"There is no model file {path}. Check the path, or make one with `daskgmm fit`."
        ) from error
    except IsADirectoryError as error:
        raise ModelFileError(
            f"{path} is a folder; a model is one JSON file. Give that file."
        ) from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(f"{path} is torn or no JSON: {error}. {FIT_AGAIN}") from error
    return document


def _mixture(document: dict[str, Any]) -> GaussianMixture:
    """Build the mixture; raise KeyError, TypeError or ValueError if a part does not fit."""
    mixture = GaussianMixture(**document["settings"])
    if mixture.covariance_type not in STRUCTURES:
        raise ValueError(f"covariance_type {mixture.covariance_type!r} does not exist")
    structure = STRUCTURES[mixture.covariance_type]
    k, d = len(document["weights"]), int(document["n_features"])
    covariance_shape = structure.covariance_shape(k, d)
    mixture.weights_ = _array(document, "weights", (k,))
    mixture.means_ = _array(document, "means", (k, d))
    mixture.covariances_ = _array(document, "covariances", covariance_shape)
    mixture.precisions_cholesky_ = _array(document, "precisions_cholesky", covariance_shape)
    mixture.precisions_ = structure.precisions(mixture.precisions_cholesky_)
    mixture.converged_ = bool(document["converged"])
    mixture.n_iter_ = int(document["n_iter"])
    mixture.lower_bounds_ = [float(bound) for bound in document["lower_bounds"]]
    gap = document["gap_estimate"]
    mixture.gap_estimate_ = math.nan if gap is None else float(gap)
    bound = document["lower_bound"]
    mixture.lower_bound_ = -math.inf if bound is None else float(bound)
    mixture.n_features_in_ = d
    if document["feature_names"] is not None:
        mixture.feature_names_in_ = np.array(document["feature_names"], dtype=object)
    return mixture


def _may_be_model(path: Path) -> bool:
    """Return whether a file begins as JSON, or is empty; torn models may be replaced too."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(1) in (b"{", b"")


def _array(document: dict[str, Any], name: str, shape: tuple[int, ...]) -> Any:
    array = np.array(document[name], dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"'{name}' has the shape {array.shape}, not {shape}")
    if not array.size or not np.isfinite(array).all():
        raise ValueError(f"'{name}' is empty or not finite")
    return array


def _replace(path: Path, text: str) -> None:
    """Write `text` aside, down to the disk, and move it to `path` in one step."""
    try:
        replace_bytes(path, text.encode())
    except OSError as error:
        raise ModelFileError(
            f"The model cannot be written to {path}: {error.strerror}. Give a path in a folder "
            "that exists and that you may write to."
        ) from error
