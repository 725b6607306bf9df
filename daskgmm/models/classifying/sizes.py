"""Components of each class: how many, and which belong to whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import SettingError


def sizes_of(n_components: Any, classes: NDArray[Any], *, several: bool) -> list[tuple[int, ...]]:
    """Return the numbers of components of each class that are to be tried.

    Parameters
    ----------
    n_components : int, iterable of int, or mapping from classes to these
    classes : ndarray of shape (c,)
    several : bool
        Whether there may be several for a class.
    """
    if not isinstance(n_components, Mapping):
        return [_numbers(n_components, several)] * len(classes)
    asked = {_plain(name): value for name, value in n_components.items()}
    names = [_plain(name) for name in classes]
    unknown = [name for name in asked if name not in names]
    lacking = [name for name in names if name not in asked]
    if unknown or lacking:
        which = f"has {unknown[0]!r}" if unknown else f"lacks {lacking[0]!r}"
        raise SettingError(
            f"n_components {which}; the classes of y are {', '.join(map(repr, names))}. Give one "
            "number for each, or one for all of them."
        )
    return [_numbers(asked[name], several) for name in names]


def _plain(name: Any) -> Any:
    return name.item() if isinstance(name, np.generic) else name


def _numbers(given: Any, several: bool) -> tuple[int, ...]:
    alone = isinstance(given, Integral) or not isinstance(given, Iterable) or isinstance(given, str)
    numbers: tuple[Any, ...] = (given,) if alone else tuple(given)
    fine = all(isinstance(k, Integral) and int(k) >= 1 for k in numbers)
    if fine and numbers and (several or len(numbers) == 1):
        return tuple(map(int, numbers))
    more = "" if several else " A range of numbers to choose from goes with structures='own'."
    raise SettingError(
        f"n_components is {given!r}; give a whole number of at least 1 for each class.{more}"
    )


def of_class(sizes: Iterable[int]) -> tuple[int, ...]:
    """Return the class of each component, of so many components of each class."""
    return tuple(number for number, k in enumerate(sizes) for _ in range(k))
