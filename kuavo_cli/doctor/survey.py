"""Look at a robot for a few seconds: who publishes what, how often, how old, of which kind.

It only collects; `robot_checks` judges. The master and the nodes are asked directly and nothing is
registered anywhere, see `wire`.
"""

from __future__ import annotations

import statistics
import threading
import time
import xmlrpc.client
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kuavo_cli.doctor import wire
from kuavo_deploy.robot import topics
from kuavo_deploy.robot.messages import kuavo_msgs

TIMEOUT = 2.0
"""For every answer of the master or a node [s]."""
COMMANDS = (
    topics.ARM_TRAJ, topics.ARM_TARGET_POSES, topics.CLAW_COMMAND, topics.DEXHAND_COMMAND,
    topics.GRIPPER_COMMAND, topics.CMD_POSE_WORLD, topics.CMD_POSE, topics.CMD_VEL,
)  # fmt: skip


@dataclass
class Heard:
    """What one topic said while it was listened to.

    Attributes:
        publishers: names of the nodes that the master lists.
        described: type and MD5 sum on the wire; None when no publisher could be reached.
        problem: why not, and unknown_host: the name that could not be resolved.
        arrivals, stamps: of each message, by this computer's clock and the sender's [s].
        last: the newest message, serialized.
        ended: when listening ended [s].
    """

    publishers: list[str] = field(default_factory=list)
    described: wire.Described | None = None
    problem: str = ""
    unknown_host: str = ""
    arrivals: list[float] = field(default_factory=list)
    stamps: list[float] = field(default_factory=list)
    last: bytes | None = None
    ended: float = 0.0

    @property
    def rate(self) -> float:
        """Messages per second of the sender's time, which a simulation may stretch."""
        times = self.stamps if len(set(self.stamps)) > 1 else self.arrivals
        return (len(times) - 1) / (times[-1] - times[0]) if len(set(times)) > 1 else 0.0

    @property
    def longest_gap(self) -> float:
        """Between two messages, or the last one and the end [s]."""
        times = [*self.arrivals, self.ended]
        gaps = (after - before for before, after in zip(times, times[1:], strict=False))
        return max(gaps, default=0.0)

    @property
    def offset(self) -> float:
        """Arrival minus stamp of the quickest message: the clocks' difference, and some ms [s]."""
        return min(a - s for a, s in zip(self.arrivals, self.stamps, strict=True))

    @property
    def age(self) -> float:
        """Arrival minus stamp, median [s]."""
        return statistics.median(a - s for a, s in zip(self.arrivals, self.stamps, strict=True))


@dataclass
class Survey:
    """One look at everything.

    Attributes:
        uri: of the master. parameters: its whole tree.
        heard: by topic. commanded_by, obeyed_by: publishers and subscribers by command topic.
        services: all names. arm_mode: None when nobody says it, then `arm_mode_problem` says why.
    """

    uri: str
    parameters: dict[str, Any] = field(default_factory=dict)
    heard: dict[str, Heard] = field(default_factory=dict)
    commanded_by: dict[str, list[str]] = field(default_factory=dict)
    obeyed_by: dict[str, list[str]] = field(default_factory=dict)
    services: set[str] = field(default_factory=set)
    arm_mode: int | None = None
    arm_mode_problem: str = ""


def look(uri: str, wanted: Iterable[str], seconds: float) -> Survey:
    """Look at the robot of a master.

    Args:
        uri: of the master.
        wanted: topics to listen to.
        seconds: for so long.

    Raises:
        wire.NoAnswer: the master does not answer.
    """
    master = wire.api(uri, TIMEOUT)
    try:
        code, why, (published, subscribed, services) = master.getSystemState(wire.CALLER)
        parameters = master.getParam(wire.CALLER, "/")[2]
    except (OSError, xmlrpc.client.Error) as error:
        raise wire.NoAnswer(f"{uri} does not answer ({error})") from error
    if code != 1:
        raise wire.NoAnswer(f"{uri} refuses: {why}")
    publishers, subscribers, offered = dict(published), dict(subscribed), dict(services)
    survey = Survey(uri, parameters=parameters, services=set(offered))
    survey.commanded_by = {topic: publishers.get(topic, []) for topic in COMMANDS}
    survey.obeyed_by = {topic: subscribers.get(topic, []) for topic in COMMANDS}
    survey.heard = {topic: Heard(publishers.get(topic, [])) for topic in wanted}
    _ask_arm_mode(master, survey)
    _listen(master, survey.heard, seconds)
    return survey


def _ask_arm_mode(master: Any, survey: Survey) -> None:
    kind = kuavo_msgs("srv").changeArmCtrlMode
    code, why, address = master.lookupService(wire.CALLER, topics.GET_ARM_MODE)
    if code != 1:
        survey.arm_mode_problem = f"nobody offers {topics.GET_ARM_MODE}"
        return
    try:
        request = kind._request_class()
        answer = wire.call(address, topics.GET_ARM_MODE, kind, request, TIMEOUT)
    except wire.NoAnswer as problem:
        survey.arm_mode_problem = str(problem)
        return
    survey.arm_mode = int(answer.mode)


def _listen(master: Any, heard: dict[str, Heard], seconds: float) -> None:
    nodes = {node for one in heard.values() for node in one.publishers}
    addresses = {node: _address(master, node) for node in nodes}
    threads = [
        threading.Thread(target=_hear, args=(topic, one, addresses, seconds), daemon=True)
        for topic, one in heard.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _address(master: Any, node: str) -> str:
    code, _, uri = master.lookupNode(wire.CALLER, node)
    return str(uri) if code == 1 else ""


def _hear(topic: str, heard: Heard, addresses: dict[str, str], seconds: float) -> None:
    stream = _opened(topic, heard, addresses)
    if stream is None:
        return
    heard.described = stream.described
    stamped = not stream.described.type.startswith("std_msgs/")
    began = time.time()
    for arrival, payload in stream.messages(time.monotonic() + seconds):
        heard.arrivals.append(arrival)
        if stamped:
            heard.stamps.append(wire.stamp_of(payload))
        heard.last = payload
    heard.ended = max(time.time(), began + seconds)
    stream.close()


def _opened(topic: str, heard: Heard, addresses: dict[str, str]) -> wire.Stream | None:
    for node in heard.publishers:
        try:
            return wire.Stream(addresses[node], topic, TIMEOUT)
        except wire.NoAnswer as problem:
            heard.problem = f"{node} cannot be reached: {problem}"
            heard.unknown_host = problem.unknown_host
    return None
