"""Films a trial: the room and the robot's cameras side by side, with what it is about below."""

from __future__ import annotations

from pathlib import Path

from kuavo_deploy.robot.topics import CAMERAS
from kuavo_sim.model.workshop import OVERVIEW
from kuavo_sim.ros.mosaic import Video, compose
from kuavo_sim.simulation import Simulation

FPS = 5
TILE = (240, 320)
"""Height and width of each view [px]."""
VIEWS = (OVERVIEW, *CAMERAS)


class Film:
    """Listens to the physics steps of one trial.

    Args:
        path: of the video; must not exist. label: of the checkpoint.
    """

    def __init__(self, path: Path, label: str) -> None:
        self._video, self._label = Video(path, FPS), label
        self._next = 0.0

    def __call__(self, sim: Simulation) -> None:
        """After a physics step."""
        if sim.time < self._next - 1e-6:
            return
        self._next += 1.0 / FPS
        progress = sim.progress
        end = "success" if progress.success else progress.failure or progress.stage
        text = f"{self._label}: {sim.task}, seed {sim.seed}   {sim.time:5.1f} s   {end}"
        images = {view: sim.render(view, *TILE) for view in VIEWS}
        self._video.add(compose(images, text, TILE), round(sim.time * 1e9))

    def close(self) -> None:
        """Finish the file."""
        self._video.close()
