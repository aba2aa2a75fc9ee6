"""The newest synchronized observation: undecoded images and a state that belong together.

The head camera sets the time, as in the recordings. Every other source gives its message nearest
to it, and every source has a maximum age and a maximum skew: what is stale or does not belong
together stops inference, with a reason, instead of reaching the policy.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from kuavo_deploy.robot import layout, topics
from kuavo_deploy.safety import health
from kuavo_deploy.safety.health import Finding

Value = TypeVar("Value")
JOINTS, HANDS = "joints", "hands"


class NotReady(RuntimeError):
    """There is no observation that can be trusted; the message says why."""


@dataclass(frozen=True)
class ObservationSettings:
    """Times in s.

    max_age: of each source's newest message, by source (`head_cam_h`, …, `joints`, `hands`).
    max_skew: how far a source's message may be from the head camera's image. Sources that are
    not named have `default_max_age` and `default_max_skew`.
    ahead: how far the senders' clocks may be ahead. keep: messages are remembered for so long.
    """

    default_max_age: float = 0.3
    default_max_skew: float = 0.06
    max_age: dict[str, float] = field(default_factory=dict)
    max_skew: dict[str, float] = field(default_factory=dict)
    ahead: float = 0.05
    keep: float = 1.0

    def age_of(self, source: str) -> float:
        """Maximum age of a source [s]."""
        return self.max_age.get(source, self.default_max_age)

    def skew_of(self, source: str) -> float:
        """Maximum skew of a source [s]."""
        return self.max_skew.get(source, self.default_max_skew)


@dataclass(frozen=True)
class Observation:
    """What the policy is going to see.

    stamp: of the head camera's image [s]. jpegs: undecoded, by camera.
    state: shape (16,), see `layout`. skews: of each source [s].
    """

    stamp: float
    jpegs: dict[str, bytes]
    state: np.ndarray
    skews: dict[str, float]


class _Source(Generic[Value]):
    """Stamped messages of the last second, oldest first."""

    def __init__(self, name: str, keep: float, ahead: float) -> None:
        self.name, self._keep, self._ahead = name, keep, ahead
        self._messages: deque[tuple[float, Value]] = deque()
        self.refused: str | None = None

    def add(self, stamp: float, value: Value, now: float) -> None:
        if not np.isfinite(stamp) or stamp <= 0:
            self.refused = f"{self.name} has no stamp"
        elif stamp > now + self._ahead:
            self.refused = f"{self.name} is {stamp - now:.3f} s in the future"
        elif self._messages and stamp <= self._messages[-1][0]:
            self.refused = f"{self.name} repeats a stamp or runs backwards"
        else:
            self.refused = None
            self._messages.append((stamp, value))
            while stamp - self._messages[0][0] > self._keep:
                self._messages.popleft()

    def newest(self, now: float, max_age: float) -> tuple[float, Value]:
        if not self._messages:
            raise NotReady(self.refused or f"{self.name} is not there")
        stamp, value = self._messages[-1]
        if now - stamp > max_age:
            why = f"{self.name} is {now - stamp:.2f} s old, {max_age:.2f} s are allowed"
            raise NotReady(f"{why} ({self.refused})" if self.refused else why)
        return stamp, value

    def age(self, now: float) -> float | None:
        return now - self._messages[-1][0] if self._messages else None

    def newest_first(self, now: float, max_age: float) -> Iterator[tuple[float, Value]]:
        for stamp, value in reversed(self._messages):
            if now - stamp > max_age:
                return
            yield stamp, value

    def nearest(self, stamp: float) -> tuple[float, Value]:
        stamps = [message[0] for message in self._messages]
        right = bisect.bisect_left(stamps, stamp)
        candidates = self._range(max(right - 1, 0), right + 1)
        return min(candidates, key=lambda message: abs(message[0] - stamp))

    def _range(self, start: int, stop: int) -> list[tuple[float, Value]]:
        return [self._messages[i] for i in range(start, min(stop, len(self._messages)))]

    def clear(self) -> None:
        self._messages.clear()


class ObservationBuffer:
    """Collects messages; gives one observation on demand. Not thread-safe.

    Args:
        cameras: names as in `topics.CAMERAS`; the first that is the head camera sets the time.
        settings: see there.
    """

    def __init__(self, cameras: Sequence[str], settings: ObservationSettings) -> None:
        unknown = sorted(set(cameras) - set(topics.CAMERAS))
        if unknown or not cameras:
            raise ValueError(
                f"unknown cameras {unknown}: choose from {', '.join(topics.CAMERAS)}"
            )
        self.cameras = tuple(cameras)
        self.settings = settings
        self._leader = "head_cam_h" if "head_cam_h" in cameras else self.cameras[0]
        keep, ahead = settings.keep, settings.ahead
        self._images = {name: _Source[bytes](name, keep, ahead) for name in self.cameras}
        self._joints = _Source[np.ndarray](JOINTS, keep, ahead)
        self._hands = _Source[np.ndarray](HANDS, keep, ahead)

    def on_image(self, camera: str, jpeg: bytes, stamp: float, now: float) -> None:
        """An image arrived; it stays undecoded."""
        self._images[camera].add(stamp, jpeg, now)

    def on_joints(self, joint_q: Sequence[float], stamp: float, now: float) -> None:
        """The 28 joints of `/sensors_data_raw` [rad].

        Raises:
            ValueError: another count, or a number is not finite.
        """
        arms = layout.arms_from_sensor_joints(np.asarray(joint_q, dtype=np.float64))
        if not np.isfinite(arms).all():
            raise ValueError(f"{topics.SENSORS}: arm positions are not finite: {arms}")
        self._joints.add(stamp, arms, now)

    def on_hands(self, closures: np.ndarray, stamp: float, now: float) -> None:
        """Measured closures, shape (2,), 0 open … 1 closed."""
        self._hands.add(stamp, np.asarray(closures, dtype=np.float64), now)

    def forget(self) -> None:
        """Start again (the clock was set back)."""
        for source in self._sources():
            source.clear()

    def _sources(self) -> list[_Source[Any]]:
        return [*self._images.values(), self._joints, self._hands]

    def health(self, now: float) -> Finding:
        """The ages of all sources against their maximum ages."""
        return health.together(
            health.age(source.name, source.age(now), self.settings.age_of(source.name))
            for source in self._sources()
        )

    def snapshot(self, now: float) -> Observation:
        """The newest observation whose messages belong together.

        Raises:
            NotReady: a source is missing or stale, or its messages do not belong together.
        """
        settings = self.settings
        for source in self._sources():
            source.newest(now, settings.age_of(source.name))
        leader = self._images[self._leader]
        problem: NotReady | None = None
        for stamp, jpeg in leader.newest_first(now, settings.age_of(self._leader)):
            # the newest head image may be there before the others of the same moment
            try:
                return self._around(stamp, jpeg)
            except NotReady as apart:
                problem = problem or apart
        raise problem or NotReady(f"{self._leader} is not there")

    def _around(self, stamp: float, jpeg: bytes) -> Observation:
        skews: dict[str, float] = {}
        jpegs = {self._leader: jpeg}
        for name in self.cameras:
            if name != self._leader:
                jpegs[name] = self._belonging(self._images[name], stamp, skews)
        arms = self._belonging(self._joints, stamp, skews)
        hands = self._belonging(self._hands, stamp, skews)
        return Observation(stamp, jpegs, layout.join(arms, hands), skews)

    def _belonging(self, source: _Source[Value], stamp: float, skews: dict[str, float]) -> Value:
        found, value = source.nearest(stamp)
        skews[source.name] = abs(found - stamp)
        limit = self.settings.skew_of(source.name)
        if skews[source.name] > limit:
            raise NotReady(
                f"{source.name} is {skews[source.name] * 1e3:.0f} ms from the head camera's "
                f"image, {limit * 1e3:.0f} ms are allowed"
            )
        return value
