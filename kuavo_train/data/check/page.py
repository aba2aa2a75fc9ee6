"""The check's page: one HTML file that needs nothing else, with a plot of every episode."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from kuavo_cli.errors import UserError
from kuavo_deploy.robot import layout
from kuavo_train.data.check.findings import counted, levels
from kuavo_train.data.check.run import CheckReport, EpisodeRow
from kuavo_train.data.workspace import write_atomically

PLOT_WIDTH, PLOT_HEIGHT = 366, 120
MAX_POINTS = 150
_COLOURS = ("#3b6fb6", "#d1702a", "#3d9a50", "#b63b52", "#7a5bb0", "#8a6a4f", "#c05fa6", "#777777")
_STYLE = """
:root { color-scheme: light; font: 15px/1.45 system-ui, sans-serif; color: #1d2733; }
body { max-width: 1180px; margin: 2rem auto; padding: 0 1rem; background: #fbfbfa; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { font-size: 1.1rem; font-weight: 600; }
.error { color: #b3261e; } .warning { color: #9a6700; } .fine { color: #217a3c; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }
dt { color: #667; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #e3e3df;
  vertical-align: top; }
th { color: #556; font-weight: 600; } .number { text-align: right; white-space: nowrap; }
details { border: 1px solid #e3e3df; border-radius: 6px; background: #fff; margin: .5rem 0;
  padding: .4rem .8rem; }
summary { cursor: pointer; }
.plots { display: flex; flex-wrap: wrap; gap: .6rem 1.2rem; margin-top: .5rem; }
figure { margin: 0; max-width: 368px; } figcaption { font-size: .82rem; color: #556; }
.frames { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin-top: .6rem; }
.frames img { width: 88px; height: 66px; margin-right: 3px; border-radius: 3px;
  image-rendering: auto; }
svg { background: #fdfdfc; border: 1px solid #e8e8e4; border-radius: 4px; }
.key { font-size: .78rem; color: #556; } .key i { font-style: normal; white-space: nowrap; }
"""


def write_page(report: CheckReport, file: Path) -> None:
    """Write `report` to `file`; an earlier page of this kind is replaced, nothing else is.

    Raises:
        UserError: something else is there.
    """
    if file.exists() and not _is_ours(file):
        raise UserError(f"{file} exists and is no page of ours: choose another --html")
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, "".join(_page(report)))


_MARK = '<meta name="generator" content="kuavo data check">'


def _is_ours(file: Path) -> bool:
    return file.is_file() and _MARK.encode() in file.read_bytes()[:2000]


def _page(report: CheckReport) -> Iterator[str]:
    title = html.escape(f"Check of {report.root.name}")
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8">{_MARK}'
    yield f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
    kind = "error" if report.errors else "warning" if report.warnings else "fine"
    yield (
        f'<p class="verdict {kind}">{counted(len(report.episodes), "episode")}, '
        f"{counted(report.frames, 'frame')}: {levels(report.findings)}</p><dl>"
    )
    for label, text in {"folder": str(report.root), **report.about}.items():
        yield f"<dt>{html.escape(label)}</dt><dd>{html.escape(text)}</dd>"
    yield "</dl>"
    yield from _findings(report)
    yield from _table(report)
    yield "<h2>Every episode</h2>"
    for row in report.episodes:
        yield from _details(row, report)
    yield "</body></html>\n"


def _findings(report: CheckReport) -> Iterator[str]:
    if not report.findings:
        return
    yield "<h2>Findings</h2><table><tr><th>level</th><th>where</th><th>what</th></tr>"
    for finding in report.findings:
        yield (
            f'<tr><td class="{finding.level}">{finding.level}</td>'
            f"<td>{html.escape(finding.where)}</td><td>{html.escape(finding.text)}</td></tr>"
        )
    yield "</table>"


def _table(report: CheckReport) -> Iterator[str]:
    yield (
        '<h2>Episodes</h2><table><tr><th>episode</th><th>from</th><th class="number">frames</th>'
        '<th class="number">length</th><th class="number">tokens</th>'
        '<th class="number">fastest joint</th><th>problems</th></tr>'
    )
    for row in report.episodes:
        yield (
            f'<tr><td><a href="#e{row.index}">{row.index}</a></td>'
            f"<td>{html.escape(_origin(row))}</td>"
            f'<td class="number">{row.frames}</td><td class="number">{row.seconds:.1f} s</td>'
            f'<td class="number">{row.tokens}</td>'
            f'<td class="number">{_fastest(row, report.fps):.2f} rad/s</td>'
            f"<td>{levels(row.findings) if row.findings else '–'}</td></tr>"
        )
    yield "</table>"


def _details(row: EpisodeRow, report: CheckReport) -> Iterator[str]:
    mark = f' <span class="error">· {levels(row.findings)}</span>' if row.findings else ""
    yield (
        f'<details id="e{row.index}"{" open" if row.findings or row.index == 0 else ""}>'
        f"<summary>Episode {row.index} · {row.seconds:.1f} s · {html.escape(_origin(row))}{mark}"
        f"</summary><p>“{html.escape(row.instruction)}”</p>"
    )
    for finding in row.findings:
        yield f'<p class="{finding.level}">{html.escape(finding.text)}</p>'
    stages = row.notes.get("stages")
    if stages:
        reached = ", ".join(f"{name} {time:.1f} s" for name, time in stages.items())
        yield f"<p>Stages: {html.escape(reached)}</p>"
    yield '<div class="plots">'
    names = report.names["observation.state"]
    groups = {
        "left arm [rad]": list(range(*layout.LEFT_ARM.indices(layout.STATE_DIM))),
        "right arm [rad]": list(range(*layout.RIGHT_ARM.indices(layout.STATE_DIM))),
        "hands [0 open … 1 closed]": list(layout.HAND_INDICES),
    }
    if row.action.shape[1] > layout.STATE_DIM:
        groups["base (actions) [m, rad, 0…1]"] = list(range(layout.STATE_DIM, row.action.shape[1]))
        names = report.names["action"]
    for label, columns in groups.items():
        yield _plot(label, columns, names, row, report.fps)
    yield "</div>"
    yield from _frames(row)
    yield "</details>"


def _frames(row: EpisodeRow) -> Iterator[str]:
    yield '<div class="frames">'
    for camera, frames in row.shown.items():
        name = html.escape(camera.rsplit(".", 1)[-1])
        yield "<figure>"
        for frame in frames:
            yield f'<img alt="{name}" src="{_data_url(frame)}">'
        yield f"<figcaption>{name}, from start to end</figcaption></figure>"
    yield "</div>"


def _plot(label: str, columns: list[int], names: list[str], row: EpisodeRow, fps: float) -> str:
    """States as lines, actions as thin dashed ones of the same colour."""
    steps = np.unique(np.linspace(0, row.frames - 1, min(MAX_POINTS, row.frames)).astype(int))
    action = row.action[steps][:, columns]
    state = row.state[steps][:, columns] if max(columns) < row.state.shape[1] else None
    shown = action if state is None else np.concatenate([state, action])
    finite = shown[np.isfinite(shown)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    margin = max(0.05 * (high - low), 0.02)
    low, high = low - margin, high + margin
    x = 34 + steps / max(1, row.frames - 1) * (PLOT_WIDTH - 40)

    def line(values: np.ndarray, colour: str, style: str) -> str:
        y = 6 + (high - np.nan_to_num(values, nan=low)) / (high - low) * (PLOT_HEIGHT - 24)
        points = " ".join(f"{a:.0f},{b:.1f}" for a, b in zip(x, y, strict=True))
        return f'<polyline points="{points}" fill="none" stroke="{colour}" {style}/>'

    parts, key = [], []
    for i, column in enumerate(columns):
        colour = _COLOURS[i % len(_COLOURS)]
        parts.append(line(action[:, i], colour, 'stroke-width="1" stroke-dasharray="3 2"'))
        if state is not None:
            parts.append(line(state[:, i], colour, 'stroke-width="1.4"'))
        key.append(f'<i><b style="color:{colour}">—</b> {html.escape(names[column])}</i>')
    text = 'font-size="10" fill="#667"'
    parts.append(f'<text x="3" y="14" {text}>{high:.2g}</text>')
    parts.append(f'<text x="3" y="{PLOT_HEIGHT - 18}" {text}>{low:.2g}</text>')
    parts.append(f'<text x="34" y="{PLOT_HEIGHT - 4}" {text}>0 s</text>')
    end = f"{row.frames / fps:.1f} s"
    parts.append(
        f'<text x="{PLOT_WIDTH - 6}" y="{PLOT_HEIGHT - 4}" text-anchor="end" {text}>{end}</text>'
    )
    lines = "" if state is None else "; dashed: action"
    return (
        f'<figure><svg width="{PLOT_WIDTH}" height="{PLOT_HEIGHT}" role="img">{"".join(parts)}'
        f'</svg><figcaption>{html.escape(label)}{lines} <span class="key">{" ".join(key)}</span>'
        "</figcaption></figure>"
    )


def _origin(row: EpisodeRow) -> str:
    if "bag" in row.notes:
        return str(row.notes["bag"])
    return f"seed\u00a0{row.notes['seed']}" if "seed" in row.notes else "–"


def _fastest(row: EpisodeRow, fps: float) -> float:
    arms = row.state[:, list(layout.ARM_INDICES)]
    return float(np.abs(np.diff(arms, axis=0)).max(initial=0.0) * fps)


def _data_url(image: np.ndarray) -> str:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
