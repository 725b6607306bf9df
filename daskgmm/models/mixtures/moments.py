"""Moments of rows under a mixture, as things of their own: to add, to send, and to step from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from daskgmm.arrays import Array
from daskgmm.counting import counted
from daskgmm.em.checkpoints.packing import pack, unpack
from daskgmm.em.survey.weighing import Weighing, merge_weighings
from daskgmm.errors import SettingError
from daskgmm.gaussian.moments import Moments
from daskgmm.markup.carded import Carded, Grid, Sheet
from daskgmm.models.saved import Saved
from daskgmm.models.signed_file import (
    FileKind,
    check_digest,
    read_signed,
    told_of_damage,
    write_signed,
)
from daskgmm.storage.address import Address

FILE = FileKind(
    "daskgmm-moments",
    version=1,
    content="moments",
    file="file of moments",
    written_by="MixtureMoments.save",
    again="Take the moments again",
)

SHOWN = 6
"""Features whose means a card shows."""

RECORDS: Mapping[str, type] = {"Moments": Moments, "Weighing": Weighing}
"""Classes of which a file of moments is made; nothing else is."""


@dataclass(frozen=True, eq=False)
class MixtureMoments(Saved, Carded):
    r"""Expected sufficient statistics of rows under a mixture: all that an M-step needs of them.

    `GaussianMixture.moments` returns them, ``+`` adds those of other rows under the same mixture,
    and `GaussianMixture.step` makes the next mixture of the sum. They hold sums over rows and no
    row: their size depends on k and d alone [1]_. (Of one or two rows, the sums tell the rows.)

    Attributes
    ----------
    rows : int
        Number of rows of positive weight.
    weight : float
        :math:`W = \sum_n w_n`; the number of rows without weights.
    counts : ndarray of shape (k,)
        Expected weight of each component, :math:`N_k = \sum_n w_n \gamma_{nk}`.
    means : ndarray of shape (k, d)
        :math:`\sum_n w_n \gamma_{nk} x_n / N_k`, in the coordinates of `means_`; nan for a
        component without rows.
    log_likelihood : float
        Mean of :math:`\log p(x_n)` under the mixture, in nats per row.
    covariance_type : str
        Structure of the mixture: it decides which second moments are kept.
    mixture : str
        Digest of the mixture's parameters. Moments under different mixtures are not added.

    References
    ----------
    .. [1] C. Bishop, "Pattern Recognition and Machine Learning", Springer (2006), section 9.2.2.

    Examples
    --------
    >>> from daskgmm import GaussianMixture
    >>> mixture = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [9.0]], [1.0, 1.0])
    >>> mixture.moments([[0.5], [8.0]]) + mixture.moments([[9.5]])
    <MixtureMoments of 3 rows under 2 components (spherical) of 1 feature: -1.86209 nats per row>
    """

    mixture: str
    covariance_type: str
    statistics: Moments
    weighing: Weighing

    @property
    def rows(self) -> int:
        """Number of rows of positive weight."""
        return self.weighing.rows

    @property
    def weight(self) -> float:
        """Sum of the weights of the rows."""
        return self.weighing.total

    @property
    def counts(self) -> Array:
        """Expected weight of each component, shape (k,)."""
        return self.statistics.counts.copy()

    @property
    def means(self) -> Array:
        """Weighted means of the rows by component, shape (k, d)."""
        own = self.statistics
        return np.where(own.without_mean[:, None], np.nan, own.reference + own.shifts)

    @property
    def log_likelihood(self) -> float:
        """Mean log density of the rows, in nats per row."""
        return self.statistics.log_likelihood / self.weight if self.weight else np.nan

    def __repr__(self) -> str:
        return f"<{self._title()}: {self.log_likelihood:.6g} nats per row>"

    def _sheet(self) -> Sheet:
        known = [
            ("log likelihood", f"{self.log_likelihood:.6g} nats per row"),
            ("sum of weights", f"{self.weight:,.6g}"),
        ]
        rows = [
            (str(place), f"{count:,.6g}", ", ".join(f"{value:.4g}" for value in means[:SHOWN]))
            for place, (count, means) in enumerate(zip(self.counts, self.means, strict=True))
        ]
        first = f"mean, of the first {SHOWN} features" if self.means.shape[1] > SHOWN else "mean"
        grid = Grid("Components", ("component", "expected weight", first), rows, left=(2,))
        return Sheet(self._title(), known, [grid])

    def _title(self) -> str:
        k, d = self.statistics.reference.shape
        return (
            f"MixtureMoments of {self.rows} rows under {counted(k, 'component')} "
            f"({self.covariance_type}) of {counted(d, 'feature')}"
        )

    def __add__(self, other: object) -> MixtureMoments:
        """Return the moments of both sets of rows; neither is changed.

        Raises
        ------
        SettingError
            If they are under different mixtures.
        """
        if not isinstance(other, MixtureMoments):
            return NotImplemented
        if other.mixture != self.mixture:
            raise SettingError(
                "These moments are under two different mixtures, and their sum is of none. Send "
                "each site the same mixture, and take the moments of all rows under it."
            )
        return replace(
            self,
            statistics=self.statistics + other.statistics,
            weighing=merge_weighings(self.weighing, other.weighing),
        )

    def __radd__(self, other: object) -> MixtureMoments:
        """Return these, for `sum`, which begins with 0."""
        return self if other == 0 else NotImplemented

    def _write(self, address: Address) -> None:
        document = {
            "format": FILE.format,
            "format_version": FILE.version,
            "mixture": self.mixture,
            "covariance_type": self.covariance_type,
            "rows": self.rows,
            "statistics": pack(self.statistics),
            "weighing": pack(self.weighing),
        }
        write_signed(document, address, FILE)

    @classmethod
    def _read(cls, address: Address) -> Self:
        document = read_signed(address, FILE)
        with told_of_damage(address, FILE):
            moments = cls._of(document)
            check_digest(document)
        return moments

    @classmethod
    def _of(cls, document: Mapping[str, Any]) -> Self:
        statistics = unpack(document["statistics"], RECORDS)
        weighing = unpack(document["weighing"], RECORDS)
        if not isinstance(statistics, Moments) or not isinstance(weighing, Weighing):
            raise ValueError("it holds no moments")
        return cls(document["mixture"], document["covariance_type"], statistics, weighing)
