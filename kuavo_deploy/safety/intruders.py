"""The executor is the only publisher on the robot's command topics, otherwise it faults."""

from __future__ import annotations


class Intruders:
    """Who else publishes on a command topic."""

    def __init__(self) -> None:
        self._foreign: dict[str, list[str]] = {}

    def seen(self, topic: str, foreign: list[str]) -> str | None:
        """These publish on a topic now (none clears it). What is wrong with that, if anything."""
        self._foreign[topic] = foreign
        return self._reason(topic) if foreign else None

    def problems(self) -> list[str]:
        """One reason per topic with a foreign publisher."""
        return [self._reason(topic) for topic, names in self._foreign.items() if names]

    def _reason(self, topic: str) -> str:
        return "{} is also published by {}".format(topic, ", ".join(sorted(self._foreign[topic])))
