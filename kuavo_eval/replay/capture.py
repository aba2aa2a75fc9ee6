"""What the nodes said while a bag was played: their shadow commands, states and latencies."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kuavo_cli.errors import UserError
from kuavo_cli.jsonio import write_json

FILE = "capture.json"


@dataclass
class Capture:
    """Times in s, in the bag's clock.

    arms: (time, 14 positions [rad]) of each command. hands: (time, 2 closures).
    base: (time, [x, y [m], yaw [rad], move]) in force at each tick.
    states: (time, state, reason) at each change. plans: (time, stamp of the observation behind it)
    of each. dead: what died meanwhile, or ''.
    """

    arms: list[tuple[float, list[float]]] = field(default_factory=list)
    hands: list[tuple[float, list[float]]] = field(default_factory=list)
    base: list[tuple[float, list[float]]] = field(default_factory=list)
    states: list[tuple[float, str, str]] = field(default_factory=list)
    plans: list[tuple[float, float]] = field(default_factory=list)
    dead: str = ""

    @property
    def latencies(self) -> list[float]:
        """From an observation to its plan [s]."""
        return [time - stamp for time, stamp in self.plans]

    def save(self, folder: Path) -> None:
        """Write it."""
        write_json(folder / FILE, self)

    @classmethod
    def load(cls, folder: Path) -> Capture:
        """Read it.

        Raises:
            UserError: there is none, or it is damaged.
        """
        try:
            content = json.loads((folder / FILE).read_text(encoding="utf-8"))
            return cls(**content)
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{folder} holds no replay: {error}") from error

    def running(self, times: np.ndarray) -> np.ndarray:
        """Was a plan being executed at each of these times? Shape (n,), bool."""
        if not self.states:
            return np.zeros(len(times), bool)
        changes = np.array([change[0] for change in self.states])
        ran = np.array([change[1] == "run" for change in self.states])
        index = np.searchsorted(changes, times, side="right") - 1
        return (index >= 0) & ran[np.maximum(index, 0)]
