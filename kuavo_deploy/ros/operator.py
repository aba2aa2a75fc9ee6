"""The operator's services: enable, disable, pause, reset."""

from __future__ import annotations

import threading
from typing import Any, Callable

import rospy
from std_srvs.srv import SetBool, SetBoolResponse, Trigger, TriggerResponse

from kuavo_deploy.executor.executor import Executor
from kuavo_deploy.robot.version import RobotLimits
from kuavo_deploy.ros import names
from kuavo_deploy.ros.arm_mode import take_arms
from kuavo_deploy.safety.limits import LimitsError, narrowed_by_urdf
from kuavo_deploy.safety.states import Answer, State

DESCRIPTION = "/humanoid_description"


class Operator:
    """Serves an executor's operator.

    Args:
        executor: does it. lock: held around each of its calls.
        configured: limits of the robot version, before the URDF narrows them.
        move_to_start: go to the task's start posture when enabled.
        shadow: the robot is not touched.

    Attributes:
        services: all of them.
    """

    def __init__(
        self,
        executor: Executor,
        lock: threading.Lock,
        configured: RobotLimits,
        move_to_start: bool,
        shadow: bool,
    ) -> None:
        self._executor, self._lock, self._configured = executor, lock, configured
        self._move_to_start, self._shadow = move_to_start and not shadow, shadow
        self.services = [
            self._trigger(names.ENABLE, self.enable),
            self._trigger(names.DISABLE, lambda: self._locked(executor.disable)),
            self._trigger(names.RESET_FAULT, lambda: self._locked(executor.reset_fault)),
            rospy.Service(names.PAUSE, SetBool, self._pause),
        ]

    def _trigger(self, name: str, done: Callable[[], Answer]) -> rospy.Service:
        return rospy.Service(name, Trigger, lambda _: TriggerResponse(*done()))

    def _locked(self, act: Callable[[], Answer]) -> Answer:
        with self._lock:
            return act()

    def _pause(self, request: Any) -> SetBoolResponse:
        act = self._executor.pause if request.data else self._executor.resume
        return SetBoolResponse(*self._locked(act))

    def enable(self) -> Answer:
        """Take the arms over, if nothing is wrong."""
        with self._lock:
            refused = self._executor.why_not()
        if refused:
            return False, refused
        try:
            limits = limits_now(self._configured)
        except LimitsError as error:
            return False, f"not enabled: {error}"
        if not self._shadow:
            # asked outside the lock: the robot may take its time to answer
            done, why = take_arms()
            if not done:
                return False, f"not enabled: {why}"
        with self._lock:
            if self._executor.supervisor.state is State.DISABLED:
                self._executor.use_limits(limits)
            return self._executor.enable(self._move_to_start)

    def enable_by_itself(self) -> None:
        """Once in the life of a launch: a respawned node waits for the operator."""
        if not rospy.get_param("~auto_enable", False) or rospy.get_param("~auto_enabled", False):
            return
        with self._lock:
            instructed = self._executor.epochs.current is not None
        if not instructed:
            return
        done, why = self.enable()
        if done:
            rospy.set_param("~auto_enabled", True)
        else:
            rospy.loginfo_throttle(5.0, why)


def limits_now(configured: RobotLimits) -> RobotLimits:
    """The configured limits, narrowed by the robot's URDF where it is on the master by now.

    Raises:
        LimitsError: the URDF cannot be trusted.
    """
    urdf = rospy.get_param(DESCRIPTION, None)
    return configured if urdf is None else narrowed_by_urdf(configured, urdf)
