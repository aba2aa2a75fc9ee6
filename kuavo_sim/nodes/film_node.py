#!/usr/bin/env python3
"""Films the simulated robot while a policy drives it, until the node is told to end.

Subscribes to the three cameras, /kuavo_sim/overview/compressed, /kuavo_sim/state,
/kuavo_executor/state and /kuavo_policy/epoch. Private parameters: film (the video's path, must not
exist), fps (the cameras' rate).
"""

from __future__ import annotations

import json
import queue
import sys
from pathlib import Path

import rospy
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import String

from kuavo_deploy.ros import convert, names
from kuavo_sim.ros.mosaic import Video
from kuavo_sim.ros.views import TOPICS, Views, picture

LOOK = 0.2
"""Between two looks at whether the node is to end [s]."""
TAIL = 1.0
"""Film on for so long after the robot has been stopped [s]."""
_MOVING = ("run", "hold")


class FilmNode:
    """Writes one video of everything that happens while the executor acts."""

    def __init__(self, film: Path, fps: int) -> None:
        self._fps = fps
        self._video = Video(film, fps)
        self._views = Views()
        self._scene: dict = {}
        self._state = self._instruction = ""
        self._left = 0
        for camera, topic in TOPICS.items():
            rospy.Subscriber(topic, CompressedImage, self._views.hear, camera, queue_size=20)
        rospy.Subscriber("/kuavo_sim/state", String, self._on_scene, queue_size=1)
        rospy.Subscriber(names.STATE, String, self._on_state, queue_size=10)
        rospy.Subscriber(names.EPOCH, String, self._on_epoch, queue_size=10)

    def run(self) -> None:
        """Until the node is shut down."""
        while not rospy.is_shutdown():
            try:
                _, group = self._views.next(LOOK)
            except queue.Empty:
                continue
            self._add(group)
        if self._video.frames:
            self._video.close()
        else:
            self._video.abandon()

    def _add(self, group: dict[str, bytes]) -> None:
        # the time between two trials is not filmed: frames count, not stamps
        if self._state in _MOVING:
            self._left = round(TAIL * self._fps)
        if self._left == 0 or not self._scene:
            return
        self._left -= 1
        stamp = round(self._video.frames * 1e9 / self._fps)
        self._video.add(picture(group, self._text()), stamp)

    def _text(self) -> str:
        scene = self._scene
        stage = "success" if scene["success"] else scene["failure"] or scene["stage"]
        return f"{scene['time']:5.1f} s   {stage}   {self._state}   told: {self._instruction}"

    def _on_scene(self, message: String) -> None:
        self._scene = json.loads(message.data)

    def _on_state(self, message: String) -> None:
        self._state = message.data.partition(":")[0]

    def _on_epoch(self, message: String) -> None:
        self._instruction = convert.announcement(message).instruction


def main() -> int:
    """Film, then end."""
    rospy.init_node("kuavo_film")
    try:
        FilmNode(Path(rospy.get_param("~film")), int(rospy.get_param("~fps", 10))).run()
    except OSError as error:
        rospy.logfatal(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
