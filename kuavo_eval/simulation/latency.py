"""How long a policy takes on this machine, from a look at the cameras to a plan."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np

from kuavo_cli.errors import UserError
from kuavo_deploy.policy.decoding import decode
from kuavo_deploy.robot import layout, topics
from kuavo_eval.simulation.candidates import Candidate, trained_policy
from kuavo_eval.simulation.robot_driver import JPEG_QUALITY
from kuavo_eval.simulation.settings import SimulationSettings
from kuavo_sim.ros.cameras import encode_jpeg

LOOKS = 6
STEP = 0.1
"""Between a chunk's actions [s]."""


def measured_latency(
    candidate: Candidate,
    settings: SimulationSettings,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """What is given; else the median of decoding and inference, the first one left out [s].

    A stand-in thinks in no time.

    Raises:
        UserError: inference takes longer than a chunk lasts, on this machine.
    """
    if settings.latency is not None:
        return settings.latency
    if candidate.checkpoint is None:
        return 0.0
    policy = trained_policy(
        candidate.checkpoint, settings.device, settings.dtype, os.cpu_count() or 1, settings.noise
    )
    jpeg = encode_jpeg(np.full((*settings.image_size, 3), 127, np.uint8), JPEG_QUALITY)
    state = np.zeros(layout.STATE_DIM, np.float32)
    times, chunk = [], np.empty((0, layout.WALKING_ACTION_DIM))
    for _ in range(LOOKS):
        began = clock()
        images = {topics.IMAGE_FEATURES[c]: decode(jpeg, c) for c in policy.cameras}
        observation = {**images, topics.STATE_FEATURE: state}
        chunk = policy.plan({**observation, "task": candidate.instruction("weighing")}, {})
        times.append(clock() - began)
    latency = float(np.median(times[1:]))
    if latency >= len(chunk) * STEP:
        raise UserError(
            f"inference takes {latency:.1f} s here and a chunk lasts {len(chunk) * STEP:.1f} s: "
            "state the latency of the machine that shall drive the robot (--latency 0.1)"
        )
    return round(latency, 4)
