"""Writes the small recordings that the repository carries, for tests and first steps.

    python -m kuavo_sim.recording.samples samples/

One whole episode per task as a dataset, and the first seconds of it as a bag; small images and
the lowest rates keep all of it at a few megabytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from kuavo_cli.errors import UserError
from kuavo_sim.recording.record import record
from kuavo_sim.recording.sim_bag import BagOptions
from kuavo_sim.scenes import SCENES

IMAGE_SIZE = (120, 160)
BAG_FRAMES = 60
FIRST_SEED = 1
"""Of the first task; the next has the next, so that two tasks in one scene show different ones."""
BAG = BagOptions(
    image_size=IMAGE_SIZE,
    sensor_hz=100,
    command_hz=50,
    camera_hz=10,
    jpeg_quality=70,
    compression="bz2",
)


def write_samples(out: Path, workers: int = 1) -> None:
    """Write `out`/datasets/TASK and `out`/bags/TASK for every task.

    Raises:
        UserError: `out` has samples already.
    """
    for kind in ("datasets", "bags"):
        if (out / kind).exists():
            raise UserError(f"{out / kind} exists: remove it to write the samples anew")
    for seed, task in enumerate(SCENES, FIRST_SEED):
        record(task, 1, seed, out / "datasets" / task, image_size=IMAGE_SIZE, workers=workers)
        with TemporaryDirectory() as scratch:
            record(
                task,
                1,
                seed,
                Path(scratch) / task,
                bags=out / "bags" / task,
                image_size=IMAGE_SIZE,
                workers=workers,
                bag_options=BAG,
                max_frames=BAG_FRAMES,
            )


def main() -> None:
    """Entry point of `python -m kuavo_sim.recording.samples`."""
    parser = argparse.ArgumentParser(description="Write the repository's sample recordings.")
    parser.add_argument("out", type=Path, help="folder, e.g. samples/")
    parser.add_argument("--workers", type=int, default=1, help="parallel processes")
    arguments = parser.parse_args()
    try:
        write_samples(arguments.out, arguments.workers)
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
