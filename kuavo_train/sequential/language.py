"""Does the policy follow its instruction? Each task's frames, tried with every instruction.

The same frames, noise and times; only the text differs. A policy that ignores language has the
same loss in every column. (Where tasks can be told apart by image alone, little difference
proves little; the closed loop decides.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from kuavo_deploy.robot.topics import ACTION_FEATURE
from kuavo_train.episodes.samples import IS_PAD, RECORDED
from kuavo_train.policy.flow_loss import FlowLoss, counted_elements
from kuavo_train.policy.preprocessing import TASK
from kuavo_train.sequential.validation import Validator
from kuavo_train.tasks import Task


@dataclass(frozen=True)
class LanguageSwitch:
    """losses: row = task of the frames, column = instruction. switches: the diagonal is least.

    identification: part of the frames whose own instruction has the least loss.
    """

    tasks: list[str]
    losses: list[list[float]]
    identification: float
    switches: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def try_instructions(
    validator: Validator, model: FlowLoss, preprocess: Any, tasks: Sequence[Task], frames: int
) -> LanguageSwitch:
    """Fill the matrix; needs a validator that holds all the work (one process)."""
    model.eval()
    matrix, right, count = [], 0, 0
    with torch.no_grad():
        for task in tasks:
            per_frame = torch.cat(
                [
                    torch.stack(
                        [
                            _losses(validator, model, preprocess, task, place, raw, other)
                            for other in tasks
                        ],
                        dim=1,
                    )
                    for place, raw in validator.batches(task.name, frames)
                ]
            )
            own = next(i for i, other in enumerate(tasks) if other.name == task.name)
            right += int((per_frame.argmin(dim=1) == own).sum())
            count += len(per_frame)
            matrix.append([float(x) for x in per_frame.mean(dim=0)])
    switches = all(row[i] == min(row) for i, row in enumerate(matrix)) and _differs(matrix)
    return LanguageSwitch([t.name for t in tasks], matrix, right / count, switches)


def _losses(
    validator: Validator,
    model: FlowLoss,
    preprocess: Any,
    task: Task,
    place: int,
    raw: Any,
    other: Task,
) -> torch.Tensor:
    """Loss of each frame of a batch under another task's instruction. Shape (B,)."""
    told = {**raw, TASK: [other.instruction] * len(raw[TASK])}
    counted = counted_elements(raw[IS_PAD], raw[RECORDED])
    batch = preprocess(told)
    device = batch[ACTION_FEATURE].device
    draws = validator.draws(model, task.id, place, len(raw[TASK])).to(device)
    sums = model(batch, draws, counted.to(device)).double().cpu()
    return sums / counted.sum(dim=(1, 2))


def _differs(matrix: list[list[float]]) -> bool:
    return len(matrix) == 1 or any(len({round(x, 9) for x in row}) > 1 for row in matrix)
