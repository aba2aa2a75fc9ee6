"""Curves beside the results, for a person without TensorBoard: PNG and one HTML page."""

from __future__ import annotations

import base64
import html
import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kuavo_train.sequential.plan import StagePlan

PNG, PAGE = "training_curves.png", "training_report.html"
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;"
    "color:#222}table{border-collapse:collapse;margin:1em 0}td,th{border-bottom:1px solid #ddd;"
    "padding:.3em .8em;text-align:left}img{max-width:100%}.no{color:#b00020;font-weight:600}"
    ".yes{color:#1b7f3b}"
)


def write_plots(folder: Path, plan: StagePlan, content: Mapping[str, Any]) -> None:
    """Write `training_curves.png` and `training_report.html`."""
    picture = _picture(_train_curves(folder / "tensorboard"), plan, content)
    (folder / PNG).write_bytes(picture)
    (folder / PAGE).write_text(_page(picture, plan, content), encoding="utf-8")


def _train_curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    # After a resume TensorBoard tells the reader on stderr that it drops the points done twice.
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in ("train/loss", "train/lr")
        if tag in events.Tags()["scalars"]
    }


def _picture(
    curves: Mapping[str, list[tuple[int, float]]], plan: StagePlan, content: Mapping[str, Any]
) -> bytes:
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    if "train/loss" in curves:
        at, losses = (np.array(axis) for axis in zip(*curves["train/loss"], strict=True))
        left.plot(at, losses, linewidth=0.6, color="#9dbfe3")
        width = max(1, len(losses) // 20)
        smooth = np.convolve(losses, np.ones(width) / width, mode="valid")
        left.plot(at[width - 1 :], smooth, color="#1f5fa8")
    left.set(title="training loss", xlabel="step", ylim=(0, None))
    steps = [0, *(v["step"] for v in content["validations"])]
    for task in plan.seen:
        scores = [v["tasks"][task.name]["loss"] for v in content["validations"]]
        scores.insert(0, content["start_validation"][str(task.id)])
        (line,) = middle.plot(
            steps, scores, marker="o", markersize=3, label=f"{task.id} {task.name}"
        )
        middle.axhline(plan.limits[task.name], color=line.get_color(), linewidth=0.6, linestyle=":")
    middle.set(title="validation loss (dotted: limit)", xlabel="step", ylim=(0, None))
    middle.legend(fontsize=8)
    if "train/lr" in curves:
        right.plot(*zip(*curves["train/lr"], strict=True), color="#8a4b08")
    right.set(title="learning rate", xlabel="step", ylim=(0, None))
    for axes in (left, middle, right):
        axes.grid(alpha=0.25)
    figure.suptitle(_latin(plan))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _latin(plan: StagePlan) -> str:
    """A title that every font can draw."""
    return f"stage {plan.name}: {plan.new.name}" if plan.name != "joint" else plan.title


def _page(picture: bytes, plan: StagePlan, content: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(str(c['criterion']))}</td><td>{shown(c['value'])}</td>"
        f"<td class={'yes' if c['met'] else 'no'}>{'met' if c['met'] else 'not met'}</td></tr>"
        for c in content["criteria"]
    )
    forgetting = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{f['before']:.3f} → {f['now']:.3f}</td>"
        f"<td>{f['verdict']}</td></tr>"
        for name, f in content["forgetting"].items()
    )
    warned = "".join(f"<li>{html.escape(w)}</li>" for w in content["warnings"])
    encoded = base64.b64encode(picture).decode()
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(plan.title)}</title>"
        f"<style>{_STYLE}</style><h1>{html.escape(plan.title)}</h1>"
        f"<p>{html.escape(plan.new.instruction) if plan.name != 'joint' else ''}</p>"
        f"<p>best/ is epoch {content['best_epoch']} of {content['training_epochs']}, "
        f"{content['steps']} steps in {content['training_seconds']:.0f} s.</p>"
        f"<img alt='training curves' src='data:image/png;base64,{encoded}'>"
        f"<h2>Criteria</h2><table>{rows}</table>"
        + (f"<h2>Earlier tasks</h2><table>{forgetting}</table>" if forgetting else "")
        + (f"<h2>Warnings</h2><ul>{warned}</ul>" if warned else "")
        + "</html>\n"
    )


def shown(value: Any) -> str:
    """A criterion's value, for people."""
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:.3f}"
