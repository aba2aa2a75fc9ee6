"""Time of training, and the part of it that waits for data."""

from __future__ import annotations

from kuavo_train.sequential.pace import Pace


def test_waiting_is_a_part_of_the_steps():
    now = iter([0.0, 0.0, 1.0, 4.0, 10.0, 10.0, 11.0, 16.0])
    pace = Pace(lambda: next(now))
    assert pace.waiting_share is None
    for _ in range(2):
        with pace.step(), pace.waiting():
            pass
    assert pace.waiting_share == 2 / 10
    assert pace.steps_per_second == 2 / 10
