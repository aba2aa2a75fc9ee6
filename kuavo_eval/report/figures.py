"""Plots: plotly figures in the page's look, and colours for tables that are heat maps."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#97266d", "#6b46c1", "#744210", "#0987a0", "#4a5568")
_BAD, _MIDDLE, _GOOD = (246, 208, 180), (250, 247, 238), (178, 222, 208)
_FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans CJK SC', 'Microsoft YaHei', sans-serif"


def line_figure(x_title: str, y_title: str, height: int = 320, **layout: Any) -> go.Figure:
    """An empty figure with titled axes (with units!), to which traces are added."""
    figure = go.Figure()
    figure.update_layout(
        template="plotly_white",
        colorway=list(COLOURS),
        font={"family": _FONT, "size": 13, "color": "#1d2733"},
        height=height,
        margin={"l": 60, "r": 16, "t": 24, "b": 48},
        xaxis={"title": {"text": x_title}, "automargin": True},
        yaxis={"title": {"text": y_title}, "automargin": True},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        hovermode="closest",
    )
    return figure.update_layout(**layout)


def with_band(
    figure: go.Figure, x: Any, value: Any, low: Any, high: Any, name: str, colour: str
) -> None:
    """Add a line with its interval as a band."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    figure.add_scatter(
        x=[*x, *reversed(list(x))],
        y=[*high, *reversed(list(low))],
        mode="lines",
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.15)",
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        name=name,
    )
    figure.add_scatter(x=list(x), y=list(value), name=name, line={"color": colour})


def heat_colour(value: float | None, bad: float, good: float) -> str:
    """Background of a cell: from orange at `bad` over pale to green at `good`."""
    if value is None or bad == good:
        return "#ffffff"
    place = min(1.0, max(0.0, (value - bad) / (good - bad)))
    first, second, part = (
        (_BAD, _MIDDLE, 2 * place) if place < 0.5 else (_MIDDLE, _GOOD, 2 * place - 1)
    )
    mixed = (round(a + (b - a) * part) for a, b in zip(first, second, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)
