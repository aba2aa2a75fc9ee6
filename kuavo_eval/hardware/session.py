"""Opens a plan for running: it is unchanged, and checkpoints and folder are those that it names."""

from __future__ import annotations

from pathlib import Path

from kuavo_cli.errors import UserError
from kuavo_eval.checkpoints import weights_sha256
from kuavo_eval.folder import RESULTS
from kuavo_eval.hardware.plan import Plan, key_of, read_plan
from kuavo_train.data.workspace import write_atomically

PLAN_COPY = "plan.yaml"


def open_session(file: Path, out: Path | None = None, results: Path = RESULTS) -> tuple[Plan, Path]:
    """The plan and the folder of its results, made if it is not there.

    Args:
        file: of the plan.
        out: the folder; None: one of the plan's name in `results`.
        results: where folders of results are.

    Raises:
        UserError: the plan was changed, a checkpoint is another one, missing or damaged, or the
            folder is another plan's.
    """
    plan = read_plan(file)
    _check_checkpoints(plan)
    folder = results / plan.name if out is None else out
    copy = folder / PLAN_COPY
    if copy.exists():
        if read_plan(copy) != plan:
            raise UserError(f"{folder} holds the trials of another plan: choose another out:=")
    elif folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty and holds no plan: choose another out:=")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        if plan.blinded:
            write_atomically(key_of(copy), key_of(file).read_text(encoding="utf-8"))
        write_atomically(copy, file.read_text(encoding="utf-8"))
    (folder / "log").mkdir(exist_ok=True)
    return plan, folder


def _check_checkpoints(plan: Plan) -> None:
    for label, planned in plan.checkpoints.items():
        found = weights_sha256(Path(planned.path))
        if found != planned.weights_sha256:
            raise UserError(
                f"checkpoint {label} is not the one that was planned: its weights are "
                f"{found[:12]}…, the plan says {planned.weights_sha256[:12]}…"
            )
