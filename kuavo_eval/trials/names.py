"""How a trial is called: by its task and its scene, in simulation, through the nodes, in a plan.

One scheme for all, so that a checkpoint's trials in one of them find their partners in another.
"""

from __future__ import annotations


def trial_name(task: str, scene: int) -> str:
    """What all checkpoints' trials of a scene share, e.g. 'weighing-1003'."""
    return f"{task}-{scene}"


def simulated_start(scene: int) -> str:
    """A simulated scene's start position: everything in it follows from the seed."""
    return f"seed {scene}"
