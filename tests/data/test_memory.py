"""Conversion streams: its memory does not grow with the bag."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.end_effectors import get_end_effector
from kuavo_sim.recording.robot_bag import RobotBag
from tests.data import synthetic

MILLISECOND = 1_000_000
LIMIT_BYTES = 1_000_000_000


def big_bag(path: Path, megabytes: int) -> float:
    """A bag at the robot's rates whose images are as heavy as real ones; its length [s]."""
    import cv2

    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (8, 480, 640, 3), dtype=np.uint8)
    images = [cv2.imencode(".jpg", image)[1].tobytes() for image in noise]
    seconds = megabytes * 1e6 / (90 * len(images[0]) + 1.6e6)
    claw = get_end_effector("lejuclaw")
    with RobotBag(path) as bag:
        for tick in range(int(seconds * 500)):
            time, t = synthetic.START + tick * 2 * MILLISECOND, tick / 500
            joints = np.zeros(layout.SENSOR_JOINT_COUNT)
            joints[layout.SENSOR_ARMS] = synthetic.arms(t)
            bag.sensors(time, joints)
            bag.joint_command(time, joints)
            if tick % 5 == 0:
                bag.claw_state(time, np.array([10.0, 20.0]))
                bag.hand_command(claw, time, np.array([0.1, 0.2]))
            if tick % 50 in (0, 17, 33):
                for number, topic in enumerate(topics.CAMERA_TOPICS.values()):
                    bag.image(topic, time, images[(tick + number) % len(images)])
    return seconds


def peak_of_conversion(bag: Path, out: Path) -> int:
    """Peak resident memory of a process that converts `bag` [bytes]."""
    code = (
        "import resource\n"
        "from pathlib import Path\n"
        "from kuavo_train.data.conversion import convert\n"
        "from kuavo_train.tasks import task_named\n"
        f"report = convert(Path({str(bag)!r}), task_named('weighing'), Path({str(out)!r}))\n"
        "assert report.out, report.rows\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout.split()[-1])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_peak_memory_stays_below_1_gb(tmp_path: Path) -> None:
    small, big = tmp_path / "small.bag", tmp_path / "big.bag"
    big_bag(small, 60)
    big_bag(big, 600)
    low, high = (peak_of_conversion(b, tmp_path / b.stem) for b in (small, big))
    assert high < LIMIT_BYTES
    assert high - low < 200_000_000, "540 MB more in the bag must not be in memory"
