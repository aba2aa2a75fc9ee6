"""Whose clock counts: the stamps in the headers, unless they come from somewhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag1 import Reader, Writer

from kuavo_deploy.robot import topics
from kuavo_train.data.bags.options import Options
from kuavo_train.data.bags.tracks import BagTracks, read_tracks
from tests.data import synthetic
from tests.data.synthetic import Recipe

SECOND = 1_000_000_000
HEADS = topics.CAMERA_TOPICS["head_cam_h"]


def received_otherwise(folder: Path, shift: dict[str, int]) -> Path:
    """A walking bag whose messages were received `shift` [ns] later than their stamps say."""
    bag = synthetic.write(folder / "a.bag", Recipe(walking=True))
    events = []
    with Reader(bag) as reader:
        for connection, time, data in reader.messages():
            late = shift.get(connection.topic, shift[""])
            events.append((time + late, connection, data))
    events.sort(key=lambda event: event[0])
    with Writer(folder / "b.bag") as writer:
        known = {}
        for time, connection, data in events:
            if connection.topic not in known:
                known[connection.topic] = writer.add_connection(
                    connection.topic,
                    connection.msgtype,
                    msgdef=connection.msgdef.data,
                    md5sum=connection.digest,
                )
            writer.write(known[connection.topic], time, data)
    return folder / "b.bag"


def span(found: BagTracks, topic: str) -> tuple[float, float]:
    """First and last time of a topic [s after the recording's start]."""
    times = (found.tracks[topic].times - synthetic.START) / 1e9
    return float(times[0]), float(times[-1])


def test_headers_count_not_the_delay_on_the_way(tmp_path: Path) -> None:
    found = read_tracks(received_otherwise(tmp_path, {"": 2_000_000, HEADS: 90_000_000}), Options())
    assert span(found, HEADS) == (0.0, 2.0)
    assert np.diff(found.tracks[topics.SENSORS].times).max() == 10_000_000
    assert found.repairs == []


@pytest.mark.parametrize("shift", [-400 * SECOND, 3 * SECOND])
def test_a_recorder_with_another_clock_changes_nothing(tmp_path: Path, shift: int) -> None:
    """Twists have no stamps: their times of receipt are moved to the robot's clock."""
    found = read_tracks(received_otherwise(tmp_path, {"": shift}), Options())
    for topic in (topics.SENSORS, HEADS, topics.CMD_POSE_WORLD_SYNCED):
        np.testing.assert_allclose(span(found, topic), (0.0, 2.0), atol=1e-9)
    assert found.repairs == []


def test_one_topic_with_another_clock_is_repaired_and_said(tmp_path: Path) -> None:
    """A camera computer whose stamps are an hour behind: what it sends is received in time."""
    bag = received_otherwise(tmp_path, {"": 3600 * SECOND, HEADS: 0})
    found = read_tracks(bag, Options())
    assert [r for r in found.repairs if HEADS in r and "3600.0 s off" in r]
    np.testing.assert_allclose(span(found, HEADS), (-3600.0, -3598.0))


def test_the_times_of_receipt_can_be_chosen(tmp_path: Path) -> None:
    bag = received_otherwise(tmp_path, {"": 3 * SECOND})
    found = read_tracks(bag, Options(stamps="received"))
    np.testing.assert_allclose(span(found, topics.SENSORS), (3.0, 5.0))
