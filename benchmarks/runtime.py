"""The nodes on a ROS master of their own: a random task again and again, and who heard what when.

    instruction ─→ policy ─plan→ executor ─taken→ ─arm command→

All stamps are of one computer's clock.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rospy
import yaml
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from benchmarks import models
from kuavo_deploy.robot import topics
from kuavo_deploy.ros import names
from kuavo_deploy.soak.processes import Island
from kuavo_deploy.soak.witness import Witness
from kuavo_train.tasks import load_tasks
from kuavo_train.tasks.registry import configs_root

LOADING = 240.0
"""Until the robot executes the first chunk [s]."""
LATE_IMAGES = {"default_max_age": 0.8, "default_max_skew": 0.2}
"""Without a GPU the simulated cameras' images are late."""
SENSORS = 100
"""Joint states per second. The robot's 500 are too many for a simulation that shares two cores."""
SETTLING = 1.0


class Run(NamedTuple):
    """What was heard. All in s.

    switches: from an instruction's publication to the first command of its first plan.
    hand_overs: from a plan's publication, as heard here, to the first command of it.
    commands: stamps of all arm commands. figures: of the nodes, by node.
    """

    switches: np.ndarray
    hand_overs: np.ndarray
    commands: np.ndarray
    figures: dict[str, dict[str, str]]


class _Ears:
    """Remembers commands, plans and what was taken."""

    def __init__(self) -> None:
        self.commands: list[float] = []
        self.plans: dict[tuple[str, float], float] = {}
        self.taken: list[tuple[str, float, float]] = []
        rospy.Subscriber(topics.ARM_TRAJ, JointState, self._command, tcp_nodelay=True)
        rospy.Subscriber(names.TAKEN, String, self._taken, tcp_nodelay=True)
        rospy.Subscriber(names.PLAN, rospy.AnyMsg, self._plan, tcp_nodelay=True)

    def _command(self, message: JointState) -> None:
        self.commands.append(message.header.stamp.to_sec())

    def _taken(self, message: String) -> None:
        content = json.loads(message.data)
        self.taken.append((content["epoch"], content["stamp"], content["at"]))

    def _plan(self, message: rospy.AnyMsg) -> None:
        """Only the header is read: steps would cost as much again as the executor's own reading."""
        now, header = rospy.get_time(), topics_header(message._buff)
        self.plans[header] = now

    def first_command(self, at: float) -> float:
        """Since a plan was taken [s]; infinite if there was none."""
        return next((stamp for stamp in self.commands if stamp >= at), float("inf"))


def topics_header(content: bytes) -> tuple[str, float]:
    """Epoch and stamp (to 0.1 ms) of a serialized plan."""
    seconds, nanoseconds, length = np.frombuffer(content, np.uint32, 3, offset=4)
    epoch = content[16 : 16 + int(length)].decode()
    return epoch, round(int(seconds) + 1e-9 * int(nanoseconds), 4)


def recorded(seconds: float, every: tuple[float, float]) -> Run:
    """Run simulation, executor and a nano policy, and switch tasks.

    Args:
        seconds: after everything runs.
        every: least and greatest pause between switches [s]; drawn evenly.
    """
    # an end from outside ends what was started, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        checkpoint = models.checkpoint(folder / "best")
        settings = yaml.safe_load((configs_root() / "deploy" / "policy.yaml").read_text("utf-8"))
        settings["observations"] = LATE_IMAGES
        (folder / "policy.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        with Island(folder) as island:
            rospy.init_node("benchmark", anonymous=True, disable_signals=True)
            witness, ears = Witness(), _Ears()
            island.start(
                "roslaunch", "kuavo_deploy", "sim.launch", "task:=weighing", "width:=160",
                "height:=120", "shadows:=false", f"sensors_hz:={SENSORS}",
            )  # fmt: skip
            island.start(
                "roslaunch", "kuavo_deploy", "executor.launch", "auto_enable:=true",
                "move_to_start:=false",
            )  # fmt: skip
            island.start(
                "roslaunch", "kuavo_deploy", "policy.launch", "task:=weighing", "executor:=false",
                f"checkpoint:={checkpoint}", "device:=cpu", f"config:={folder / 'policy.yaml'}",
            )  # fmt: skip
            _until_running(witness, folder)
            ears.commands.clear()
            said = _switch(seconds, every)
            time.sleep(SETTLING)
            return Run(
                _switches(said, ears), _hand_overs(ears), np.array(ears.commands), witness.figures
            )


def _until_running(witness: Witness, logs: Path) -> None:
    end = time.monotonic() + LOADING
    while witness.state != "run":
        if time.monotonic() > end:
            texts = [file.read_text("utf-8")[-2000:] for file in logs.glob("*.txt")]
            raise SystemExit("\n".join([f"it does not run: {witness.states[-3:]}", *texts]))
        time.sleep(0.1)
    time.sleep(SETTLING)


def _switch(seconds: float, every: tuple[float, float]) -> list[float]:
    """Publish instructions; when each left [s]."""
    say = rospy.Publisher(names.INSTRUCTION, String, queue_size=10, tcp_nodelay=True)
    rng, said, last = np.random.default_rng(0), [], "weighing"
    tasks = [task.name for task in load_tasks().values()]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(rng.uniform(*every))
        last = str(rng.choice([name for name in tasks if name != last]))
        said.append(rospy.get_time())
        say.publish(last)
    return said


def _switches(said: list[float], ears: _Ears) -> np.ndarray:
    firsts: dict[str, float] = {}
    for epoch, _, at in ears.taken:
        firsts.setdefault(epoch, at)
    begun = sorted(firsts.values())
    delays = []
    for left, until in zip(said, [*said[1:], float("inf")], strict=True):
        at = next((at for at in begun if left < at < until), float("inf"))
        delays.append(ears.first_command(at) - left)
    return np.array(delays)


def _hand_overs(ears: _Ears) -> np.ndarray:
    heard = [
        ears.first_command(at) - ears.plans[epoch, round(stamp, 4)]
        for epoch, stamp, at in ears.taken
        if (epoch, round(stamp, 4)) in ears.plans
    ]
    return np.array(heard)
