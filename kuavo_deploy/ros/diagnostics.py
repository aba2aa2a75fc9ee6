"""Figures as /diagnostics."""

from __future__ import annotations

from typing import Any, Mapping

import rospy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def diagnostics(
    name: str, level: int, message: str, values: Mapping[str, Any]
) -> DiagnosticArray:
    """One status."""
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    status = DiagnosticStatus(
        level=level, name=name, message=message, hardware_id="kuavo", values=pairs
    )
    array = DiagnosticArray(status=[status])
    array.header.stamp = rospy.Time.now()
    return array


def figures_text(values: Mapping[str, Any]) -> str:
    """For the log."""
    return ", ".join(f"{key} {value}" for key, value in values.items())
