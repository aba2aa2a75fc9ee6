#!/usr/bin/env python3
"""Launch, enable, switch, pause, fault, reset: what rostest runs against a launched runtime.

Whatever publishes the plans, the operator sees the same states. Used by *.test beside this file.
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

import rospy
import rostest
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, String

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "deploy"))

from ros_rig import Rig

from kuavo_deploy.robot import topics
from kuavo_deploy.ros import names

LAUNCH_LIMIT = 240.0
"""Importing torch and lerobot on a loaded machine [s]."""
LIMIT = 60.0


class Operation(unittest.TestCase):
    """Each test starts from DISABLED."""

    rig: Rig
    launched: tuple[str, int]

    @classmethod
    def setUpClass(cls) -> None:
        cls.rig = Rig({}, Path())
        cls.rig.until(lambda: cls.rig.acknowledged, "the first instruction", LAUNCH_LIMIT)
        cls.rig.until(lambda: cls.rig.state, "the executor's first word", LIMIT)
        cls.launched = cls.rig.state, len(cls.rig.commands)

    def tearDown(self) -> None:
        self.rig.call(names.DISABLE)
        self.rig.call(names.RESET_FAULT)
        self.rig.wait_for("disabled", LIMIT)

    def test_launch_stands_still_with_the_launched_instruction_in_force(self) -> None:
        self.assertEqual(self.rig.acknowledged[0], "weighing")
        self.assertEqual(self.launched, ("disabled: not enabled yet", 0))

    def test_enabled_it_moves_and_disabled_it_falls_silent(self) -> None:
        self.rig.run(LIMIT)
        sent = len(self.rig.commands)
        self.rig.until(lambda: len(self.rig.commands) > sent + 50, "commands", LIMIT)
        self.rig.call(names.DISABLE)
        self.rig.wait_for("disabled", LIMIT)
        rospy.sleep(1.0)
        silent = len(self.rig.commands)
        rospy.sleep(0.5)
        self.assertEqual(len(self.rig.commands), silent)

    def test_a_switch_is_acknowledged_and_goes_on(self) -> None:
        self.rig.run(LIMIT)
        said = rospy.Publisher("/kuavo_policy/instruction", String, queue_size=1)
        self.rig.until(said.get_num_connections, "the policy listens", LIMIT)
        for task in ("sorting", "placement", "weighing"):
            heard = len(self.rig.acknowledged)
            said.publish(task)
            self.rig.until(lambda: task in self.rig.acknowledged[heard:], task, LIMIT)  # noqa: B023
            self.rig.wait_for("run", LIMIT)
        said.unregister()

    def test_pause_holds_until_it_is_resumed(self) -> None:
        self.rig.run(LIMIT)
        self.assertTrue(self.rig.call(names.PAUSE, True)[0])
        self.rig.wait_for("paused", LIMIT)
        self.assertTrue(self.rig.call(names.PAUSE, False)[0])
        self.rig.wait_for("run", LIMIT)

    def test_the_robot_s_own_pause_and_stop(self) -> None:
        self.rig.run(LIMIT)
        for topic, state in ((topics.PAUSE_STATE, "paused"), (topics.STOP_STATE, "disabled")):
            said = rospy.Publisher(topic, Bool, queue_size=1, latch=True)
            said.publish(True)
            self.rig.wait_for(state, LIMIT)
            said.publish(False)
            rospy.sleep(0.5)
            said.unregister()

    def test_a_fault_stays_until_it_is_reset(self) -> None:
        self.rig.run(LIMIT)
        intruder = rospy.Publisher(topics.ARM_TRAJ, JointState, queue_size=1)
        self.rig.wait_for("fault", LIMIT)
        intruder.unregister()
        done, why = self.rig.call(names.ENABLE)
        self.assertFalse(done)
        self.assertIn("reset the fault first", why)
        self.assertTrue(self.rig.call(names.RESET_FAULT)[0])
        self.rig.wait_for("disabled", LIMIT)


if __name__ == "__main__":
    rospy.init_node("operation", disable_signals=True)
    rostest.rosrun("kuavo_deploy", "operation", Operation, sys.argv)
