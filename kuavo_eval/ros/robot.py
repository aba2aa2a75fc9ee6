"""The protocol's robot: the runtime's services and topics, a policy process, bags."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rospy
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from kuavo_deploy.robot import topics
from kuavo_deploy.ros import convert, names
from kuavo_eval.hardware.plan import Plan, PlannedTrial
from kuavo_eval.hardware.robot import Change, SceneState, Status
from kuavo_eval.ros.child import Child
from kuavo_eval.trials.faults import VoidTrial

LOADING = 300.0
"""A policy may take so long to be there [s]."""
PATIENCE = 60.0
"""Everything else [s]."""
LOOK = 0.1
SIM_STATE, SIM_RESET = "/kuavo_sim/state", "/kuavo_sim/reset"
BAG_TOPICS = (
    *topics.CAMERA_TOPICS.values(), topics.SENSORS, topics.JOINT_CMD, topics.ARM_TRAJ,
    topics.CLAW_STATE, topics.CLAW_COMMAND, topics.DEXHAND_STATE, topics.DEXHAND_COMMAND,
    topics.GRIPPER_STATE, topics.GRIPPER_COMMAND, topics.CMD_POSE_WORLD, topics.ODOM,
    names.PLAN, names.EPOCH, names.TASK, names.STATE, "/diagnostics",
)  # fmt: skip
"""As `policy.launch record:=true`."""


class RosRobot:
    """See `kuavo_eval.hardware.robot.Robot`.

    Args:
        plan: whose checkpoints are run. folder: of the results; bags and logs go there.
        simulated: the robot is `kuavo_sim`: scenes are reset from the plan.
        policy: further arguments of policy.launch.
        wait: for so many wall seconds; raises when the session ends.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        simulated: bool,
        policy: dict[str, str],
        wait: Callable[[float], None],
    ) -> None:
        self._plan, self._folder, self._simulated = plan, folder, simulated
        self._arguments, self._wait = policy, wait
        self._policy: Child | None = None
        self._running = ""
        self._bag: Child | None = None
        self._active = Path()
        self._lock = threading.Lock()
        self._state, self._reason = "unknown", "the executor has not spoken yet"
        self._changes: list[Change] = []
        self._latencies: list[float] = []
        self._session: str | None = None
        self._epoch = self._instruction = self._in_force = self._refused = ""
        self._planned = self._announced = False
        self._scene: dict[str, Any] = {}
        rospy.Subscriber(names.STATE, String, self._on_state, queue_size=50)
        rospy.Subscriber(names.PLAN, JointTrajectory, self._on_plan, queue_size=10)
        rospy.Subscriber(names.EPOCH, String, self._on_epoch, queue_size=10)
        rospy.Subscriber(names.IN_FORCE, String, self._on_in_force, queue_size=10)
        rospy.Subscriber(names.REFUSED, String, self._on_refused, queue_size=10)
        self._told = rospy.Publisher(names.INSTRUCTION, String, queue_size=10)
        if simulated:
            rospy.Subscriber(SIM_STATE, String, self._on_scene, queue_size=1)

    # what is heard

    def _on_state(self, message: String) -> None:
        state, _, reason = message.data.partition(": ")
        with self._lock:
            self._state, self._reason = state, reason
            self._changes.append(Change(rospy.get_time(), state, reason))

    def _on_plan(self, message: JointTrajectory) -> None:
        with self._lock:
            if message.points and message.header.frame_id == self._epoch:
                self._planned = True
                self._latencies.append(rospy.get_time() - message.header.stamp.to_sec())

    def _on_epoch(self, message: String) -> None:
        announcement = convert.announcement(message)
        with self._lock:
            self._epoch, self._planned, self._announced = announcement.epoch, False, True
            self._instruction = announcement.instruction

    def _on_in_force(self, message: String) -> None:
        with self._lock:
            self._in_force = message.data

    def _on_refused(self, message: String) -> None:
        with self._lock:
            self._refused = message.data

    def _on_scene(self, message: String) -> None:
        state = json.loads(message.data)
        with self._lock:
            self._scene = state

    # the protocol's wishes

    def prepare(self, trial: PlannedTrial) -> str:
        """See `Robot.prepare`."""
        self._ensure_policy(trial)
        self._instruct(trial.task)
        if self._simulated:
            self._reset(trial)  # the observation that it plans from now on is the new scene's
        with self._lock:
            self._planned = False
        self._await(lambda: self._planned, PATIENCE, "the policy gives no plan")
        with self._lock:
            self._session = self._epoch.rpartition(":")[0]
            return self._instruction

    def begin(self, trial: PlannedTrial, bag: str) -> None:
        """See `Robot.begin`."""
        self._record(self._folder / bag)
        if self._simulated:
            self._reset(trial)
        end, why = time.monotonic() + PATIENCE, ""
        while time.monotonic() < end:
            done, why = self._call(names.ENABLE)
            if done:
                return
            self._wait(LOOK)
        raise VoidTrial(f"the robot cannot be enabled: {why}")

    def status(self) -> Status:
        """See `Robot.status`."""
        with self._lock:
            changes, self._changes = self._changes, []
            latencies, self._latencies = self._latencies, []
            scene = None
            if self._scene:
                scene = SceneState(self._scene["time"], self._scene["outcomes"])
            return Status(self._state, self._reason, self._dead(), changes, latencies, scene)

    def stop(self) -> None:
        """See `Robot.stop`."""
        self._call(names.DISABLE)
        self._call(names.RESET_FAULT)
        self._end_bag()
        with self._lock:
            self._changes, self._latencies, self._session = [], [], None

    def close(self) -> None:
        """End the policy's process too."""
        self.stop()
        if self._policy is not None:
            self._policy.end()

    # the parts

    def _dead(self) -> str | None:
        if self._policy is not None and self._policy.code is not None:
            return f"the policy's process ended with {self._policy.code}"
        session = self._epoch.rpartition(":")[0]
        if self._session is not None and session != self._session:
            return "the policy's process died and was started again"
        if self._bag is not None and self._bag.code is not None:
            return f"recording ended: {self._bag.last_line()}"
        return None

    def _ensure_policy(self, trial: PlannedTrial) -> None:
        if self._policy is not None:
            if self._running == trial.checkpoint and self._policy.code is None:
                return
            self._policy.end()
        with self._lock:
            self._epoch, self._planned = "", False
        checkpoint = self._plan.checkpoints[trial.checkpoint].path
        given = {**self._arguments, "executor": "false", "task": trial.task}
        self._policy = Child(
            ["roslaunch", "--wait", "kuavo_deploy", "policy.launch", f"checkpoint:={checkpoint}",
             *(f"{name}:={value}" for name, value in given.items())],
            self._folder / "log" / "policy.txt",
        )  # fmt: skip
        self._running = trial.checkpoint
        self._await(lambda: self._epoch, LOADING, "the policy does not start")

    def _instruct(self, text: str) -> None:
        """On the language topic, as the robot's user does, until the executor has taken it over."""
        heard = "nobody listens to instructions"
        self._await(lambda: self._told.get_num_connections() > 0, PATIENCE, heard)
        with self._lock:
            self._announced, self._refused = False, ""
        self._told.publish(text)
        # one that is in force already is announced again, under its old epoch
        self._await(
            lambda: self._refused or (self._announced and self._epoch == self._in_force),
            PATIENCE, "the instruction was not taken over",
        )  # fmt: skip
        if self._refused:
            raise VoidTrial(f"the instruction was refused: {self._refused}")

    def _await(self, true: Callable[[], Any], limit: float, what: str) -> None:
        end = time.monotonic() + limit
        while not true():
            if self._policy is not None and self._policy.code is not None:
                why = self._policy.last_line("FATAL", "RLException", "Error")
                raise VoidTrial(f"{what}: its process ended ({why})")
            if time.monotonic() > end:
                raise VoidTrial(f"{what} within {limit:.0f} s")
            self._wait(LOOK)

    def _record(self, file: Path) -> None:
        file.parent.mkdir(exist_ok=True)
        active = self._active = file.with_name(file.name + ".active")
        active.unlink(missing_ok=True)  # of a session that was killed
        self._bag = Child(
            ["rosbag", "record", "--buffsize=1024", "--tcpnodelay", "-O", str(file), *BAG_TOPICS],
            self._folder / "log" / "bags.txt",
        )  # fmt: skip
        self._await(active.exists, PATIENCE, "the bag is not recorded")

    def _end_bag(self) -> None:
        if self._bag is None:
            return
        self._bag.end()
        self._bag = None
        # `rosbag` ends before the recorder that it started has written the bag's index.
        end = time.monotonic() + PATIENCE
        while self._active.exists() and time.monotonic() < end:
            time.sleep(LOOK)

    def _reset(self, trial: PlannedTrial) -> None:
        rospy.set_param("/kuavo_sim/task", trial.task)
        rospy.set_param("/kuavo_sim/seed", trial.scene)
        with self._lock:
            self._scene = {}
        done, why = self._call(SIM_RESET)
        if not done:
            self._wait(LOOK)
            raise VoidTrial(f"the simulation does not start over: {why}")
        self._await(
            lambda: (self._scene.get("task"), self._scene.get("seed")) == (trial.task, trial.scene),
            PATIENCE, "the simulation says nothing",
        )  # fmt: skip

    def _call(self, service: str) -> tuple[bool, str]:
        try:
            answer = rospy.ServiceProxy(service, Trigger)()
        except rospy.ServiceException as error:
            return False, str(error)
        return bool(answer.success), str(answer.message)
