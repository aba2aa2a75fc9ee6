"""A part of a chunk as a graph: CUDA's on a GPU, TorchScript's on a CPU.

Either way it is recorded once per batch shape and replayed without Python: on a GPU without
launches one by one, on a CPU without the interpreter's lock, which a robot's process has other
uses for.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from kuavo_train.engine.threads import Threads

WARM_UPS = 3
"""Runs before a capture: libraries choose their kernels and allocate in them."""


def captured(parts: Sequence[Callable[[], None]]) -> list[Callable[[], None]]:
    """CUDA graphs of functions that work on static buffers only."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            for part in parts:
                part()
    torch.cuda.current_stream().wait_stream(stream)
    graphs = []
    for part in parts:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            part()
        graphs.append(graph.replay)
    return graphs


class Traced:
    """A function that works on static buffers only, recorded during its first call.

    Args:
        part: the function. buffers: all that it reads or writes and that changes between calls;
            everything else becomes a constant of the graph. threads: for the replays.
    """

    def __init__(
        self, part: Callable[[], None], buffers: Sequence[Tensor], threads: Threads
    ) -> None:
        self._module, self._threads = _Module(part, buffers), threads
        self._graph: Callable[[], Tensor] | None = None

    def __call__(self) -> None:
        if self._graph is None:
            with warnings.catch_warnings():
                # sizes become constants, as they should; torch's successor needs a C compiler
                warnings.simplefilter("ignore", torch.jit.TracerWarning)
                warnings.simplefilter("ignore", DeprecationWarning)
                self._graph = torch.jit.trace(self._module, (), check_trace=False)
            return
        self._threads.run(self._replay)

    def _replay(self) -> None:
        assert self._graph is not None
        with torch.jit.optimized_execution(False):
            self._graph()


class _Module(torch.nn.Module):
    """What TorchScript records: buffers are its own, hence may change."""

    def __init__(self, part: Callable[[], None], buffers: Sequence[Tensor]) -> None:
        super().__init__()
        self._part = part
        for index, buffer in enumerate(buffers):
            self.register_buffer(f"buffer{index}", buffer)

    def forward(self) -> Tensor:
        """Run, and give something back, as a graph must."""
        self._part()
        return torch.zeros(())
