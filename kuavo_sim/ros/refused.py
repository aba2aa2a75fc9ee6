"""A command that the robot does not carry out."""

from __future__ import annotations

import numpy as np


class Refused(ValueError):
    """The command changes nothing; the text says why."""


def finite(values: object, count: int, what: str) -> np.ndarray:
    """`values` as float64, shape (count,).

    Raises:
        Refused: another number of values, or one that is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (count,):
        raise Refused(f"{what}: {array.size} numbers, expected {count}")
    if not np.isfinite(array).all():
        raise Refused(f"{what}: a number is not finite")
    return array
