"""Paths that a person gave to roslaunch: meant from where roslaunch was called."""

from __future__ import annotations

from pathlib import Path

import rospy


def meant(path: str | Path) -> Path:
    """The absolute path; a node's own working folder is ROS_HOME, so launch files set ~here."""
    here = str(rospy.get_param("~here", ".")).strip()
    return (Path(here) / Path(path).expanduser()).absolute()
