"""The robot's services, those of them that clients of arms and hands use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rospy
from std_srvs.srv import Trigger, TriggerResponse

from kuavo_deploy.robot import topics
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_sim.ros.arms import MODES
from kuavo_sim.ros.world import World

CLAW_SERVICE = "/control_robot_leju_claw"
GAIT_SERVICE = "/humanoid_get_current_gait_name"


def offer_services(world: World) -> None:
    """Arm modes, the claw's service, the gait's name."""
    kuavo = kuavo_msgs("srv")

    def change_mode(request: Any) -> Any:
        what = topics.CHANGE_ARM_MODE
        refused = world.command(
            what, lambda body: body.arms.set_mode(request.control_mode, world.now)
        )
        mode = world.body.arms.mode
        message = refused or f"arm mode {mode}: {MODES[mode]}"
        return kuavo.changeArmCtrlModeResponse(result=not refused, mode=mode, message=message)

    def get_mode(_: Any) -> Any:
        mode = world.body.arms.mode
        return kuavo.changeArmCtrlModeResponse(result=True, mode=mode, message=MODES[mode])

    def control_claw(request: Any) -> Any:
        data = request.data
        refused = world.command(
            CLAW_SERVICE,
            lambda body: body.hands.claw(data.name, data.position, data.velocity, data.effort),
        )
        return kuavo.controlLejuClawResponse(success=not refused, message=refused or "")

    def gait(_: Any) -> Any:
        name = "walk" if world.sim.robot.walking else "stance"
        return kuavo.getCurrentGaitNameResponse(success=True, gait_name=name)

    for name in (topics.CHANGE_ARM_MODE, topics.CHANGE_ARM_MODE_ALTERNATIVE):
        rospy.Service(name, kuavo.changeArmCtrlMode, change_mode)
    rospy.Service(topics.GET_ARM_MODE, kuavo.changeArmCtrlMode, get_mode)
    rospy.Service(CLAW_SERVICE, kuavo.controlLejuClaw, control_claw)
    rospy.Service(GAIT_SERVICE, kuavo.getCurrentGaitName, gait)


def offer_reset(reset: Callable[[], str]) -> None:
    """`/kuavo_sim/reset`: a new scene from the parameters /kuavo_sim/task and /kuavo_sim/seed.

    Args:
        reset: does it and says what was done; raises ValueError when the parameters are wrong.
    """

    def handle(_: Any) -> TriggerResponse:
        try:
            return TriggerResponse(success=True, message=reset())
        except ValueError as error:
            return TriggerResponse(success=False, message=str(error))

    rospy.Service("/kuavo_sim/reset", Trigger, handle)
