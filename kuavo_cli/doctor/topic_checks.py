"""The robot's topics: there, reachable, of the kind that is expected, fast enough, well filled."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kuavo_cli.doctor.result import Result
from kuavo_cli.doctor.survey import Heard
from kuavo_deploy.executor.settings import ExecutorSettings, load_settings
from kuavo_deploy.policy.settings import PolicySettings, load_policy_settings
from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.end_effectors import EndEffector
from kuavo_deploy.robot.messages import kuavo_msgs

COMMAND_HZ = 100.0
FRAME_HZ = 10.0
"""Of the recordings that a policy is trained with."""
SLACK = 0.9
"""A rate counts as reached from this share of it on."""
BLACK = 3.0
"""Mean brightness, 0…255, up to which an image is black."""


class Unfit(ValueError):
    """A message's content is wrong. The message says how; `fix` what mends it."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True)
class Expected:
    """What a topic should be.

    name: shown. kind: message type. at_least [Hz]. max_age: older messages stop the robot [s].
    content: looks into a message; its answer is shown, `Unfit` is a failure.
    missing: what mends it when nobody publishes.
    """

    name: str
    topic: str
    kind: str
    at_least: float
    max_age: float
    content: Callable[[Any], str]
    missing: str


@dataclass(frozen=True)
class Bounds:
    """What the runtime's own settings allow."""

    executor: ExecutorSettings
    policy: PolicySettings

    @classmethod
    def load(cls, configs: Path) -> Bounds:
        """Those of `configs/deploy`."""
        deploy = configs / "deploy"
        return cls(
            load_settings(deploy / "executor.yaml"), load_policy_settings(deploy / "policy.yaml")
        )


def expected_topics(
    bounds: Bounds, effector: EndEffector, cameras: dict[str, tuple[int, int] | None]
) -> list[Expected]:
    """All that the runtime subscribes to.

    Args:
        bounds: see there.
        effector: whose state is read.
        cameras: width and height that a checkpoint was trained with, by name; None: any.
    """
    executor, policy = bounds.executor, bounds.policy
    controller = "start the robot's controller (Leju's humanoid_controllers), wait until it stands"
    driver = "start the camera drivers on the robot; `rostopic list | grep cam` shows what is there"
    hands = (
        f"start the driver of the hands, or say which are mounted: kuavo doctor --end-effector "
        f"{'qiangnao' if effector.name == 'lejuclaw' else 'lejuclaw'}"
    )
    standing = "if it never walks: base: {allowed: false} in configs/deploy/executor.yaml"
    return [
        Expected("joints", topics.SENSORS, "kuavo_msgs/sensorsData", COMMAND_HZ,
                 executor.joints_max_age, _joints, controller),
        Expected("hands", effector.state_topic, effector.state_type, FRAME_HZ,
                 executor.hands_max_age, _hands(effector), hands),
        Expected("odometry", topics.ODOM, "nav_msgs/Odometry", FRAME_HZ,
                 executor.odom_max_age, lambda _: "", f"{controller}; {standing}"),
        *(Expected(camera, topics.CAMERA_TOPICS[camera], "sensor_msgs/CompressedImage", FRAME_HZ,
                   policy.observations.age_of(camera), _picture(size), driver)
          for camera, size in cameras.items()),
    ]  # fmt: skip


def check_topic(expected: Expected, heard: Heard, offset: float | None) -> Result:
    """One line about one topic.

    Args:
        expected: see there.
        heard: see there.
        offset: by how much its sender's clock is behind this computer's [s]; None: it follows a
            simulation, and how late it is by this computer's clock says nothing.
    """
    wrong = _not_to_be_heard(expected, heard) or _of_another_kind(expected, heard)
    if wrong is not None:
        return wrong
    if not heard.arrivals:
        node = heard.publishers[0]
        found = f"{expected.topic}: {node} is silent"
        fix = f"restart it (rosnode info {node})"
        if offset is None:
            fix = "a slow simulation? listen longer: --seconds 30; or " + fix
        return Result(expected.name, "fail", found, fix)
    pace = f"{heard.rate:.{0 if heard.rate > 50 else 1}f} Hz"
    try:
        content = expected.content(_class_of(expected.kind)().deserialize(heard.last))
    except Unfit as unfit:
        return Result(expected.name, "fail", f"{unfit} on {expected.topic}", unfit.fix)
    found = f"{', '.join(filter(None, [pace, content]))} on {expected.topic}"
    return _in_time(expected, heard, found, offset)


def _not_to_be_heard(expected: Expected, heard: Heard) -> Result | None:
    name, topic = expected.name, expected.topic
    if not heard.publishers:
        return Result(name, "fail", f"nobody publishes {topic}", expected.missing)
    if heard.unknown_host:
        host = heard.unknown_host
        fix = f"add a line 'ADDRESS {host}' to /etc/hosts here, or start that node with ROS_IP set"
        return Result(name, "fail", f"{topic}: {heard.problem}", fix)
    if heard.described is None:
        fix = "if that node is dead: rosnode cleanup; else look at the firewall between"
        return Result(name, "fail", f"{topic}: {heard.problem}", fix)
    if len(heard.publishers) > 1:
        both = ", ".join(sorted(heard.publishers))
        fix = "stop all but the robot's own (rosnode kill NODE): is a bag or a simulation running?"
        return Result(name, "fail", f"{topic} is published by several: {both}", fix)
    return None


def _of_another_kind(expected: Expected, heard: Heard) -> Result | None:
    assert heard.described is not None
    name, topic, wire = expected.name, expected.topic, heard.described
    if wire.type != expected.kind:
        found = f"{topic} carries {wire.type}, expected {expected.kind}"
        return Result(name, "fail", found, f"rostopic info {topic}: which node is that?")
    md5 = _class_of(expected.kind)._md5sum
    if wire.md5 != md5:
        found = f"{topic}: {wire.type} has MD5 sum {wire.md5} on the wire, {md5} here"
        fix = "source the robot's own workspace (devel/setup.bash), then . ./env.sh: it comes first"
        return Result(name, "fail", found, fix)
    return None


def _in_time(expected: Expected, heard: Heard, found: str, offset: float | None) -> Result:
    name, limit = expected.name, f"the robot holds after {expected.max_age:g} s without"
    load = "look at its computer's load and at the network (rostopic hz, rostopic bw)"
    # one message has no rate
    if len(heard.arrivals) > 1 or offset is not None:
        if heard.rate * expected.max_age < 1:
            return Result(name, "fail", f"{found}; {limit}", load)
        if heard.rate < SLACK * expected.at_least:
            return Result(name, "warn", f"{found}; {expected.at_least:g} Hz are expected", load)
    if offset is None:
        return Result(name, "ok", found)
    late = heard.age - offset if heard.stamps and all(heard.stamps) else 0.0
    if late > expected.max_age:
        return Result(name, "fail", f"{found}, {late:.2f} s late; {limit}", load)
    if heard.longest_gap > expected.max_age:
        cable = "use a cable instead of WLAN, or look at the load of both computers"
        return Result(
            name, "warn", f"{found}, with a gap of {heard.longest_gap:.2f} s; {limit}", cable
        )
    return Result(name, "ok", found)


def _class_of(kind: str) -> Any:
    package, name = kind.split("/")
    module = kuavo_msgs() if package == "kuavo_msgs" else importlib.import_module(f"{package}.msg")
    return getattr(module, name)


# contents


def _joints(message: Any) -> str:
    joints = np.array(message.joint_data.joint_q, dtype=np.float64)
    version = "another robot version: the vectors are in kuavo_deploy/robot/layout.py"
    try:
        arms = layout.arms_from_sensor_joints(joints)
    except ValueError:
        raise Unfit(
            f"{joints.size} joints, expected {layout.SENSOR_JOINT_COUNT}", version
        ) from None
    encoders = "look at the motors' power and at the controller's log"
    if not np.isfinite(arms).all():
        raise Unfit("arm positions that are not finite", encoders)
    if not arms.any():
        raise Unfit("all arm positions are exactly 0", encoders)
    return f"{joints.size} joints"


def _hands(effector: EndEffector) -> Callable[[Any], str]:
    def look(message: Any) -> str:
        claw = effector.state_type == "kuavo_msgs/lejuClawState"
        try:
            left, right = effector.closure_from_state(
                message.data.position if claw else message.position
            )
        except ValueError as error:
            raise Unfit(str(error), "kuavo doctor --end-effector with what is mounted") from None
        scale = " if its 100 is closed" if claw else ""
        return f"{effector.name} {left:.0%} and {right:.0%} closed{scale}"

    return look


def _picture(trained: tuple[int, int] | None) -> Callable[[Any], str]:
    def look(message: Any) -> str:
        import cv2

        image = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise Unfit(f"no image that can be decoded ({message.format!r})", "JPEG is expected")
        height, width = image.shape[:2]
        found = f"{width}×{height}"
        if image.mean() <= BLACK:
            raise Unfit(f"{found}, black", "take the cap off, switch the light on")
        if trained is None:
            return found
        if width * trained[1] != height * trained[0]:
            raise Unfit(
                f"{found}, but the checkpoint was trained with {trained[0]}×{trained[1]}",
                f"set the camera driver to {trained[0]}×{trained[1]}: another shape shows it "
                "another picture",
            )
        if (width, height) != trained:
            return f"{found} (trained with {trained[0]}×{trained[1]}, the same shape)"
        return found

    return look
