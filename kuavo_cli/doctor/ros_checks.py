"""ROS 1: rospy, the project's ROS package, the robot's messages, the master."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
from pathlib import Path
from urllib.parse import urlparse

from kuavo_cli.doctor.python_checks import ROOT
from kuavo_cli.doctor.result import Result

# The robot's own sums: a class with another one cannot talk to it.
MD5 = {
    "sensorsData": "f9f437eb06511eb4cb60f115760b94e5",
    "lejuClawCommand": "57c40e80f90e7a289ae0b2488552e043",
}


def check_rospy() -> Result:
    """Does this Python see rospy, and are ROS's tools on PATH?"""
    try:
        rospy = importlib.import_module("rospy")
        importlib.import_module("sensor_msgs.msg")
    except ImportError as error:
        return Result("ros", "fail", f"cannot import: {error}", "make setup, then . ./env.sh")
    tools = [name for name in ("roscore", "roslaunch", "rosrun") if shutil.which(name) is None]
    where = Path(str(rospy.__file__)).parent
    if tools:
        return Result(
            "ros", "fail", f"rospy in {where}, not on PATH: {', '.join(tools)}", "make setup"
        )
    return Result("ros", "ok", f"rospy in {where}")


def check_ros_package() -> Result:
    """Does roslaunch find the package kuavo_deploy?"""
    try:
        rospkg = importlib.import_module("rospkg")
        path = rospkg.RosPack().get_path("kuavo_deploy")
    except ImportError as error:
        return Result("ros package", "fail", f"cannot import: {error}", "make setup")
    except rospkg.ResourceNotFound:
        return Result(
            "ros package", "fail", "roslaunch does not find kuavo_deploy", f". {ROOT}/env.sh"
        )
    return Result("ros package", "ok", f"kuavo_deploy in {path}")


def check_messages() -> Result:
    """Are the robot's message classes there, with the robot's MD5 sums?"""
    try:
        messages = importlib.import_module("kuavo_msgs.msg")
    except ImportError as error:
        return Result(
            "messages",
            "fail",
            f"cannot import kuavo_msgs: {error}",
            "make setup (brings the SDK's), or source the robot's workspace",
        )
    where = Path(str(messages.__file__)).parents[1]
    wrong = [name for name, md5 in MD5.items() if getattr(messages, name)._md5sum != md5]
    if wrong:
        return Result(
            "messages",
            "warn",
            f"{where}: {', '.join(wrong)} differ from the known robots",
            "fine only if this workspace is the robot's own; else source that one",
        )
    return Result("messages", "ok", f"kuavo_msgs in {where}, MD5 sums as on the robot")


def check_master(timeout_s: float = 1.0) -> Result:
    """Is a ROS master answering? A fact, not a fault: the simulator starts its own."""
    uri = os.environ.get("ROS_MASTER_URI", "http://localhost:11311")
    address = urlparse(uri)
    try:
        host, port = address.hostname, address.port
    except ValueError:
        host = port = None
    if not host or not port:
        return Result(
            "master",
            "warn",
            f"ROS_MASTER_URI={uri} is no address",
            "export ROS_MASTER_URI=http://HOST:11311",
        )
    try:
        socket.create_connection((host, port), timeout=timeout_s).close()
    except OSError as error:
        return Result(
            "master",
            "info",
            f"{uri} does not answer ({error.strerror or error})",
            "start roscore, or export ROS_MASTER_URI=http://ROBOT:11311",
        )
    remote = host not in ("localhost", "127.0.0.1", "::1", socket.gethostname())
    if remote and not (os.environ.get("ROS_IP") or os.environ.get("ROS_HOSTNAME")):
        return Result(
            "master",
            "warn",
            f"{uri} answers, but ROS_IP is not set",
            "export ROS_IP=<this machine's address>, or the robot cannot answer back",
        )
    return Result("master", "ok", f"{uri} answers")
