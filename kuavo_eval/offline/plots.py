"""Plots of an offline evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kuavo_deploy.robot.layout import ACTION_NAMES
from kuavo_eval.metrics.critical_intervals import Interval
from kuavo_eval.offline.episodes import FPS
from kuavo_eval.offline.quantities import unit_of
from kuavo_eval.report.figures import COLOURS, line_figure

RECORDED = "#1d2733"
CRITICAL = "rgba(183, 121, 31, 0.16)"
PER_ROW = 4
_ROW_HEIGHT = 150


def traces_figure(
    recorded: np.ndarray,
    predicted: Mapping[str, np.ndarray],
    intervals: Sequence[Interval],
    shown: Sequence[int],
) -> go.Figure:
    """Predicted against recorded actions over time, one small plot per number.

    Args:
        recorded: shape (L, D).
        predicted: by label, shape (L, D).
        intervals: shaded.
        shown: which of the D numbers.
    """
    rows = -(-len(shown) // PER_ROW)
    titles = [_title(joint) for joint in shown]
    figure = make_subplots(
        rows, PER_ROW, shared_xaxes=True, subplot_titles=titles,
        vertical_spacing=0.28 / max(rows, 2), horizontal_spacing=0.045,
    )  # fmt: skip
    time = np.arange(len(recorded)) / FPS
    for number, joint in enumerate(shown):
        place = {"row": number // PER_ROW + 1, "col": number % PER_ROW + 1}
        lines = {"recorded": (recorded, RECORDED, 2.2)}
        for (label, stream), colour in zip(predicted.items(), _colours(predicted), strict=True):
            lines[label] = (stream, colour, 1.4)
        for name, (stream, colour, width) in lines.items():
            figure.add_scatter(
                x=time, y=np.round(stream[:, joint], 4), name=name, legendgroup=name,
                showlegend=number == 0, line={"color": colour, "width": width}, **place,
            )  # fmt: skip
    for interval in intervals:
        figure.add_vrect(
            x0=interval.start, x1=interval.end, fillcolor=CRITICAL, line_width=0, layer="below",
            row="all", col="all",
        )  # fmt: skip
    _looks(figure, rows)
    return figure


def horizon_figure(curves: Mapping[str, Sequence[float]], y_title: str) -> go.Figure:
    """MAE(h) of several policies and baselines; baselines are grey.

    curves: by name; baselines' names begin with '·'.
    """
    figure = line_figure("time ahead [s]", y_title, height=270)
    policies = [name for name in curves if not name.startswith("·")]
    colours = dict(zip(policies, _colours(policies), strict=True))
    dashes = iter(("dot", "dash", "dashdot"))
    for name, curve in curves.items():
        if name in colours:
            style = {"color": colours[name]}
        else:
            style = {"color": "#8a96a3", "dash": next(dashes)}
        figure.add_scatter(
            x=(np.arange(len(curve)) / FPS).tolist(),
            y=list(curve),
            name=name.lstrip("· "),
            line=style,
        )
    figure.update_yaxes(rangemode="tozero")
    return figure


def moving_joints(joints: Sequence[Mapping[str, Any]]) -> list[int]:
    """Numbers of the joints that a task moves."""
    return [number for number, joint in enumerate(joints) if joint["moves"]]


def _title(joint: int) -> str:
    unit = unit_of(joint)
    return f"{ACTION_NAMES[joint]}{f' [{unit}]' if unit in ('rad', 'm') else ''}"


def _colours(labels: Mapping[str, Any] | Sequence[str]) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(len(labels))]


def _looks(figure: go.Figure, rows: int) -> None:
    above = 1 + 36 / (_ROW_HEIGHT * rows)
    figure.update_layout(
        template="plotly_white",
        height=_ROW_HEIGHT * rows + 90,
        margin={"l": 44, "r": 12, "t": 64, "b": 44},
        font={"size": 11, "color": "#1d2733"},
        legend={
            "orientation": "h",
            "yanchor": "bottom",
            "y": above,
            "x": 0,
        },
        hovermode="x unified" if rows == 1 else "closest",
    )
    figure.update_annotations(font_size=11)
    figure.update_xaxes(nticks=6)
    figure.update_yaxes(nticks=4)
    for column in range(1, PER_ROW + 1):
        figure.update_xaxes(title_text="time [s]", title_font_size=11, row=rows, col=column)
