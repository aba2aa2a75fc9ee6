"""Run one stage from a composed configuration: logging around it, errors as sentences."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from kuavo_train.episodes.present import check_present
from kuavo_train.errors import TrainingError
from kuavo_train.sequential.checks import check_settings
from kuavo_train.sequential.console import log, start_logging, stop_logging
from kuavo_train.sequential.plan import data_root, plan_stage
from kuavo_train.tasks import TaskRegistry, load_tasks

TASKS = Path("task") / "tasks"
SCRIPT = "python kuavo_train/train_smolvla_sequential.py --config-path=../configs/policy"


def train_stage(config: DictConfig, configs: Path, config_name: str) -> dict[str, Any]:
    """Train one stage.

    Args:
        config: the composed configuration.
        configs: the folder it came from; its tasks are the curriculum.
        config_name: for the messages that name a command.

    Returns:
        The content of `training_results.json`.
    """
    start_logging(Path(config.log_file) if _is_main() else None)
    try:
        check_settings(config)
        registry = _tasks(configs / TASKS)
        plan = plan_stage(config, registry, f"{SCRIPT} --config-name={config_name}")
        for task in plan.seen:
            check_present(task, data_root(config, task))
        # Imported here: a missing stage or dataset is reported before torch has loaded.
        from kuavo_train.sequential.stage import Stage

        log.info("%s → %s", plan.title, plan.folder)
        return Stage(config, registry, plan).run()
    except TrainingError as error:
        log.error("%s", error)
        raise
    except KeyboardInterrupt:
        log.info("interrupted; resume=true continues from the last saved state")
        raise
    finally:
        stop_logging()


def run_stage(config: DictConfig, configs: Path, config_name: str) -> None:
    """The same for a script: exit code 1 and no stack trace when a person can mend it."""
    try:
        train_stage(config, configs, config_name)
    except TrainingError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


def _tasks(folder: Path) -> TaskRegistry:
    try:
        return load_tasks(folder)
    except (ValueError, FileNotFoundError) as error:
        raise TrainingError(str(error)) from error


def _is_main() -> bool:
    return os.environ.get("RANK", "0") == "0"
