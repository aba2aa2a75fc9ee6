#!/usr/bin/env python3
"""Films one episode of the running simulation, then ends: a video and summary.json.

Subscribes to the three cameras, /kuavo_sim/overview/compressed and /kuavo_sim/state; calls
/kuavo_sim/reset once images arrive, so that the film starts with the episode.
Private parameters: out (folder, must exist and hold neither file), fps (the cameras' rate).
Exit code: 0 success, 1 the task failed, 2 nothing to film.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import time
from pathlib import Path

import rospy
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import String
from std_srvs.srv import Trigger

from kuavo_sim.ros.episode_watch import EpisodeWatch
from kuavo_sim.ros.mosaic import Video
from kuavo_sim.ros.views import TOPICS, Views, picture

VIDEO, SUMMARY = "demo.mp4", "summary.json"
START_LIMIT = 90.0
SILENCE_LIMIT = 30.0
"""Without an image for this long the simulation is given up [s]."""


class DemoRecorder:
    """Films one episode into a folder."""

    def __init__(self, out: Path, fps: int) -> None:
        if (out / SUMMARY).exists():
            raise FileExistsError(f"{out / SUMMARY} exists; a demo is not overwritten")
        self._out, self._fps = out, fps
        self._views = Views()
        self._states: queue.Queue[dict] = queue.Queue()
        for camera, topic in TOPICS.items():
            rospy.Subscriber(topic, CompressedImage, self._views.hear, camera, queue_size=20)
        rospy.Subscriber("/kuavo_sim/state", String, self._state, queue_size=20)

    def film(self) -> bool:
        """Film one episode; its success.

        Raises:
            TimeoutError: no images.
        """
        self._next_group(START_LIMIT)
        watch = EpisodeWatch(before=self._last_time())
        answer = rospy.ServiceProxy("/kuavo_sim/reset", Trigger)()
        if not answer.success:
            raise RuntimeError(f"the simulation does not start over: {answer.message}")
        started, since = rospy.Time.now().to_nsec(), time.monotonic()
        video = Video(self._out / VIDEO, self._fps)
        try:
            while not watch.over:
                self._film_group(watch, video, started)
        except BaseException:
            video.abandon()
            raise
        video.close()
        self._write_summary(watch, video.frames, time.monotonic() - since)
        return bool(watch.state["success"])

    def _film_group(self, watch: EpisodeWatch, video: Video, started: int) -> None:
        stamp, group = self._next_group(SILENCE_LIMIT)
        while not self._states.empty():
            watch.see(self._states.get())
        for news in watch.take_news():
            _say(news)
        if stamp < started or not watch.state:
            return
        state = watch.state
        text = f"{state['task']}, seed {state['seed']}   {state['time']:5.1f} s   {state['stage']}"
        video.add(picture(group, text), stamp)

    def _write_summary(self, watch: EpisodeWatch, frames: int, wall: float) -> None:
        summary = watch.summary()
        summary.update(video=VIDEO, video_frames=frames, video_fps=self._fps)
        summary["real_time_factor"] = round(watch.state["time"] / wall, 3)
        partial = self._out / (SUMMARY + ".part")
        partial.write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n", "utf-8")
        os.replace(partial, self._out / SUMMARY)
        _say(f"{watch.state['time']:5.1f} s  {summary['outcome']}")

    def _next_group(self, limit: float) -> tuple[int, dict[str, bytes]]:
        try:
            return self._views.next(limit)
        except queue.Empty:
            raise TimeoutError(f"no images from the simulation for {limit:g} s") from None

    def _last_time(self) -> float:
        last = self._states.get(timeout=SILENCE_LIMIT)
        while not self._states.empty():
            last = self._states.get()
        return float(last["time"])

    def _state(self, message: String) -> None:
        self._states.put(json.loads(message.data))


def _say(line: str) -> None:
    print(f"demo: {line}", flush=True)


def main() -> int:
    """Film, then end."""
    rospy.init_node("demo_recorder")
    try:
        recorder = DemoRecorder(Path(rospy.get_param("~out")), rospy.get_param("~fps", 10))
        return 0 if recorder.film() else 1
    except (OSError, RuntimeError, queue.Empty) as error:
        _say(f"failed: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
