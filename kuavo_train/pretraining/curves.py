"""The learning curves as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

_PANELS = (
    ("pointing [px]", ("pointing_px",)),
    ("pointing [cm]", ("pointing_cm",)),
    ("right patches, seen or not", ("patches", "seen")),
    ("flow-matching loss", ("flow_loss",)),
    ("arms [rad]", ("motion", "still")),
)


def draw_curves(measured: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Held-out measurements over steps, one panel a quantity."""
    figure, axes = pyplot.subplots(1, len(_PANELS), figsize=(4 * len(_PANELS), 3))
    steps = [m["step"] for m in measured]
    for axis, (title, names) in zip(axes, _PANELS, strict=True):
        for name in names:
            axis.plot(steps, [m[name] for m in measured], marker=".", label=name)
        axis.set_title(title)
        axis.set_xlabel("step")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        if len(names) > 1:
            axis.legend()
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=80)
    pyplot.close(figure)
