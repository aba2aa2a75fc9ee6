"""The simulated robot and the executor on a real master, and a test's hands and eyes there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rospy
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from kuavo_deploy.executor.settings import ExecutorSettings
from kuavo_deploy.robot import layout, topics
from kuavo_deploy.ros import names
from kuavo_deploy.soak.bounds import Stream

HERE = Path(__file__).resolve().parent
GAP = ExecutorSettings().gap
"""Commands further apart belong to two streams [s]."""


class Rig:
    """Starts processes, calls services, and records what the executor publishes."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment, self._folder = environment, folder
        self._started: list[subprocess.Popen[bytes]] = []
        self.states: list[str] = []
        self.acknowledged: list[str] = []
        self.commands: list[tuple[float, np.ndarray]] = []
        self._first: int | None = None
        rospy.Subscriber(names.STATE, String, lambda m: self.states.append(m.data))
        rospy.Subscriber(names.TASK, String, lambda m: self.acknowledged.append(m.data))
        rospy.Subscriber(topics.ARM_TRAJ, JointState, self._command, tcp_nodelay=True)

    def _command(self, message: JointState) -> None:
        # whole nanoseconds: seconds since 1970 in a float are too coarse to take a jerk of
        stamp = message.header.stamp.to_nsec()
        self._first = stamp if self._first is None else self._first
        arms = layout.arms_from_degrees(np.array(message.position))
        self.commands.append(((stamp - self._first) / 1e9, arms))

    def launch(self, *arguments: str) -> subprocess.Popen[bytes]:
        """`roslaunch kuavo_deploy …`."""
        return self._start(["roslaunch", "--wait", "kuavo_deploy", *arguments], arguments[0])

    def source(self, kind: str = "wave", task: str = "weighing") -> subprocess.Popen[bytes]:
        """A process that announces a task and publishes chunks."""
        return self._start([sys.executable, str(HERE / "chunk_source.py"), kind, task], "source")

    def _start(self, command: list[str], name: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.txt").open("ab") as log:
            process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._started.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Ctrl-C, and harder when that does not help."""
        for how, patience in ((signal.SIGINT, 20), (signal.SIGKILL, 20)):
            if process.poll() is None:
                os.killpg(process.pid, how)
                try:
                    process.wait(patience)
                except subprocess.TimeoutExpired:
                    continue

    def end_all(self) -> None:
        for process in reversed(self._started):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGCONT)
            self.end(process)

    def log(self) -> str:
        """The end of every process's output."""
        return "\n".join(f.read_text(errors="replace")[-1500:] for f in self._folder.glob("*.txt"))

    # the operator

    def call(self, name: str, *value: bool) -> tuple[bool, str]:
        rospy.wait_for_service(name, 30)
        answer = rospy.ServiceProxy(name, SetBool if value else Trigger)(*value)
        return answer.success, answer.message

    def run(self, limit: float = 30.0) -> None:
        """Enable, until plans are executed; whatever came before is reset."""
        self.call(names.DISABLE)
        self.call(names.RESET_FAULT)
        self.call(names.PAUSE, False)
        self.until(self._try_enable, "enabled", 30)
        self.wait_for("run", limit)

    def _try_enable(self) -> bool:
        done, why = self.call(names.ENABLE)
        self.refusal = why
        return done or "already" in why

    @property
    def state(self) -> str:
        return self.states[-1] if self.states else ""

    def wait_for(self, state: str, limit: float = 10.0) -> float:
        """Until the executor says so; how long it took [s]."""
        began = time.monotonic()
        self.until(lambda: self.state.startswith(f"{state}:"), f"state {state}", limit)
        return time.monotonic() - began

    def until(self, true: Callable[[], Any], what: str, limit: float = 10.0) -> None:
        end = time.monotonic() + limit
        while not true():
            if time.monotonic() > end:
                raise AssertionError(
                    f"not within {limit} s: {what}; states {self.states[-5:]}, "
                    f"{getattr(self, 'refusal', '')}\n{self.log()}"
                )
            time.sleep(0.02)

    # what was published

    def streams(self, since: int = 0) -> list[Stream]:
        """Arm commands since an index, one stream per uninterrupted stretch."""
        stretches: list[list[tuple[float, np.ndarray]]] = []
        last = -np.inf
        for stamp, arms in self.commands[since:]:
            if stamp - last > GAP:
                stretches.append([])
            stretches[-1].append((stamp, arms))
            last = stamp
        return [Stream(*map(np.array, zip(*stretch, strict=True))) for stretch in stretches]
