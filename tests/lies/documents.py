"""Documents that daskgmm signs: models, moments, checkpoints."""

import json
import tempfile
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

from daskgmm import (
    BayesianGaussianMixture,
    GaussianMixture,
    GaussianMixtureClassifier,
    MixtureMoments,
    load_model,
    sweep,
)
from daskgmm.em.checkpoints.checkpoint import digest_of
from daskgmm.em.checkpoints.packing import MALFORMED
from daskgmm.models.files.model_document import document_of
from daskgmm.storage.address import Address
from tests.lies.judging import Subject

GROUPS = np.random.default_rng(3).integers(0, 2, 60)
X = np.random.default_rng(0).normal(size=(60, 3)) + 4.0 * GROUPS[:, None]

MIXTURES = {
    "plain": {},
    "diagonal, coordinates": {"covariance_type": "diag", "standardise": True},
    "principal axes": {"pca": 2},
    "factors": {"covariance_type": "factor", "n_factors": 1},
    "common factors": {"covariance_type": "mcfa", "n_factors": 2},
    "Student tails": {"tails": "t"},
    "contaminated tails": {"tails": "contaminated"},
    "noise": {"noise": True},
    "Bayesian": {"n_components": 3},
    "tied": {"covariance_type": "tied"},
    "spherical": {"covariance_type": "spherical"},
    "VVE": {"covariance_type": "VVE"},
}
"""Settings of the mixtures in model files."""


class Killed(BaseException):
    """What ends a run."""


def signed(document):
    """Return a document with the checksum of what is in it."""
    rest = {name: value for name, value in document.items() if name != "sha256"}
    try:
        return {**rest, "sha256": digest_of(rest)}
    except RecursionError:
        return document


def _model(path):
    return _shown(load_model(path / "lies.json"))


def _shown(mixture):
    about = document_of(mixture)
    del about["written"], about["versions"]
    return json.dumps(about, sort_keys=True)


def _classifier(path):
    found = GaussianMixtureClassifier.load(path / "lies.json")
    facts = [found.classes_.tolist(), found.class_prior_.tolist(), found.class_count_.tolist()]
    return f"{facts} {found.get_params()} {_shown(found.mixture_)}"


def _moments(path):
    found = MixtureMoments.load(path / "lies.json")
    return f"{found.mixture} {found.covariance_type} {found.statistics!r} {found.weighing!r}"


def _fit(path, mixture):
    found = mixture().fit(X, checkpoint=path / "lies.json")
    return f"{found.means_.tobytes().hex()} {found.n_iter_} {found.lower_bound_!r}"


def _sweep(path):
    found = sweep(X, range(1, 4), n_init=1, random_state=0, checkpoint=path / "lies.json")
    return repr([model.means_.tobytes().hex() for model in found.models])


def _stopped(read):
    """Return the third checkpoint of a run that is killed there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        kept = []
        real = Address.replace

        def replace(self, content):
            real(self, content)
            kept.append(content)
            if len(kept) == 3:
                raise Killed

        with patch.object(Address, "replace", replace), suppress(Killed):
            read(path)
        return kept[-1]


def _saved(save):
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder, "lies.json"))
        return Path(folder, "lies.json").read_bytes()


def _document(name, content, read, others):
    return Subject(
        name,
        {"lies.json": content},
        ("lies.json",),
        read,
        named=("lies.json",),
        sign=signed,
        others=others,
    )


def _mixture(name):
    settings = MIXTURES[name]
    kind = BayesianGaussianMixture if name == "Bayesian" else GaussianMixture
    return kind(random_state=0, **{"n_components": 2, **settings})


@cache
def _model_file(name):
    return _saved(_mixture(name).fit(X).save)


@cache
def _moments_file():
    return _saved(_mixture("plain").fit(X).moments(X).save)


@cache
def _classifier_file():
    labels = np.array(["a", "b"])[GROUPS]
    return _saved(GaussianMixtureClassifier(1, random_state=0).fit(X, labels).save)


@cache
def others():
    """Return whole documents, which may stand in the place of any other."""
    return (_model_file("plain"), _model_file("Bayesian"), _moments_file(), _classifier_file())


def _subject(name, content, read):
    return Subject(
        name, {"lies.json": content}, ("lies.json",), read,
        named=("lies.json",), sign=signed, others=others(),
    )  # fmt: skip


def _of_model(name):
    return _subject(f"model: {name}", _model_file(name), _model)


def _of_checkpoint(name, read):
    made = _subject(f"checkpoint: {name}", _stopped(read), read)
    # That arrays have another form is seen where the fit goes on: a checksum finds accidents.
    return replace(made, forged=MALFORMED)


CHECKPOINTS = {
    "plain": partial(
        _fit, mixture=partial(GaussianMixture, 2, random_state=0, tol=1e-9, max_iter=60)
    ),
    "Bayesian": partial(
        _fit, mixture=partial(BayesianGaussianMixture, 3, random_state=0, tol=1e-9, max_iter=60)
    ),
    "starts, axes": partial(
        _fit,
        mixture=partial(GaussianMixture, 2, n_init=2, pca=2, random_state=0, acceleration=None),
    ),
    "noise": partial(_fit, mixture=partial(GaussianMixture, 2, noise=True, random_state=0)),
    "sweep": _sweep,
}

KINDS = {
    **{f"model: {name}": partial(_of_model, name) for name in MIXTURES},
    "classifier": lambda: _subject("classifier", _classifier_file(), _classifier),
    "moments": lambda: _subject("moments", _moments_file(), _moments),
    **{
        f"checkpoint: {name}": partial(_of_checkpoint, name, read)
        for name, read in CHECKPOINTS.items()
    },
}
"""What makes each kind."""
