"""What the executor tells people: its state, its figures, its log."""

from __future__ import annotations

import threading
from typing import Any

import rospy
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import String

from kuavo_deploy.executor.executor import Executor
from kuavo_deploy.ros import names
from kuavo_deploy.ros.diagnostics import diagnostics, figures_text
from kuavo_deploy.safety.states import State


class StateTopic:
    """`names.STATE`: state and reason, at every change."""

    def __init__(self) -> None:
        self._topic = rospy.Publisher(names.STATE, String, queue_size=10, latch=True)

    def changed(self, old: State, new: State, reason: str) -> None:
        """Say and log it."""
        log = rospy.logerr if new is State.FAULT else rospy.loginfo
        log(f"{old.value} → {new.value}: {reason}")
        self.announce(new, reason)

    def announce(self, state: State, reason: str) -> None:
        """Say it."""
        self._topic.publish(f"{state.value}: {reason}")


class ExecutorReport:
    """Figures of an executor on /diagnostics, and in the log at the end.

    Args:
        executor: reported on. lock: held around each look at it. shadow: is reported too.
    """

    def __init__(self, executor: Executor, lock: threading.Lock, shadow: bool) -> None:
        self._executor, self._lock, self._shadow = executor, lock, shadow
        self._diagnostics = rospy.Publisher("/diagnostics", DiagnosticArray, queue_size=10)

    def _summary(self) -> dict[str, Any]:
        executor = self._executor
        current = executor.epochs.current
        return {
            "state": executor.supervisor.state.value,
            "instruction": current.label if current else "",
            "shadow": self._shadow,
            "base": executor.base.phase.value,
            "held [s]": round(executor.supervisor.held, 2),
            **{f"holds: {why}": n for why, n in executor.supervisor.holds.items()},
            **executor.figures.summary(),
            "samples braked for a limit": executor.stream.rescued,
        }

    def publish(self) -> None:
        """On /diagnostics."""
        with self._lock:
            health, summary = self._executor.health(), self._summary()
        self._diagnostics.publish(diagnostics("kuavo_executor", health, summary))

    def log(self) -> None:
        """Into the log."""
        with self._lock:
            rospy.loginfo(f"executor: {figures_text(self._summary())}")
