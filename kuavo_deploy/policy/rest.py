"""When the policy may rest: nobody executes what it plans while the executor is silent.

It still plans now and then, so that it stays warm and says early when it cannot. As soon as the
executor wants plans again, the next one is begun at once.
"""

from __future__ import annotations

from kuavo_deploy.safety.states import SILENT, State

_SILENT = {state.value for state in SILENT}


class Rest:
    """How long to wait before the next inference.

    Args:
        interval: between two inferences while resting [s].
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._state = ""

    def heard(self, state: str) -> bool:
        """The executor's state, e.g. 'run'. Are plans wanted now that were not before?"""
        before, self._state = self._state, state
        return state == State.READY.value != before or (before in _SILENT and not self.resting)

    @property
    def resting(self) -> bool:
        """Does nobody execute plans? An executor that was never heard may."""
        return self._state in _SILENT

    def wait(self, seconds: float) -> float:
        """Until the next inference [s], if it were `seconds` in motion."""
        return max(seconds, self._interval) if self.resting else seconds
