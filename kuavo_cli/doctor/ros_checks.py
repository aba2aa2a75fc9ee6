"""ROS 1: rospy, the project's ROS package, the robot's messages, the master."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import xmlrpc.client
from pathlib import Path
from urllib.parse import urlparse

from kuavo_cli.doctor.python_checks import ROOT
from kuavo_cli.doctor.result import Result, Status
from kuavo_cli.doctor.wire import CALLER, api

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


def master_uri() -> str:
    """Of the master that this shell is set to."""
    return os.environ.get("ROS_MASTER_URI", "http://localhost:11311")


def answers(uri: str, timeout_s: float = 2.0) -> bool:
    """Does a ROS master answer there?"""
    try:
        return bool(api(uri, timeout_s).getPid(CALLER)[0] == 1)
    except (OSError, ValueError, xmlrpc.client.Error):
        return False


def check_master(timeout_s: float = 2.0, demanded: bool = False) -> Result:
    """Is a ROS master answering, and can it answer back?

    Args:
        timeout_s: for its answer.
        demanded: a master that is not there is a failure; else a fact, since the simulator starts
            its own.
    """
    uri = master_uri()
    address = urlparse(uri)
    try:
        host, port = address.hostname, address.port
    except ValueError:
        host = port = None
    if not host or not port:
        fix = "export ROS_MASTER_URI=http://HOST:11311"
        status: Status = "fail" if demanded else "warn"
        return Result("master", status, f"ROS_MASTER_URI={uri} is no address", fix)
    problem = _connection_problem(host, port, timeout_s)
    if not problem and not answers(uri, timeout_s):
        problem = "something else than a ROS master, or a hung one"
    if problem:
        return Result(
            "master",
            "fail" if demanded else "info",
            f"{uri} does not answer ({problem})",
            "start roscore, or export ROS_MASTER_URI=http://ROBOT:11311",
        )
    return _way_back(uri, host, port)


def _connection_problem(host: str, port: int, timeout_s: float) -> str:
    try:
        socket.create_connection((host, port), timeout=timeout_s).close()
    except socket.gaierror:
        return f"the name {host} is unknown here: use its address, or add it to /etc/hosts"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _way_back(uri: str, host: str, port: int) -> Result:
    """Other computers call this one by ROS_IP, ROS_HOSTNAME, or its own name."""
    mine = _own_address_towards(host, port)
    set_to = os.environ.get("ROS_HOSTNAME") or os.environ.get("ROS_IP")
    remote = host not in ("localhost", "127.0.0.1", "::1", socket.gethostname())
    if remote and not set_to:
        return Result(
            "master",
            "warn",
            f"{uri} answers, but ROS_IP is not set",
            f"export ROS_IP={mine}: by the name {socket.gethostname()!r} the robot may not find us",
        )
    if set_to and not _is_own(set_to):
        return Result(
            "master",
            "fail",
            f"{uri} answers, but ROS_IP or ROS_HOSTNAME is {set_to}, which is not this computer",
            f"unset ROS_HOSTNAME; export ROS_IP={mine}: the robot calls back there",
        )
    return Result("master", "ok", f"answers; this computer is {set_to or mine} to it")


def _own_address_towards(host: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, port))  # sends nothing: it only chooses the way
            return str(probe.getsockname()[0])
        except OSError:
            return "<this computer's address>"


def _is_own(name: str) -> bool:
    """Can a server here be reached under this name or address?"""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((name, 0))
        except OSError:
            return False
    return True
