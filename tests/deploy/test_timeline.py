"""The command stream's time goes on as time does, whatever corrects the wall clock."""

from __future__ import annotations

import numpy as np
import pytest

from kuavo_deploy.ros.timeline import JUMP, SLEW, Timeline


class Clocks:
    """Real time, and a wall clock that is `wrong` by so much."""

    def __init__(self) -> None:
        self.real, self.wrong = 50.0, 1000.0
        self.interrupted: list[float] = []
        self.timeline = Timeline(self.wall, lambda: self.real)

    def wall(self) -> float:
        if self.interrupted:
            self.real += self.interrupted.pop(0)
        return self.real + self.wrong

    def after(self, seconds: float) -> float:
        self.real += seconds
        return self.timeline()


def test_it_is_ros_time() -> None:
    clocks = Clocks()
    assert clocks.after(1.5) == pytest.approx(1051.5, abs=1e-9)


@pytest.mark.parametrize("step", [0.8 * JUMP, -0.8 * JUMP])
def test_a_small_correction_is_made_up_for_too_slowly_to_matter(step: float) -> None:
    clocks = Clocks()
    clocks.after(0.01)
    clocks.wrong += step
    times = np.array([clocks.after(0.01) for _ in range(3000)])
    assert np.abs(np.diff(times) / 0.01 - 1).max() <= SLEW * (1 + 1e-6)
    assert times[-1] == pytest.approx(clocks.real + clocks.wrong, abs=1e-6)


@pytest.mark.parametrize("step", [2 * JUMP, -3600.0])
def test_a_large_one_is_taken_over_at_once(step: float) -> None:
    clocks = Clocks()
    before = clocks.after(0.01)
    clocks.wrong += step
    assert clocks.after(0.01) - before == pytest.approx(0.01 + step, abs=1e-6)


def test_an_interruption_between_the_two_readings_is_no_correction() -> None:
    clocks = Clocks()
    before = clocks.after(0.01)
    clocks.interrupted = [0.06, 0.0]
    assert clocks.after(0.01) - before == pytest.approx(0.07, abs=1e-6)
    assert clocks.after(0.01) - before == pytest.approx(0.08, abs=1e-6)
