"""What the robot says: its topics, fed from the physics thread and the camera thread."""

from __future__ import annotations

import time
from dataclasses import dataclass

import rospy
from nav_msgs.msg import Odometry
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, JointState

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_sim.model.workshop import OVERVIEW
from kuavo_sim.ros import messages
from kuavo_sim.ros.cameras import Shutter
from kuavo_sim.ros.pace import Every, Pace, RateMeter
from kuavo_sim.ros.settings import Settings
from kuavo_sim.ros.world import World

OVERVIEW_TOPIC = "/kuavo_sim/overview/compressed"
CLOCK_HZ = 250
_HAND_STATES = {
    "kuavo_msgs/lejuClawState": lambda: kuavo_msgs().lejuClawState,
    "sensor_msgs/JointState": lambda: JointState,
}


class Stamps:
    """Turns physics steps into stamps: never ahead of the clock, never back, evenly spaced.

    `origin` is the wall time [ns] of step 0. Without /clock they follow the wall clock, and jump
    where real time was given up.
    """

    def __init__(self, origin: int, pace: Pace, timestep: float, follow_wall: bool) -> None:
        self._origin = origin
        self._pace, self._follow_wall = pace, follow_wall
        self._step = round(timestep * 1e9)

    def at(self, step: int) -> int:
        """Nanoseconds since the epoch at a physics step."""
        lost = round(self._pace.lost * 1e9) if self._follow_wall else 0
        return self._origin + lost + step * self._step


@dataclass(frozen=True)
class Meters:
    """Rates for the diagnostics."""

    sensors: RateMeter
    cameras: RateMeter


class Publishers:
    """All of the robot's state topics. `on_step` listens to the world, `image` to the cameras."""

    def __init__(
        self, settings: Settings, stamps: Stamps, shutter: Shutter, timestep: float
    ) -> None:
        kuavo = kuavo_msgs()
        self._effector = settings.effector
        self._stamps, self._shutter = stamps, shutter
        self._sensors = _publisher(topics.SENSORS, kuavo.sensorsData, 50)
        self._joint_cmd = _publisher(topics.JOINT_CMD, kuavo.jointCmd, 50)
        self._odom = _publisher(topics.ODOM, Odometry, 10)
        hand_type = _HAND_STATES[self._effector.state_type]()
        self._hands = _publisher(self._effector.state_topic, hand_type, 10)
        self._clock = rospy.Publisher("/clock", Clock, queue_size=10) if settings.clock else None
        self._images = _image_publishers(settings)
        self._sensors_due = Every(settings.sensors_hz, timestep)
        self._state_due = Every(settings.state_hz, timestep)
        self._images_due = Every(settings.camera_hz, timestep)
        self._clock_due = Every(CLOCK_HZ, timestep)
        self.meters = Meters(RateMeter(time.monotonic), RateMeter(time.monotonic))

    def on_step(self, world: World) -> None:
        """Publish what is due after a physics step."""
        step = world.steps
        stamp = self._stamps.at(step)
        if self._clock is not None and self._clock_due.due(step):
            self._clock.publish(Clock(messages.time_of(stamp)))
        if self._sensors_due.due(step):
            self._publish_joints(world, stamp)
        if self._state_due.due(step):
            self._publish_state(world, stamp)
        if self._images_due.due(step):
            self._shutter.expose(world.sim, stamp)

    def wanted(self, name: str) -> bool:
        """Does anybody listen to this camera or depth feature?"""
        return self._images[name].get_num_connections() > 0

    def image(self, name: str, stamp: int, payload: bytes) -> None:
        """Publish an encoded image."""
        pack = messages.depth_image if name in topics.DEPTH_TOPICS else messages.jpeg_image
        self._images[name].publish(pack(stamp, name, payload))
        self.meters.cameras.tick()

    def _publish_joints(self, world: World, stamp: int) -> None:
        self.meters.sensors.tick()
        to_sensors = self._sensors.get_num_connections() > 0
        to_commands = self._joint_cmd.get_num_connections() > 0
        if not (to_sensors or to_commands):
            return
        joints = world.readings.joints()
        if to_sensors:
            base, hands = world.readings.base(), world.readings.hands()
            self._sensors.publish(messages.sensors(stamp, joints, base, hands, self._effector))
        if to_commands:
            self._joint_cmd.publish(messages.joint_command(stamp, joints))

    def _publish_state(self, world: World, stamp: int) -> None:
        if self._odom.get_num_connections():
            self._odom.publish(messages.odometry(stamp, world.readings.base()))
        if self._hands.get_num_connections():
            hands = world.readings.hands()
            self._hands.publish(messages.hand_state(stamp, hands, self._effector))


def _publisher(topic: str, kind: type, queue_size: int) -> rospy.Publisher:
    # a queue: a subscriber that hangs must not stop the physics
    return rospy.Publisher(topic, kind, queue_size=queue_size, tcp_nodelay=True)


def _image_publishers(settings: Settings) -> dict[str, rospy.Publisher]:
    names = dict(topics.CAMERA_TOPICS)
    if settings.overview:
        names[OVERVIEW] = OVERVIEW_TOPIC
    if settings.depth:
        names.update(topics.DEPTH_TOPICS)
    return {name: _publisher(topic, CompressedImage, 4) for name, topic in names.items()}
