"""The checks of a robot that is there: one look at it, then a line for each finding."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from kuavo_cli.doctor import robot_checks, survey, topic_checks
from kuavo_cli.doctor.result import Result
from kuavo_cli.doctor.survey import Survey
from kuavo_cli.doctor.wire import NoAnswer
from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors import END_EFFECTORS
from kuavo_deploy.ros import names

CheckFunction = Callable[[], Result]
Sizes = dict[str, tuple[int, int] | None]
ANY_SIZE: Sizes = dict.fromkeys(topics.CAMERAS)


def examination(
    uri: str,
    seconds: float,
    end_effector: str | None,
    cameras: Sizes,
    configs: Path,
    demanded: bool,
) -> list[CheckFunction]:
    """Look at the robot of a master; the checks to be run on what was seen.

    Args:
        uri: of the master.
        seconds: how long topics are listened to.
        end_effector: what is mounted; None: what the robot says.
        cameras: that are needed, with the size that a checkpoint was trained with.
        configs: the project's `configs`.
        demanded: a master without a robot is a failure, not a fact.
    """
    bounds = topic_checks.Bounds.load(configs)
    states = [effector.state_topic for effector in END_EFFECTORS.values()]
    wanted = {
        topics.SENSORS, topics.ODOM, *states, *(topics.CAMERA_TOPICS[name] for name in cameras),
        names.STATE, topics.PAUSE_STATE, topics.STOP_STATE,
    }  # fmt: skip
    try:
        seen = survey.look(uri, wanted, seconds)
    except NoAnswer as problem:
        finding = Result("robot", "fail", str(problem), "is the master hung? restart roscore")
        return [lambda: finding]
    if not _there(seen):
        return [partial(check_absent, uri, demanded)]
    effector = robot_checks.mounted(seen, end_effector)
    expected = topic_checks.expected_topics(bounds, effector, cameras)
    state = robot_checks.executor_state(seen)
    return [
        partial(robot_checks.check_robot, seen, effector, configs),
        *(_topic(one, seen) for one in expected),
        partial(robot_checks.check_clocks, seen, expected, bounds.executor.clock_ahead),
        partial(robot_checks.check_arm_mode, seen, state.split(":")[0]),
        partial(robot_checks.check_commands, seen),
        partial(robot_checks.check_operator, seen),
        partial(robot_checks.check_executor, state),
    ]


def _topic(one: topic_checks.Expected, seen: Survey) -> CheckFunction:
    heard = seen.heard[one.topic]
    offset: float | None = None
    if not seen.parameters.get("use_sim_time") and heard.publishers:
        offset = robot_checks.clock_offsets(seen).get(heard.publishers[0], 0.0)
    return partial(topic_checks.check_topic, one, heard, offset)


def _there(seen: Survey) -> bool:
    robot = {topics.SENSORS, topics.ODOM, *topics.CAMERA_TOPICS.values()}
    return any(heard.publishers for topic, heard in seen.heard.items() if topic in robot)


def check_absent(uri: str, demanded: bool) -> Result:
    """A master that no robot uses."""
    return Result(
        "robot",
        "fail" if demanded else "info",
        f"no robot on {uri}: nobody publishes joints or images",
        "start the robot's controller, or roslaunch kuavo_deploy sim.launch",
    )
