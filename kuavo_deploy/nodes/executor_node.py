#!/usr/bin/env python3
"""The executor node: the last process before the robot's command topics. No torch.

Subscribes: /kuavo_policy/plan, /kuavo_policy/epoch, /sensors_data_raw, the end effector's state,
/odom, /kuavo/pause_state, /kuavo/stop_state, /kuavo_executor/deadman, its own arm topic (to see
who else publishes there).
Publishes: /kuavo_arm_traj, the end effector's command, /cmd_pose_world, /kuavo_policy/task
(latched), /kuavo_executor/state (latched), /diagnostics.
Services: /kuavo_executor/enable, disable, reset_fault (Trigger), pause (SetBool).
Private parameters: config, robot_version, end_effector, limits, start_postures, auto_enable,
move_to_start, shadow, and any setting of `ExecutorSettings` under `settings/`.
docs/runtime.md describes everything.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

import rospy
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Empty, String
from std_srvs.srv import SetBool, SetBoolResponse, Trigger, TriggerResponse
from trajectory_msgs.msg import JointTrajectory

from kuavo_deploy.executor.epochs import EpochError
from kuavo_deploy.executor.executor import Commands, Executor
from kuavo_deploy.executor.settings import load_settings, load_start_postures
from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors import get_end_effector
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_deploy.robot.version import RobotLimits, load_limits
from kuavo_deploy.ros import convert, names
from kuavo_deploy.ros.arm_mode import take_arms
from kuavo_deploy.ros.diagnostics import ERROR, OK, WARN, diagnostics, figures_text
from kuavo_deploy.ros.master import UNREACHABLE, MasterLink
from kuavo_deploy.ros.pace import Pace
from kuavo_deploy.safety.limits import LimitsError, narrowed_by_urdf
from kuavo_deploy.safety.states import Answer, State

HANDS_EVERY = 5
"""Hands are commanded at every fifth tick: their controllers are slower than the arms'."""
COMMAND_QUEUE = 10
"""Commands that may wait for a slow connection: a tenth of a second of arm commands."""
WATCH_PERIOD = 0.5
DESCRIPTION = "/humanoid_description"
_LEVELS = {State.RUN: OK, State.READY: OK, State.MOVE_TO_START: OK, State.FAULT: ERROR}


class ExecutorNode:
    """Wires topics, services and the tick to one `Executor` behind one lock."""

    def __init__(self) -> None:
        configs = Path(rospy.get_param("~configs"))
        settings = load_settings(
            Path(rospy.get_param("~config", str(configs / "deploy" / "executor.yaml"))),
            **rospy.get_param("~settings", {}),
        )
        self._effector = get_end_effector(rospy.get_param("~end_effector", "lejuclaw"))
        self._shadow = bool(rospy.get_param("~shadow", False))
        self._move_to_start = bool(rospy.get_param("~move_to_start", True))
        postures = load_start_postures(configs / "deploy" / "start_postures.yaml")
        self._lock = threading.Lock()
        self._configured = load_limits(
            int(rospy.get_param("~robot_version", 45)), configs / "robot"
        )
        self._executor = Executor(
            settings, _narrowed(self._configured), rospy.get_time, self._effector.state_topic,
            postures, self._shadow, self._changed,
        )  # fmt: skip
        self._guarded = (topics.ARM_TRAJ, topics.ARM_TARGET_POSES, self._effector.command_topic)
        self._ticks = 0
        self._advertise()
        self._subscribe()
        self._master = MasterLink(self._serve())

    def _advertise(self) -> None:
        hand_command = convert.hand_command_class(self._effector)
        self._arms = self._effects(topics.ARM_TRAJ, JointState)
        self._hands = self._effects(self._effector.command_topic, hand_command)
        self._base = self._effects(topics.CMD_POSE_WORLD, Twist)
        self._task = rospy.Publisher(names.TASK, String, queue_size=10, latch=True)
        self._state = rospy.Publisher(names.STATE, String, queue_size=10, latch=True)
        self._diagnostics = rospy.Publisher("/diagnostics", _array(), queue_size=10)

    def _effects(self, topic: str, kind: Any) -> rospy.Publisher | None:
        if self._shadow:
            return None
        # a full queue would drop samples out of the bounded stream, and with them the bound
        return rospy.Publisher(topic, kind, queue_size=COMMAND_QUEUE, tcp_nodelay=True)

    def _subscribe(self) -> None:
        def on(topic: str, kind: Any, handle: Callable[[Any], None], queue: int = 1) -> None:
            rospy.Subscriber(topic, kind, handle, queue_size=queue, tcp_nodelay=True)

        on(names.EPOCH, String, self._on_epoch, 10)
        on(names.PLAN, JointTrajectory, self._on_plan, 2)
        on(names.DEADMAN, Empty, self._locked(lambda e, m: e.on_deadman()))
        on(topics.SENSORS, kuavo_msgs().sensorsData, self._locked(
            lambda e, m: e.on_joints(
                m.joint_data.joint_q, m.joint_data.joint_v, m.header.stamp.to_sec())))
        on(topics.ODOM, Odometry, self._locked(
            lambda e, m: e.on_odometry(convert.odometry(m), m.header.stamp.to_sec())))
        hands = convert.hand_state_class(self._effector)
        on(self._effector.state_topic, hands, self._locked(self._on_hands))
        on(topics.PAUSE_STATE, Bool, self._locked(
            lambda e, m: (e.pause if m.data else e.resume)(topics.PAUSE_STATE)))
        on(topics.STOP_STATE, Bool, self._locked(
            lambda e, m: e.disable(f"stopped by {topics.STOP_STATE}") if m.data else None))
        on(topics.ARM_TRAJ, JointState, self._on_arm_command)

    def _locked(self, effect: Callable[[Executor, Any], Any]) -> Callable[[Any], None]:
        def handle(message: Any) -> None:
            with self._lock:
                effect(self._executor, message)

        return handle

    def _serve(self) -> list[rospy.Service]:
        def trigger(name: str, done: Callable[[], Answer]) -> rospy.Service:
            return rospy.Service(name, Trigger, lambda _: TriggerResponse(*done()))

        def pause(request: Any) -> SetBoolResponse:
            act = self._executor.pause if request.data else self._executor.resume
            return SetBoolResponse(*self._under_lock(act))

        return [
            trigger(names.ENABLE, self._enable),
            trigger(names.DISABLE, lambda: self._under_lock(self._executor.disable)),
            trigger(names.RESET_FAULT, lambda: self._under_lock(self._executor.reset_fault)),
            rospy.Service(names.PAUSE, SetBool, pause),
        ]

    def _under_lock(self, act: Callable[[], Answer]) -> Answer:
        with self._lock:
            return act()

    # messages that need more than one line

    def _on_epoch(self, message: String) -> None:
        try:
            with self._lock:
                label = self._executor.on_announcement(convert.announcement(message))
        except EpochError as error:
            rospy.logwarn(f"instruction not taken over: {error}")
            return
        # everything older is dropped by now: only then is it acknowledged
        self._task.publish(label)
        rospy.loginfo(f"instruction in force: {label}")

    def _on_plan(self, message: JointTrajectory) -> None:
        with self._lock:
            refused = self._executor.on_plan(convert.raw_plan(message))
        if refused:
            rospy.logwarn_throttle(1.0, f"plan refused: {refused}")

    def _on_hands(self, executor: Executor, message: Any) -> None:
        try:
            closures = convert.hand_closures(self._effector, message)
        except ValueError as error:
            rospy.logerr_throttle(1.0, str(error))
            return
        executor.on_hands(closures, message.header.stamp.to_sec())

    def _on_arm_command(self, message: JointState) -> None:
        sender = message._connection_header.get("callerid", "?")
        if sender != rospy.get_name() and not self._shadow:
            with self._lock:
                self._executor.on_publishers(topics.ARM_TRAJ, [sender])

    # the operator

    def _enable(self) -> Answer:
        with self._lock:
            refused = self._executor.why_not()
        if refused:
            return False, refused
        try:
            limits = _narrowed(self._configured)
        except LimitsError as error:
            return False, f"not enabled: {error}"
        if not self._shadow:
            # asked outside the lock: the robot may take its time to answer
            done, why = take_arms()
            if not done:
                return False, f"not enabled: {why}"
        with self._lock:
            if self._executor.supervisor.state is State.DISABLED:
                self._executor.use_limits(limits)
            return self._executor.enable(self._move_to_start and not self._shadow)

    def _enable_by_itself(self) -> None:
        """Once in the life of a launch: a respawned node waits for the operator."""
        if not rospy.get_param("~auto_enable", False) or rospy.get_param("~auto_enabled", False):
            return
        with self._lock:
            instructed = self._executor.epochs.current is not None
        if not instructed:
            return
        done, why = self._enable()
        if done:
            rospy.set_param("~auto_enabled", True)
        else:
            rospy.loginfo_throttle(5.0, why)

    # rhythms

    def run(self) -> None:
        """Until ROS shuts down."""
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        self._announce(State.DISABLED, "not enabled yet")
        # collections of a long-lived heap take tens of milliseconds; ours creates no cycles
        gc.collect()
        gc.freeze()
        period = self._executor.settings.period
        simulated = rospy.get_param("/use_sim_time", False)
        pace: Any = Pace(period, time.monotonic, time.sleep)
        rhythm = rospy.Rate(1.0 / period).sleep if simulated else pace.wait
        while not rospy.is_shutdown():
            rhythm()
            with self._lock:
                self._executor.figures.ticked(time.monotonic())
                commands = self._executor.tick()
            self._publish(commands)
        gc.unfreeze()
        rospy.loginfo(f"executor: {figures_text(self._summary())}")

    def _publish(self, commands: Commands) -> None:
        self._ticks += 1
        now = rospy.get_time()
        if commands.arms is not None and self._arms is not None:
            self._arms.publish(convert.arm_command(commands.arms, now))
        if commands.hands is not None and self._hands and self._ticks % HANDS_EVERY == 0:
            self._hands.publish(convert.hand_command(self._effector, commands.hands, now))
        if commands.base is not None and self._base is not None:
            self._base.publish(convert.base_command(commands.base))

    def _watch(self) -> None:
        ticks = 0
        while not rospy.is_shutdown():
            try:
                self._ask_master()
                self._enable_by_itself()
            except UNREACHABLE as error:
                rospy.logwarn_throttle(10.0, f"the ROS master does not answer: {error}")
            except rospy.ROSException as error:
                rospy.logwarn_throttle(10.0, str(error))
            ticks += 1
            if ticks % 2 == 0:
                self._report()
            time.sleep(WATCH_PERIOD)

    def _ask_master(self) -> None:
        if self._master.renew():
            rospy.logwarn("the ROS master restarted: registered again")
        if self._shadow:
            return
        for topic, others in self._master.publishers(self._guarded).items():
            with self._lock:
                self._executor.on_publishers(topic, others)

    # reports

    def _changed(self, old: State, new: State, reason: str) -> None:
        log = rospy.logerr if new is State.FAULT else rospy.loginfo
        log(f"{old.value} → {new.value}: {reason}")
        self._announce(new, reason)

    def _announce(self, state: State, reason: str) -> None:
        self._state.publish(f"{state.value}: {reason}")

    def _summary(self) -> dict[str, Any]:
        with self._lock:
            executor = self._executor
            current = executor.epochs.current
            return {
                "state": executor.supervisor.state.value,
                "instruction": current.label if current else "",
                "shadow": self._shadow,
                "base": executor.base.phase.value,
                **{f"holds: {why}": n for why, n in executor.supervisor.holds.items()},
                **executor.figures.summary(),
                "samples braked for a limit": executor.stream.rescued,
            }

    def _report(self) -> None:
        supervisor = self._executor.supervisor
        level = _LEVELS.get(supervisor.state, WARN)
        text = f"{supervisor.state.value}: {supervisor.reason}"
        self._diagnostics.publish(
            diagnostics("kuavo_executor", level, text, self._summary())
        )


def _array() -> Any:
    from diagnostic_msgs.msg import DiagnosticArray

    return DiagnosticArray


def _narrowed(limits: RobotLimits) -> RobotLimits:
    """The configured limits, narrowed by the robot's URDF where it is on the master by now."""
    urdf = rospy.get_param(DESCRIPTION, None)
    return limits if urdf is None else narrowed_by_urdf(limits, urdf)


def main() -> int:
    """Start the node; wrong parameters end it with one sentence."""
    rospy.init_node("kuavo_executor")
    try:
        node = ExecutorNode()
    except (ValueError, KeyError, OSError) as error:
        rospy.logfatal(f"kuavo_executor: {error}")
        return 1
    node.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
