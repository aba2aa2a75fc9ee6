"""What the chunk benchmarks share: stock and engine on the same weights, alternating."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks import models
from benchmarks.form import Row, Times, alternate, compared
from benchmarks.machine import Machine
from benchmarks.work import work_of
from kuavo_deploy.robot.topics import STATE_FEATURE
from kuavo_train.data.bags.images import decode_color
from kuavo_train.engine.guidance import Remainder
from kuavo_train.engine.samplers import FastSampler, Sampler, StockSampler
from kuavo_train.policy.preprocessing import image_tensor

STOCK = "stock lerobot 0.4.4"


class Chunks:
    """One policy and all that is measured of it, in turn: stock and ours meet the same machine.

    Args:
        size: of the architecture. machine: for the roofline. precisions: of ours, with the least
            ratio that each shall reach, or None. device: cpu or cuda. dtype: of the weights,
            stock's too. guided: measure real-time chunking too. jpegs: and from three JPEGs.
    """

    def __init__(
        self, size: str, machine: Machine, precisions: Mapping[str, float | None],
        device: str = "cpu", dtype: str = "float32", guided: bool = False, jpegs: bool = False,
    ) -> None:  # fmt: skip
        self._name = {models.NANO: "nano", models.LARGE: "450 M"}[size]
        self._policy = models.policy(size, device)
        self._policy.model.vlm_with_expert.to(getattr(torch, dtype))
        self._batch = models.observation(self._policy, device)
        self._noise = models.noise(self._policy, device)
        self._rest = models.remainder(self._policy, device)
        self._work = work_of(self._policy, models.INSTRUCTION_TOKENS)
        self._machine, self._device, self._precisions = machine, device, dict(precisions)
        self._best = next(iter(precisions))
        self._stock = StockSampler(self._policy)
        self._ours = {p: FastSampler(self._policy, p, graphs=True) for p in precisions}
        self._errors: dict[str, float] = {}
        self._contenders = self._made(guided, jpegs)
        self._times: dict[str, Times] = {}

    def measure(self, seconds: float, rounds: tuple[int, int], warm_up: int = 2) -> None:
        """Let all take turns; see `alternate`."""
        expected = self._chunk(self._stock, None)
        for precision, sampler in self._ours.items():
            made = self._chunk(sampler, None)
            while not sampler.settled:
                self._chunk(sampler, None)
            self._errors[precision] = float((made - expected).abs().max())
        contenders: dict[str, Callable[[], object]] = self._contenders
        if self._device != "cpu":
            contenders = {name: _synchronized(run) for name, run in contenders.items()}
        self._times = alternate(contenders, seconds, rounds, warm_up)

    def whole(self) -> list[Row]:
        """From preprocessed images to actions, for each precision."""
        return [
            self._row("chunk", precision, "stock", precision, target, self._errors[precision])
            for precision, target in self._precisions.items()
        ]

    def guided(self, target: float) -> Row:
        """The same with real-time chunking."""
        return self._row(
            "chunk with real-time chunking", self._best, "stock guided", "guided", target
        )

    def denoising(self, target: float | None = None) -> Row:
        """All steps: lerobot's `denoise_step`, and the engine's part after the joint state."""
        work = self._work
        limit = self._machine.limit(work.denoising, 4 * work.steps * work.expert_weights)
        what = f"{self._words('denoising', self._best)} (ours with the state's token)"
        return compared(what, STOCK, self._pair("stock denoising", "act"), target, limit)

    def after_state(self, share: float = 0.5) -> Row:
        """From the joint state, vision and prefix being done, against one whole chunk."""
        times = self._pair(self._best, "act")
        part = times["ours"].median / times["stock"].median
        row = compared(
            self._words("chunk from the joint state on", self._best), "one whole chunk of ours",
            times,
        )  # fmt: skip
        return dataclasses.replace(row, target=f"≤ {share:g} of it", met=part <= share)

    def from_jpegs(self) -> Row:
        """From three cameras' JPEGs, 480×640."""
        what = "chunk from three JPEGs 480×640"
        return self._row(what, self._best, "stock from JPEGs", "from JPEGs", None)

    def _made(self, guided: bool, jpegs: bool) -> dict[str, Callable[[], object]]:
        ours, rest = self._ours[self._best], self._rest
        made: dict[str, Callable[[], object]] = {"stock": lambda: self._chunk(self._stock, None)}
        for precision, sampler in self._ours.items():
            made[precision] = functools.partial(self._chunk, sampler, None)
        made["stock denoising"] = self._stock_denoising()
        # right after it: what it acts on was seen by the same engine
        made["act"] = lambda: ours.act(self._batch[STATE_FEATURE], self._noise, None)
        if guided:
            made["stock guided"] = lambda: self._free(self._chunk(self._stock, rest))
            made["guided"] = lambda: self._chunk(ours, rest)
        if jpegs:
            made["stock from JPEGs"] = lambda: self._from_jpegs(self._stock)
            made["from JPEGs"] = lambda: self._from_jpegs(ours)
        return made

    def _chunk(self, sampler: Sampler, rest: Remainder | None) -> torch.Tensor:
        return sampler.chunk(dict(self._batch), self._noise, rest)

    def _from_jpegs(self, sampler: Sampler) -> object:
        config = self._policy.config
        images = {
            camera: image_tensor(decode_color(_jpeg(seed), camera), config.resize_imgs_with_padding)
            for seed, camera in enumerate(config.image_features)
        }
        batch = {**self._batch, **{n: i[None].to(self._device) for n, i in images.items()}}
        return sampler.chunk(batch, self._noise, None)

    def _free(self, done: object) -> object:
        """Real-time chunking off again."""
        self._policy.config.rtc_config = self._policy.model.rtc_processor = None
        return done

    def _row(
        self, what: str, precision: str, stock: str, ours: str, target: float | None,
        error: float | None = None,
    ) -> Row:  # fmt: skip
        width = {"float32": 4, "bfloat16": 2, "int8": 1}[precision]
        limit = self._machine.limit(self._work.flop, self._work.read(width))
        words, figures = self._words(what, precision), {}
        if error is not None:
            words, figures = f"{words}, error {error:.0e}", {"error": error}
        return compared(words, STOCK, self._pair(stock, ours), target, limit, **figures)

    def _pair(self, stock: str, ours: str) -> dict[str, Times]:
        return {"stock": self._times[stock], "ours": self._times[ours]}

    def _words(self, what: str, precision: str) -> str:
        return f"{what}, {self._name}, {precision}, {self._device}"

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
        self._chunk(self._stock, None)
        model.denoise_step = original
        steps = self._policy.config.num_steps

        def loop() -> None:
            with torch.no_grad():
                for _ in range(steps):
                    original(**seen)

        return loop


@functools.cache
def _jpeg(seed: int) -> np.ndarray:
    """A picture as smooth as a camera's."""
    noise = np.random.default_rng(seed).integers(0, 255, (480, 640, 3), np.uint8)
    return np.asarray(cv2.imencode(".jpg", cv2.GaussianBlur(noise, (0, 0), 6))[1])


def _synchronized(run: Callable[[], object]) -> Callable[[], None]:
    def synchronized() -> None:
        run()
        torch.cuda.synchronize()

    return synchronized
