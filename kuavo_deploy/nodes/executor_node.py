#!/usr/bin/env python3
"""The executor node: the last process before the robot's command topics. No torch.

Subscribes: /kuavo_policy/plan, /kuavo_policy/epoch, /sensors_data_raw, the end effector's state,
/odom, /kuavo/pause_state, /kuavo/stop_state, /kuavo_executor/deadman, its own arm topic (to see
who else publishes there).
Publishes: /kuavo_arm_traj, the end effector's command, /cmd_pose_world, and for recordings
/kuavo_arm_traj_synced and /cmd_pose_world_synced (all of these below /kuavo_executor/shadow in
shadow), /kuavo_policy/task, /kuavo_executor/epoch, /kuavo_executor/state (latched),
/kuavo_executor/taken, /diagnostics.
Services: /kuavo_executor/enable, disable, reset_fault (Trigger), pause (SetBool).
Private parameters: configs, config, robot_version, end_effector, claw_closed_at, auto_enable,
move_to_start, shadow, and any setting of `ExecutorSettings` under `settings/`.
docs/runtime.md describes everything.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from pathlib import Path
from typing import Any

import rospy

from kuavo_deploy.executor.executor import Executor
from kuavo_deploy.executor.in_force import InForce
from kuavo_deploy.executor.settings import load_settings, load_start_postures
from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors import get_end_effector
from kuavo_deploy.robot.version import load_limits
from kuavo_deploy.ros.command_publishers import CommandPublishers
from kuavo_deploy.ros.executor_inputs import ExecutorInputs
from kuavo_deploy.ros.executor_report import ExecutorReport, StateTopic
from kuavo_deploy.ros.master import UNREACHABLE, MasterLink
from kuavo_deploy.ros.operator import Operator, limits_now
from kuavo_deploy.ros.pace import Pace
from kuavo_deploy.ros.priority import take_priority
from kuavo_deploy.ros.timeline import Timeline
from kuavo_deploy.safety.states import State

WATCH_PERIOD = 0.5
"""Between two looks at the master [s]."""
REPORT_EVERY = 2
"""Looks."""
SWITCH_INTERVAL = 5e-4
"""Between two looks of the interpreter at who else wants to run [s]."""


class ExecutorNode:
    """Wires topics, services and the tick to one `Executor` behind one lock."""

    def __init__(self) -> None:
        configs = Path(rospy.get_param("~configs"))
        settings = load_settings(
            Path(rospy.get_param("~config", str(configs / "deploy" / "executor.yaml"))),
            **rospy.get_param("~settings", {}),
        )
        effector = get_end_effector(
            rospy.get_param("~end_effector", "lejuclaw"), rospy.get_param("~claw_closed_at", 100)
        )
        shadow = bool(rospy.get_param("~shadow", False))
        limits = load_limits(int(rospy.get_param("~robot_version", 45)), configs / "robot")
        self._simulated = bool(rospy.get_param("/use_sim_time", False))
        clock = rospy.get_time if self._simulated else Timeline(rospy.get_time, time.monotonic)
        self._state = StateTopic()
        self._executor = Executor(
            settings, limits_now(limits), clock, effector.state_topic,
            load_start_postures(configs / "deploy" / "start_postures.yaml"), shadow,
            self._state.changed,
        )  # fmt: skip
        self._lock = threading.Lock()
        self._commands = CommandPublishers(effector, shadow)
        self._in_force = InForce()
        ExecutorInputs(self._executor, self._lock, effector, shadow)
        move_to_start = bool(rospy.get_param("~move_to_start", True))
        self._operator = Operator(self._executor, self._lock, limits, move_to_start, shadow)
        self._report = ExecutorReport(self._executor, self._lock, shadow)
        self._master = MasterLink(self._operator.services)
        commanded = (
            topics.ARM_TRAJ, topics.ARM_TARGET_POSES, effector.command_topic, topics.CMD_POSE_WORLD
        )  # fmt: skip
        self._guarded = () if shadow else commanded

    def run(self) -> None:
        """Until ROS shuts down."""
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        self._state.announce(State.DISABLED, "not enabled yet")
        # collections of a long-lived heap take tens of milliseconds; ours creates no cycles
        gc.collect()
        gc.freeze()
        period = self._executor.settings.period
        pace: Any = Pace(period, time.monotonic, time.sleep)
        rhythm = rospy.Rate(1.0 / period).sleep if self._simulated else pace.wait
        while not rospy.is_shutdown():
            rhythm()
            with self._lock:
                commands = self._executor.tick()
                in_force = self._in_force.update(
                    commands, self._executor.base.phase, self._executor.inputs.odometry
                )
            self._commands.publish(commands, in_force)
        gc.unfreeze()
        self._report.log()
        with self._lock:
            self._executor.stream.close()

    def _watch(self) -> None:
        looks = 0
        while not rospy.is_shutdown():
            try:
                self._ask_master()
                self._operator.enable_by_itself()
            except UNREACHABLE as error:
                rospy.logwarn_throttle(10.0, f"the ROS master does not answer: {error}")
            except rospy.ROSException as error:
                rospy.logwarn_throttle(10.0, str(error))
            looks += 1
            if looks % REPORT_EVERY == 0:
                self._report.publish()
            time.sleep(WATCH_PERIOD)

    def _ask_master(self) -> None:
        if self._master.renew():
            rospy.logwarn("the ROS master restarted: registered again")
        for topic, others in self._master.publishers(self._guarded).items():
            with self._lock:
                self._executor.on_publishers(topic, others)


def main() -> int:
    """Start the node; wrong parameters end it with one sentence."""
    rospy.init_node("kuavo_executor")
    # a tick waits so long for the interpreter while another thread reads messages: 5 ms unless told
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        rospy.loginfo(f"executor: {take_priority(int(rospy.get_param('~priority', 0)))}")
        node = ExecutorNode()
    except (ValueError, KeyError, OSError) as error:
        rospy.logfatal(f"kuavo_executor: {error}")
        return 1
    node.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
