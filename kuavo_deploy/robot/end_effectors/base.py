"""What every end effector can do: turn its topic's numbers into closures and back."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np


class EndEffector(ABC):
    """A pair of hands. A closure is 0 (open) … 1 (closed), left then right, shape (2,)."""

    name: str
    """The robot's `/end_effector_type`."""
    state_topic: str
    state_type: str
    command_topic: str
    command_type: str

    @abstractmethod
    def closure_from_state(self, position: np.ndarray) -> np.ndarray:
        """Closures, shape (2,), from the position array of the state message."""

    @abstractmethod
    def closure_from_command(self, position: np.ndarray) -> np.ndarray:
        """Closures, shape (2,), from the position array of the command message."""

    @abstractmethod
    def state(self, closure: np.ndarray) -> np.ndarray:
        """The position array of the state message for closures, shape (2,)."""

    @abstractmethod
    def command(self, closure: np.ndarray) -> np.ndarray:
        """The position array of the command message for closures, shape (2,)."""


def check_length(position: np.ndarray, length: int, what: str) -> np.ndarray:
    """`position` as float64, or ValueError unless it has `length` finite numbers."""
    position = np.asarray(position, dtype=np.float64)
    if position.shape != (length,):
        raise ValueError(f"{what} has {position.size} numbers, expected {length}")
    if not np.isfinite(position).all():
        raise ValueError(f"{what} has a number that is not finite: {position}")
    return position
