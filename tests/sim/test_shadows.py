"""Images without shadows: the same scene, brighter where the shadows were."""

from __future__ import annotations

import numpy as np

from kuavo_sim.env import KuavoEnv


def test_shadows_only_darken() -> None:
    images = {}
    for shadows in (True, False):
        env = KuavoEnv("weighing", image_size=(120, 160), shadows=shadows)
        observation, _ = env.reset(seed=3)
        images[shadows] = observation["head_cam_h"].astype(int)
        env.close()
    change = images[False] - images[True]
    assert (change > 20).mean() > 0.01, "something casts a shadow"
    assert (change < -20).mean() < 0.005
    assert (np.abs(change) < 3).mean() > 0.5
