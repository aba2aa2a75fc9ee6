"""Train one stage of the curriculum (see docs/training.md).

python kuavo_train/train_smolvla_sequential.py --config-path=../configs/policy \
      --config-name=smolvla_sequential_base task=tasks/task1_moving_grasp
"""

from __future__ import annotations

import sys
from pathlib import Path

# Called as a file, Python looks beside the script; the packages are in the repository's root.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import hydra  # noqa: E402
from hydra.core.hydra_config import HydraConfig  # noqa: E402
from omegaconf import DictConfig  # noqa: E402


@hydra.main(
    version_base="1.3", config_path="../configs/policy", config_name="smolvla_sequential_base"
)
def main(config: DictConfig) -> None:
    """Train the stage that the configuration describes."""
    from kuavo_train.sequential.run import run_stage

    runtime = HydraConfig.get().runtime
    folder = next(s.path for s in runtime.config_sources if s.provider in ("main", "command-line"))
    try:
        run_stage(config, Path(folder), str(HydraConfig.get().job.config_name))
    except KeyboardInterrupt:
        sys.exit(130)


def known_tasks(arguments: list[str]) -> str:
    """Which values `task=` may have, where one of the arguments names none of them, else ''."""
    from kuavo_train.tasks import load_tasks

    known = [f"tasks/{task.folder}" for task in load_tasks().values()]
    given = [a.partition("=")[2] for a in arguments if a.startswith("task=")]
    return "" if set(given) <= set(known) else f"task= may be {', '.join(known)}"


if __name__ == "__main__":
    try:
        main()
    except SystemExit as stop:
        # Hydra says which file is missing, but not which there are.
        if stop.code and (hint := known_tasks(sys.argv[1:])):
            print(hint, file=sys.stderr)
        raise
