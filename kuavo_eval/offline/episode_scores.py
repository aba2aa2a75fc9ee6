"""What the predictions of one policy over one episode are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kuavo_deploy.robot.layout import ARM_INDICES, HAND_INDICES
from kuavo_deploy.robot.version import RobotLimits
from kuavo_eval.metrics.boundaries import boundary_jumps
from kuavo_eval.metrics.critical_intervals import Interval, frames_inside
from kuavo_eval.metrics.differences import differences
from kuavo_eval.metrics.hand_events import hand_events
from kuavo_eval.metrics.hand_timing import HandTiming, hand_timing
from kuavo_eval.metrics.horizon import HorizonErrors
from kuavo_eval.metrics.smoothness import arm_speed, ldlj, sparc
from kuavo_eval.metrics.streams import executed, temporal_ensemble
from kuavo_eval.metrics.violations import Violations, violations
from kuavo_eval.metrics.warping import warped
from kuavo_eval.offline.episodes import FPS, RecordedEpisode

WARP_S = 1.0
"""How far warping may move a frame [s]."""


@dataclass(frozen=True)
class Setting:
    """What episodes are scored with. replan: frames until the robot takes a new chunk."""

    limits: RobotLimits
    replan: int


@dataclass(frozen=True)
class StreamErrors:
    """Sums of absolute errors of a stream. sums: shape (D,). count: frames."""

    sums: np.ndarray
    count: int


@dataclass(frozen=True)
class Warping:
    """Sums over frames inside critical intervals (see `metrics.warping`)."""

    error: float
    timing: float
    lag: float
    frames: int


@dataclass(frozen=True)
class Smoothness:
    """Of the ensembled stream and of the demonstration."""

    sparc: float
    sparc_recorded: float
    ldlj: float
    ldlj_recorded: float


@dataclass(frozen=True)
class EpisodeScores:
    """One episode. stream: ensembled actions, shape (L, D).

    horizon: errors of chunks. whole, critical: of the ensembled stream, over all frames and
    inside critical intervals. jumps, jumps_recorded: at chunk boundaries, shape (B,) [rad].
    """

    frames: np.ndarray
    stream: np.ndarray
    horizon: HorizonErrors
    whole: StreamErrors
    critical: StreamErrors
    warping: Warping
    hands: HandTiming
    smoothness: Smoothness
    jumps: np.ndarray
    jumps_recorded: np.ndarray
    violations: Violations
    violations_recorded: Violations


def score_episode(
    episode: RecordedEpisode,
    frames: np.ndarray,
    chunks: np.ndarray,
    intervals: Sequence[Interval],
    setting: Setting,
) -> EpisodeScores:
    """Compare an episode's predictions with what was recorded.

    Args:
        episode: recorded.
        frames: where predictions begin, ascending, the first is 0. Shape (N,).
        chunks: predicted, finite, shape (N, T, 20).
        intervals: the critical ones.
        setting: see there.
    """
    actions = np.asarray(episode.actions, np.float64)
    length, dim = actions.shape
    steps = chunks.shape[1]
    chunks = chunks[..., :dim]
    recorded, valid = episode.chunks(frames, steps)
    stream = temporal_ensemble(chunks, frames, length)
    raw, boundaries = executed(chunks, frames, length, setting.replan)
    return EpisodeScores(
        frames=frames,
        stream=stream,
        horizon=HorizonErrors.of(chunks, recorded, valid),
        whole=_errors(stream, actions, [slice(0, length)]),
        critical=_errors(stream, actions, [frames_inside(i, length, FPS) for i in intervals]),
        warping=_warping(stream, actions, intervals),
        hands=_hands(stream, actions),
        smoothness=_smoothness(stream, actions),
        jumps=boundary_jumps(raw, boundaries),
        jumps_recorded=boundary_jumps(actions, boundaries),
        violations=violations(chunks, setting.limits, FPS),
        violations_recorded=violations(actions[None], setting.limits, FPS),
    )


def _errors(stream: np.ndarray, actions: np.ndarray, spans: Sequence[slice]) -> StreamErrors:
    errors = np.abs(differences(stream, actions))
    inside = np.zeros(len(actions), bool)
    for span in spans:
        inside[span] = True
    inside &= ~np.isnan(errors).any(axis=1)
    return StreamErrors(errors[inside].sum(axis=0), int(inside.sum()))


def _warping(stream: np.ndarray, actions: np.ndarray, intervals: Sequence[Interval]) -> Warping:
    arms = list(ARM_INDICES)
    total = np.zeros(3)
    frames = 0
    for interval in intervals:
        span = frames_inside(interval, len(actions), FPS)
        count = span.stop - span.start
        if count < 2 or np.isnan(stream[span]).any():
            continue
        found = warped(stream[span][:, arms], actions[span][:, arms], FPS, WARP_S)
        total += np.array(found) * count
        frames += count
    error, timing, lag = total.tolist()
    return Warping(error, timing, lag, frames)


def _hands(stream: np.ndarray, actions: np.ndarray) -> HandTiming:
    total = HandTiming()
    for hand in HAND_INDICES:
        total += hand_timing(hand_events(actions[:, hand], FPS), hand_events(stream[:, hand], FPS))
    return total


def _smoothness(stream: np.ndarray, actions: np.ndarray) -> Smoothness:
    ours, theirs = arm_speed(stream, FPS), arm_speed(actions, FPS)
    return Smoothness(sparc(ours, FPS), sparc(theirs, FPS), ldlj(ours, FPS), ldlj(theirs, FPS))
