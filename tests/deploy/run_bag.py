"""What a recorded run says: the executor's states and the streams of arm commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader

from kuavo_deploy.robot import layout, topics
from kuavo_deploy.ros import names

from .world import Stream

GAP = 0.08
"""Commands further apart belong to two streams [s]."""


class RunBag:
    """A bag of a run, read whole.

    Attributes:
        states: time of receipt [s] and 'state: reason', at every change.
        stamps, arms: of all arm commands, shapes (N,) [s] and (N, 14) [rad].
    """

    def __init__(self, file: Path) -> None:
        self.states: list[tuple[float, str]] = []
        stamps, arms = [], []
        with AnyReader([file]) as reader:
            for connection, at, raw in reader.messages():
                message: Any = reader.deserialize(raw, connection.msgtype)
                if connection.topic == names.STATE:
                    self.states.append((at * 1e-9, message.data))
                if connection.topic == topics.ARM_TRAJ:
                    stamp = message.header.stamp
                    stamps.append(stamp.sec + stamp.nanosec * 1e-9)
                    arms.append(layout.arms_from_degrees(np.array(message.position)))
        self.stamps, self.arms = np.array(stamps), np.array(arms).reshape(-1, 14)

    def streams(self) -> list[Stream]:
        """The uninterrupted stretches."""
        ends = np.flatnonzero(np.diff(self.stamps) > GAP) + 1
        parts = zip(np.split(self.stamps, ends), np.split(self.arms, ends), strict=True)
        return [Stream(*part) for part in parts if len(part[0]) > 2]

    def arms_between(self, start: float, end: float) -> np.ndarray:
        """Commands with stamps in between, shape (N, 14) [rad]."""
        return self.arms[(self.stamps >= start) & (self.stamps <= end)]
