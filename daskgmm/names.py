"""Values of settings, for the command line to list without an import of the arithmetic."""

from __future__ import annotations

CRITERIA = {"bic": "BIC", "aic": "AIC", "icl": "ICL", "heldout": "held-out likelihood"}
"""Criteria of a sweep, and their names in sentences."""

FITTED, SAMPLE, FAILED = "fitted", "sample", "failed"
"""What became of a model of a sweep: fitted on all rows, clearly beaten on the sample, or failed.
Its status in tables, however they are written."""

HIGHER_IS_BETTER = frozenset({"heldout"})
"""Criteria whose highest value is the best; of the others it is the lowest."""

COVARIANCES = (
    "full", "tied", "diag", "spherical",
    "EII", "EEI", "VEI", "EVI", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV",
)  # fmt: skip
"""Covariance structures that are always in `gaussian.STRUCTURES`, in its order."""

PRIORS = ("conjugate", "dirichlet")
"""Priors that are always in `gaussian.PRIORS`, in its order."""

WEIGHT_PRIORS = ("dirichlet_process", "dirichlet_distribution")
"""Priors of the weights of Bayesian mixtures: the names in `gaussian.weight_prior`."""

NAMES_OF_MCLUST = {"VVV": "full", "EEE": "tied", "VVI": "diag", "VII": "spherical"}
"""Names that mclust has for structures of scikit-learn: they are taken for these."""

FLOAT64, FLOAT32 = "float64", "float32"
"""Precisions of the arithmetic on rows; the first is that of all passes where nothing is said."""

FACTORS = ("ppca", "factor", "mcfa")
"""Covariance structures with a number of factors: the names in `FAMILIES`."""

ALL = "all"
"""Name that stands for all covariance structures in a sweep."""

STARTS = ("kmeans", "k-means++", "random", "random_from_data")
"""Starts of the components: values of `init_params`."""

ADAPTED = ("weights", "means", "covariances")
"""Parameters that can be adapted: values of `parameters` of `map_adapt`."""

FLOATS = ("float32", "float64")
"""Types of rows that are drawn."""

TAILS = ("contaminated", "t")
"""Forms of components that make room for outliers: values of `tails`."""

DTYPES = ("float32", "float64", "uint8")
"""Types of probabilities in outputs; uint8 has 254 or 255 steps."""


PARQUET_SUFFIXES = (".parquet", ".pq", ".parq")
"""Suffixes of Parquet files."""

MARGINALISE = "marginalise"
"""Setting `missing` of mixtures that take rows with what they have."""

IMPUTED = "imputed"
"""Output of predictions: rows whose gaps are filled."""

OUTPUTS = (
    "label", "posterior", "outlier", "outlier_probability", "top", "largest_posterior",
    "ambiguity", "log_density", "cluster", "cluster_posterior", "latent", "reconstruction_error",
    IMPUTED,
)  # fmt: skip
"""Outputs that are always in `models.predictions.outputs.OUTPUTS`, in its order."""

PREDICTIONS = "daskgmm.predictions"
"""Logger of runs that write predictions."""

CLASSIFIER = "classifier"
"""Entry of a model file with the classes of a classifier."""
