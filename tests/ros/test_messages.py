"""The wire: types and MD5 sums are the robot's, numbers are in its units and order."""

from __future__ import annotations

import importlib

import cv2
import numpy as np
import pytest

from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_sim.ros.depth import encode_depth

# out of the vendor's SDK; a bag or a client of the robot carries the same
MD5_SUMS = {
    "sensorsData": "f9f437eb06511eb4cb60f115760b94e5",
    "jointCmd": "9ed16f87b9f90b25cdeeb417f3c21f9e",
    "lejuClawState": "1248da117aa3afe53a9556373bbf4d3d",
    "lejuClawCommand": "57c40e80f90e7a289ae0b2488552e043",
    "armTargetPoses": "97c6c0404ab3600c77900903cc956f79",
    "robotHandPosition": "ee45ac8dfb6e0c9a4c7712025fd69d4f",
    "robotHeadMotionData": "400001e7cf73111efbced59084cb481a",
}


@pytest.mark.parametrize(("name", "md5"), MD5_SUMS.items())
def test_message_classes_are_the_robots(name: str, md5: str) -> None:
    kind = getattr(kuavo_msgs(), name)
    sdk = importlib.import_module("kuavo_humanoid_sdk.msg.kuavo_msgs.msg._" + name)
    assert kind._md5sum == md5 == getattr(sdk, name)._md5sum
    assert kind._type == f"kuavo_msgs/{name}"


def test_mode_service_is_the_robots() -> None:
    service = kuavo_msgs("srv").changeArmCtrlMode
    assert service._type == "kuavo_msgs/changeArmCtrlMode"
    assert service._md5sum == "c9b154cca802a6580a2e018ad49b7c5b"


def test_depth_is_16_bit_millimetres_behind_a_short_header() -> None:
    metres = np.array([[0.5, 1.2345], [9.9, 12.0]], dtype=np.float32)
    payload = encode_depth(metres)
    at = payload.index(b"\x89PNG")
    assert at == 12
    image = cv2.imdecode(np.frombuffer(payload[at:], np.uint8), cv2.IMREAD_UNCHANGED)
    assert image.dtype == np.uint16
    assert image.tolist() == [[500, 1234], [9900, 0]]
