"""A short soak with a real checkpoint: it runs, judges, and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from .tiny_policy import write_tiny_checkpoint

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_short_soak_is_judged_by_what_was_published(
    shell_environment: dict[str, str], root: Path, tmp_path: Path
) -> None:
    postures = yaml.safe_load((root / "configs/deploy/start_postures.yaml").read_text())
    checkpoint = write_tiny_checkpoint(tmp_path / "best", np.array(postures["weighing"]))
    done = subprocess.run(
        [
            sys.executable, "-m", "kuavo_deploy.soak", str(checkpoint), "--seconds", "8",
            "--every", "2", "--out", str(tmp_path / "soak"), "--device", "cpu",
        ],
        env=shell_environment, capture_output=True, text=True, check=False, timeout=350,
    )  # fmt: skip
    assert (tmp_path / "soak" / "report.json").is_file(), done.stderr
    report = json.loads((tmp_path / "soak" / "report.json").read_text())
    assert report["commands"] > 100
    assert max(report["largest rate as a share of its limit"].values()) <= 1.0
    assert report["outside the position limits [rad]"] == 0.0
    assert report["switches"]["number"] == 4 and not report["switches"]["not acknowledged"]
    assert (done.returncode == 0) == report["passed"]
    assert all(stop["explained"] for stop in report["holds and faults"])
    left = subprocess.run(
        ["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert left.stdout == ""
