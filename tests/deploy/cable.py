"""A cable between two network namespaces that delays and loses packets, and can be cut.

Each end is a TAP device in its namespace; a thread carries the frames from one to the other, which
works on every kernel that has TUN/TAP (`tc netem` is a module that many lack).
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import itertools
import os
import random
import select
import shutil
import struct
import subprocess
import threading
import time
from dataclasses import dataclass

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
FRAME = 1 << 16
IDLE = 0.05
"""The carrying thread looks at `end` so often [s]."""


class NoCable(RuntimeError):
    """Namespaces or TAP devices are not to be had here; the message says why."""


@dataclass
class Line:
    """What the cable does to a frame, in both directions. delay, jitter [s]; loss 0…1."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0


class Cable:
    """Two namespaces and the cable between them. Needs root.

    Args:
        addresses: of the two ends, in one /24.
        seed: of what is lost.

    Attributes:
        line: may be changed at any time. carried, lost: frames so far.
    """

    def __init__(self, addresses: tuple[str, str], seed: int = 0) -> None:
        tag = f"kv{os.getpid() % 100000}"
        self.names = (f"{tag}a", f"{tag}b")
        self.line = Line()
        self.carried = self.lost = 0
        self._addresses, self._random = addresses, random.Random(seed)
        self._is_cut = self._ended = False
        self._ends: list[int] = []
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def plug(self) -> None:
        """Make both ends and begin to carry.

        Raises:
            NoCable: not root, no iproute2, no /dev/net/tun, no namespaces.
        """
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise NoCable("network namespaces need root and iproute2")
        try:
            for name, address in zip(self.names, self._addresses, strict=True):
                _ip("netns", "add", name)
                self._ends.append(_tap(name))
                _ip("link", "set", name, "netns", name)
                _ip("-n", name, "link", "set", "lo", "up")
                _ip("-n", name, "addr", "add", f"{address}/24", "dev", name)
                _ip("-n", name, "link", "set", name, "up")
        except (OSError, subprocess.CalledProcessError) as error:
            self.remove()
            raise NoCable(f"no namespaces or TAP devices: {error}") from error
        self._thread.start()

    def cut(self) -> None:
        """Nothing arrives any more; neither end notices by itself."""
        self._is_cut = True

    def mend(self) -> None:
        """It is whole again."""
        self._is_cut = False

    def inside(self, which: int) -> tuple[str, ...]:
        """What a command must follow to run at an end."""
        return ("ip", "netns", "exec", self.names[which])

    def remove(self) -> None:
        """Unplug; the namespaces go when their last process ends."""
        self._ended = True
        if self._thread.is_alive():
            self._thread.join()
        for end in self._ends:
            os.close(end)
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def _carry(self) -> None:
        first, second = self._ends
        towards = {first: second, second: first}
        order, waiting = itertools.count(), []  # type: ignore[var-annotated]
        while not self._ended:
            patience = max(waiting[0][0] - time.monotonic(), 0) if waiting else IDLE
            for end in select.select([first, second], [], [], min(patience, IDLE))[0]:
                frame = os.read(end, FRAME)
                if self._is_cut or self._random.random() < self.line.loss:
                    self.lost += 1
                    continue
                self.carried += 1
                jitter = self._random.uniform(-1, 1) * self.line.jitter
                due = time.monotonic() + max(self.line.delay + jitter, 0.0)
                heapq.heappush(waiting, (due, next(order), towards[end], frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, end, frame = heapq.heappop(waiting)
                if not self._is_cut:
                    with contextlib.suppress(OSError):  # its queue is full: lost, as on a wire
                        os.write(end, frame)


def _tap(name: str) -> int:
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return end


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
