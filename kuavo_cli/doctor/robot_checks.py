"""The robot as a whole: version, hands, clocks, arm mode, who commands it, operator, executor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kuavo_cli.doctor.result import Result
from kuavo_cli.doctor.survey import Heard, Survey
from kuavo_cli.doctor.topic_checks import Expected
from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors import EndEffector, get_end_effector
from kuavo_deploy.robot.version import load_limits
from kuavo_deploy.ros import names

DEFAULT_VERSION, DEFAULT_EFFECTOR = 45, "lejuclaw"
"""Of `policy.launch`."""
JOINT_COUNTS = {"/legRealDof": 12, "/armRealDof": 14, "/headRealDof": 2}
EXECUTOR = "/kuavo_executor"
ONLOOKERS = (EXECUTOR, "/kuavo_record", "/record", "/rostopic", "/rqt")
"""Nodes that listen to commands and follow none."""
MODES = {0: "keep posture", 1: "auto swing", 2: "external control"}
GUARDED = (
    topics.ARM_TRAJ, topics.ARM_TARGET_POSES, topics.CLAW_COMMAND, topics.DEXHAND_COMMAND,
    topics.GRIPPER_COMMAND,
)  # fmt: skip
STILL = ("disabled", "")
"""States of the executor in which the arms are not its own."""


def mounted(survey: Survey, said: str | None) -> EndEffector:
    """The end effector: what the operator says, else the robot's parameter, else the default.

    Raises:
        ValueError: the operator says an unknown one.
    """
    if said is not None:
        return get_end_effector(said)
    try:
        return get_end_effector(str(survey.parameters.get("end_effector_type", DEFAULT_EFFECTOR)))
    except ValueError:
        return get_end_effector(DEFAULT_EFFECTOR)


def check_robot(survey: Survey, effector: EndEffector, configs: Path) -> Result:
    """Which robot it says it is, and what to tell `policy.launch` about it."""
    parameters = survey.parameters
    version = parameters.get("robot_version")
    if version is None:
        fix = "rosparam set /robot_version 45, or whichever it is; the launch takes robot_version:="
        return Result("robot", "warn", "/robot_version is not set", fix)
    try:
        load_limits(int(version), configs / "robot")
    except (ValueError, TypeError) as error:
        fix = "add its limits as a file in configs/robot, from the robot's URDF"
        return Result("robot", "fail", str(error), fix)
    wrong = _joint_counts(parameters)
    found = f"version {version}, {effector.name}"
    if wrong:
        fix = "another kind of Kuavo: the vectors are in kuavo_deploy/robot/layout.py"
        return Result("robot", "fail", f"{found}, {wrong}", fix)
    says = parameters.get("end_effector_type")
    if says is not None and says != effector.name:
        fix = f"look at the robot; launch with end_effector:={says} if it is right"
        return Result("robot", "warn", f"{found}, but /end_effector_type is {says!r}", fix)
    arguments = []
    if int(version) != DEFAULT_VERSION:
        arguments.append(f"robot_version:={version}")
    if effector.name != DEFAULT_EFFECTOR:
        arguments.append(f"end_effector:={effector.name}")
    if arguments:
        return Result("robot", "info", found, f"launch with {' '.join(arguments)}")
    return Result("robot", "ok", found)


def _joint_counts(parameters: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} is {parameters[name[1:]]}, expected {count}"
        for name, count in JOINT_COUNTS.items()
        if parameters.get(name[1:], count) != count
    )


def clock_offsets(survey: Survey) -> dict[str, float]:
    """By how much each node's clock seems behind this computer's [s], by the node's name.

    Of its quickest message, so it includes some milliseconds of transport.
    """
    offsets: dict[str, float] = {}
    for heard in survey.heard.values():
        if heard.stamps and all(heard.stamps):
            node = heard.publishers[0]
            offsets[node] = min(heard.offset, offsets.get(node, heard.offset))
    return offsets


def check_clocks(survey: Survey, expected: list[Expected], ahead: float) -> Result:
    """Do the senders' clocks agree with this computer's?

    Args:
        survey: see there.
        expected: topics with stamps, and their maximum age.
        ahead: how far a stamp may be in the future [s].
    """
    if survey.parameters.get("use_sim_time"):
        return Result("clocks", "info", "/use_sim_time is set: all follow the simulation")
    stamped = {one: survey.heard[one.topic] for one in expected if survey.heard[one.topic].stamps}
    if not stamped:
        return Result("clocks", "info", "no stamped message arrived: nothing to compare")
    unstamped = [one.topic for one, heard in stamped.items() if not all(heard.stamps)]
    if unstamped:
        fix = "its driver must fill header.stamp: what has no time counts as stale"
        return Result("clocks", "fail", f"no stamps on {', '.join(unstamped)}", fix)
    patience: dict[str, float] = {}
    for one, heard in stamped.items():
        node = heard.publishers[0]
        patience[node] = min(one.max_age, patience.get(node, one.max_age))
    offsets = clock_offsets(survey)
    problems = [
        f"{node} stamps {abs(offsets[node]):.2f} s {'behind' if offsets[node] > 0 else 'ahead of'} "
        f"this computer's clock"
        for node in patience
        if not -ahead <= offsets[node] <= patience[node]
    ]
    if problems:
        fix = (
            "synchronize the clocks of all computers: install chrony on each, compare with "
            "`chronyc tracking`, set at once with `chronyc makestep`"
        )
        return Result("clocks", "fail", "; ".join(problems), fix)
    worst = max((abs(offsets[node]) for node in patience), default=0.0)
    return Result("clocks", "ok", f"all within {worst * 1e3:.0f} ms of this computer's")


def check_arm_mode(survey: Survey, state: str) -> Result:
    """Would the arms follow?

    Args:
        survey: see there.
        state: the executor's, '' when there is none.
    """
    by_hand = f"rosservice call {topics.CHANGE_ARM_MODE} 2"
    changeable = {topics.CHANGE_ARM_MODE, topics.CHANGE_ARM_MODE_ALTERNATIVE} & survey.services
    if not changeable:
        return Result(
            "arm mode", "fail", f"nobody offers {topics.CHANGE_ARM_MODE}: the arms cannot be taken",
            "start the robot's controller (Leju's humanoid_controllers)",
        )  # fmt: skip
    if survey.arm_mode is None:
        return Result("arm mode", "info", f"not known: {survey.arm_mode_problem}", by_hand)
    found = f"{survey.arm_mode}, {MODES.get(survey.arm_mode, 'unknown')}"
    if survey.arm_mode == topics.ARM_MODE_EXTERNAL:
        return Result("arm mode", "ok", found)
    if state not in STILL:
        fix = f"somebody took the arms away: disable, then enable again (or {by_hand})"
        return Result("arm mode", "fail", f"{found}, but the executor is in {state}", fix)
    fix = f"nothing to do: enabling switches to 2 (by hand: {by_hand})"
    return Result("arm mode", "info", found, fix)


def check_commands(survey: Survey) -> Result:
    """Does the robot listen, and to nobody else?"""
    others = {
        topic: [node for node in survey.commanded_by.get(topic, []) if node != EXECUTOR]
        for topic in GUARDED
    }
    intruders = {topic: found for topic, found in others.items() if found}
    if intruders:
        nodes = sorted({node for found in intruders.values() for node in found})
        return Result(
            "commands", "fail",
            "; ".join(f"{t} is also published by {', '.join(n)}" for t, n in intruders.items()),
            f"rosnode kill {' '.join(nodes)}: the executor faults while somebody else publishes",
        )  # fmt: skip
    listeners = [
        node for node in survey.obeyed_by.get(topics.ARM_TRAJ, []) if not node.startswith(ONLOOKERS)
    ]
    if not listeners:
        return Result(
            "commands", "fail", f"nobody listens to {topics.ARM_TRAJ}: the arms would not move",
            "start the robot's controller (Leju's humanoid_controllers)",
        )  # fmt: skip
    walking = sorted({n for t in (topics.CMD_POSE_WORLD, topics.CMD_POSE, topics.CMD_VEL)
                      for n in survey.commanded_by.get(t, []) if n != EXECUTOR})  # fmt: skip
    found = f"{', '.join(listeners)} obeys, nobody else commands the arms"
    if walking:
        fix = f"rosnode kill {' '.join(walking)}, unless it is the operator's joystick"
        return Result("commands", "warn", f"{found}; {', '.join(walking)} can walk it", fix)
    return Result("commands", "ok", found)


def check_operator(survey: Survey) -> Result:
    """Is the robot paused or stopped on Leju's own topics?"""
    for topic, what in ((topics.STOP_STATE, "stopped"), (topics.PAUSE_STATE, "paused")):
        heard = survey.heard.get(topic, Heard())
        if heard.last == b"\x01":
            fix = f"rostopic pub -1 {topic} std_msgs/Bool 'data: false'"
            return Result("operator", "warn", f"{what}: {topic} says true", fix)
    return Result("operator", "ok", "neither paused nor stopped")


def executor_state(survey: Survey) -> str:
    """The executor's state and reason; '' when there is none."""
    last = survey.heard.get(names.STATE, Heard()).last
    return last[4:].decode("utf-8", "replace") if last else ""


def check_executor(state: str) -> Result:
    """What the executor says of itself."""
    if not state:
        return Result("executor", "info", "not running: policy.launch or executor.launch starts it")
    if state.startswith("fault"):
        return Result("executor", "fail", state, "rosservice call /kuavo_executor/reset_fault")
    return Result("executor", "ok", state)
