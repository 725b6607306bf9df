"""What a fit is asked to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of EM, with scikit-learn's names and meanings.

    Attributes
    ----------
    n_components : int
    structure : {"full", "tied", "diag", "spherical"}
    tol : float
        EM stops when the mean log-likelihood changes by less, in nats a row.
    reg_covar : float
        Added to the diagonals of the covariances, in squared units of the data.
    max_iter : int
    n_init : int
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}
    """

    n_components: int
    structure: str
    tol: float
    reg_covar: float
    max_iter: int
    n_init: int
    init_params: str
