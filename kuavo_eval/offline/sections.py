"""Sections of the report; every number comes from the document."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from markupsafe import Markup

from kuavo_eval.report.page import Page, jpeg_url

Document = dict[str, Any]
GAP = Markup("<span data-fixed>–</span>")
THUMBNAIL_WIDTH = 150
MODALITIES = {
    "images_zeroed": "all images black",
    "images_shuffled": "images of another moment",
    "head_cam_h_zeroed": "head camera black",
    "head_cam_h_shuffled": "head camera of another moment",
    "wrist_cam_l_zeroed": "left wrist camera black",
    "wrist_cam_l_shuffled": "left wrist camera of another moment",
    "wrist_cam_r_zeroed": "right wrist camera black",
    "wrist_cam_r_shuffled": "right wrist camera of another moment",
    "state_zeroed": "mean joint state",
    "state_shuffled": "joint state of another moment",
}


def summary(page: Page, document: Document) -> None:
    """Findings, and one row per checkpoint and task."""
    levels = [finding["level"] for finding in document["findings"]]
    for level, title in (("bad", "Look at this first"), ("open", "To know"), ("good", "In order")):
        numbers = [i for i, found in enumerate(levels) if found == level]
        if numbers:
            _list(page, title, numbers, level)
    page.section("At a glance")
    rows: list[list[str | Markup]] = []
    for label, checkpoint in document["checkpoints"].items():
        for task in document["tasks"]:
            rows.append(
                [page.label(label), task, *_glance(page, checkpoint, f"checkpoints.{label}", task)]
            )
        if len(document["tasks"]) > 1:
            source = f"checkpoints.{label}.macro"
            macro = [page.number(f"{source}.error"), GAP, page.number(f"{source}.loss"), GAP, GAP]
            rows.append([page.label(label), "mean over tasks", *macro])
    page.table(
        ["checkpoint", "task", "normalized error", "skill", "validation loss", "hands F1",
         "own instruction fits best"],
        rows,
        "Normalized error: less is better, 0 % is the demonstrator. Skill: 1 is perfect, 0 as good "
        "as not moving. In brackets 95 % intervals over episodes; chance of the last column: "
        "{chance|fraction}.",
    )  # fmt: skip


def _glance(page: Page, checkpoint: Document, root: str, task: str) -> list[Markup]:
    scored, source = checkpoint["tasks"][task], f"{root}.tasks.{task}"
    if scored["void"]:
        return [page.text(f"{source}.void"), GAP, GAP, GAP, GAP]
    wanted = ("error", "skill.hold", "loss", "hand_timing.f1", "instruction.identified")
    return [_cell(page, scored, source, path) for path in wanted]


def _cell(page: Page, scored: Document, source: str, path: str) -> Markup:
    """The quantity at `path`, a dash where it was not asked for."""
    place: Any = scored
    for key in path.split("."):
        if not isinstance(place, dict) or key not in place:
            return GAP
        place = place[key]
    return page.number(f"{source}.{path}")


def _list(page: Page, title: str, rows: list[int], level: str) -> None:
    items = Markup("").join(
        Markup('<li class="{}">{}</li>').format(level, page.text(f"findings.{i}.text"))
        for i in rows
    )
    page.add(
        Markup('<div class="verdict {}"><p class="big" data-fixed>{}</p><ul>{}</ul></div>').format(
            level, title, items
        )
    )


def data(page: Page, document: Document) -> None:
    """What was scored, refused and void."""
    page.section(
        "What was scored",
        "Whole episodes that no checkpoint here was trained on; the split is by content, so that "
        "a copied or renumbered recording is recognized. Episodes on which training chose its best "
        "epoch were not trained on, but flatter a little.",
    )
    columns = ("episodes", "predictions", "refused", "seen", "chosen_on")
    rows = [
        [page.label(task), *[page.number(f"tasks.{task}.{name}") for name in columns],
         page.number(f"tasks.{task}.seconds", "s", 0), page.text(f"tasks.{task}.source")]
        for task in document["tasks"]
    ]  # fmt: skip
    page.table(
        ["task", "episodes", "predictions", "refused: trained on", "scored though trained on",
         "chose the best epoch", "recorded time", "from"],
        rows,
    )  # fmt: skip
    for task, content in document["tasks"].items():
        for number, _ in enumerate(content["void"]):
            source = f"tasks.{task}.void.{number}"
            page.paragraph(f"{task}, {{{source}.name}} is void: {{{source}.why}}.")
        for number, episode in enumerate(content["scored"]):
            for note, _ in enumerate(episode["notes"]):
                source = f"tasks.{task}.scored.{number}"
                page.paragraph(f"{task}, {{{source}.name}}: {{{source}.notes.{note}}}.")


def errors(page: Page, document: Document) -> None:
    """Errors by part, skill against each baseline, and per joint."""
    page.section(
        "Errors",
        "Mean absolute error of predicted actions over the first {horizon_s|s} of every chunk. "
        "Arms, hands and base are never mixed.",
    )
    rows, skills = [], []
    for label, task, scored, source in _scored(document, "arms"):
        paths = ("arms.mae", "arms.normalized", "hands.mae", "base.position", "base.yaw")
        rows.append(
            [page.label(label), task, *[_cell(page, scored, source, path) for path in paths]]
        )
        names = ("hold", "mean_trajectory", "nearest_demonstration")
        skills.append(
            [page.label(label), task, *[_cell(page, scored, source, f"skill.{n}") for n in names]]
        )
    page.table(
        [
            "checkpoint",
            "task",
            "arms",
            "arms, of their range",
            "hands, of their way",
            "base position",
            "base yaw",
        ],
        rows,
    )
    page.table(
        ["checkpoint", "task", "skill against not moving", "against the mean trajectory",
         "against the nearest demonstration"],
        skills,
        "Skill is the share of a baseline's error that the policy removes. A policy that does not "
        "beat the nearest demonstration could be replaced by a replay.",
    )  # fmt: skip
    for label in document["checkpoints"]:
        page.details(f"{label}: every joint", lambda label=label: _joints(page, document, label))


def _joints(page: Page, document: Document, label: str) -> None:
    tasks = [t for _, t, _, _ in _scored(document, "joints", label)]
    names = [j["name"] for j in max((document["tasks"][t]["joints"] for t in tasks), key=len)]
    root = f"checkpoints.{label}.tasks"

    def source(task: str, joint: str) -> str | None:
        moves = {j["name"]: j["moves"] for j in document["tasks"][task]["joints"]}
        return f"{root}.{task}.joints.{joint}.normalized" if moves.get(joint) else None

    page.heat_map(
        names, tasks, [[source(task, joint) for task in tasks] for joint in names],
        bad=0.5, good=0.0, corner="joint ↓ · task →",
        caption="Normalized error; hatched: the task does not move this joint. Orange from half of "
        "the joint's range on.",
    )  # fmt: skip


def critical(page: Page, document: Document) -> None:
    """Around hand events: errors there, with warping, and the timing of the hands."""
    page.section(
        "Where it counts: hands and what surrounds them",
        "Critical intervals are the half second before and after a hand opens or closes (or as "
        "annotated). Warping removes lateness from the error and reports it as timing.",
    )
    rows, hands = [], []
    for label, task, scored, source in _scored(document, "critical"):
        paths = ("stream.arms", "critical.arms", "critical.warped_error", "critical.warped_timing",
                 "critical.warped_lag")  # fmt: skip
        rows.append(
            [page.label(label), task, *[_cell(page, scored, source, path) for path in paths]]
        )
        names = ("precision", "recall", "f1", "lag", "chatter")
        counts = [page.number(f"{source}.hand_timing.{n}") for n in ("recorded", "predicted")]
        hands.append(
            [page.label(label), task, *counts,
             *[_cell(page, scored, source, f"hand_timing.{n}") for n in names]]
        )  # fmt: skip
    page.table(
        ["checkpoint", "task", "arm joints, everywhere", "in critical intervals",
         "posture, warped", "timing error", "lag"],
        rows,
        "Errors of the ensembled actions: mean over arm joints, except 'posture', the distance of "
        "all arm joints together. A positive lag is late.",
    )  # fmt: skip
    page.table(
        ["checkpoint", "task", "recorded events", "predicted", "precision", "recall", "F1", "lag",
         "chatter"],
        hands,
        "A hand's opening or closing counts as predicted within 0.3 s, one to one. Chatter: events "
        "that undo each other within half a second.",
    )  # fmt: skip


def language(page: Page, document: Document, label: str) -> None:
    """The instruction matrix of one checkpoint."""
    scored = {
        t: s for t, s in document["checkpoints"][label]["tasks"].items() if "instruction" in s
    }
    if not scored:
        return
    page.section(
        f"Does it follow its instruction? ({label})",
        "The same frames and noise under every task's instruction. A policy that understands has "
        "its smallest error, per column, in the framed cell.",
    )
    tasks = list(scored)
    told = list(next(iter(scored.values()))["instruction"]["told"])
    root = f"checkpoints.{label}.tasks"
    most = max(len(s["instruction"].get("paraphrases", {})) for s in scored.values())
    rows = [f"told: {name}" for name in told] + ["told nothing"]
    sources: list[list[str | None]] = [
        [f"{root}.{task}.instruction.told.{name}" for task in tasks] for name in told
    ]
    sources.append([f"{root}.{task}.instruction.blank" for task in tasks])
    for number in range(most):
        rows.append(f"own task, other words {number + 1}")
        has = {t: str(number) in scored[t]["instruction"].get("paraphrases", {}) for t in tasks}
        sources.append(
            [f"{root}.{t}.instruction.paraphrases.{number}" if has[t] else None for t in tasks]
        )
    values = [s["instruction"]["told"][name]["value"] for s in scored.values() for name in told]
    framed = [(told.index(task), column) for column, task in enumerate(tasks)]
    page.heat_map(
        rows, tasks, sources, bad=max(values), good=min(values), framed=framed,
        corner="instruction ↓ · frames of →",
        caption="Normalized error. Columns are coloured together: equal colours within a column "
        "mean that words make no difference.",
    )  # fmt: skip
    page.table(
        ["task", "own instruction fits best", "sensitivity"],
        [
            [page.label(task), page.number(f"{root}.{task}.instruction.identified"),
             page.number(f"{root}.{task}.instruction.sensitivity")]
            for task in tasks
        ],
        "By chance: {chance|fraction}. Sensitivity: how far another instruction moves the actions, "
        "compared with another draw of noise; zero: not at all.",
    )  # fmt: skip


def told_apart(page: Page, document: Document) -> None:
    """Whether images alone tell tasks apart."""
    names = [n for n in document["told_apart"] if any(document["told_apart"][n].values())]
    if len(names) < 2:
        return
    page.subsection(
        "Can the tasks be told apart without words?",
        "How often the most similar picture of another episode shows the same task. Where this is "
        "near 100 %, a policy needs no language there, and the matrix proves little; at 50 % the "
        "tasks look alike, and only words can tell.",
    )
    page.heat_map(
        names, names,
        [
            [f"told_apart.{a}.{b}" if document["told_apart"][a][b] else None for b in names]
            for a in names
        ],
        bad=1.0, good=0.5, caption="Balanced accuracy. Green: language is really tested.",
    )  # fmt: skip


def modalities(page: Page, document: Document) -> None:
    """What happens to the error when something is hidden."""
    page.section(
        "What does it look at?",
        "The error when an input is hidden or replaced, as a multiple of the error with "
        "everything in place. Near 1: the policy does not use it.",
    )
    for label in document["checkpoints"]:
        tasks = [t for _, t, _, _ in _scored(document, "modalities", label)]
        if not tasks:
            continue
        root = f"checkpoints.{label}.tasks"
        page.heat_map(
            list(MODALITIES.values()), tasks,
            [[f"{root}.{task}.modalities.{name}" for task in tasks] for name in MODALITIES],
            bad=1.0, good=2.0, corner=label, unit="",
            caption="Orange: no effect. Green: the error doubles.",
        )  # fmt: skip


def sampling(page: Page, document: Document) -> None:
    """The same frame with other noise."""
    page.section(
        "Sampling",
        "Flow matching starts from noise: {settings.samples} fixed draws of it per frame. A small "
        "spread with a large error is a policy that is sure and wrong.",
    )
    paths = [f"sampling.{p}_{n}" for p in ("arms", "hands") for n in ("mean", "best", "spread")]
    page.table(
        ["checkpoint", "task", "arms: mean error", "best draw", "spread", "hands: mean error",
         "best draw", "spread"],
        _rows(page, document, "sampling", paths),
    )  # fmt: skip


def safety(page: Page, document: Document) -> None:
    """Smoothness, jumps, limits."""
    page.section(
        "Smoothness and safety",
        "Before the executor, which bounds position, velocity, acceleration and jerk of whatever "
        "comes. 'Change' compares with the demonstration: below 0 is jerkier.",
    )
    smooth = ["smoothness.sparc_change", "smoothness.ldlj_change"]
    jumps = [f"boundaries.{name}" for name in ("jump", "recorded", "largest")]
    page.table(
        ["checkpoint", "task", "SPARC, change", "LDLJ, change", "jump at chunk boundaries",
         "demonstrated step there", "largest jump"],
        _rows(page, document, "smoothness", [*smooth, *jumps]),
        "A jump is the largest step of an arm joint from one frame to the next where a new chunk, "
        "every {settings.replan_s|s}, takes over unblended.",
    )  # fmt: skip
    kinds = ("position", "velocity", "hands")
    paths = [f"violations.{kind}{who}" for kind in kinds for who in ("", "_recorded")]
    page.table(
        ["checkpoint", "task", "beyond joint limits", "demonstrated", "too fast", "demonstrated",
         "hands outside of open … closed", "demonstrated"],
        _rows(page, document, "violations", paths),
        "Share of predicted commands, limits of robot version {settings.robot_version}.",
    )  # fmt: skip


def loss(page: Page, document: Document) -> None:
    """Validation loss beside the guide's limits."""
    page.section(
        "Validation loss",
        "The training's own loss on these episodes, with fixed noise and times. It tells how well "
        "training went, less how well the robot will do.",
    )
    page.table(
        ["checkpoint", "task", "validation loss", "the guide's limit", "met"],
        [
            [page.label(label), task, page.number(f"{source}.loss"),
             page.number(f"{source}.loss_limit"), page.text(f"{source}.loss_met")]
            for label, task, _, source in _scored(document, "loss")
        ],
        "No limit is given for tasks that the checkpoint's stage has not seen.",
    )  # fmt: skip


def small(image: np.ndarray) -> str:
    """A picture for a film strip, as a data URI."""
    height, width = image.shape[:2]
    size = (THUMBNAIL_WIDTH, max(1, round(height * THUMBNAIL_WIDTH / width)))
    return jpeg_url(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _rows(page: Page, document: Document, part: str, paths: list[str]) -> list[list[str | Markup]]:
    """A row per checkpoint and task that has `part`, a cell per path."""
    return [
        [page.label(label), task, *[_cell(page, scored, source, path) for path in paths]]
        for label, task, scored, source in _scored(document, part)
    ]


def _scored(document: Document, part: str, only: str | None = None) -> Any:
    """Checkpoint, task, what is known and where it stands, of everything that has `part`."""
    for label, checkpoint in document["checkpoints"].items():
        for task, scored in checkpoint["tasks"].items():
            if part in scored and not scored["void"] and only in (None, label):
                yield label, task, scored, f"checkpoints.{label}.tasks.{task}"
