"""Bags like the robot's, small and made of formulas, so that tests know every number in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.end_effectors import get_end_effector
from kuavo_deploy.ros import names
from kuavo_sim.recording.robot_bag import RobotBag
from kuavo_sim.ros.depth import encode_depth

START = 1_700_000_000_000_000_000
MS = 1_000_000
SIZE = (48, 64)


def arms(t: float) -> np.ndarray:
    """Measured arm positions, (14,) [rad]."""
    return 0.3 + 0.4 * np.sin(t + 0.1 * np.arange(14))


def arm_targets(t: float) -> np.ndarray:
    return arms(t + 0.05)


def closures(t: float) -> np.ndarray:
    return np.clip([0.2 * t, 1 - 0.2 * t], 0, 1)


def closure_targets(t: float) -> np.ndarray:
    return closures(t + 0.03)


def base_target(t: float) -> layout.Base:
    """Walks 1 m ahead between 1 s and 2 s."""
    return layout.Base(float(np.clip(t - 1, 0, 1)), 0.0, 0.1, float(1 < t <= 2.2))


def image(t: float, camera: int) -> np.ndarray:
    """A smooth picture whose brightness tells the time: (48, 64, 3) RGB."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    red = 40 + 40 * (t % 5) + 0 * rows
    return np.stack([red, rows * 3 + 0 * columns, columns * 2 + 50 * camera], -1).astype(np.uint8)


def jpeg(t: float, camera: int) -> bytes:
    bgr = cv2.cvtColor(image(t, camera), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


@dataclass
class Recipe:
    """What to put on a bag; the defaults are a healthy recording at a fifth of the robot's rate."""

    seconds: float = 2.0
    sensor_period: int = 10 * MS
    command_period: int = 10 * MS
    end_effector: str = "lejuclaw"
    walking: bool = False
    depth: bool = False
    compression: str = "none"
    without: tuple[str, ...] = ()
    joints: int = layout.SENSOR_JOINT_COUNT
    nan_at: float | None = None
    zero: bool = False
    degrees: bool = False
    freeze: tuple[str, float] | None = None
    jump_back: tuple[float, float] | None = None
    camera_gap: tuple[str, float, float] | None = None
    jitter: float = 0.0
    sparse_hands: bool = False
    executor: bool = False
    move_flag: bool = True
    unfinished: bool = False


def write(path: Path, recipe: Recipe | None = None) -> Path:
    recipe = recipe or Recipe()
    rng = np.random.default_rng(0)
    events: list[tuple[int, str]] = []
    end = round(recipe.seconds * 1e9)
    events += [(t, "sensors") for t in range(0, end + 1, recipe.sensor_period)]
    events += [(t, "commands") for t in range(0, end + 1, recipe.command_period)]
    for k in range(round(recipe.seconds * 30) + 1):
        base = (k // 3) * 100 * MS + (0, 34, 66)[k % 3] * MS
        events.append((max(0, base + round(recipe.jitter * rng.uniform(-1, 1) * 1e9)), "images"))
    events.sort()
    try:
        with RobotBag(path, recipe.compression) as bag:
            for offset, kind in events:
                _write(bag, recipe, offset, kind)
            if recipe.unfinished:
                raise _Killed
    except _Killed:
        pass
    return path


class _Killed(Exception):
    pass


def _write(bag: RobotBag, recipe: Recipe, offset: int, kind: str) -> None:
    t = offset / 1e9
    time = START + offset
    if recipe.jump_back and t >= recipe.jump_back[0]:
        time -= round(recipe.jump_back[1] * 1e9)
    if kind == "sensors":
        _sensors(bag, recipe, t, time)
    elif kind == "commands":
        _commands(bag, recipe, t, time)
    else:
        _images(bag, recipe, t, time)


def _sensors(bag: RobotBag, recipe: Recipe, t: float, time: int) -> None:
    joints = np.zeros(recipe.joints)
    if recipe.joints == layout.SENSOR_JOINT_COUNT:
        joints[layout.SENSOR_ARMS] = 0 if recipe.zero else arms(t)
        if recipe.degrees:
            joints = np.rad2deg(joints)
        if recipe.nan_at is not None and t >= recipe.nan_at:
            joints[14] = np.nan
    if topics.SENSORS not in recipe.without:
        bag.sensors(time, joints)
    command = np.zeros(layout.SENSOR_JOINT_COUNT)
    command[layout.SENSOR_ARMS] = arm_targets(t)
    if topics.JOINT_CMD not in recipe.without:
        bag.joint_command(time, command)


def _commands(bag: RobotBag, recipe: Recipe, t: float, time: int) -> None:
    effector = get_end_effector(recipe.end_effector)
    if topics.ARM_TRAJ not in recipe.without:
        bag.arm_traj(time, arm_targets(t))
    if effector.state_topic not in recipe.without:
        bag.hand_state(effector, time, effector.state(closures(t)))
    sparse = recipe.sparse_hands and abs(t - 0.5) > 1e-6
    if effector.command_topic not in recipe.without and not sparse:
        bag.hand_command(effector, time, closure_targets(t))
    if recipe.executor:
        # that the topic is there is what counts
        bag.arm_traj(time, arm_targets(t), names.STATE)
    if recipe.walking:
        base = base_target(t)
        if topics.ODOM not in recipe.without:
            bag.odometry(time, base_target(t - 0.2)[:3], (0.0, 0.0, 0.0))
        if topics.CMD_POSE_WORLD_SYNCED not in recipe.without:
            bag.arm_traj(time, arm_targets(t), topics.ARM_TRAJ_SYNCED)
            sent = base if recipe.move_flag else base._replace(move=0.0)
            bag.base_command(topics.CMD_POSE_WORLD_SYNCED, time, sent)
        elif topics.CMD_POSE_WORLD not in recipe.without and abs(t - 1) < 1e-6:
            bag.base_command(topics.CMD_POSE_WORLD, time, layout.Base(1.0, 0.0, 0.1))


def _images(bag: RobotBag, recipe: Recipe, t: float, time: int) -> None:
    for number, (camera, topic) in enumerate(topics.CAMERA_TOPICS.items()):
        if topic in recipe.without:
            continue
        name, start, stop = recipe.camera_gap or ("", 0.0, 0.0)
        if name == camera and start <= t < stop:
            continue
        shown = t
        if recipe.freeze and recipe.freeze[0] == camera:
            shown = min(t, recipe.freeze[1])
        bag.image(topic, time, jpeg(shown, number))
    if recipe.depth:
        for topic in topics.DEPTH_TOPICS.values():
            depth = np.full(SIZE, 0.5 + 0.1 * t)
            bag.image(topic, time, encode_depth(depth), "16UC1; compressedDepth png")
