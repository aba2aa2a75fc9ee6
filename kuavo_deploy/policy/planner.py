"""One step of the policy node: look, decode, infer, hand over a chunk.

The robot moves meanwhile: a chunk's actions have absolute times, and by the time it is there its
first steps are past. Whatever goes wrong gives a reason instead of a chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kuavo_deploy.executor.epochs import Announcement
from kuavo_deploy.policy.continuation import Chunk, Continuation
from kuavo_deploy.policy.executed import Executed
from kuavo_deploy.policy.figures import PlannerFigures
from kuavo_deploy.policy.observations import NotReady, Observation
from kuavo_deploy.policy.policies import ChunkPolicy, SeesFirst
from kuavo_deploy.robot import layout, topics
from kuavo_deploy.safety import health
from kuavo_deploy.safety.health import Finding, Level
from kuavo_deploy.safety.states import reason_kind


@dataclass(frozen=True)
class PlannerSettings:
    """Times in s.

    step: between actions, one frame of the recordings. interval: between the starts of two
    inferences, at least; a slower policy plans as fast as it can. rest: the same, while the
    executor is disabled, paused or in fault.
    retry: after an error, at first; doubled at each further one up to max_retry.
    patience: without an observation for so long, the executor is asked to hold.
    """

    step: float = 0.1
    interval: float = 0.5
    rest: float = 2.0
    retry: float = 0.2
    max_retry: float = 5.0
    patience: float = 0.5


class Outcome(NamedTuple):
    """chunk: to be published, or None with a reason. wait: until the next step [s].

    stop: the executor is to hold now (there will be no chunk for a while).
    """

    chunk: Chunk | None
    reason: str
    wait: float
    stop: bool = False


class _Left(Exception):
    """The instruction that a chunk was being made for is not in force any more."""


class Planner:
    """Plans chunk after chunk. One thread calls `step`.

    Args:
        policy: see `ChunkPolicy`; one that `SeesFirst` is asked in two halves, and given up in
            between when the instruction changes: the new one is then planned for from the same
            images, which need not be seen again. continuation: how chunks follow each other.
        look: gives the newest observation or raises NotReady.
        decode: JPEG bytes and a name → uint8 RGB (H, W, 3), as for the recordings.
        instruction: what is in force; asked again after the inference.
        clock: of the stamps [s].
        executed: told by the executor what it took; without one every chunk counts as taken.
    """

    def __init__(
        self,
        policy: ChunkPolicy,
        continuation: Continuation,
        look: Callable[[], Observation],
        decode: Callable[[bytes, str], np.ndarray],
        instruction: Callable[[], Announcement | None],
        clock: Callable[[], float],
        settings: PlannerSettings,
        executed: Executed | None = None,
    ) -> None:
        self.figures = PlannerFigures()
        self._policy, self._continuation = policy, continuation
        self._look, self._decode = look, decode
        self._instruction, self._clock, self._settings = instruction, clock, settings
        self._executed = Executed() if executed is None else executed
        self._planned: Chunk | None = None
        self._left: Observation | None = None
        self._seen: Observation | None = None
        self._acts_since = 0.0
        self._errors = 0
        self._seen_at = clock()
        self._reason = "starting"
        self._duration = 0.0

    def health(self) -> Finding:
        """Does it plan, and soon enough?"""
        if self._errors:
            return Finding(Level.ERROR, self._reason)
        findings = [Finding(Level.WARN, self._reason)] if self._reason else []
        if self._duration:
            findings.append(health.latency(self.figures.latency, self._duration))
        return health.together(findings)

    def step(self) -> Outcome:
        """Plan once."""
        announcement = self._instruction()
        if announcement is None:
            return self._stopped("no instruction yet", self._settings.retry, stop=False)
        began = self._clock()
        try:
            observation = self._left_behind(began) or self._look()
            if self._has_planned_from(observation, announcement):
                return Outcome(None, "", 0.01)
            chunk = self._infer(observation, announcement)
            if not self._holds(announcement):
                raise _Left
        except _Left:
            self.figures.abandoned += 1
            self._left = observation
            return Outcome(None, "the instruction changed meanwhile", 0.0)
        except NotReady as problem:
            return self._blind(str(problem), began)
        except Exception as error:  # a policy may fail in any way; the robot then holds
            self._errors += 1
            self._executed.forget()
            wait = min(self._settings.retry * 2 ** (self._errors - 1), self._settings.max_retry)
            return self._stopped(f"{type(error).__name__}: {error}", wait, stop=True)
        self._errors = 0
        self._seen_at = began
        return self._handed_over(chunk, observation, began)

    def _left_behind(self, now: float) -> Observation | None:
        """What was being planned from when the instruction changed, unless that is long ago."""
        left, self._left = self._left, None
        recent = left is not None and abs(now - left.stamp) <= self._settings.patience
        return left if recent else None

    def _holds(self, announcement: Announcement) -> bool:
        current = self._instruction()
        return current is not None and current.epoch == announcement.epoch

    def _has_planned_from(self, observation: Observation, announcement: Announcement) -> bool:
        planned = self._planned
        same = planned is not None and planned.epoch == announcement.epoch
        return planned is not None and same and observation.stamp <= planned.stamp

    def _blind(self, problem: str, now: float) -> Outcome:
        # a late image is no reason to stop: the plan in execution has its own maximum age
        lasting = now - self._seen_at > self._settings.patience
        if lasting:
            self._executed.forget()
        return self._stopped(problem, 0.02, stop=lasting)

    def _infer(self, observation: Observation, announcement: Announcement) -> Chunk:
        """A chunk.

        Raises:
            _Left: the instruction changed in between.
        """
        actions = np.asarray(self._actions(observation, announcement))
        if actions.ndim != 2 or actions.shape[1] != layout.WALKING_ACTION_DIM or not len(actions):
            raise ValueError(f"the policy gave a chunk of shape {actions.shape}, not (T, 20)")
        if not np.isfinite(actions).all():
            raise ValueError("the policy gave numbers that are not finite")
        return Chunk(announcement.epoch, observation.stamp, self._settings.step, actions)

    def _actions(self, observation: Observation, announcement: Announcement) -> np.ndarray:
        task, state = {"task": announcement.instruction}, observation.state.astype(np.float32)
        if not isinstance(self._policy, SeesFirst):
            self._acts_since = self._clock()
            features = {**self._images(observation), topics.STATE_FEATURE: state, **task}
            return self._policy.plan(features, self._sampling(observation, announcement))
        known = self._seen is observation
        self._seen = None
        self._policy.see(task if known else {**self._images(observation), **task})
        self._seen = observation
        if not self._holds(announcement):
            raise _Left
        self._acts_since = self._clock()
        return self._policy.act(state, self._sampling(observation, announcement))

    def _images(self, observation: Observation) -> dict[str, np.ndarray]:
        return {
            topics.IMAGE_FEATURES[camera]: self._decode(jpeg, camera)
            for camera, jpeg in observation.jpegs.items()
        }

    def _sampling(self, observation: Observation, announcement: Announcement) -> dict[str, Any]:
        return self._continuation.sampling(
            self._policy, self._executed.newest(announcement.epoch), observation.stamp,
            self._executed.delay,
        )  # fmt: skip

    def _handed_over(self, chunk: Chunk, observation: Observation, began: float) -> Outcome:
        now = self._clock()
        if now >= chunk.times[-1]:
            self._executed.forget()
            return self._stopped("inference takes longer than a chunk lasts", 0.0, stop=True)
        previous = self._executed.newest(chunk.epoch)
        overlap = None if previous is None else max(float(previous.times[-1]) - now, 0.0)
        self._executed.handed_over(chunk, now)
        self._planned, self._reason = chunk, ""
        self._duration = len(chunk.actions) * chunk.step
        skew = max(observation.skews.values(), default=0.0)
        self.figures.planned(
            now - chunk.stamp, now - began, now - self._acts_since, overlap, skew
        )
        return Outcome(chunk, "", max(self._settings.interval - (now - began), 0.0))

    def _stopped(self, reason: str, wait: float, stop: bool) -> Outcome:
        self._reason = reason
        self.figures.stopped[reason_kind(reason)] += 1
        return Outcome(None, reason, wait, stop)
