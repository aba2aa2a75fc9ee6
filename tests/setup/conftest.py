"""Fixtures of the set-up's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.setup.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which everything works, until a test breaks something."""
    return Machine(tmp_path)
