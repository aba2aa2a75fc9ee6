"""Stands for a policy process: announces a task, and plans what a bag says will be commanded.

    python recorded_plans.py BAG TASK

An oracle: what comes out of the executor in shadow mode must be what was recorded.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import rosgraph
import rospy
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from kuavo_deploy.executor.epochs import Announcement
from kuavo_deploy.ros import convert, names
from kuavo_eval.replay.score import read_recorded
from kuavo_train.data.bags.options import Options
from kuavo_train.tasks import task_named

STEP, STEPS = 0.1, 20
INTERVAL, LATENCY = 0.5, 0.2
"""Between two looks, and from a look to its plan [s]."""


def main(bag: str, task: str) -> None:
    recorded = read_recorded(Path(bag), task_named(task), Options())
    plan = rospy.Publisher(names.PLAN, JointTrajectory, queue_size=2)
    epoch = rospy.Publisher(names.EPOCH, String, queue_size=10, latch=True)
    epoch.publish(convert.announcement_message(Announcement("oracle:1", task, f"do {task}")))
    looked = 0.0
    while not rospy.is_shutdown():
        rospy.rostime.wallsleep(0.02)
        now = rospy.get_time()
        if now < recorded.times[0] - 2.0 or now < looked + INTERVAL:
            continue
        looked = now
        rospy.sleep(LATENCY)
        due = now + STEP * np.arange(1, STEPS + 1)
        rows = [np.interp(due, recorded.times, column) for column in recorded.actions.T]
        plan.publish(convert.plan_message("oracle:1", now, STEP, np.array(rows).T.tolist()))


if __name__ == "__main__":
    while not rosgraph.is_master_online():
        time.sleep(0.1)
    rospy.set_param("/use_sim_time", True)  # it may be there before the launch file has said so
    rospy.init_node("recorded_plans")
    main(*sys.argv[1:3])
