"""Topics as numbers over time: one pass over a bag, images only by their stamps and checksums."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.end_effectors import END_EFFECTORS, EndEffector
from kuavo_deploy.ros import names
from kuavo_train.data.bags.errors import BagRefused
from kuavo_train.data.bags.options import (
    ARM_COMMAND_TOPICS,
    AUTO,
    STAMPS_RECEIVED,
    Options,
)
from kuavo_train.data.bags.scan import Scan
from kuavo_train.data.bags.types import Decoder

CLOCK_SKEW = 1_000_000_000
"""Headers whose distance from the recorder's clock differs from the joint states' by more than
this [ns] come from another clock."""
SAME_CLOCK = 100_000_000
"""Stamps that are received within this [ns] come from the recorder's clock."""
REORDERED = 200_000_000
"""Messages late by no more than this [ns] were reordered on the way; more is a broken clock."""


@dataclass
class Track:
    """One topic over time.

    times: shape (n,), int64 [ns], not decreasing. values: shape (n, d); for an image topic
    shape (n, 1), its checksums. order: shape (n,), each message's rank on its topic in the file.
    """

    topic: str
    times: np.ndarray
    values: np.ndarray
    order: np.ndarray


@dataclass
class BagTracks:
    """What a bag holds. problems: why a topic that is there cannot be used.

    of_executor: recorded while this project's executor had the robot. It falls silent while it is
    paused, or while the base walks; what it sent last is in force until it sends something else.
    """

    tracks: dict[str, Track] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)
    of_executor: bool = False

    def require(self, topic: str, what: str) -> Track:
        """The track of `topic`, all of it finite.

        Raises:
            BagRefused: it is missing or unusable; names `what` it would have given.
        """
        if topic in self.problems:
            raise BagRefused(self.problems[topic])
        track = self.tracks.get(topic)
        if track is None:
            raise BagRefused(f"topic {topic} ({what}) is missing")
        bad = ~np.isfinite(track.values).all(axis=1)
        if bad.any():
            first = int(np.argmax(bad))
            at = (track.times[first] - track.times[0]) / 1e9
            raise BagRefused(
                f"{topic} ({what}) is not finite in {int(bad.sum())} of {len(bad)} messages, "
                f"first {at:.2f} s after its start"
            )
        return track

    def __contains__(self, topic: str) -> bool:
        return topic in self.tracks or topic in self.problems


Read = Callable[[Any], Sequence[float] | np.ndarray]


def read_tracks(path: Path, options: Options) -> BagTracks:
    """Read every topic that a conversion may need.

    Raises:
        BagRefused: not a bag, or nothing in it.
    """
    readers = _readers(options)
    decode = Decoder()
    logs: dict[str, _Log] = {}
    found = BagTracks()
    scan = Scan(path)
    for raw in scan:
        topic = raw.connection.topic
        found.of_executor |= topic == names.STATE
        read = readers.get(topic)
        if read is None or topic in found.problems:
            continue
        try:
            message = decode(raw)
            values = read(message)
        except (BagRefused, ValueError) as error:
            found.problems[topic] = f"{topic}: {error}" if topic not in str(error) else str(error)
            continue
        logs.setdefault(topic, _Log()).append(_stamp(message), raw.time, values)
    found.repairs += scan.repairs
    offset = _robot_clock(logs.get(topics.SENSORS))
    for topic, log in logs.items():
        if topic not in found.problems:
            _settle(found, topic, log, offset, options)
    return found


def _robot_clock(sensors: _Log | None) -> int:
    """How far the robot's (or a simulation's) clock is ahead of the recorder's [ns]."""
    if sensors is None or not any(sensors.stamps):
        return 0
    offset = int(np.median(np.array(sensors.stamps) - np.array(sensors.received)))
    return offset if abs(offset) > SAME_CLOCK else 0


class _Log:
    """Grows message by message; `array` keeps a number in 8 bytes."""

    def __init__(self) -> None:
        self.stamps, self.received = array("q"), array("q")
        self.values = array("d")
        self.width = 0

    def append(self, stamp: int, received: int, values: Sequence[float] | np.ndarray) -> None:
        self.width = len(values)
        self.stamps.append(stamp)
        self.received.append(received)
        self.values.extend(values)


def _settle(found: BagTracks, topic: str, log: _Log, offset: int, options: Options) -> None:
    """Choose the clock, put the messages in order, note what had to be repaired."""
    stamps = np.array(log.stamps, dtype=np.int64)
    received = np.array(log.received, dtype=np.int64)
    times = _clock(found, topic, stamps, received, offset, options)
    values = np.array(log.values, dtype=np.float64).reshape(len(times), log.width)
    back = np.diff(times).min(initial=0)
    if back < -REORDERED:
        at = int(np.argmin(np.diff(times)))
        found.problems[topic] = (
            f"time runs backwards on {topic}: by {-back / 1e9:.3f} s after message {at}"
        )
        return
    order = np.argsort(times, kind="stable")
    if back < 0:
        late = int((np.diff(times) < 0).sum())
        found.repairs.append(f"{topic}: {late} messages out of order, sorted")
    found.tracks[topic] = Track(topic, times[order], values[order], order)


def _clock(
    found: BagTracks,
    topic: str,
    stamps: np.ndarray,
    received: np.ndarray,
    offset: int,
    options: Options,
) -> np.ndarray:
    """The times of a topic's messages [ns], on the robot's clock unless all are as received."""
    if options.stamps == STAMPS_RECEIVED:
        return received
    received = received + offset
    if not stamps.any():
        return received
    skew = abs(int(np.median(stamps - received)))
    if options.stamps == AUTO and skew > CLOCK_SKEW:
        found.repairs.append(
            f"{topic}: its stamps are {skew / 1e9:.1f} s off the joint states', "
            "the times of receipt are used"
        )
        return received
    return np.where(stamps == 0, received, stamps)


def _stamp(message: Any) -> int:
    header = getattr(message, "header", None)
    return 0 if header is None else header.stamp.sec * 1_000_000_000 + header.stamp.nanosec


def _readers(options: Options) -> dict[str, Read]:
    readers: dict[str, Read] = {
        topics.SENSORS: lambda m: layout.arms_from_sensor_joints(m.joint_data.joint_q),
        topics.CMD_POSE_WORLD_SYNCED: _twist,
        topics.CMD_POSE_WORLD: _twist,
        topics.ODOM: _odometry,
    }
    for topic in ARM_COMMAND_TOPICS:
        if options.arm_command in (AUTO, topic):
            readers[topic] = _joint_cmd if topic == topics.JOINT_CMD else _arm_traj
    for effector in END_EFFECTORS.values():
        if options.end_effector == AUTO or options.effector(options.end_effector).name == (
            effector.name
        ):
            readers.update(_hand_readers(options.effector(effector.name)))
    for topic in topics.CAMERA_TOPICS.values():
        readers[topic] = _checksum
    if options.depth:
        readers.update(dict.fromkeys(topics.DEPTH_TOPICS.values(), _checksum))
    return readers


def _hand_readers(effector: EndEffector) -> dict[str, Read]:
    return {
        effector.state_topic: lambda m: _closure(effector.closure_from_state, m),
        effector.command_topic: lambda m: _closure(effector.closure_from_command, m),
    }


def _closure(convert: Callable[[np.ndarray], np.ndarray], message: Any) -> np.ndarray:
    if hasattr(message, "data"):
        position = message.data.position
    elif hasattr(message, "left_hand_position"):
        position = np.concatenate([message.left_hand_position, message.right_hand_position])
    else:
        position = message.position
    return convert(np.asarray(position, dtype=np.float64))


def _joint_cmd(message: Any) -> np.ndarray:
    joints = np.asarray(message.joint_q)
    if joints.shape != (layout.SENSOR_JOINT_COUNT,):
        raise ValueError(
            f"{topics.JOINT_CMD} carries {joints.size} joints, expected "
            f"{layout.SENSOR_JOINT_COUNT}: another robot version?"
        )
    return joints[layout.SENSOR_ARMS]


def _arm_traj(message: Any) -> np.ndarray:
    degrees = np.asarray(message.position)
    if degrees.shape != (2 * layout.ARM_DOF,):
        raise ValueError(f"{degrees.size} arm positions, expected {2 * layout.ARM_DOF}")
    return layout.arms_from_degrees(degrees)


def _twist(message: Any) -> Sequence[float]:
    """x, y [m], yaw [rad], and the move flag that the simulator and the executor put in z."""
    return (message.linear.x, message.linear.y, message.angular.z, message.linear.z)


def _odometry(message: Any) -> Sequence[float]:
    pose = message.pose.pose
    q = pose.orientation
    yaw = np.arctan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y * q.y + q.z * q.z))
    return (pose.position.x, pose.position.y, float(yaw))


def _checksum(message: Any) -> Sequence[float]:
    return (float(zlib.crc32(message.data)),)
