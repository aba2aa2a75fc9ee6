"""Follows `/kuavo_sim/state` through one episode: when it has begun, what is new, when it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TIME_UP = "time limit"


class EpisodeWatch:
    """Fed with the decoded states after a reset; older states, of the scene before, are skipped.

    Args:
        before: the scene's time in the last state before the reset [s].
        tail: go on for this long after the end [s].

    Attributes:
        state: the newest state of this episode, empty before the first. news: stages reached since
        the last `take_news`.
    """

    def __init__(self, before: float, tail: float = 1.0) -> None:
        self._before, self._tail = before, tail
        self._ended_at: float | None = None
        self._told: set[str] = set()
        self.state: dict[str, Any] = {}

    def see(self, state: Mapping[str, Any]) -> None:
        """A state message."""
        if not self.state and state["time"] >= self._before:
            return
        self.state = dict(state)
        if self._ended_at is None and self.outcome is not None:
            self._ended_at = state["time"]

    @property
    def outcome(self) -> str | None:
        """'success', the reason of failure, or None while the episode runs."""
        if not self.state:
            return None
        if self.state["success"]:
            return "success"
        if self.state["failure"]:
            return str(self.state["failure"])
        return TIME_UP if self.state["time"] >= self.state["time_limit"] else None

    @property
    def over(self) -> bool:
        """Has the episode ended, and the tail passed?"""
        return self._ended_at is not None and self.state["time"] >= self._ended_at + self._tail

    def take_news(self) -> list[str]:
        """Stages reached since the last call, with their times."""
        stages = self.state.get("stages", {})
        new = [name for name in stages if name not in self._told]
        self._told.update(new)
        return [f"{stages[name]:5.1f} s  {name}" for name in new]

    def summary(self) -> dict[str, Any]:
        """What there is to say about the episode."""
        state = self.state
        return {
            "task": state["task"],
            "seed": state["seed"],
            "instruction": state["instruction"],
            "success": state["success"],
            "outcome": self.outcome,
            "stages": state["stages"],
            "duration_s": self._ended_at if self._ended_at is not None else state["time"],
            "refused_commands": state["refused_commands"],
        }
