"""One step of the policy node: look, decode, infer, hand over a chunk.

The robot moves meanwhile: a chunk's actions have absolute times, and by the time it is there its
first steps are past. Whatever goes wrong gives a reason instead of a chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kuavo_deploy.executor.epochs import Announcement
from kuavo_deploy.policy.continuation import Chunk, Continuation
from kuavo_deploy.policy.executed import Executed
from kuavo_deploy.policy.figures import PlannerFigures
from kuavo_deploy.policy.observations import NotReady, Observation
from kuavo_deploy.policy.policies import ChunkPolicy
from kuavo_deploy.robot import layout, topics
from kuavo_deploy.safety import health
from kuavo_deploy.safety.health import Finding, Level
from kuavo_deploy.safety.states import reason_kind


@dataclass(frozen=True)
class PlannerSettings:
    """Times in s.

    step: between actions, one frame of the recordings. interval: between the starts of two
    inferences, at least; a slower policy plans as fast as it can.
    retry: after an error, at first; doubled at each further one up to max_retry.
    patience: without an observation for so long, the executor is asked to hold.
    """

    step: float = 0.1
    interval: float = 0.5
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


class Planner:
    """Plans chunk after chunk. One thread calls `step`.

    Args:
        policy: see `ChunkPolicy`. continuation: how chunks follow each other.
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
            observation = self._look()
            if self._has_planned_from(observation, announcement):
                return Outcome(None, "", 0.01)
            chunk = self._infer(observation, announcement)
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
        features = {
            topics.IMAGE_FEATURES[camera]: self._decode(jpeg, camera)
            for camera, jpeg in observation.jpegs.items()
        }
        features[topics.STATE_FEATURE] = observation.state.astype(np.float32)
        sampling = self._continuation.sampling(
            self._policy, self._executed.newest(announcement.epoch), observation.stamp,
            self._executed.delay,
        )  # fmt: skip
        actions = np.asarray(
            self._policy.plan({**features, "task": announcement.instruction}, sampling)
        )
        if actions.ndim != 2 or actions.shape[1] != layout.WALKING_ACTION_DIM or not len(actions):
            raise ValueError(f"the policy gave a chunk of shape {actions.shape}, not (T, 20)")
        if not np.isfinite(actions).all():
            raise ValueError("the policy gave numbers that are not finite")
        return Chunk(announcement.epoch, observation.stamp, self._settings.step, actions)

    def _handed_over(self, chunk: Chunk, observation: Observation, began: float) -> Outcome:
        now = self._clock()
        current = self._instruction()
        if current is None or current.epoch != chunk.epoch:
            self.figures.abandoned += 1
            return Outcome(None, "the instruction changed meanwhile", 0.0)
        if now >= chunk.times[-1]:
            self._executed.forget()
            return self._stopped("inference takes longer than a chunk lasts", 0.0, stop=True)
        previous = self._executed.newest(chunk.epoch)
        overlap = None if previous is None else max(float(previous.times[-1]) - now, 0.0)
        self._executed.handed_over(chunk, now)
        self._planned, self._reason = chunk, ""
        self._duration = len(chunk.actions) * chunk.step
        skew = max(observation.skews.values(), default=0.0)
        self.figures.planned(now - chunk.stamp, now - began, overlap, skew)
        return Outcome(chunk, "", max(self._settings.interval - (now - began), 0.0))

    def _stopped(self, reason: str, wait: float, stop: bool) -> Outcome:
        self._reason = reason
        self.figures.stopped[reason_kind(reason)] += 1
        return Outcome(None, reason, wait, stop)
