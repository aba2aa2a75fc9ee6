"""A thousand switches, and the deadman, over a real master: what was recorded decides."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from kuavo_deploy.executor.epochs import Announcement
from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_deploy.ros import convert, names

from .world import LIMITS, assert_bounded

pytestmark = [pytest.mark.ros, pytest.mark.own_process, pytest.mark.slow, pytest.mark.timeout(900)]
SWITCHES = 1000
TASKS = ["moving_grasp", "weighing", "placement", "sorting"]
SPEED = 0.15
REACH = 0.2
"""The plans of an instruction go so far up or down from where the robot was [rad]."""
BRAKING = 0.05
"""At this share of the speed the arms need less to stop [rad]."""
DEADMAN = 2.0


class Said:
    """What the test says as the policy, and when the executor acknowledged it."""

    def __init__(self) -> None:
        import rospy
        from sensor_msgs.msg import JointState
        from std_msgs.msg import Empty, String
        from trajectory_msgs.msg import JointTrajectory

        self.session, self.number = secrets.token_hex(4), 0
        self.acknowledged: list[float] = []
        self.sent: list[tuple[float, float]] = []
        self.plans: list[Any] = []
        self.held = True
        joints = rospy.wait_for_message(topics.SENSORS, kuavo_msgs().sensorsData, 30)
        self.posture = layout.arms_from_sensor_joints(np.array(joints.joint_data.joint_q))
        self._epoch = rospy.Publisher(names.EPOCH, String, queue_size=10, latch=True)
        self._plan = rospy.Publisher(names.PLAN, JointTrajectory, queue_size=10, tcp_nodelay=True)
        self._deadman = rospy.Publisher(names.DEADMAN, Empty, queue_size=1)
        rospy.Subscriber(names.TASK, String, lambda _: self.acknowledged.append(time.time()))
        rospy.Subscriber(topics.ARM_TRAJ, JointState, self._command, tcp_nodelay=True)
        threading.Thread(target=self._hold, daemon=True).start()

    def _command(self, message: Any) -> None:
        self.sent.append((message.header.stamp.to_sec(), float(np.deg2rad(message.position[0]))))

    def _hold(self) -> None:
        while True:
            if self.held:
                self._deadman.publish()
            time.sleep(0.1)

    def switch(self, task: str) -> None:
        self.number += 1
        said = Announcement(f"{self.session}:{self.number}", task, f"do {task} {self.number}")
        self._epoch.publish(convert.announcement_message(said))

    def plan(self, direction: int) -> None:
        now = time.time()
        row = layout.join(self.posture + REACH * direction, np.zeros(2)).tolist()
        self.plans.append(
            convert.plan_message(f"{self.session}:{self.number}", now, 0.1, [row] * 20)
        )
        self._plan.publish(self.plans[-1])

    def plan_late(self, index: int) -> None:
        """Again, as a network would that delays, repeats and reorders."""
        self._plan.publish(self.plans[index])


@pytest.fixture(scope="module")
def rig(ros_master: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    import rospy

    from .ros_rig import Rig

    rospy.init_node("policy", anonymous=True, disable_signals=True)
    folder = tmp_path_factory.mktemp("switches")
    settings = folder / "executor.yaml"
    settings.write_text("joints_max_age: 1.0\nhold_limit: 60.0\n")  # a loaded machine's sensors
    rig = Rig(ros_master.environment, folder)
    try:
        rig.launch("sim.launch", "task:=weighing", "sensors_hz:=100", "camera_hz:=1")
        rig.launch(
            "executor.launch", f"config:={settings}", f"speed:={SPEED}", f"deadman:={DEADMAN}",
            "move_to_start:=false",
        )  # fmt: skip
        rig.until(lambda: rig.state, "the executor's first word", 60)
        rig.said = Said()
        yield rig
    finally:
        rig.end_all()


def running(rig: Any) -> Said:
    said: Said = rig.said
    said.held = True
    said.switch("weighing")
    time.sleep(0.5)
    rig.call(names.DISABLE)
    rig.call(names.RESET_FAULT)
    rig.until(lambda: rig.call(names.ENABLE)[0], "enabled", 30)
    said.plan(0)
    rig.wait_for("run")
    return said


def test_after_its_acknowledgement_no_switch_is_followed_by_an_old_plan(rig: Any) -> None:
    since, states = len(rig.commands), len(rig.states)
    said = running(rig)
    rng = np.random.default_rng(0)
    directions: list[int] = []
    said.acknowledged.clear()
    for _ in range(SWITCHES):
        heard = len(said.acknowledged)
        said.switch(str(rng.choice(TASKS)))
        for late in rng.integers(-5, 0, 2):
            said.plan_late(max(int(late), -len(said.plans)))
        rig.until(lambda: len(said.acknowledged) > heard, "an acknowledgement")  # noqa: B023
        directions.append(int(rng.choice([-1, 0, 1])))
        if directions[-1]:
            said.plan(directions[-1])
        said.plan_late(max(-2, -len(said.plans)))
        time.sleep(rng.uniform(0.0, 0.25))
    assert len(said.acknowledged) == SWITCHES
    ends = [*said.acknowledged[1:], time.time()]
    times, arm = np.array(said.sent).T
    moved = 0
    for direction, begins, until in zip(directions, said.acknowledged, ends, strict=True):
        window = arm[(times > begins) & (times < until)]
        if len(window):
            assert window.max() - window[0] <= (REACH * 2 if direction > 0 else BRAKING)
            assert window[0] - window.min() <= (REACH * 2 if direction < 0 else BRAKING)
            moved += bool(np.ptp(window) > BRAKING / 4)
    assert moved > SWITCHES / 20, "the robot did follow the new plans"
    for stream in rig.streams(since):
        assert_bounded(stream, LIMITS)
    assert not [state for state in rig.states[states:] if state.startswith("fault")]


def test_the_robot_is_disabled_when_nobody_holds_the_deadman(rig: Any) -> None:
    said = running(rig)
    said.held = False
    assert rig.wait_for("disabled") <= DEADMAN + 1.0
    assert "deadman" in rig.state
    assert not rig.call(names.ENABLE)[0]
    said.held = True
    rig.until(lambda: rig.call(names.ENABLE)[0], "enabled", 10)
    rig.call(names.DISABLE)
