"""How a new chunk continues the one that is being executed: plain, or real-time chunking.

Chunks carry absolute times, so with either one execution goes on at the right step when a chunk
arrives, and the executor blends what is left of a difference. Real-time chunking
(arXiv 2506.07339) makes the difference small: the steps that will have been executed when the
chunk arrives are given to the sampler, which completes them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from kuavo_deploy.policy.policies import ChunkPolicy


@dataclass(frozen=True)
class Chunk:
    """What was planned: from an observation at `stamp` [s], for an epoch.

    actions: shape (T, 20); step i is due at stamp + (i + 1) · step.
    """

    epoch: str
    stamp: float
    step: float
    actions: np.ndarray

    @property
    def times(self) -> np.ndarray:
        """When each action is due, shape (T,) [s]."""
        return self.stamp + self.step * np.arange(1, len(self.actions) + 1)


def remaining(previous: Chunk, stamp: float) -> np.ndarray:
    """What the previous chunk says for the steps of a chunk observed at `stamp` [s].

    Returns:
        Shape (K, 20), K ≥ 0: as many of the new chunk's first steps as it covers.
    """
    times = previous.times
    due = stamp + previous.step * np.arange(1, len(times) + 1)
    due = due[due <= times[-1] + 1e-6]
    columns = [np.interp(due, times, column) for column in previous.actions.T]
    return np.array(columns).T.reshape(len(due), previous.actions.shape[1])


class Continuation(ABC):
    """One way to continue; `sampling` is asked before each inference."""

    @abstractmethod
    def sampling(
        self, policy: ChunkPolicy, previous: Chunk | None, stamp: float, latency: float
    ) -> dict[str, Any]:
        """Arguments of the policy's sampler.

        Args:
            policy: whose scale the arguments are in.
            previous: the chunk in execution, of the same epoch; None: begin freely.
            stamp: of the new observation [s].
            latency: measured, from observation to a chunk's arrival [s].
        """


class Blending(Continuation):
    """Sample freely; the executor blends."""

    def sampling(
        self, policy: ChunkPolicy, previous: Chunk | None, stamp: float, latency: float
    ) -> dict[str, Any]:
        """Nothing."""
        return {}


class RealTimeChunking(Continuation):
    """Give the sampler what will have been executed, and what it should stay near to after it.

    Args:
        horizon: steps from which on the new chunk is free.
    """

    def __init__(self, horizon: int = 10) -> None:
        if horizon < 1:
            raise ValueError(f"the execution horizon is at least 1 step, not {horizon}")
        self._horizon = horizon

    def sampling(
        self, policy: ChunkPolicy, previous: Chunk | None, stamp: float, latency: float
    ) -> dict[str, Any]:
        """The remainder in the policy's scale, the delay and the horizon in steps."""
        if previous is None:
            return {}
        rest = remaining(previous, stamp)
        if not len(rest):
            return {}
        delay = min(math.ceil(latency / previous.step), len(rest))
        return {
            "prev_chunk_left_over": policy.to_own_scale(rest),
            "inference_delay": delay,
            "execution_horizon": min(max(self._horizon, delay), len(rest)),
        }


CONTINUATIONS = {"blend": Blending, "rtc": RealTimeChunking}
