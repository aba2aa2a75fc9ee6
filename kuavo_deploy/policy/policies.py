"""The seam between the runtime and a policy: four members, and the trained SmolVLA behind them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np


class ChunkPolicy(Protocol):
    """What the planner needs of a policy."""

    cameras: tuple[str, ...]
    """Names as in `topics.CAMERAS`."""
    instructions: dict[str, str] | None
    """What it was trained with, by task name; None: anything."""

    def plan(self, observation: Mapping[str, Any], sampling: Mapping[str, Any]) -> np.ndarray:
        """An action chunk, shape (T, 20), from features with decoded RGB images (H, W, 3)."""

    def to_own_scale(self, actions: np.ndarray) -> Any:
        """Actions, shape (K, 20), in the scale that its sampler works in."""


@runtime_checkable
class SeesFirst(Protocol):
    """What a `ChunkPolicy` may be able to do besides: `plan` in two halves."""

    def see(self, images: Mapping[str, Any]) -> None:
        """Decoded images and `task`, or `task` alone: the images seen last are meant."""

    def act(self, state: np.ndarray, sampling: Mapping[str, Any]) -> np.ndarray:
        """The chunk of what was seen last, from a joint state, shape (16,)."""


class TrainedPolicy:
    """A checkpoint folder, loaded and verified.

    Args:
        checkpoint: e.g. `outputs/train/smolvla_sequential/task4_sorting/best`.
        device: `auto` (the GPU where there is one), `cpu`, `cuda`, `cuda:1`, …
        dtype: float32, bfloat16 or int8.
        engine: fast, or stock (lerobot's own sampler, to compare).
        threads: of its arithmetic in this process; 0: all cores but one; None: as it is.
        graphs: record graphs on a CPU too: for a robot, see `warm_up`.
        noise: share of the random draw that a chunk starts from: 1 as in training, which gives one
            of the motions that demonstrations suggest, their doubts included; 0 the middle of them.

    Attributes:
        device: where it runs.
    """

    def __init__(
        self,
        checkpoint: Path,
        device: str = "auto",
        dtype: str = "float32",
        engine: str = "fast",
        threads: int | None = None,
        graphs: bool = False,
        noise: float = 1.0,
    ) -> None:
        # torch and lerobot take seconds to import: only whoever loads a policy pays for them
        import torch

        from kuavo_deploy.robot.topics import IMAGE_FEATURES
        from kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper import SmolVLAPolicyWrapper

        if threads is not None:
            torch.set_num_threads(threads or max((os.cpu_count() or 1) - 1, 1))
        chosen = None if device == "auto" else device
        self._wrapper = SmolVLAPolicyWrapper.from_pretrained(
            checkpoint, chosen, dtype, engine=engine, graphs=graphs, release=True
        )
        names = {feature: camera for camera, feature in IMAGE_FEATURES.items()}
        self.cameras = tuple(names[feature] for feature in self._wrapper.cameras)
        self.instructions: dict[str, str] | None = self._wrapper.instructions
        self.device = str(self._wrapper.device)
        self.chunk_size = self._wrapper.chunk_size
        self._noise = noise

    def plan(self, observation: Mapping[str, Any], sampling: Mapping[str, Any]) -> np.ndarray:
        """See `ChunkPolicy`."""
        chunk = self._wrapper.predict_action_chunk(observation, **self._start(), **sampling)
        actions: np.ndarray = chunk.double().numpy()
        return actions

    def see(self, images: Mapping[str, Any]) -> None:
        """See `SeesFirst`."""
        self._wrapper.see(images)

    def act(self, state: np.ndarray, sampling: Mapping[str, Any]) -> np.ndarray:
        """See `SeesFirst`."""
        actions: np.ndarray = self._wrapper.act(state, **self._start(), **sampling).double().numpy()
        return actions

    def _start(self) -> dict[str, Any]:
        """What sampling begins with, where it is not the engine's own draw."""
        if self._noise == 1.0:
            return {}
        import torch

        return {"noise": self._noise * torch.randn(self._wrapper.noise_shape)}

    def warm_up(self) -> None:
        """Plan once for every instruction that it knows, so that no chunk on the robot is a first.

        A first chunk records its graphs and takes some ten times as long.
        """
        from kuavo_deploy.robot.layout import STATE_DIM
        from kuavo_deploy.robot.topics import IMAGE_FEATURES

        black = np.zeros((480, 640, 3), np.uint8)
        images = {IMAGE_FEATURES[camera]: black for camera in self.cameras}
        state = np.zeros(STATE_DIM, np.float32)
        for text in (self.instructions or {}).values():
            while True:
                self.see({**images, "task": text})
                self.act(state, {})
                if self._wrapper.settled:
                    break

    def to_own_scale(self, actions: np.ndarray) -> Any:
        """See `ChunkPolicy`: a tensor, shape (1, K, 20), on the policy's device."""
        import torch

        tensor = torch.as_tensor(actions, dtype=torch.float32)
        return self._wrapper.normalize_actions(tensor)[None]
