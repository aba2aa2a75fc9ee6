"""One camera frame, once recorded and read for training, once heard by the robot: the same bits.

Recorded: JPEG → the converter's decoder → a LeRobot dataset on disk → its reader. Images are kept
losslessly here, because what a video codec changes is its own and not the preprocessing's.
Heard: JPEG → the ROS messages' bytes on the wire → the policy node's buffer, decoder and planner.
Both end in the policy's preprocessing: pixels, normalized state, tokens.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset

from kuavo_deploy.executor.epochs import Announcement
from kuavo_deploy.policy.continuation import Blending
from kuavo_deploy.policy.decoding import decode
from kuavo_deploy.policy.observations import ObservationBuffer, ObservationSettings
from kuavo_deploy.policy.planner import Planner, PlannerSettings
from kuavo_deploy.robot import layout, topics
from kuavo_deploy.robot.end_effectors import get_end_effector
from kuavo_train.data.bags.images import decode_color
from kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper import SmolVLAPolicyWrapper

from .tiny_policy import write_tiny_checkpoint
from .world import MIDDLE

pytestmark = pytest.mark.ros
NOW = 1000.0
INSTRUCTION = "weigh it"
CLOSURES = np.array([0.25, 0.75])


@pytest.fixture(scope="module")
def jpegs() -> dict[str, bytes]:
    rng = np.random.default_rng(1)
    frames = {c: rng.integers(0, 255, (480, 640, 3), np.uint8) for c in topics.CAMERAS}
    blurred = {c: cv2.GaussianBlur(frame, (9, 9), 0) for c, frame in frames.items()}
    return {c: cv2.imencode(".jpg", frame)[1].tobytes() for c, frame in blurred.items()}


def recorded(jpegs: dict[str, bytes], folder: Path) -> dict[str, Any]:
    """The frame out of a dataset on disk."""
    image = {"dtype": "image", "shape": (480, 640, 3), "names": ["height", "width", "channels"]}
    vectors = {topics.STATE_FEATURE: 16, topics.ACTION_FEATURE: 16}
    dataset = LeRobotDataset.create(
        "test/bits", fps=10, root=folder, use_videos=False,
        features={
            **dict.fromkeys(topics.IMAGE_FEATURES.values(), image),
            **{n: {"dtype": "float32", "shape": (d,), "names": None} for n, d in vectors.items()},
        },
    )  # fmt: skip
    pixels = {
        topics.IMAGE_FEATURES[c]: decode_color(np.frombuffer(jpeg, np.uint8), c)
        for c, jpeg in jpegs.items()
    }
    state = layout.join(MIDDLE, CLOSURES).astype(np.float32)
    dataset.add_frame({
        **pixels, topics.STATE_FEATURE: state, topics.ACTION_FEATURE: state, "task": INSTRUCTION,
    })  # fmt: skip
    dataset.save_episode()
    dataset.finalize()
    item = LeRobotDataset("test/bits", root=folder)[0]
    names = [*topics.IMAGE_FEATURES.values(), topics.STATE_FEATURE, "task"]
    return {name: item[name] for name in names}


def over_the_wire(message: Any) -> Any:
    """A message as its subscriber gets it."""
    buffer = io.BytesIO()
    message.serialize(buffer)
    return type(message)().deserialize(buffer.getvalue())


class Listener:
    """A policy that keeps what it is asked to look at."""

    cameras = topics.CAMERAS
    instructions: dict[str, str] | None = None

    def plan(self, observation: Mapping[str, Any], sampling: Mapping[str, Any]) -> np.ndarray:
        self.seen = dict(observation)
        return np.zeros((20, 20))

    def to_own_scale(self, actions: np.ndarray) -> Any:
        return actions


def heard(jpegs: dict[str, bytes]) -> dict[str, Any]:
    """The frame as the policy node's logic hands it to the policy."""
    from sensor_msgs.msg import CompressedImage

    from kuavo_deploy.robot.messages import kuavo_msgs
    from kuavo_deploy.ros import convert

    effector = get_end_effector("lejuclaw")
    buffer = ObservationBuffer(topics.CAMERAS, ObservationSettings())
    for camera, jpeg in jpegs.items():
        image = over_the_wire(CompressedImage(format="jpeg", data=jpeg))
        buffer.on_image(camera, bytes(image.data), NOW, NOW)
    sensors = kuavo_msgs().sensorsData()
    joints = np.zeros(28)
    joints[layout.SENSOR_ARMS] = MIDDLE
    sensors.joint_data.joint_q = joints.tolist()
    buffer.on_joints(over_the_wire(sensors).joint_data.joint_q, NOW, NOW)
    claws = kuavo_msgs().lejuClawState()
    claws.data.position = effector.command(CLOSURES).tolist()
    buffer.on_hands(convert.hand_closures(effector, over_the_wire(claws)), NOW, NOW)
    policy = Listener()
    planner = Planner(
        policy, Blending(), lambda: buffer.snapshot(NOW), decode,
        lambda: Announcement("s:1", "weighing", INSTRUCTION), lambda: NOW, PlannerSettings(),
    )  # fmt: skip
    assert planner.step().chunk is not None, planner.health()
    return policy.seen


def test_a_recorded_frame_and_the_same_frame_from_its_topics_are_the_same_bits(
    jpegs: dict[str, bytes], tmp_path: Path
) -> None:
    checkpoint = write_tiny_checkpoint(tmp_path / "best", MIDDLE)
    policy = SmolVLAPolicyWrapper.from_pretrained(checkpoint, "cpu")
    from_disk = policy.preprocess(recorded(jpegs, tmp_path / "dataset"))
    from_topics = policy.preprocess(heard(jpegs))
    tensors = {name for name, value in from_disk.items() if isinstance(value, torch.Tensor)}
    assert tensors == {n for n, v in from_topics.items() if isinstance(v, torch.Tensor)}
    assert {*topics.IMAGE_FEATURES.values(), topics.STATE_FEATURE} <= tensors
    assert any("token" in name for name in tensors)
    for name in tensors:
        assert torch.equal(from_disk[name], from_topics[name]), name
