"""Between the simulated robot and its topics: passes everything on, with a defect if told so.

The simulated robot publishes under /inside. The parameter /defect says what is wrong, one of
`DEFECTS`; /defect_in_force answers.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import rospy
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CompressedImage

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.messages import kuavo_msgs

SHIFT = 2.0
DEFECTS = (
    "none", "slow joints", "few joints", "zero joints", "md5", "no hands", "no camera",
    "wide camera", "black camera", "no picture", "behind", "ahead", "no stamps",
)  # fmt: skip
KINDS = {
    topics.SENSORS: kuavo_msgs().sensorsData,
    topics.CLAW_STATE: kuavo_msgs().lejuClawState,
    topics.ODOM: Odometry,
    **dict.fromkeys(topics.CAMERA_TOPICS.values(), CompressedImage),
}
MISSING = {"no hands": topics.CLAW_STATE, "no camera": topics.CAMERA_TOPICS["wrist_cam_l"]}


class OtherClaw(kuavo_msgs().lejuClawState):  # type: ignore[misc]
    """The message of a workspace of another version."""

    _md5sum = "0123456789abcdef0123456789abcdef"


class Relay:
    """One topic."""

    def __init__(self, topic: str) -> None:
        self._topic, self._defect, self._count = topic, "", 0
        self._publisher: rospy.Publisher | None = None
        self.break_it("none")
        rospy.Subscriber(
            "/inside" + topic, KINDS[topic], self._pass_on, queue_size=50, tcp_nodelay=True
        )

    def break_it(self, defect: str) -> None:
        """Other publishers where the defect is one of them."""
        before, self._defect = self._defect, defect
        wanted = self._kind(defect)
        if before and wanted is self._kind(before):
            return
        if self._publisher is not None:
            self._publisher.unregister()
            self._publisher = None
        if wanted is not None:
            self._publisher = rospy.Publisher(self._topic, wanted, queue_size=20, tcp_nodelay=True)

    def _kind(self, defect: str) -> Any:
        if MISSING.get(defect) == self._topic:
            return None
        other = defect == "md5" and self._topic == topics.CLAW_STATE
        return OtherClaw if other else KINDS[self._topic]

    def _pass_on(self, message: Any) -> None:
        publisher, defect = self._publisher, self._defect
        self._count += 1
        if publisher is None or (
            defect == "slow joints" and self._topic == topics.SENSORS and self._count % 50
        ):
            return
        if self._topic == topics.SENSORS:
            joints = message.joint_data
            joints.joint_q = {"few joints": joints.joint_q[:26], "zero joints": [0.0] * 28}.get(
                defect, joints.joint_q
            )
        if self._topic == topics.CAMERA_TOPICS["head_cam_h"]:
            message.data = spoilt(message.data, defect)
        shift = {"behind": -SHIFT, "ahead": SHIFT}.get(defect, 0.0)
        stamp = message.header.stamp + rospy.Duration.from_sec(shift)
        message.header.stamp = rospy.Time() if defect == "no stamps" else stamp
        kind = publisher.data_class
        publisher.publish(kind(*(getattr(message, name) for name in message.__slots__)))


def spoilt(jpeg: bytes, defect: str) -> bytes:
    if defect == "no picture":
        return b"no picture"
    if defect not in ("wide camera", "black camera"):
        return jpeg
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    picture = cv2.resize(picture, (320, 180)) if defect == "wide camera" else picture * 0
    return bytes(cv2.imencode(".jpg", picture)[1])


if __name__ == "__main__":
    rospy.init_node("relay")
    relays = [Relay(topic) for topic in KINDS]
    in_force = "none"
    rospy.set_param("/defect_in_force", in_force)
    while not rospy.is_shutdown():
        wanted = rospy.get_param("/defect", "none")
        assert wanted in DEFECTS, wanted
        if wanted != in_force:
            for relay in relays:
                relay.break_it(wanted)
            in_force = wanted
            rospy.sleep(0.1)  # what was on its way
            rospy.set_param("/defect_in_force", in_force)
        rospy.sleep(0.03)
