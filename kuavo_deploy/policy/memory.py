"""The GPU's memory runs full: the chunk is lost, the cache is freed, the next one is tried.

Somebody else's process, or a fragmented cache. The planner makes the robot hold and tries again,
ever more patiently; nothing needs a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np

from kuavo_deploy.policy.policies import ChunkPolicy, SeesFirst

Result = TypeVar("Result")


class _Whole(ChunkPolicy, SeesFirst, Protocol):
    """All of it."""


class OutOfMemory(RuntimeError):
    """There was not enough memory for a chunk; what was cached is free again."""


class FreesMemory:
    """A policy that frees its device's cache when the memory runs out.

    See `ChunkPolicy` and `SeesFirst`.

    Args:
        policy: does the work. exhausted: the exceptions that mean it, e.g.
            `torch.cuda.OutOfMemoryError`. free: empties the cache.

    Attributes:
        times: it has run out.
    """

    def __init__(
        self,
        policy: _Whole,
        exhausted: type[Exception] | tuple[type[Exception], ...],
        free: Callable[[], None],
    ) -> None:
        self._policy, self._exhausted, self._free = policy, exhausted, free
        self.cameras, self.instructions = policy.cameras, policy.instructions
        self.times = 0

    def plan(self, observation: Mapping[str, Any], sampling: Mapping[str, Any]) -> np.ndarray:
        """See `ChunkPolicy`.

        Raises:
            OutOfMemory: the cache is free again.
        """
        return self._guarded(lambda: self._policy.plan(observation, sampling))

    def see(self, images: Mapping[str, Any]) -> None:
        """See `SeesFirst`; raises as `plan` does."""
        self._guarded(lambda: self._policy.see(images))

    def act(self, state: np.ndarray, sampling: Mapping[str, Any]) -> np.ndarray:
        """See `SeesFirst`; raises as `plan` does."""
        return self._guarded(lambda: self._policy.act(state, sampling))

    def _guarded(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except self._exhausted as error:
            self.times += 1
            why = str(error).split(". ")[0]
        # out of the handler: the exception holds the frames, and they the tensors
        self._free()
        raise OutOfMemory(f"the GPU's memory is full, its cache was freed: {why}")

    def to_own_scale(self, actions: np.ndarray) -> Any:
        """See `ChunkPolicy`."""
        return self._policy.to_own_scale(actions)


def with_freed_memory(policy: _Whole) -> FreesMemory:
    """A policy on torch."""
    import torch

    return FreesMemory(policy, torch.cuda.OutOfMemoryError, torch.cuda.empty_cache)
