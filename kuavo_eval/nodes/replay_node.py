#!/usr/bin/env python3
"""Plays a bag into the shadowed nodes and captures what they would have commanded.

Subscribes: /kuavo_executor/shadow/…, /kuavo_executor/state, /kuavo_policy/plan and epoch.
Calls /kuavo_executor/enable; starts `rosbag play --clock` once the policy is there.
Private parameters: bag, task, checkpoint ('': plans come from elsewhere), rate, end_effector,
loading [s], here (see `meant`), out (folder of the results), score (False: only capture.json, into
a folder that exists). Exit code: 0 played and scored, 1 something is wrong, or void.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rospy
from geometry_msgs.msg import Twist
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from kuavo_cli.errors import UserError
from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.end_effectors import get_end_effector
from kuavo_deploy.ros import convert, names
from kuavo_eval.folder import REPLAY, RESULTS, EvaluationFolder
from kuavo_eval.replay.capture import Capture
from kuavo_eval.replay.results import about_replay, replay_document, replay_lines, replay_report
from kuavo_eval.replay.score import read_recorded, score
from kuavo_eval.ros.child import Child
from kuavo_eval.ros.paths import meant
from kuavo_train.data.bags.errors import BagRefused
from kuavo_train.data.bags.options import Options
from kuavo_train.errors import TrainingError
from kuavo_train.tasks import task_named

PLAYED = (
    *topics.CAMERA_TOPICS.values(), topics.SENSORS, topics.CLAW_STATE, topics.DEXHAND_STATE,
    topics.GRIPPER_STATE, topics.ODOM,
)  # fmt: skip
"""What the robot says; what it was told stays in the bag."""
QUEUE = 1000


class ReplayNode:
    """One bag.

    Args:
        bag: file. out: folder for what the nodes say. rate: recorded seconds per second.
    """

    def __init__(self, bag: Path, out: Path, rate: float) -> None:
        self._bag, self._out, self._rate = bag, out, rate
        self._effector = get_end_effector(rospy.get_param("~end_effector", "lejuclaw"))
        self._capture, self._lock = Capture(), threading.Lock()
        self._session = ""
        self._subscribe()

    def _subscribe(self) -> None:
        hands = convert.hand_command_class(self._effector)
        for topic, kind, handle in (
            (names.SHADOW + topics.ARM_TRAJ, JointState, self._on_arms),
            (names.SHADOW + self._effector.command_topic, hands, self._on_hands),
            (names.SHADOW + topics.CMD_POSE_WORLD_SYNCED, Twist, self._on_base),
            (names.STATE, String, self._on_state),
            (names.PLAN, JointTrajectory, self._on_plan),
            (names.EPOCH, String, self._on_epoch),
        ):
            rospy.Subscriber(topic, kind, self._locked(handle), queue_size=QUEUE)

    def _locked(self, handle: Callable[[Any], None]) -> Callable[[Any], None]:
        def locked(message: Any) -> None:
            with self._lock:
                handle(message)

        return locked

    def _on_arms(self, message: JointState) -> None:
        arms = layout.arms_from_degrees(message.position)
        self._capture.arms.append((message.header.stamp.to_sec(), arms.tolist()))

    def _on_hands(self, message: Any) -> None:
        data = message.data.position if hasattr(message, "data") else (
            [*message.left_hand_position, *message.right_hand_position]
            if hasattr(message, "left_hand_position") else message.position)  # fmt: skip
        closures = self._effector.closure_from_command(np.asarray(data, dtype=np.float64))
        self._capture.hands.append((message.header.stamp.to_sec(), closures.tolist()))

    def _on_base(self, message: Twist) -> None:
        pose = [message.linear.x, message.linear.y, message.angular.z, message.linear.z]
        self._capture.base.append((rospy.get_time(), pose))

    def _on_state(self, message: String) -> None:
        state, _, reason = message.data.partition(": ")
        self._capture.states.append((rospy.get_time(), state, reason))

    def _on_plan(self, message: JointTrajectory) -> None:
        if message.points:
            self._capture.plans.append((rospy.get_time(), message.header.stamp.to_sec()))

    def _on_epoch(self, message: String) -> None:
        session = convert.announcement(message).epoch.rpartition(":")[0]
        if self._session and session != self._session:
            self._capture.dead = "the policy's process died and was started again"
        self._session = session

    def run(self) -> int:
        """Until the bag is through."""
        _say("waiting for the policy")
        end = time.monotonic() + float(rospy.get_param("~loading", 300.0))
        while not self._session:
            if time.monotonic() > end or rospy.is_shutdown():
                _say("failed: the policy does not start")
                return 1
            time.sleep(0.1)
        rospy.wait_for_service(names.ENABLE)
        player = Child(
            ["rosbag", "play", "--clock", "--hz=250", "--delay=1", f"--rate={self._rate}",
             str(self._bag), "--topics", *PLAYED],
            self._out / "player.txt",
        )  # fmt: skip
        _say(f"playing {self._bag.name}")
        try:
            self._follow(player)
        finally:
            player.end()
        if player.code:
            _say(f"failed: rosbag play: {player.last_line()}")
            return 1
        with self._lock:
            self._capture.save(self._out)
        _say(f"{len(self._capture.arms)} shadow commands of {self._bag.name}")
        return 0

    def _follow(self, player: Child) -> None:
        enable = rospy.ServiceProxy(names.ENABLE, Trigger)
        enabled = False
        while player.code is None and not rospy.is_shutdown():
            if not enabled:
                try:
                    enabled = enable().success
                except rospy.ServiceException as error:
                    self._capture.dead = f"the executor does not answer: {error}"
            time.sleep(0.05)


def scored(bag: Path, out: Path, rate: float) -> int:
    """Play it and leave an evaluation's folder."""
    task = task_named(str(rospy.get_param("~task")))
    effector = str(rospy.get_param("~end_effector", "lejuclaw"))
    recorded = read_recorded(bag, task, Options(end_effector=effector))
    checkpoint = str(rospy.get_param("~checkpoint", ""))
    command = ["kuavo", "eval", "replay", str(bag), "--task", task.name, "--rate", str(rate)]
    command += ["--checkpoint", checkpoint] if checkpoint else []
    about = about_replay(task.name, rate, command, meant(checkpoint) if checkpoint else None)
    with EvaluationFolder(out, REPLAY) as evaluation:
        place = evaluation.path / "nodes" / bag.stem
        place.mkdir(parents=True)
        code = ReplayNode(bag, place, rate).run()
        if code:
            return code
        score_of_it = score(recorded, Capture.load(place))
        document = evaluation.finish(replay_document([score_of_it], about), replay_report)
    for line in [*replay_lines(document).splitlines(), f"report  {out / 'report.html'}"]:
        _say(line)
    return 1 if document["void"] else 0


def _say(text: str) -> None:
    print(f"replay: {text}", flush=True)


def main() -> int:
    """Start the node; what is wrong ends it with one sentence."""
    rospy.init_node("kuavo_replay")
    bag = meant(str(rospy.get_param("~bag")))
    out = meant(str(rospy.get_param("~out", "")) or RESULTS / f"replay_{bag.stem}")
    rate = float(rospy.get_param("~rate", 1.0))
    try:
        if bool(rospy.get_param("~score", True)):
            return scored(bag, out, rate)
        return ReplayNode(bag, out, rate).run()
    except (UserError, TrainingError, BagRefused, ValueError, OSError) as error:
        _say(f"failed: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
