"""What can be wrong with an episode, one function each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from kuavo_deploy.robot import layout
from kuavo_deploy.robot.version import RobotLimits
from kuavo_train.data.bags.health import MOVED, frozen_run
from kuavo_train.data.check.episodes import Episode
from kuavo_train.data.metadata import content_hash, drawn_every

ERROR, WARNING = "error", "warning"
MAX_TOKENS = 48
"""SmolVLA's default `tokenizer_max_length`; what is longer is cut."""
BLACK = 6.0
"""Mean brightness (of 255) of a camera whose cap is on."""
STILL = 0.35
"""Two frames whose mean difference (of 255) is smaller show the same picture."""
SPEED_TOLERANCE = 1.05
LIMIT_TOLERANCE = math.radians(1.0)
_ARMS = list(layout.ARM_INDICES)


class Finding(NamedTuple):
    """One problem. level: error or warning. where: "episode 3", or "dataset"."""

    level: str
    where: str
    text: str


def counted(count: int, thing: str) -> str:
    """In words: 1 frame, 2 frames."""
    return f"{count} {thing}" + ("" if count == 1 else "s")


def levels(findings: Sequence[Finding]) -> str:
    """In words: 1 error, 2 warnings."""
    all_levels = [finding.level for finding in findings]
    return ", ".join(counted(all_levels.count(level), level) for level in (ERROR, WARNING))


def gaps(episode: Episode, fps: float) -> Iterator[tuple[str, str]]:
    """Frames are numbered and timed without a gap, and as many as the metadata says."""
    n = len(episode.state)
    if n != episode.length:
        yield ERROR, f"{n} frames, its metadata says {episode.length}"
    if not np.array_equal(episode.frame_index, np.arange(n)):
        yield ERROR, "frames are not numbered 0, 1, 2 …"
    off = np.abs(episode.timestamp - np.arange(n) / fps)
    if n and off.max() > 1e-3:
        first = int(np.argmax(off > 1e-3))
        yield ERROR, f"gap: frame {first} is at {episode.timestamp[first]:.3f} s, not {first / fps}"


def numbers(episode: Episode, limits: RobotLimits, fps: float) -> Iterator[tuple[str, str]]:
    """States and actions are finite, in range, and not faster than the arms may be."""
    if episode.state.shape[1] != layout.STATE_DIM:
        yield ERROR, f"the state has {episode.state.shape[1]} numbers, not {layout.STATE_DIM}"
        return
    for name, values in (("state", episode.state), ("action", episode.action)):
        finite = np.isfinite(values).all(axis=1)
        if not finite.all():
            yield ERROR, f"the {name} is not finite in frame {int(np.argmin(finite))}"
            continue
        arms = values[:, _ARMS]
        zero = ~arms.any(axis=1)
        if zero.any():
            yield (
                ERROR,
                f"{name}: all arm joints are exactly 0 in {counted(int(zero.sum()), 'frame')}",
            )
        hands = values[:, list(layout.HAND_INDICES)]
        if len(hands) and (hands.min() < -0.05 or hands.max() > 1.05):
            yield ERROR, f"{name}: a hand is outside of 0…1: {hands.min():.2f} … {hands.max():.2f}"
        yield from _outside(name, arms, limits)
        yield from _jumps(name, arms, limits, fps)
    if np.isfinite(episode.action).all() and np.ptp(episode.action, axis=0).max(initial=0) < 1e-3:
        yield WARNING, "nothing moves: all actions are the same"


def instruction(episode: Episode, tokens: Callable[[str], int]) -> Iterator[tuple[str, str]]:
    """One instruction, which the policy will read to its end."""
    if len(episode.instructions) != 1:
        yield WARNING, f"{len(episode.instructions)} different instructions"
    for text in episode.instructions:
        if not text.strip():
            yield ERROR, "its instruction is empty"
        elif tokens(text) > MAX_TOKENS:
            yield (
                ERROR,
                f"its instruction has {tokens(text)} tokens, SmolVLA's default reads {MAX_TOKENS}",
            )


def unchanged(episode: Episode) -> Iterator[tuple[str, str]]:
    """The numbers still have the hash that they were recorded with."""
    recorded = episode.notes.get("sha256")
    if recorded and len(episode.instructions) == 1:
        now = content_hash(episode.instructions[0], episode.state, episode.action)
        if now != recorded:
            yield ERROR, "its content is not what was recorded: the hash differs"


def notes(episode: Episode) -> Iterator[tuple[str, str]]:
    """Its metadata says where its cameras drew."""
    try:
        drawn_every(episode.notes)
    except ValueError as error:
        yield ERROR, f"its metadata is damaged: {error}"


def camera(name: str, frames: np.ndarray, episode: Episode) -> Iterator[tuple[str, str]]:
    """A camera shows something, all the time. frames: shape (n, H, W, 3), shrunk."""
    short = name.rsplit(".", 1)[-1]
    if len(frames) != episode.length:
        yield ERROR, f"{short}: {len(frames)} frames in the video, {episode.length} in the data"
    if not len(frames):
        return
    black = frames.mean(axis=(1, 2, 3)) < BLACK
    if black.any():
        yield ERROR, f"{short} is black in {int(black.sum())} of {len(frames)} frames"
    if any(notes(episode)):
        return
    every = drawn_every(episode.notes)
    frames = frames[: len(episode.state) : every]
    changed = np.abs(np.diff(frames.astype(np.int16), axis=0)).mean(axis=(1, 2, 3)) > STILL
    # coding blurs what changes little, so more motion is asked for than of a bag's images
    run = frozen_run(short, changed, episode.state[::every][: len(frames)], 2 * MOVED)
    if run is not None and not black.all():
        start, length = run[0] * every, run[1] * every
        yield (
            ERROR,
            f"{short} is frozen: {length} equal frames from frame {start} on while the arm that it "
            "watches moves",
        )


def _outside(name: str, arms: np.ndarray, limits: RobotLimits) -> Iterator[tuple[str, str]]:
    beyond = np.maximum(limits.lower - arms, arms - limits.upper)
    if len(arms) and beyond.max() > LIMIT_TOLERANCE:
        frame, joint = np.unravel_index(np.argmax(beyond), beyond.shape)
        yield (
            WARNING,
            f"{name}: {layout.ARM_JOINT_NAMES[joint]} is {beyond.max():.2f} rad beyond its limit "
            f"in frame {frame}",
        )


def _jumps(
    name: str, arms: np.ndarray, limits: RobotLimits, fps: float
) -> Iterator[tuple[str, str]]:
    if len(arms) < 2:
        return
    speed = np.abs(np.diff(arms, axis=0)) * fps
    ratio = speed / limits.velocity
    if ratio.max() > SPEED_TOLERANCE:
        frame, joint = np.unravel_index(np.argmax(ratio), ratio.shape)
        frames = counted(int((ratio > SPEED_TOLERANCE).any(axis=1).sum()), "frame")
        yield (
            WARNING,
            f"{name}: {layout.ARM_JOINT_NAMES[joint]} jumps at {speed[frame, joint]:.1f} rad/s in "
            f"frame {frame} (limit {limits.velocity[joint]:.1f}); {frames} too fast",
        )
