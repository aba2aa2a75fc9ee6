#!/usr/bin/env python3
"""Runs the trials of a plan on a robot: `roslaunch kuavo_deploy eval.launch plan:=FILE`.

Subscribes: /kuavo_executor/state, /kuavo_executor/epoch, /kuavo_policy/plan, /kuavo_policy/epoch,
/kuavo_policy/refused, /kuavo_sim/state.
Publishes: /kuavo_eval/told, /kuavo_policy/instruction. Service: /kuavo_eval/say
(kuavo_msgs/SetString): go, success, fail, … Calls the executor's services; starts a policy.launch
for each checkpoint and a rosbag for each trial.
Private parameters: plan, out, here (see `meant`), simulated, judge (operator or scene), policy/…
(arguments of policy.launch). Exit code: 0 through or ended by the operator, 1 something is wrong.
docs/evaluation_trials.md describes everything.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, timezone

import rospy

from kuavo_cli.errors import UserError
from kuavo_eval.folder import RESULTS
from kuavo_eval.hardware.protocol import Interrupted, Protocol
from kuavo_eval.hardware.session import open_session
from kuavo_eval.ros.console import Console
from kuavo_eval.ros.paths import meant
from kuavo_eval.ros.robot import RosRobot
from kuavo_eval.trials.log import TrialLog
from kuavo_train.errors import TrainingError

JUDGES = ("operator", "scene")


def wait(seconds: float) -> None:
    """For so many wall seconds.

    Raises:
        Interrupted: the node is to end.
    """
    time.sleep(seconds)
    if rospy.is_shutdown():
        raise Interrupted


def run() -> None:
    """The plan's trials, from the first that has no verdict."""
    simulated = bool(rospy.get_param("~simulated", False))
    judge = str(rospy.get_param("~judge", "operator"))
    if judge not in JUDGES or (judge == "scene" and not simulated):
        raise UserError(f"judge:={judge}: choose operator, or with sim:=true scene")
    file, out = str(rospy.get_param("~plan")), str(rospy.get_param("~out", ""))
    plan, folder = open_session(meant(file), meant(out) if out else None, meant(RESULTS))
    policy = {name: str(value) for name, value in rospy.get_param("~policy", {}).items()}
    robot = RosRobot(plan, folder, simulated, policy, wait)
    try:
        with TrialLog(folder) as log:
            Protocol(
                plan, log, robot, Console(), judge == "scene", rospy.get_time, wait,
                lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "ros" if simulated else "robot",
            ).run()  # fmt: skip
    finally:
        robot.close()


def main() -> int:
    """Start the node; what is wrong ends it with one sentence."""
    rospy.init_node("kuavo_eval")
    try:
        run()
    except (UserError, TrainingError, ValueError, OSError) as error:
        print(f"eval: failed: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
