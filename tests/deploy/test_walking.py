"""Sorting walks: base and arms take turns on the real topics; the robot has nothing to refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.messages import kuavo_msgs

from .chunk_source import ARRIVED, WALK_TO

SILENCE = 0.5
"""Between the arms' last command before a walk and the first after it, at least [s]."""

pytestmark = [pytest.mark.ros, pytest.mark.own_process, pytest.mark.timeout(240)]


class Watch:
    """The base's position [m], whether it walks, and the arms [rad] while it does.

    in_force: what recordings are told of the base: x [m] and the move flag.
    """

    def __init__(self) -> None:
        import rospy
        from geometry_msgs.msg import Twist
        from nav_msgs.msg import Odometry
        from std_msgs.msg import String

        self.x, self.walking, self.refused = 0.0, False, 0
        self.measured = np.zeros(14)
        self.while_walking: list[np.ndarray] = []
        self.in_force: list[tuple[float, float]] = []
        joints = kuavo_msgs().sensorsData
        self._ears = [
            rospy.Subscriber(topics.ODOM, Odometry, self._base, queue_size=1),
            rospy.Subscriber(topics.CMD_POSE_WORLD_SYNCED, Twist, self._base_in_force),
            rospy.Subscriber("/kuavo_sim/state", String, self._state, queue_size=1),
            rospy.Subscriber(topics.SENSORS, joints, self._joints, queue_size=1),
        ]

    def connected(self) -> bool:
        """Will everything be heard?"""
        return all(ear.get_num_connections() for ear in self._ears)

    def _base(self, message: Any) -> None:
        self.x = message.pose.pose.position.x

    def _base_in_force(self, message: Any) -> None:
        self.in_force.append((message.linear.x, message.linear.z))

    def _state(self, message: Any) -> None:
        state = json.loads(message.data)
        self.walking, self.refused = state["walking"], state["refused_commands"]

    def _joints(self, message: Any) -> None:
        self.measured = layout.arms_from_sensor_joints(np.array(message.joint_data.joint_q))
        if self.walking:
            self.while_walking.append(self.measured)


@pytest.fixture(scope="module")
def rig(ros_master: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    import rospy

    from .ros_rig import Rig

    rospy.init_node("operator", anonymous=True, disable_signals=True)
    folder = tmp_path_factory.mktemp("walk")
    settings = folder / "executor.yaml"
    # a loaded machine's sensors are late, and a hold would end the walk
    settings.write_text("joints_max_age: 1.0\nodom_max_age: 2.0\n")
    rig = Rig(ros_master.environment, folder)
    try:
        rig.launch("sim.launch", "task:=sorting", "sensors_hz:=50", "camera_hz:=1", "clock:=true")
        rig.launch("executor.launch", "move_to_start:=false", f"config:={settings}")
        rig.until(lambda: rig.state, "the executor's first word", 60)
        yield rig
    finally:
        rig.end_all()
        rospy.set_param("/use_sim_time", False)


def test_the_arms_hold_while_the_base_walks_and_go_on_when_it_stands(rig: Any) -> None:
    watch = Watch()
    rig.until(watch.connected, "all is heard", 30)
    rig.source("walk", "sorting")
    rig.run()
    rig.until(lambda: watch.walking, "it walks", 30)
    walked_at = len(rig.commands)
    rig.until(lambda: watch.x > ARRIVED and not watch.walking, "it arrives and stands", 40)
    rig.until(lambda: len(rig.commands) > walked_at + 100, "the arms go on", 40)

    gaps = np.diff([stamp for stamp, _ in rig.commands])
    silences = np.flatnonzero(gaps > SILENCE)
    assert len(silences) == 1, (gaps[silences], rig.states)
    last = silences[0]
    held = np.array(watch.while_walking[5:])
    assert len(held) > 20 and np.ptp(held, axis=0).max() < 0.02
    assert np.abs(rig.commands[last + 1][1] - held[-1]).max() < 0.01, "it begins where they are"
    flags = np.array(watch.in_force)
    assert len(np.flatnonzero(np.diff(flags[:, 1]))) == 2, "it stands, walks, stands"
    assert flags[0, 0] == pytest.approx(0, abs=0.02)
    assert flags[-1, 0] == pytest.approx(WALK_TO, abs=0.01)
    assert watch.refused == 0, "the robot had nothing to refuse"
    assert not any(state.startswith("fault") for state in rig.states)
