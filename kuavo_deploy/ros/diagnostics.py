"""Figures as /diagnostics."""

from __future__ import annotations

from typing import Any, Mapping

import rospy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from kuavo_deploy.safety.health import Finding


def diagnostics(name: str, health: Finding, values: Mapping[str, Any]) -> DiagnosticArray:
    """One status."""
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    status = DiagnosticStatus(
        level=int(health.level), name=name, message=health.text, hardware_id="kuavo", values=pairs
    )
    array = DiagnosticArray(status=[status])
    array.header.stamp = rospy.Time.now()
    return array


def figures_text(values: Mapping[str, Any]) -> str:
    """For the log."""
    return ", ".join(f"{key} {value}" for key, value in values.items())
