"""The protocol's operator: the terminal and the service `/kuavo_eval/say`."""

from __future__ import annotations

import queue
import sys
import threading
from typing import Any, TextIO

import rospy
from std_msgs.msg import String

from kuavo_deploy.robot.messages import kuavo_msgs

SAY = "/kuavo_eval/say"
"""kuavo_msgs/SetString: what the operator says; answers with what was told last."""
TOLD = "/kuavo_eval/told"
"""std_msgs/String, latched: what the operator is told."""
MARK = "eval: "


class Console:
    """See `kuavo_eval.hardware.robot.Operator`.

    Args:
        lines: where the operator types; None: only the service.
    """

    def __init__(self, lines: TextIO | None = sys.stdin) -> None:
        self._heard: queue.Queue[str] = queue.Queue()
        self._told = ""
        self._publisher = rospy.Publisher(TOLD, String, queue_size=20, latch=True)
        rospy.Service(SAY, kuavo_msgs("srv").SetString, self._say)
        if lines is not None:
            threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def tell(self, text: str) -> None:
        """On the terminal and on the topic."""
        self._told = text
        print(f"{MARK}{text}", flush=True)
        self._publisher.publish(text)

    def heard(self) -> list[str]:
        """Lines since the last call."""
        lines = []
        while not self._heard.empty():
            lines.append(self._heard.get())
        return lines

    def _say(self, request: Any) -> Any:
        self._heard.put(request.data)
        return kuavo_msgs("srv").SetStringResponse(success=True, message=self._told)

    def _read(self, lines: TextIO) -> None:
        for line in lines:
            if line.strip():
                self._heard.put(line)
