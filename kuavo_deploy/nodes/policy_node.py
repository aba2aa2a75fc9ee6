#!/usr/bin/env python3
"""The policy node: keeps the newest observation, runs the policy, publishes action chunks.

Subscribes: the cameras that the checkpoint needs, /sensors_data_raw, the end effector's state,
/kuavo_policy/instruction; of the executor, which acknowledges on the first,
/kuavo_executor/epoch, /kuavo_executor/taken, /kuavo_executor/state.
Publishes: /kuavo_policy/plan, /kuavo_policy/epoch (latched), /kuavo_policy/refused, /diagnostics.
Service: /kuavo_policy/set_instruction (kuavo_msgs/SetString).
Private parameters: checkpoint, task, instruction, device, end_effector, configs, config, and any
setting of configs/deploy/policy.yaml under `settings/`.
docs/runtime.md describes everything.
"""

from __future__ import annotations

import functools
import math
import os
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rospy
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from kuavo_deploy.executor.epochs import Announcement
from kuavo_deploy.policy.acknowledged import Acknowledged
from kuavo_deploy.policy.continuation import CONTINUATIONS, Chunk
from kuavo_deploy.policy.decoding import decode
from kuavo_deploy.policy.executed import Executed
from kuavo_deploy.policy.instructions import InstructionRefused, Instructions
from kuavo_deploy.policy.memory import with_freed_memory
from kuavo_deploy.policy.observations import Observation, ObservationBuffer
from kuavo_deploy.policy.planner import Outcome, Planner
from kuavo_deploy.policy.policies import TrainedPolicy
from kuavo_deploy.policy.rest import Rest
from kuavo_deploy.policy.settings import PolicySettings, load_policy_settings
from kuavo_deploy.policy.starts import start_postures
from kuavo_deploy.policy.switchboard import Switchboard
from kuavo_deploy.robot import topics
from kuavo_deploy.robot.end_effectors import get_end_effector
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_deploy.ros import convert, names
from kuavo_deploy.ros.diagnostics import diagnostics, figures_text
from kuavo_deploy.ros.master import UNREACHABLE, MasterLink
from kuavo_deploy.safety import health
from kuavo_deploy.safety.health import Level
from kuavo_deploy.safety.states import State, reason_kind
from kuavo_train.errors import TrainingError
from kuavo_train.tasks import load_tasks

IMAGE_BUFFER = 1 << 24
ACKNOWLEDGEMENT_LIMIT = 2.0
"""The service waits so long for the executor [s]."""
REPORT_PERIOD = 1.0
SWITCH_INTERVAL = 5e-4
"""Python's own 5 ms is what inference waits after each image that is decoded meanwhile [s]."""
WARN_PERIOD = 10.0
"""Between two warnings of the same kind [s]."""


class PolicyNode:
    """Wires topics to the buffer, the switchboard and the planner.

    Args:
        policy: loaded. settings: see there. starts: see `start_postures`.
    """

    def __init__(
        self,
        policy: TrainedPolicy,
        settings: PolicySettings,
        starts: Mapping[str, tuple[float, ...]],
    ) -> None:
        self._effector = get_end_effector(
            rospy.get_param("~end_effector", "lejuclaw"), rospy.get_param("~claw_closed_at", 100)
        )
        self._device = policy.device
        self._buffer = ObservationBuffer(policy.cameras, settings.observations)
        self._lock = threading.Lock()
        self._acknowledged = Acknowledged()
        self._rest = Rest(settings.planner.rest)
        self._wake = threading.Event()
        instructions = Instructions(load_tasks(), settings.instructions, policy.instructions)
        self._switchboard = Switchboard(instructions, secrets.token_hex(4), starts)
        self._executed = Executed(confirmed=True)
        self._planner = Planner(
            with_freed_memory(policy), CONTINUATIONS[settings.continuation](), self._look, decode,
            lambda: self._switchboard.current, rospy.get_time, settings.planner, self._executed,
        )  # fmt: skip
        self._stopped_for = ""
        self._warned: dict[str, float] = {}
        self._plan = rospy.Publisher(names.PLAN, JointTrajectory, queue_size=2, tcp_nodelay=True)
        self._epoch = rospy.Publisher(names.EPOCH, String, queue_size=10, latch=True)
        self._refused = rospy.Publisher(names.REFUSED, String, queue_size=10)
        self._diagnostics = rospy.Publisher("/diagnostics", DiagnosticArray, queue_size=10)
        self._subscribe(policy.cameras)
        service = rospy.Service(
            names.SET_INSTRUCTION, kuavo_msgs("srv").SetString, self._set_instruction
        )
        self._master = MasterLink([service])

    def _subscribe(self, cameras: tuple[str, ...]) -> None:
        for camera in cameras:
            rospy.Subscriber(
                topics.CAMERA_TOPICS[camera], CompressedImage,
                functools.partial(self._on_image, camera),
                queue_size=1, buff_size=IMAGE_BUFFER, tcp_nodelay=True,
            )  # fmt: skip
        hands = convert.hand_state_class(self._effector)
        rospy.Subscriber(topics.SENSORS, kuavo_msgs().sensorsData, self._on_joints, queue_size=1)
        rospy.Subscriber(self._effector.state_topic, hands, self._on_hands, queue_size=1)
        rospy.Subscriber(names.INSTRUCTION, String, self._on_instruction, queue_size=10)
        rospy.Subscriber(
            names.IN_FORCE, String, lambda m: self._acknowledged.heard(m.data), queue_size=10
        )
        rospy.Subscriber(names.TAKEN, String, self._on_taken, queue_size=10, tcp_nodelay=True)
        rospy.Subscriber(names.STATE, String, self._on_state, queue_size=10)

    # observations

    def _on_image(self, camera: str, message: CompressedImage) -> None:
        with self._lock:
            stamp = message.header.stamp.to_sec()
            self._buffer.on_image(camera, bytes(message.data), stamp, rospy.get_time())

    def _on_joints(self, message: Any) -> None:
        try:
            with self._lock:
                self._buffer.on_joints(
                    message.joint_data.joint_q, message.header.stamp.to_sec(), rospy.get_time()
                )
        except ValueError as error:
            rospy.logerr_throttle(5.0, str(error))

    def _on_hands(self, message: Any) -> None:
        try:
            closures = convert.hand_closures(self._effector, message)
        except ValueError as error:
            rospy.logerr_throttle(5.0, str(error))
            return
        with self._lock:
            stamp = message.header.stamp.to_sec()
            self._buffer.on_hands(closures, stamp, rospy.get_time())

    def _look(self) -> Observation:
        with self._lock:
            return self._buffer.snapshot(rospy.get_time())

    # instructions

    def say(self, text: str) -> Announcement:
        """Switch to what is said.

        Raises:
            InstructionRefused: the old instruction stays.
        """
        announcement = self._switchboard.switch(text)
        rospy.set_param("~said", text)
        self._epoch.publish(convert.announcement_message(announcement))
        self._wake.set()
        return announcement

    def _on_instruction(self, message: String) -> None:
        try:
            self.say(message.data)
        except InstructionRefused as refusal:
            rospy.logwarn(f"instruction refused: {refusal}")
            self._refused.publish(str(refusal))

    def _set_instruction(self, request: Any) -> Any:
        answer = kuavo_msgs("srv").SetStringResponse
        self._acknowledged.forget()
        try:
            announcement = self.say(request.data)
        except InstructionRefused as refusal:
            return answer(success=False, message=str(refusal))
        label = announcement.label
        if not self._acknowledged.wait(announcement.epoch, ACKNOWLEDGEMENT_LIMIT):
            return answer(success=False, message=f"{label}: the executor does not acknowledge it")
        return answer(success=True, message=label)

    def _on_taken(self, message: String) -> None:
        try:
            self._executed.taken(*convert.taken(message))
        except ValueError as error:
            rospy.logwarn_throttle(5.0, f"{names.TAKEN}: {error}")

    def _on_state(self, message: String) -> None:
        state = message.data.partition(":")[0]
        if state != State.RUN.value:
            self._executed.forget()
        if self._rest.heard(state):
            self._wake.set()

    # rhythms

    def run(self) -> None:
        """Until ROS shuts down."""
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        while not rospy.is_shutdown():
            self._wake.clear()
            outcome = self._planner.step()
            self._hand_over(outcome)
            self._wake.wait(self._rest.wait(outcome.wait))
        rospy.loginfo(f"policy: {figures_text(self._planner.figures.summary())}")

    def _hand_over(self, outcome: Outcome) -> None:
        if outcome.chunk is not None:
            self._stopped_for = ""
            self._plan.publish(_message(outcome.chunk))
        elif outcome.stop:
            self._ask_to_hold(outcome.reason)

    def _ask_to_hold(self, reason: str) -> None:
        current = self._switchboard.current
        kind, now = reason_kind(reason), time.monotonic()
        if reason and now - self._warned.get(kind, -math.inf) > WARN_PERIOD:
            self._warned[kind] = now
            rospy.logwarn(f"no plan: {reason}")
        if not self._stopped_for and current is not None:
            self._plan.publish(convert.stop_message(current.epoch, rospy.get_time(), reason))
        self._stopped_for = reason

    def _watch(self) -> None:
        while not rospy.is_shutdown():
            try:
                if self._master.renew():
                    rospy.logwarn("the ROS master restarted: registered again")
            except UNREACHABLE as error:
                rospy.logwarn_throttle(10.0, f"the ROS master does not answer: {error}")
            self._report()
            time.sleep(REPORT_PERIOD)

    def _report(self) -> None:
        current = self._switchboard.current
        figures = self._planner.figures
        values = {
            "instruction": current.instruction if current else "", "device": self._device,
            **figures.summary(),
        }  # fmt: skip
        with self._lock:
            seen = self._buffer.health(rospy.get_time())
        found = health.together([self._planner.health(), seen])
        if found.level is Level.OK:
            found = found._replace(text="resting" if self._rest.resting else "planning")
        self._diagnostics.publish(diagnostics("kuavo_policy", found, values))


def _message(chunk: Chunk) -> JointTrajectory:
    return convert.plan_message(chunk.epoch, chunk.stamp, chunk.step, chunk.actions.tolist())


def main() -> int:
    """Start the node; wrong parameters end it with one sentence."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    rospy.init_node("kuavo_policy")
    try:
        configs = Path(rospy.get_param("~configs"))
        os.environ.setdefault("KUAVO_CONFIGS", str(configs))
        file = Path(rospy.get_param("~config", str(configs / "deploy" / "policy.yaml")))
        settings = load_policy_settings(file, **rospy.get_param("~settings", {}))
        checkpoint = Path(rospy.get_param("~checkpoint")).expanduser()
        rospy.loginfo(f"loading {checkpoint}")
        policy = TrainedPolicy(
            checkpoint, rospy.get_param("~device", "auto"), settings.dtype,
            settings.engine, settings.threads, graphs=True, noise=settings.noise,
        )  # fmt: skip
        policy.warm_up()
        rospy.loginfo(f"loaded on {policy.device}, cameras {', '.join(policy.cameras)}")
        node = PolicyNode(policy, settings, start_postures(checkpoint))
        # a respawned node goes on with what was said last, not with what was launched
        launched = rospy.get_param("~instruction", "") or rospy.get_param("~task")
        node.say(rospy.get_param("~said", launched))
    except (ValueError, KeyError, OSError, TrainingError, InstructionRefused) as error:
        rospy.logfatal(f"kuavo_policy: {error}")
        return 1
    node.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
