"""An upper bound of sums of logarithms that three of their moments give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daskgmm.arrays import Array

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class LogBound:
    r"""The least upper bound of the sum of :math:`\gamma \log(1 + s y)` that three moments allow.

    Each y is from 0 to T. Given the sums of :math:`\gamma, \gamma y, \gamma y^2`, the largest
    value is that of rows at two points (Karlin & Studden 1966): for s < 0, where
    the third derivative is negative, at 0 and `low`; for s > 0 at T and `high`. It is the sum
    itself, and has its first two derivatives, at s = 0.

    Attributes
    ----------
    end, low, high, at_end, at_low, at_high : ndarray of shape (k,)
        T, points, and the weights of rows at them.
    """

    end: Array
    low: Array
    high: Array
    at_end: Array
    at_low: Array
    at_high: Array

    @classmethod
    def of(cls, nu: Array, n: Array, first: Array, second: Array) -> LogBound:
        """Return the bound for y = 1 / (nu + delta), with the sums of y^0, y and y^2."""
        end, some = 1.0 / nu, (second > 0) & (first > 0)
        low = np.where(some, second / np.where(some, first, 1.0), 0.0)
        # No square of a sum of weights, which may underflow.
        at_low = np.where(some, first * (first / np.where(some, second, 1.0)), 0.0)
        room = end * n - first
        wide = room > EPS * end * n
        high = np.where(wide, (end * first - second) / np.where(wide, room, 1.0), 0.0)
        high = np.clip(high, 0.0, (1.0 - EPS) * end)
        at_end = np.where(wide, np.clip((first - n * high) / (end - high), 0.0, n), n)
        return cls(end, low, high, at_end, at_low, n - at_end)

    def values(self, s: Array) -> Array:
        """Return the bound at s, (..., k)."""
        down, up = np.minimum(s, 0.0), np.maximum(s, 0.0)
        value: Array = (
            self.at_low * np.log1p(down * self.low)
            + self.at_end * np.log1p(up * self.end)
            + self.at_high * np.log1p(up * self.high)
        )
        return value

    def slopes(self, s: Array) -> Array:
        """Return its derivative at s, (..., k)."""
        down, up = np.minimum(s, 0.0), np.maximum(s, 0.0)
        falling = self.at_low * self.low / (1.0 + down * self.low)
        rising = self.at_end * self.end / (1.0 + up * self.end)
        rising += self.at_high * self.high / (1.0 + up * self.high)
        return np.where(s < 0, falling, rising)
