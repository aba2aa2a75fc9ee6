"""What can be chosen about simulated trials."""

from __future__ import annotations

from dataclasses import dataclass

from kuavo_cli.errors import UserError
from kuavo_deploy.policy.continuation import CONTINUATIONS


@dataclass(frozen=True)
class SimulationSettings:
    """Every value is recorded with the scores.

    latency: from an observation to its plan [s], in simulated time; None: what inference takes
    on this machine, measured before the first trial. interval: between the starts of two
    inferences, at least [s]. continuation: how chunks follow each other, see
    `kuavo_deploy.policy.continuation`. noise: see `TrainedPolicy`. image_size: height and width of
    the cameras' images [px], coded as JPEG like the robot's. shadows: whether images show them, as
    the robot's do. switch_at: begin with another task's instruction, and say the trial's own after
    so many seconds; None: no switch. time_limit: of a trial [s]; None: the scene's. device, dtype:
    of the policy. robot_version: whose limits the executor keeps. workers: processes. videos: films
    of the first failures, per checkpoint and task.
    """

    latency: float | None = None
    interval: float = 0.5
    continuation: str = "rtc"
    noise: float = 0.0
    image_size: tuple[int, int] = (480, 640)
    shadows: bool = True
    switch_at: float | None = None
    time_limit: float | None = None
    device: str = "auto"
    dtype: str = "float32"
    robot_version: int = 45
    workers: int = 1
    videos: int = 3

    def __post_init__(self) -> None:
        """Raise UserError for what cannot be."""
        if self.continuation not in CONTINUATIONS:
            raise UserError(
                f"continuation {self.continuation!r}: choose from {', '.join(CONTINUATIONS)}"
            )
        for name, low, high in (
            ("latency", 0.0, 60.0), ("interval", 0.01, 60.0), ("switch_at", 0.1, 600.0),
            ("time_limit", 0.5, 3600.0),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UserError(f"{name} is {low:g}…{high:g} s, not {value!r}")
        if not 0 <= self.noise <= 1:
            raise UserError(f"noise is a share, 0…1, not {self.noise!r}")
        if min(self.image_size) < 32 or self.workers < 1 or self.videos < 0:
            raise UserError(
                "images have at least 32 × 32 pixels, workers are at least 1, videos at least 0"
            )
