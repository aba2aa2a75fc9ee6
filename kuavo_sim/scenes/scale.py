"""An electronic scale: a load cell under a platform, a display that holds a stable weight."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING

import mujoco
import numpy as np

from kuavo_sim.scenes.parts import VISUAL, G, box

if TYPE_CHECKING:
    from kuavo_sim.simulation import Simulation

PLATFORM_HALF = 0.065
PLATFORM_TOP = 0.042
"""Height of the platform above the table [m]."""
PANEL_WIDTH = 0.062
"""The display stands left of the platform [m]."""
SAMPLE_TIME = 0.1
SETTLE_SAMPLES = 9
"""A weight is stable when this many samples in a row agree."""
STABLE_SPREAD = 1.5
EMPTY = 10.0
"""Less than this is no load [g]."""
_GRAVITY = 9.81
_STIFFNESS = 12000.0
_FILTER_TIME = 0.15
_PANEL_SLOPE = 0.2
_PANEL_GAP = 0.004
_SEGMENTS = (
    "abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg",
)  # fmt: skip
_DIGITS = 3


class Reading(Enum):
    """What the display says: nothing on it, not settled yet, or the last stable weight."""

    EMPTY = "empty"
    SETTLING = "settling"
    HOLDING = "holding"


_BACKLIGHT = {
    Reading.EMPTY: (0.62, 0.70, 0.66, 1.0),
    Reading.SETTLING: (0.95, 0.66, 0.15, 1.0),
    Reading.HOLDING: (0.35, 0.90, 0.40, 1.0),
}
_LAMP = {
    Reading.EMPTY: (0.15, 0.16, 0.15, 1.0),
    Reading.SETTLING: (0.75, 0.40, 0.05, 1.0),
    Reading.HOLDING: (0.05, 0.95, 0.15, 1.0),
}
_INK = (0.03, 0.05, 0.04, 1.0)
_BLANK = (0.0, 0.0, 0.0, 0.0)


class Scale:
    """Weighs what presses on its platform, whatever it is: a parcel, or a hand.

    Like a parcel scale with auto-hold: once stable, the weight and the green lamp stay until the
    load has gone and a new one comes, or until another weight is stable.

    Args:
        position: (x, y, z) of the middle of the platform's footprint on the table [m].

    Attributes:
        reading: what the display says. grams: the number it shows.
    """

    def __init__(self, position: tuple[float, float, float]) -> None:
        self.position = position
        self.reading = Reading.EMPTY
        self.grams = 0
        self._load = 0.0
        self._emptied = True
        self._samples: deque[float] = deque(maxlen=SETTLE_SAMPLES)
        self._next_sample = 0.0
        self._shown: tuple[Reading, int] | None = None

    @property
    def top(self) -> float:
        """Height of the platform's surface above the floor [m]."""
        return self.position[2] + PLATFORM_TOP

    @property
    def left_edge(self) -> float:
        """The y where the display ends [m]."""
        return self.position[1] + PLATFORM_HALF + _PANEL_GAP + PANEL_WIDTH

    # building

    def build(self, spec: mujoco.MjSpec) -> None:
        """Add housing, platform and display."""
        scale = spec.worldbody.add_body(name="scale", pos=self.position)
        half = PLATFORM_HALF
        # the housing stays below the platform, which must move freely
        box(scale, [0, 0, 0.014], [half - 0.006, half - 0.006, 0.014], "plastic_grey")
        for x in (-1, 1):
            for y in (-1, 1):
                foot = [x * (half - 0.018), y * (half - 0.018), 0.003]
                scale.add_geom(type=G.mjGEOM_CYLINDER, size=[0.012, 0.003, 0], pos=foot,
                               material="rubber", **VISUAL)  # fmt: skip
        platform = scale.add_body(name="scale_platform", pos=[0, 0, PLATFORM_TOP], gravcomp=1)
        platform.add_joint(
            name="scale", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 0, 1],
            stiffness=_STIFFNESS, damping=60,
        )  # fmt: skip
        box(platform, [0, 0, -0.005], [half, half, 0.005], "steel", name="scale_platform",
            mass=0.4, friction=[0.9, 0.01, 0.001])  # fmt: skip
        self._panel(scale)

    def _panel(self, scale: mujoco.MjsBody) -> None:
        left = PLATFORM_HALF + _PANEL_GAP + PANEL_WIDTH / 2
        box(scale, [0, left, 0.011], [0.06, PANEL_WIDTH / 2, 0.011], "plastic_grey")
        # its frame: x is up in the text, −y to the right; sloped towards the robot
        slope = [np.cos(_PANEL_SLOPE / 2), 0, -np.sin(_PANEL_SLOPE / 2), 0]
        panel = scale.add_body(name="scale_panel", pos=[0, left, 0.026], quat=slope)
        box(panel, [0, 0, -0.003], [0.06, PANEL_WIDTH / 2, 0.004], "shell_dark", **VISUAL)
        glow = {"material": "glow", **VISUAL}
        lcd = {"name": "scale_backlight", "rgba": _BACKLIGHT[Reading.EMPTY], **glow}
        box(panel, [0.016, 0, 0.0012], [0.034, PANEL_WIDTH / 2 - 0.004, 0.0006], **lcd)
        lamp = {"name": "scale_lamp", "rgba": _LAMP[Reading.EMPTY], **glow}
        box(panel, [-0.038, 0, 0.0014], [0.011, PANEL_WIDTH / 2 - 0.010, 0.0012], **lamp)
        for digit in range(_DIGITS):
            _digit(panel, digit, right=0.0178 * (digit - 1))

    # running

    def start(self, sim: Simulation) -> None:
        """Find the parts in the compiled model."""
        model = sim.model
        self._q = int(model.joint("scale").qposadr[0])
        self._backlight, self._lamp = (
            model.geom(name).id for name in ("scale_backlight", "scale_lamp")
        )
        self._ink = [
            {segment: model.geom(f"scale_{digit}{segment}").id for segment in "abcdefg"}
            for digit in range(_DIGITS)
        ]
        self._show(sim)

    def update(self, sim: Simulation) -> None:
        """Read the load cell: before every physics step."""
        load = -sim.data.qpos[self._q] * _STIFFNESS / _GRAVITY * 1000
        self._load += (load - self._load) * sim.timestep / _FILTER_TIME
        if sim.time >= self._next_sample:
            self._next_sample += SAMPLE_TIME
            self._sample()
            self._show(sim)

    def _sample(self) -> None:
        self._samples.append(self._load)
        if self._load < EMPTY:
            self._emptied = True
            if self.reading is not Reading.HOLDING:
                self.reading, self.grams = Reading.EMPTY, 0
            return
        full = len(self._samples) == SETTLE_SAMPLES
        stable = full and max(self._samples) - min(self._samples) < STABLE_SPREAD
        if stable:
            self.reading, self._emptied = Reading.HOLDING, False
            self.grams = round(float(np.mean(self._samples)))
        elif self._emptied or self.reading is not Reading.HOLDING:
            self.reading, self._emptied = Reading.SETTLING, False
            self.grams = round(self._load)

    def _show(self, sim: Simulation) -> None:
        shown = (self.reading, self.grams)
        if shown == self._shown:
            return
        self._shown = shown
        rgba = sim.model.geom_rgba
        rgba[self._backlight], rgba[self._lamp] = _BACKLIGHT[self.reading], _LAMP[self.reading]
        text = f"{min(self.grams, 999):3d}"
        for character, ink in zip(text, self._ink, strict=True):
            lit = "" if character == " " else _SEGMENTS[int(character)]
            for segment, geom in ink.items():
                rgba[geom] = _INK if segment in lit else _BLANK


def _digit(panel: mujoco.MjsBody, digit: int, right: float) -> None:
    """Seven segments of a digit, `right` of the middle of the panel [m]."""
    width, height, line = 0.0100, 0.042, 0.0020
    middle = 0.016
    flat, upright = [line, width / 2 - 0.001], [height / 4 - 0.001, line]
    places = {
        "a": (0, height / 2, flat),
        "g": (0, 0, flat),
        "d": (0, -height / 2, flat),
        "f": (-width / 2, height / 4, upright),
        "b": (width / 2, height / 4, upright),
        "e": (-width / 2, -height / 4, upright),
        "c": (width / 2, -height / 4, upright),
    }
    for segment, (across, up, half) in places.items():
        at = [middle + up, -right - across, 0.0019]
        box(panel, at, [*half, 0.0004], name=f"scale_{digit}{segment}", rgba=_BLANK, **VISUAL)
