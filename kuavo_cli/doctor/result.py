"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "info", "warn", "fail"]


@dataclass(frozen=True)
class Result:
    """One line of the doctor's report.

    Attributes:
        name: what was looked at.
        status: "fail" makes the command exit with 1; "warn" is worth mending; "info" is a fact.
        found: what is there.
        fix: what mends it, empty where there is nothing to mend.
    """

    name: str
    status: Status
    found: str
    fix: str = ""
