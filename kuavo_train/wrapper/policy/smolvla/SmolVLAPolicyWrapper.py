"""A trained policy: raw observation in, robot units out.

    policy = SmolVLAPolicyWrapper.from_pretrained("outputs/…/task4_sorting/best")
    observation = {
        "observation.images.head_cam_h": …,   # uint8 (H, W, 3) or float (3, H, W) in 0…1, any size
        "observation.images.wrist_cam_l": …,
        "observation.images.wrist_cam_r": …,
        "observation.state": …,               # (16,) as kuavo_deploy.robot.layout
        "task": "Pick up the package …",
    }
    action = policy.select_action(observation)         # (20,): arms [rad], hands, base, move
    chunk = policy.predict_action_chunk(observation)   # (T, 20)

An action always has 20 numbers; a standing task's command is `action[:16]`, and its last four are
"stay" (see `kuavo_train.policy.action_space`). A batch of observations — every value with a
leading batch dimension, `task` a list or one text for all — gives (B, 20) and (B, T, 20).

Preprocessing, tokens and normalization happen inside, by the functions that training uses. A new
instruction drops every action that was planned for the old one. Chunks are computed by the engine
(`kuavo_train.engine`), or by lerobot's sampler with `engine="stock"`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kuavo_deploy.robot.topics import ACTION_FEATURE, STATE_FEATURE
from kuavo_train.checkpoint.manifest import Manifest
from kuavo_train.checkpoint.processors import tokenizer_of
from kuavo_train.checkpoint.reader import Checkpoint, LoadedPolicy, load, open_checkpoint
from kuavo_train.engine.guidance import Remainder
from kuavo_train.engine.samplers import FAST, INT8, make_sampler
from kuavo_train.errors import DataError
from kuavo_train.policy.action_space import STATE_DIM, UNIFIED_DIM
from kuavo_train.policy.preprocessing import (
    TASK,
    check_instruction_length,
    observation_tensors,
    seen_tensors,
    stacked,
    state_tensor,
)


class SmolVLAPolicyWrapper:
    """lerobot's SmolVLA with its pipelines and an action queue.

    Args:
        checkpoint: verified. loaded: its policy and pipelines.
        engine: fast or stock. precision: of the engine's products; default: that of the weights.
        graphs, release: of the engine, see there.

    Attributes:
        policy: the `SmolVLAPolicy` inside.
        manifest: the checkpoint's manifest: tasks, instructions, episodes, hashes.
        cameras: feature names that an observation must carry.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        loaded: LoadedPolicy,
        engine: str = FAST,
        precision: str | None = None,
        graphs: bool = False,
        release: bool = False,
    ) -> None:
        self.manifest: Manifest = checkpoint.manifest
        self.path: Path = checkpoint.path
        self.policy = loaded.policy
        self._preprocessor = loaded.preprocessor
        self._postprocessor = loaded.postprocessor
        config = loaded.policy.config
        self.cameras: tuple[str, ...] = tuple(config.image_features)
        width, height = config.resize_imgs_with_padding
        self._size = (int(width), int(height))
        self._tokenizer = tokenizer_of(loaded.preprocessor)
        weights = loaded.policy.model.vlm_with_expert.lm_expert.norm.weight.dtype
        self._sampler = make_sampler(
            engine, loaded.policy, precision or str(weights).removeprefix("torch."), graphs,
            release,
        )  # fmt: skip
        self._queue: deque[Tensor] = deque()
        self._planned_for: list[str] | None = None

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        device: str | None = None,
        dtype: str = "float32",
        check_hashes: bool = True,
        engine: str = FAST,
        graphs: bool = False,
        release: bool = False,
    ) -> SmolVLAPolicyWrapper:
        """Load a checkpoint folder; no network is used.

        Args:
            path: a folder such as `outputs/train/smolvla_sequential/task4_sorting/best`.
            device: default: the GPU where there is one, else the CPU.
            dtype: float32, bfloat16, or int8 (the engine's products on a CPU).
            check_hashes: compare every file with its SHA-256 (450 M parameters: a few seconds).
            engine: fast, or stock: lerobot's sampler, to compare.
            graphs: on a CPU, record a graph of each new shape: for hundreds of chunks to come.
            release: let only the engine have the weights; `policy` is without them then.

        Raises:
            CheckpointError: missing, incomplete, damaged, or another robot's.
        """
        checkpoint = open_checkpoint(path, check_hashes)
        loaded = load(checkpoint, device, "float32" if dtype == INT8 else dtype)
        return cls(checkpoint, loaded, engine, dtype, graphs, release)

    @property
    def device(self) -> torch.device:
        """Where the policy runs."""
        return next(self.policy.parameters()).device

    @property
    def instructions(self) -> dict[str, str]:
        """The instructions it was trained with, by task name."""
        return {task.name: task.instruction for task in self.manifest.lineage.tasks}

    @property
    def chunk_size(self) -> int:
        """Steps of a chunk (T), one per frame of the recordings."""
        return int(self.policy.config.chunk_size)

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """Of what one chunk's sampling starts from: (1, T, 32)."""
        return 1, self.chunk_size, int(self.policy.config.max_action_dim)

    @property
    def n_action_steps(self) -> int:
        """Steps of a chunk that `select_action` executes before it plans again."""
        return int(self.policy.config.n_action_steps)

    def reset(self) -> None:
        """Forget what was planned (a new episode)."""
        self._queue.clear()
        self._planned_for = None

    def select_action(self, observation: Mapping[str, Any], noise: Tensor | None = None) -> Tensor:
        """The next action; plans a new chunk when the last one is used up.

        Args:
            observation: see the module's docstring. When no planning is due only `task` is read.
            noise: (B, T, 32), to start sampling from instead of a random draw.

        Returns:
            Float32 on the CPU, shape (20,), or (B, 20) for a batch. Robot units.
        """
        instructions = _instructions(observation)
        if instructions != self._planned_for:
            self._queue.clear()
        if not self._queue:
            chunk = self.predict_action_chunk(observation, noise)
            self._planned_for = instructions
            steps = chunk if chunk.ndim == 2 else chunk.transpose(0, 1)
            self._queue.extend(steps[: self.n_action_steps])
        return self._queue.popleft()

    @torch.no_grad()
    def predict_action_chunk(
        self,
        observation: Mapping[str, Any],
        noise: Tensor | None = None,
        prev_chunk_left_over: Tensor | None = None,
        inference_delay: int = 0,
        execution_horizon: int | None = None,
    ) -> Tensor:
        """A whole chunk; the queue of `select_action` is left alone.

        Args:
            observation: see the module's docstring.
            noise: (B, T, 32), to start sampling from instead of a random draw.
            prev_chunk_left_over: for real-time chunking, what is still to be executed of the chunk
                before, in the policy's scale (`normalize_actions`), shape (K, 20) or (B, K, 20).
            inference_delay: steps of it that will have been executed when this chunk arrives.
            execution_horizon: steps from which on this chunk is free; default: all K are held.

        Returns:
            Float32 on the CPU, shape (T, 20), or (B, T, 20) for a batch. Robot units.
        """
        samples = self._samples(observation)
        states = torch.stack([sample[STATE_FEATURE] for sample in samples])
        batch = self._tokenized(samples)
        if noise is not None:
            noise = noise.to(self.device)
        remainder = self._remainder(
            states, prev_chunk_left_over, inference_delay, execution_horizon
        )
        actions = self.postprocess(self._sampler.chunk(batch, noise, remainder), states)
        return actions if _is_batch(observation) else actions[0]

    @torch.no_grad()
    def see(self, observation: Mapping[str, Any]) -> None:
        """The part of `predict_action_chunk` that needs no joint state, for one observation.

        Args:
            observation: images and `task`; `task` alone: the images seen last are meant.
        """
        cameras = self.cameras if any(name in observation for name in self.cameras) else ()
        sample = seen_tensors(_squeezed(observation), cameras, self._size)
        # the pipeline wants to have something to normalize
        batch = self._tokenized([{**sample, STATE_FEATURE: torch.zeros(STATE_DIM)}])
        del batch[STATE_FEATURE]
        self._sampler.see(batch)

    @torch.no_grad()
    def act(
        self,
        state: Any,
        noise: Tensor | None = None,
        prev_chunk_left_over: Tensor | None = None,
        inference_delay: int = 0,
        execution_horizon: int | None = None,
    ) -> Tensor:
        """The rest of it, for what was seen last.

        Args:
            state: robot units, shape (16,).
            noise: see there.
            prev_chunk_left_over: see there.
            inference_delay: see there.
            execution_horizon: see there.

        Returns:
            Float32 on the CPU, shape (T, 20). Robot units.
        """
        states = state_tensor(state)[None]
        tensor = self._preprocessor.normalizer._normalize_observation(
            {STATE_FEATURE: states.to(self.device)}, inverse=False
        )[STATE_FEATURE]
        remainder = self._remainder(
            states, prev_chunk_left_over, inference_delay, execution_horizon
        )
        if noise is not None:
            noise = noise.to(self.device)
        return self.postprocess(self._sampler.act(tensor, noise, remainder), states)[0]

    @property
    def settled(self) -> bool:
        """Whether later chunks will be as fast as the next one (see `Engine`)."""
        return self._sampler.settled

    def preprocess(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """Raw observation(s) → the batch that the policy reads, on its device."""
        return self._tokenized(self._samples(observation))

    def _samples(self, observation: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [
            observation_tensors(one, self.cameras, self._size) for one in _unbatched(observation)
        ]

    def _tokenized(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        for sample in samples:
            check_instruction_length(
                self._tokenizer, sample[TASK], self.policy.config.tokenizer_max_length
            )
        batch: dict[str, Any] = self._preprocessor(stacked(samples))
        batch.pop(ACTION_FEATURE, None)
        return batch

    def postprocess(self, chunk: Tensor, states: Tensor) -> Tensor:
        """The policy's actions, shape (…, T, 20), → robot units, float32 on the CPU.

        states: that they were planned at, robot units, shape (…, 16).
        """
        return self._postprocessor(chunk.to(torch.float32), states)

    def normalize_actions(self, actions: Tensor) -> Tensor:
        """Robot units, shape (…, 20), → the policy's scale.

        A policy with relative actions takes the state off when it plans, not here: the state that
        the next chunk is planned at is not known yet.
        """
        if actions.shape[-1] != UNIFIED_DIM:
            raise DataError(f"an action has {UNIFIED_DIM} numbers, got {tuple(actions.shape)}")
        normalized: Tensor = self._preprocessor.normalizer._normalize_action(
            actions.to(self.device), inverse=False
        )
        return normalized

    def _remainder(
        self, states: Tensor, actions: Tensor | None, delay: int, horizon: int | None
    ) -> Remainder | None:
        if actions is None:
            return None
        return Remainder(self._preprocessor.own_scale(actions, states), delay, horizon)


def _is_batch(observation: Mapping[str, Any]) -> bool:
    return not isinstance(observation.get(TASK), str) or _rows(observation) > 1


def _rows(observation: Mapping[str, Any]) -> int:
    """Observations, as the state says."""
    state = observation.get(STATE_FEATURE)
    return len(state) if state is not None and np.ndim(state) == 2 else 1


def _instructions(observation: Mapping[str, Any]) -> list[str]:
    task = observation.get(TASK)
    if isinstance(task, str):
        return [task]
    if isinstance(task, Sequence) and all(isinstance(text, str) for text in task):
        return list(task)
    raise DataError(f"observation['{TASK}'] must be a text (or a list of texts), got {task!r}")


def _unbatched(observation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A batch of observations → single ones."""
    if not _is_batch(observation):
        return [_squeezed(observation)]
    texts = _instructions(observation)
    if isinstance(observation.get(TASK), str):
        texts = texts * _rows(observation)
    fields = {k: v for k, v in observation.items() if k == STATE_FEATURE or "images" in k}
    short = [name for name, value in fields.items() if len(value) != len(texts)]
    if short or not texts:
        raise DataError(
            f"a batch has one instruction per observation: {len(texts)} instructions, but "
            f"{', '.join(f'{name} {np.shape(observation[name])}' for name in short)}"
        )
    return [
        {**{name: value[i] for name, value in fields.items()}, TASK: text}
        for i, text in enumerate(texts)
    ]


def _squeezed(observation: Mapping[str, Any]) -> dict[str, Any]:
    """One text may come with tensors of batch size one, as a DataLoader gives them."""
    single = dict(observation)
    state = single.get(STATE_FEATURE)
    if state is not None and np.ndim(state) == 2 and len(state) == 1:
        single[STATE_FEATURE] = state[0]
    for name, value in single.items():
        if "images" in name and np.ndim(value) == 4 and len(value) == 1:
            single[name] = value[0]
    return single
