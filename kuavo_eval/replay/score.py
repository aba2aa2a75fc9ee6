"""Shadow commands against recorded ones, at the recording's frames.

A frame counts while a plan was executed. The error of a policy that stays where it was when its
observation was taken is the measure for the arms' skill: shadow plans begin at the recorded state,
so a short look ahead makes everybody's error small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kuavo_deploy.robot.layout import ARM_INDICES, HAND_INDICES, STATE_DIM, WALKING_ACTION_DIM
from kuavo_eval.metrics.hand_events import hand_events
from kuavo_eval.metrics.hand_timing import HandTiming, hand_timing
from kuavo_eval.metrics.normalized_error import demonstrated_spread, normalized
from kuavo_eval.replay.base import BaseScore, base_score
from kuavo_eval.replay.capture import Capture
from kuavo_train.data.bags.align import last_before
from kuavo_train.data.bags.options import Options
from kuavo_train.data.bags.plan import plan_episode
from kuavo_train.data.bags.tracks import read_tracks
from kuavo_train.data.features import FPS
from kuavo_train.tasks import Task

FEWEST = 5
"""Fewer frames under command than this are no score."""
_ARMS, _HANDS = list(ARM_INDICES), list(HAND_INDICES)


@dataclass(frozen=True)
class Recorded:
    """A bag's numbers at its frames.

    times: when each action is in force, shape (n,) [s]. states, actions: shape (n, 16) or (n, 20).
    """

    name: str
    times: np.ndarray
    states: np.ndarray
    actions: np.ndarray


@dataclass(frozen=True)
class ReplayScore:
    """One bag's.

    void: why there is none, or ''. covered: share of frames under command. times: those frames,
    shape (m,), from the first frame on [s]. recorded, shadow: actions at them, shape (m, 16) or
    (m, 20) where the task walks. holding: what holding still would have said, shape (m, 16).
    spread: of the recorded actions, shape (16,). hands: event counts. base: None where the task
    stands. holds: (time [s], reason). latencies: of plans [s].
    """

    name: str
    void: str = ""
    covered: float = 0.0
    times: np.ndarray = field(default_factory=lambda: np.empty(0))
    recorded: np.ndarray = field(default_factory=lambda: np.empty((0, 16)))
    shadow: np.ndarray = field(default_factory=lambda: np.empty((0, 16)))
    holding: np.ndarray = field(default_factory=lambda: np.empty((0, 16)))
    spread: np.ndarray = field(default_factory=lambda: np.empty(0))
    hands: HandTiming = HandTiming()
    base: BaseScore | None = None
    holds: Sequence[tuple[float, str]] = ()
    latencies: Sequence[float] = ()

    def joint_errors(self, of: np.ndarray) -> np.ndarray:
        """|of − recorded| at each frame, shape (m, 16)."""
        return np.abs(of[:, :STATE_DIM] - self.recorded[:, :STATE_DIM])

    def arm_error(self, of: np.ndarray) -> np.ndarray:
        """Mean over the arms' joints at each frame, shape (m,) [rad]."""
        return self.joint_errors(of)[:, _ARMS].mean(axis=1)

    def normalized_error(self) -> np.ndarray:
        """Mean over the joints that move at each frame, shape (m,)."""
        scaled = normalized(self.joint_errors(self.shadow), self.spread)
        moved = ~np.isnan(normalized(np.ones(len(self.spread)), self.spread))
        return scaled[:, moved].mean(axis=1) if moved.any() else np.zeros(len(scaled))


def read_recorded(bag: Path, task: Task, options: Options) -> Recorded:
    """What the bag says.

    Raises:
        BagRefused: the bag cannot be used; says why.
    """
    plan = plan_episode(read_tracks(bag, options), task, options)
    frames = plan.start / 1e9 + np.arange(len(plan.states)) / FPS
    return Recorded(bag.name, frames + options.lead, plan.states, plan.actions)


def score(recorded: Recorded, capture: Capture) -> ReplayScore:
    """Hold them against each other."""
    if capture.dead:
        return ReplayScore(recorded.name, void=capture.dead)
    fault = next((reason for _, state, reason in capture.states if state == "fault"), None)
    walks = recorded.actions.shape[1] == WALKING_ACTION_DIM
    streams = [capture.arms, *([capture.base] if walks else [])]
    running = capture.running(recorded.times)
    for stream in streams:
        running &= recorded.times >= (stream[0][0] if stream else np.inf)
    if running.sum() < FEWEST:
        why = fault or (capture.states[-1][2] if capture.states else "the executor said nothing")
        if walks and capture.arms and not capture.base:
            why = "the base was never under command: is /odom in the bag?"
        return ReplayScore(recorded.name, void=f"no shadow commands: {why}")
    times = recorded.times[running]
    actions = recorded.actions[running]
    shadow = np.empty_like(actions)
    shadow[:, _ARMS] = _at(capture.arms, times)
    shadow[:, _HANDS] = _at(capture.hands, times) if capture.hands else 0.0
    if walks:
        shadow[:, STATE_DIM:] = _at(capture.base, times)
    if not np.isfinite(shadow).all():
        return ReplayScore(recorded.name, void="shadow commands that are not finite")
    return ReplayScore(
        name=recorded.name,
        covered=float(running.mean()),
        times=times - recorded.times[0],
        recorded=actions,
        shadow=shadow,
        holding=_holding(recorded, capture, times),
        spread=demonstrated_spread([recorded.actions[:, :STATE_DIM]]),
        hands=_hand_timing(actions, shadow),
        base=base_score(actions[:, STATE_DIM:], shadow[:, STATE_DIM:]) if walks else None,
        holds=[
            (round(time - float(recorded.times[0]), 2), reason)
            for time, state, reason in capture.states
            if state in ("hold", "fault") and time > times[0]
        ],
        latencies=capture.latencies,
    )


def _at(commands: Sequence[tuple[float, Sequence[float]]], times: np.ndarray) -> np.ndarray:
    stamps = np.array([command[0] for command in commands])
    values = np.array([command[1] for command in commands], dtype=np.float64)
    return values[last_before(stamps, times)]


def _holding(recorded: Recorded, capture: Capture, times: np.ndarray) -> np.ndarray:
    """The measured state when the observation behind the plan in force was taken."""
    frames = recorded.times - (recorded.times[1] - recorded.times[0])
    heard, stamps = np.array(capture.plans or [(frames[0], frames[0])]).T
    looked = stamps[last_before(heard, times)]
    return recorded.states[last_before(frames, looked)]


def _hand_timing(actions: np.ndarray, shadow: np.ndarray) -> HandTiming:
    timing = HandTiming()
    for hand in _HANDS:
        timing += hand_timing(hand_events(actions[:, hand], FPS), hand_events(shadow[:, hand], FPS))
    return timing
