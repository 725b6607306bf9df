"""Digests of what predictions depend on."""

from __future__ import annotations

from daskgmm.em.checkpoints.fingerprint import arrays_digest, plain_digest
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters


def density_digest(own: Parameters, coordinates: Coordinates | None) -> str:
    """Return a digest of all that densities and responsibilities depend on."""
    factors = structure_of(own).external(own.precisions_cholesky, own.n_features)
    arrays = [own.weights, own.means, factors]
    own_of_some = (own.log_weights, own.clean, own.inflation, own.degrees)
    arrays += [values for values in own_of_some if values is not None]
    parts = [arrays_digest(each) for each in arrays]
    if coordinates is not None:
        mapped = (coordinates.origin, coordinates.scales, coordinates.axes)
        parts += [arrays_digest(each) for each in mapped]
    if own.has_noise:
        parts += [plain_digest((own.noise_weight, own.log_volume))]
    return plain_digest((own.structure, parts))
