"""The report of an offline evaluation, for a person who has never seen the tool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from markupsafe import Markup

from kuavo_eval.offline import sections
from kuavo_eval.offline.episodes import Images
from kuavo_eval.offline.plots import horizon_figure, moving_joints, traces_figure
from kuavo_eval.offline.scores import OfflineScores
from kuavo_eval.report.page import Page

BASELINE_NAMES = {
    "hold": "not moving",
    "mean_trajectory": "mean trajectory",
    "nearest_demonstration": "nearest demonstration",
}
_CAMERAS = {
    "head_cam_h": "head camera",
    "wrist_cam_l": "left wrist",
    "wrist_cam_r": "right wrist",
}


def renderer(scores: OfflineScores) -> Callable[[dict[str, Any]], str]:
    """What makes the page of these scores out of their document."""

    def render(document: dict[str, Any]) -> str:
        labels = list(document["checkpoints"])
        title = "Offline evaluation"
        page = Page(
            document,
            title,
            "Recorded episodes were replayed through the policy; its actions are compared with "
            "those of the demonstrator. No robot moved: a good score here is necessary for a good "
            "robot, not sufficient.",
        )
        sections.summary(page, document)
        sections.data(page, document)
        if "error" in document["parts"]:
            sections.errors(page, document)
            _horizons(page, document)
            _traces(page, scores, document)
            sections.critical(page, document)
        if "language" in document["parts"]:
            for label in labels:
                sections.language(page, document, label)
            sections.told_apart(page, document)
        if "modalities" in document["parts"]:
            sections.modalities(page, document)
        if "sampling" in document["parts"]:
            sections.sampling(page, document)
        if "error" in document["parts"]:
            sections.safety(page, document)
        if "loss" in document["parts"]:
            sections.loss(page, document)
        return page.html()

    return render


def _horizons(page: Page, document: dict[str, Any]) -> None:
    page.section(
        "Error over the horizon",
        "A policy predicts a chunk of actions. The further ahead, the harder: how fast the error "
        "grows tells how much of a chunk can be executed before planning again. Grey: what "
        "needs no policy.",
    )
    for task, data in document["tasks"].items():
        curves: dict[str, Sequence[float]] = {
            label: [100 * v for v in checkpoint["tasks"][task]["horizon"]["normalized"]]
            for label, checkpoint in document["checkpoints"].items()
            if "horizon" in checkpoint["tasks"][task]
        }
        for name, baseline in data["baselines"].items():
            curves[f"· {BASELINE_NAMES[name]}"] = [
                100 * v for v in baseline["horizon"]["normalized"]
            ]
        if any(curves.values()):
            page.figure(
                horizon_figure(curves, "error [% of range]"),
                f"{task}: mean absolute error at each step of the chunk, in per cent of the "
                "demonstrated range, over joints that the task moves.",
            )


def _traces(page: Page, scores: OfflineScores, document: dict[str, Any]) -> None:
    page.section(
        "Predicted against recorded",
        "Per task the episode with the median error, and on request the worst one. Predictions "
        "of all overlapping chunks are averaged as a robot with temporal ensembling would execute "
        "them. Shaded: critical intervals, in which a hand opens or closes.",
    )
    for task in scores.tasks:
        order = _by_error(scores, task)
        if order is None:
            continue
        page.subsection(task)
        _episode(page, scores, document, task, order[len(order) // 2])
        if len(order) > 1:
            page.details(
                f"{task}: the episode with the largest error",
                partial(_episode, page, scores, document, task, order[-1]),
            )


def _by_error(scores: OfflineScores, task: str) -> list[int] | None:
    """Numbers of the episodes, the first policy's best first; None if none has a score."""
    for label in scores.labels:
        if scores.results[label][task].episodes:
            sums, counts = scores.error_sums(label, task)
            return [int(i) for i in np.argsort(sums / counts)]
    return None


def _episode(
    page: Page, scores: OfflineScores, document: dict[str, Any], task: str, number: int
) -> None:
    data = scores.data[task]
    episode, intervals = data.episodes[number], data.intervals[number]
    predicted = {
        label: scores.results[label][task].episodes[number].stream
        for label in scores.labels
        if scores.results[label][task].episodes
    }
    shown = moving_joints(document["tasks"][task]["joints"])
    if data.shown and data.shown[number]:
        _pictures(page, data.shown[number])
    page.figure(
        traces_figure(np.asarray(episode.actions), predicted, intervals, shown),
        f"{episode.name} of {task}: the numbers that this task moves.",
    )


def _pictures(page: Page, shown: list[tuple[int, Images]]) -> None:
    """A film strip: a row per camera, a column per moment."""
    from kuavo_eval.offline.episodes import FPS

    head = Markup("").join(
        Markup("<th data-fixed>{} s</th>").format(f"{frame / FPS:.1f}") for frame, _ in shown
    )
    rows = []
    for feature in shown[0][1]:
        name = _CAMERAS.get(feature.rsplit(".", 1)[-1], feature)
        cells = Markup("").join(
            Markup('<td><img alt="{}" src="{}"></td>').format(name, sections.small(images[feature]))
            for _, images in shown
        )
        rows.append(Markup("<tr><th data-fixed>{}</th>{}</tr>").format(name, cells))
    page.add(
        Markup(
            '<div class="scroll"><table class="film"><thead><tr><th></th>{}</tr></thead>'
            "<tbody>{}</tbody></table></div>"
        ).format(head, Markup("").join(rows))
    )
