"""Arms only follow in mode 2, external control: ask for it, under either of its service names."""

from __future__ import annotations

import rospy

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.messages import kuavo_msgs

PATIENCE = 1.0
"""How long a service may take to appear [s]."""


def take_arms() -> tuple[bool, str]:
    """Switch the arms to external control; whether it worked and what the robot says."""
    kind = kuavo_msgs("srv").changeArmCtrlMode
    for name in (topics.CHANGE_ARM_MODE, topics.CHANGE_ARM_MODE_ALTERNATIVE):
        try:
            rospy.wait_for_service(name, PATIENCE)
            answer = rospy.ServiceProxy(name, kind)(control_mode=topics.ARM_MODE_EXTERNAL)
        except (rospy.ROSException, rospy.ServiceException) as error:
            why = str(error)
            continue
        return bool(answer.result), f"{name}: {answer.message or 'refused'}"
    return False, f"the arms' mode cannot be changed: {why}"
