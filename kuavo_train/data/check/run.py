"""Checks a whole dataset and gathers what its page shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kuavo_cli.errors import UserError
from kuavo_cli.progress import Progress
from kuavo_deploy.robot.version import RobotLimits, load_limits
from kuavo_train.data.check import findings
from kuavo_train.data.check.episodes import DatasetFiles, Episode, small_frames
from kuavo_train.data.check.findings import ERROR, WARNING, Finding
from kuavo_train.data.check.tokens import TokenCounter, token_counter
from kuavo_train.tasks.registry import configs_root

SHOWN_FRAMES = 4


@dataclass
class EpisodeRow:
    """One line of the page. shown: by camera, a few shrunk frames, shape (n, H, W, 3)."""

    index: int
    frames: int
    seconds: float
    instruction: str
    tokens: int
    notes: dict[str, Any]
    state: np.ndarray
    action: np.ndarray
    shown: dict[str, np.ndarray] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


@dataclass
class CheckReport:
    """What was found. about: facts on the dataset, label → text."""

    root: Path
    about: dict[str, str]
    names: dict[str, list[str]]
    fps: float
    episodes: list[EpisodeRow]
    findings: list[Finding]

    @property
    def errors(self) -> list[Finding]:
        """What spoils training."""
        return [finding for finding in self.findings if finding.level == ERROR]

    @property
    def warnings(self) -> list[Finding]:
        """What deserves a look."""
        return [finding for finding in self.findings if finding.level == WARNING]

    @property
    def frames(self) -> int:
        """Of all episodes together."""
        return sum(row.frames for row in self.episodes)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "dataset": str(self.root),
            "about": self.about,
            "episodes": [
                {
                    "episode_index": row.index,
                    "frames": row.frames,
                    "seconds": row.seconds,
                    "tokens": row.tokens,
                    "problems": [finding.text for finding in row.findings],
                }
                for row in self.episodes
            ],
            "frames": self.frames,
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "findings": [finding._asdict() for finding in self.findings],
        }


def check_dataset(
    root: Path, robot_version: int = 45, images: bool = True, tokenizer: Path | None = None
) -> CheckReport:
    """Check every episode of the dataset `root`.

    Args:
        root: a LeRobot v3.0 dataset.
        robot_version: whose joint limits apply.
        images: decode and look at every camera frame.
        tokenizer: folder of the policy's tokenizer.

    Raises:
        UserError: not a dataset, an unknown robot version, no tokenizer there.
    """
    files = DatasetFiles(root)
    try:
        limits = load_limits(robot_version, configs_root() / "robot")
    except ValueError as error:
        raise UserError(str(error)) from error
    counter = token_counter(tokenizer)
    rows = []
    with Progress("checking", int(files.info["total_episodes"]), unit="episodes") as progress:
        for episode in files.episodes():
            rows.append(_check(episode, files, limits, counter, images))
            progress.advance()
    found = [*_whole(files, rows), *(finding for row in rows for finding in row.findings)]
    names = {key: files.info["features"][key]["names"] for key in ("observation.state", "action")}
    return CheckReport(
        Path(root), _about(files, counter, robot_version), names, files.fps, rows, found
    )


def _check(
    episode: Episode,
    files: DatasetFiles,
    limits: RobotLimits,
    counter: TokenCounter,
    images: bool,
) -> EpisodeRow:
    where = f"episode {episode.index}"
    text = " / ".join(episode.instructions)
    row = EpisodeRow(
        index=episode.index,
        frames=len(episode.state),
        seconds=len(episode.state) / files.fps,
        instruction=text,
        tokens=counter.count(text),
        notes=episode.notes,
        state=episode.state,
        action=episode.action,
    )
    problems = [
        *findings.gaps(episode, files.fps),
        *findings.numbers(episode, limits, files.fps),
        *findings.instruction(episode, counter.count),
        *findings.unchanged(episode),
        *findings.notes(episode),
    ]
    for camera, (file, first) in episode.videos.items() if images else ():
        try:
            frames = small_frames(file, first, episode.length)
        except OSError as error:
            problems.append((ERROR, f"{camera}: its video cannot be read: {error}"))
            continue
        problems += findings.camera(camera, frames, episode)
        if len(frames):
            picks = np.linspace(0, len(frames) - 1, SHOWN_FRAMES).astype(int)
            row.shown[camera] = frames[picks]
    row.findings = [Finding(level, where, text) for level, text in problems]
    return row


def _whole(files: DatasetFiles, rows: list[EpisodeRow]) -> list[Finding]:
    """What concerns the dataset as a whole."""
    found = []
    for name, total in (("episodes", len(rows)), ("frames", sum(row.frames for row in rows))):
        if files.info[f"total_{name}"] != total:
            text = f"{total} {name} found, meta/info.json says {files.info[f'total_{name}']}"
            found.append(Finding(ERROR, "dataset", text))
    first_with: dict[bytes, int] = {}
    for row in rows:
        other = first_with.setdefault(row.action.tobytes() + row.state.tobytes(), row.index)
        if other != row.index:
            text = f"episodes {other} and {row.index} are the same"
            found.append(Finding(WARNING, "dataset", text))
    return found


def _about(files: DatasetFiles, counter: TokenCounter, robot_version: int) -> dict[str, str]:
    features = files.info["features"]
    cameras = ", ".join(
        f"{key.rsplit('.', 1)[-1]} {features[key]['shape'][1]}×{features[key]['shape'][0]}"
        for key in files.cameras
    )
    return {
        "format": f"LeRobot {files.info['codebase_version']}, {files.fps:g} frames per second",
        "instructions": " / ".join(files.instructions.values()),
        "action": f"{features['action']['shape'][0]} numbers",
        "cameras": cameras,
        "limits": f"of robot version {robot_version}",
        "tokens": counter.source,
        "read with": f"pyarrow {pa.__version__}",
    }
