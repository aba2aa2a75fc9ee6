"""What the chunk benchmarks share: stock and engine on the same weights, alternating."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks import models
from benchmarks.form import Row, Times, alternate, compared
from benchmarks.machine import Machine
from benchmarks.work import work_of
from kuavo_train.data.bags.images import decode_color
from kuavo_train.engine.samplers import FastSampler, StockSampler
from kuavo_train.policy.preprocessing import image_tensor

STOCK = "stock lerobot 0.4.4"


class Chunks:
    """Rows about one policy.

    Args:
        size: of the architecture. machine: for the roofline. seconds: per row.
        rounds: see `alternate`. device: cpu or cuda. dtype: of the weights, stock's too.
    """

    def __init__(
        self, size: str, machine: Machine, seconds: float, rounds: tuple[int, int] = (7, 400),
        device: str = "cpu", dtype: str = "float32",
    ) -> None:  # fmt: skip
        self._name = {models.NANO: "nano", models.LARGE: "450 M"}[size]
        self._policy = models.policy(size, device)
        self._policy.model.vlm_with_expert.to(getattr(torch, dtype))
        self._batch = models.observation(self._policy, device)
        self._noise = models.noise(self._policy, device)
        self._rest = models.remainder(self._policy, device)
        self._work = work_of(self._policy, models.INSTRUCTION_TOKENS)
        self._machine, self._seconds, self._rounds = machine, seconds, rounds
        self._device = device

    def whole(self, precision: str, target: float | None = None) -> Row:
        """From preprocessed images to actions."""
        return self._compared("chunk", precision, None, target)

    def guided(self, precision: str, target: float | None = None) -> Row:
        """The same with real-time chunking."""
        return self._compared("chunk with real-time chunking", precision, self._rest, target)

    def denoising(self, precision: str, target: float | None = None) -> Row:
        """All steps: lerobot's `denoise_step`, and the engine's half after the joint state."""
        engine, stock = self._engine(precision), self._stock_denoising()
        times = self._times({"stock": stock, "ours": lambda: self._act(engine)})
        work = self._work
        limit = self._machine.limit(work.denoising, 4 * work.steps * work.expert_weights)
        what = f"{self._words('denoising', precision)} (ours with the state's token)"
        return compared(what, STOCK, times, target, limit)

    def after_state(self, precision: str, share: float = 0.5) -> Row:
        """From the joint state, vision and prefix being done, against one whole chunk."""
        engine = self._engine(precision)
        whole = FastSampler(self._policy, precision, graphs=True)
        times = self._times(
            {
                "stock": lambda: whole.chunk(self._batch, self._noise, None),
                "ours": lambda: self._act(engine),
            }
        )
        part = times["ours"].median / times["stock"].median
        row = compared(self._words("chunk from the joint state on", precision),
                       "one whole chunk of ours", times)  # fmt: skip
        return Row(
            row.what, row.against, row.unit, row.stock, row.ours, row.ratio,
            f"≤ {share:g} of it", part <= share, "", row.figures,
        )  # fmt: skip

    def from_jpegs(self, precision: str) -> Row:
        """From three cameras' JPEGs, 480×640."""
        jpegs = [_jpeg(seed) for seed in range(len(self._policy.config.image_features))]
        stock, ours = StockSampler(self._policy), FastSampler(self._policy, precision, graphs=True)

        def seen() -> dict[str, Any]:
            size = self._policy.config.resize_imgs_with_padding
            images = {
                camera: image_tensor(decode_color(jpeg, camera), size)[None].to(self._device)
                for camera, jpeg in zip(self._policy.config.image_features, jpegs, strict=True)
            }
            return {**self._batch, **images}

        times = self._times(
            {
                "stock": lambda: stock.chunk(seen(), self._noise, None),
                "ours": lambda: ours.chunk(seen(), self._noise, None),
            }
        )
        return compared(self._words("chunk from three JPEGs 480×640", precision), STOCK, times)

    def _compared(self, what: str, precision: str, rest: Any, target: float | None) -> Row:
        stock, ours = StockSampler(self._policy), FastSampler(self._policy, precision, graphs=True)
        arguments = (self._noise, rest)
        expected = stock.chunk(dict(self._batch), *arguments)
        error = float((ours.chunk(self._batch, *arguments) - expected).abs().max())
        times = self._times(
            {
                "stock": lambda: stock.chunk(dict(self._batch), *arguments),
                "ours": lambda: ours.chunk(self._batch, *arguments),
            }
        )
        self._free(self._policy)
        width = 4 if precision == "float32" else 2 if precision == "bfloat16" else 1
        limit = self._machine.limit(self._work.flop, self._work.read(width))
        return compared(
            f"{self._words(what, precision)}, error {error:.0e}", STOCK, times, target, limit,
            error=error,
        )  # fmt: skip

    def _words(self, what: str, precision: str) -> str:
        return f"{what}, {self._name}, {precision}, {self._device}"

    @staticmethod
    def _free(policy: Any) -> None:
        """Real-time chunking off again."""
        policy.config.rtc_config = policy.model.rtc_processor = None

    def _times(self, contenders: dict[str, Callable[[], object]]) -> dict[str, Times]:
        if self._device != "cpu":
            contenders = {name: _synchronized(run) for name, run in contenders.items()}
        return alternate(contenders, self._seconds, self._rounds)

    def _engine(self, precision: str) -> Any:
        sampler = FastSampler(self._policy, precision, graphs=True)
        sampler.chunk(self._batch, self._noise, None)
        return sampler.engine

    def _act(self, engine: Any) -> object:
        return engine.act(self._batch["observation.state"], self._noise)

    def _stock_denoising(self) -> Callable[[], object]:
        """The loop of lerobot over its own prefix."""
        seen: dict[str, Any] = {}
        model = self._policy.model
        original = model.denoise_step

        def remember(**arguments: Any) -> torch.Tensor:
            seen.update(arguments)
            out: torch.Tensor = original(**arguments)
            return out

        model.denoise_step = remember
        StockSampler(self._policy).chunk(dict(self._batch), self._noise, None)
        model.denoise_step = original
        steps = self._policy.config.num_steps

        def loop() -> None:
            with torch.no_grad():
                for _ in range(steps):
                    original(**seen)

        return loop


def _jpeg(seed: int) -> np.ndarray:
    """A picture as smooth as a camera's."""
    noise = np.random.default_rng(seed).integers(0, 255, (480, 640, 3), np.uint8)
    return np.asarray(cv2.imencode(".jpg", cv2.GaussianBlur(noise, (0, 0), 6))[1])


def _synchronized(run: Callable[[], object]) -> Callable[[], None]:
    def synchronized() -> None:
        run()
        torch.cuda.synchronize()

    return synchronized
