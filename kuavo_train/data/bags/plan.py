"""From a bag's topics to the numbers of an episode: states, actions, and which image is whose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors import END_EFFECTORS, EndEffector
from kuavo_deploy.robot.layout import ARM_INDICES, HAND_INDICES, WALKING_ACTION_DIM, Base, join
from kuavo_train.data.bags import health
from kuavo_train.data.bags.align import Alignment, Need, align, nearest
from kuavo_train.data.bags.base import base_actions
from kuavo_train.data.bags.errors import BagRefused
from kuavo_train.data.bags.options import ARM_COMMAND_TOPICS, AUTO, Options
from kuavo_train.data.bags.tracks import BagTracks, Track
from kuavo_train.data.features import FPS
from kuavo_train.tasks import Task

_ARMS = list(ARM_INDICES)
_HANDS = list(HAND_INDICES)


@dataclass(frozen=True)
class EpisodePlan:
    """An episode but for its pixels.

    states: shape (n, 16). actions: shape (n, 16) or (n, 20). images: by topic, shape (n,): the
    rank in the file of each frame's image among its topic's. start: first frame's stamp [ns].
    facts: where everything came from, for the episode's metadata. notes: for the report.
    """

    states: np.ndarray
    actions: np.ndarray
    images: dict[str, np.ndarray]
    start: int
    facts: dict[str, str | int | float]
    notes: list[str]


def plan_episode(found: BagTracks, task: Task, options: Options) -> EpisodePlan:
    """Choose topics, align them, check them.

    Raises:
        BagRefused: with the reason for the report.
    """
    effector = _end_effector(found, options)
    sensors = found.require(topics.SENSORS, "joint positions")
    health.check_arms(sensors.values, topics.SENSORS)
    arm_command = _arm_command(found, options)
    health.check_arms(arm_command.values, arm_command.topic)
    needs = {
        "state": Need("the joint state", sensors, options.offset_of(sensors.topic)),
        "hands": _state_need(found, effector, options),
        "arm_action": _command_need("the arm command", arm_command, options, found.of_executor),
        "hand_action": _hand_command(found, effector, options),
    }
    walking = task.action_dim == WALKING_ACTION_DIM
    if walking:
        needs["base_action"] = _base_command(found, options)
    cameras = _cameras(found, options)
    head = cameras.pop(topics.CAMERA_TOPICS["head_cam_h"])
    for topic, track in cameras.items():
        needs[topic] = Need(f"camera {topic}", track, options.offset_of(topic))
    aligned = align(head, list(needs.values()), FPS, options.offset_of(head.topic))
    rows = dict(zip(needs, aligned.rows, strict=True))

    states = _vectors(needs["state"], needs["hands"], rows["state"], rows["hands"])
    actions = _vectors(
        needs["arm_action"], needs["hand_action"], rows["arm_action"], rows["hand_action"]
    )
    facts: dict[str, str | int | float] = {
        "end_effector": effector.name,
        "arm_command": arm_command.topic,
        "start_ns": int(aligned.times[0]),
    }
    if walking:
        base = needs["base_action"].track
        odometry = _odometry(found, aligned, options)
        extra = base_actions(base, rows["base_action"], odometry, options)
        actions = np.array(
            [join(a[_ARMS], a[_HANDS], Base(*b)) for a, b in zip(actions, extra, strict=True)]
        )
        facts["base_command"] = base.topic
    images = {head.topic: head.order[aligned.head]}
    for topic, track in cameras.items():
        images[topic] = track.order[rows[topic]]
    _refuse_frozen({head.topic: head, **cameras}, {head.topic: aligned.head, **rows}, states)
    return EpisodePlan(states, actions, images, int(aligned.times[0]), facts, aligned.notes)


def _vectors(arms: Need, hands: Need, arm_rows: np.ndarray, hand_rows: np.ndarray) -> np.ndarray:
    """State or action vectors, shape (n, 16)."""
    return np.array(
        [
            join(a, h)
            for a, h in zip(arms.track.values[arm_rows], hands.track.values[hand_rows], strict=True)
        ]
    )


def _end_effector(found: BagTracks, options: Options) -> EndEffector:
    if options.end_effector != AUTO:
        return options.effector(options.end_effector)
    present = [name for name, e in END_EFFECTORS.items() if e.state_topic in found]
    if not present:
        expected = ", ".join(f"{e.state_topic} ({n})" for n, e in END_EFFECTORS.items())
        raise BagRefused(f"no topic with the hands' state: expected one of {expected}")
    if len(present) > 1:
        raise BagRefused(
            f"the states of several end effectors are in it ({', '.join(present)}): "
            "say which with --end-effector"
        )
    return options.effector(present[0])


def _arm_command(found: BagTracks, options: Options) -> Track:
    if options.arm_command != AUTO:
        return found.require(options.arm_command, "the arms' action")
    for topic in ARM_COMMAND_TOPICS:
        if topic in found:
            return found.require(topic, "the arms' action")
    raise BagRefused(
        f"no topic with the arms' action: expected one of {', '.join(ARM_COMMAND_TOPICS)}"
    )


def _state_need(found: BagTracks, effector: EndEffector, options: Options) -> Need:
    track = found.require(effector.state_topic, "the hands' state")
    return Need("the hands' state", track, options.offset_of(track.topic))


def _command_need(what: str, track: Track, options: Options, held: bool = False) -> Need:
    return Need(
        what, track, options.offset_of(track.topic), lead=options.lead, held=held, trims=True
    )


def _hand_command(found: BagTracks, effector: EndEffector, options: Options) -> Need:
    track = found.require(effector.command_topic, "the hands' action")
    held = options.hold_hand_commands or found.of_executor
    return _command_need("the hand command", track, options, held)


def _base_command(found: BagTracks, options: Options) -> Need:
    if topics.CMD_POSE_WORLD_SYNCED in found:
        track = found.require(topics.CMD_POSE_WORLD_SYNCED, "the base's action")
        return _command_need("the base command", track, options, found.of_executor)
    if topics.CMD_POSE_WORLD in found:
        track = found.require(topics.CMD_POSE_WORLD, "the base's action")
        return _command_need("the base command", track, options, held=True)
    raise BagRefused(
        f"the task walks, and neither {topics.CMD_POSE_WORLD_SYNCED} nor "
        f"{topics.CMD_POSE_WORLD} is in the bag"
    )


def _odometry(
    found: BagTracks, aligned: Alignment, options: Options
) -> tuple[Track, np.ndarray] | None:
    if topics.ODOM not in found:
        return None
    track = found.require(topics.ODOM, "the base's pose")
    return track, nearest(track.times, aligned.times + round(options.lead * 1e9))


def _cameras(found: BagTracks, options: Options) -> dict[str, Track]:
    wanted = list(topics.CAMERA_TOPICS.values())
    if options.depth:
        wanted += topics.DEPTH_TOPICS.values()
    return {topic: found.require(topic, "camera images") for topic in wanted}


def _refuse_frozen(
    cameras: dict[str, Track], rows: dict[str, np.ndarray], states: np.ndarray
) -> None:
    for name, topic in topics.CAMERA_TOPICS.items():
        changed = np.diff(cameras[topic].values[rows[topic], 0]) != 0
        frozen = health.frozen_run(name, changed, states)
        if frozen is not None:
            start, length = frozen
            raise BagRefused(
                f"camera {name} is frozen: the same image in {length} frames from frame {start} "
                "on while the arm that it watches moves"
            )
