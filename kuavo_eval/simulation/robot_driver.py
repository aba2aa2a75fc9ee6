"""A chunk policy at the controls as on the robot: planner, executor, inference that takes time.

At 100 Hz: the sensors are read, a plan that has become ready is handed over, the executor ticks.
While inference "runs", the robot goes on with the plan that it has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from kuavo_deploy.executor.base import Odometry
from kuavo_deploy.executor.epochs import Announcement
from kuavo_deploy.executor.executor import Commands, Executor
from kuavo_deploy.executor.settings import load_settings
from kuavo_deploy.policy.continuation import CONTINUATIONS, Chunk
from kuavo_deploy.policy.decoding import decode
from kuavo_deploy.policy.observations import Observation
from kuavo_deploy.policy.planner import Planner, PlannerSettings
from kuavo_deploy.policy.policies import ChunkPolicy
from kuavo_deploy.robot import layout
from kuavo_deploy.robot.version import load_limits
from kuavo_deploy.safety.checks import RawPlan
from kuavo_deploy.safety.states import State
from kuavo_eval.simulation.settings import SimulationSettings
from kuavo_eval.trials.faults import VoidTrial, is_policy_fault
from kuavo_eval.trials.schema import Latency, SafetyEvent
from kuavo_sim.experts.base import GivesUp
from kuavo_sim.ros.cameras import encode_jpeg
from kuavo_sim.simulation import Simulation
from kuavo_train.tasks import task_named
from kuavo_train.tasks.registry import configs_root

COMMAND_HZ = 100
"""Commands per second of the executor, and control periods of the environment."""
ORIGIN = 1000.0
"""The stamp of simulated time 0 [s]; a stamp of 0 means none."""
JPEG_QUALITY = 90
"""As the simulated robot's cameras."""
_SLACK = 1e-6
"""Times that differ by less are the same [s]."""


class SafetyStop(GivesUp):
    """The executor stopped the robot because of what the policy wanted."""


class _Ready(NamedTuple):
    """A chunk that will be there at a time [s]."""

    at: float
    chunk: Chunk


class _Thinking:
    """A policy whose inference takes simulated time.

    Attributes:
        lasted: of the inference since the last reset of this number [s].
    """

    def __init__(self, policy: ChunkPolicy, latency: float) -> None:
        self._policy, self._latency = policy, latency
        self.cameras, self.instructions = policy.cameras, policy.instructions
        self.lasted = 0.0

    def plan(self, observation: Mapping[str, Any], sampling: Mapping[str, Any]) -> np.ndarray:
        chunk = self._policy.plan(observation, sampling)
        self.lasted = self._latency
        return chunk

    def to_own_scale(self, actions: np.ndarray) -> Any:
        return self._policy.to_own_scale(actions)


class RobotDriver:
    """See the module. `command` first, then `act` once per control period.

    Args:
        sim: reset. policy: see `ChunkPolicy`. latency: of its inference [s].

    Attributes:
        safety: what the executor did to protect the robot.
        resumed: when the first command planned for the last instruction went out [s].
    """

    def __init__(
        self, sim: Simulation, policy: ChunkPolicy, latency: float, settings: SimulationSettings
    ) -> None:
        configs = configs_root()
        executor_settings = load_settings(configs / "deploy" / "executor.yaml", rate=COMMAND_HZ)
        self.safety: Sequence[SafetyEvent] = ()
        self.resumed: float | None = None
        self._sim, self._size = sim, settings.image_size
        self._policy = _Thinking(policy, latency)
        self._executor = Executor(
            executor_settings, load_limits(settings.robot_version, configs / "robot"), self._now,
            on_change=self._changed,
        )  # fmt: skip
        self._planner = Planner(
            self._policy, CONTINUATIONS[settings.continuation](), self._look, decode,
            lambda: self._instruction, lambda: self._now() + self._policy.lasted,
            PlannerSettings(interval=settings.interval),
        )  # fmt: skip
        self._instruction: Announcement | None = None
        self._ready: _Ready | None = None
        self._next_look = self._now()
        self._latencies: list[float] = []
        self._target: tuple[float, float, float] | None = None
        self._walks = task_named(sim.task).action_dim == layout.WALKING_ACTION_DIM
        self._acted = False
        self._refusal = ""

    def _now(self) -> float:
        return ORIGIN + self._sim.time

    # what it is told, and what it does

    def command(self, task: str, instruction: str) -> None:
        """An instruction is in force from now on."""
        number = 1 + int(self._instruction.epoch.split(":")[1]) if self._instruction else 1
        self._instruction = Announcement(f"trial:{number}", task, instruction)
        self._executor.on_announcement(self._instruction)
        self.resumed = None
        # an inference that runs is finished first, in vain
        self._next_look = self._now() if self._ready is None else self._ready.at

    def act(self) -> np.ndarray:
        """The command for the coming control period, shape (16,) or (20,).

        Raises:
            VoidTrial: the policy gave no plan that could be executed.
            SafetyStop: the executor faulted.
        """
        self._sense()
        if self._executor.supervisor.state is State.DISABLED:
            done, why = self._executor.enable()
            if not done:
                raise VoidTrial(why)
        self._plan()
        commands = self._executor.tick()
        self._watch()
        return self._action(commands)

    def problem(self) -> str | None:
        """Why a trial that has ended does not count, if so."""
        if self._acted:
            return None
        return f"no plan was executed: {self._refusal or 'none came'}"

    @property
    def latency(self) -> Latency | None:
        """From observation to hand-over, over the chunks so far."""
        if not self._latencies:
            return None
        median, p99 = np.quantile(self._latencies, (0.5, 0.99))
        return Latency(float(median), float(p99), len(self._latencies))

    # the parts

    def _sense(self) -> None:
        robot, now = self._sim.robot, self._now()
        velocities = np.zeros(layout.SENSOR_JOINT_COUNT)
        velocities[layout.SENSOR_ARMS] = robot.arm_velocities
        self._executor.on_joints(list(robot.joint_vector()), list(velocities), now)
        self._executor.on_hands(robot.hand_closures, now)
        pose, (vx, vy, turn) = robot.base_pose, robot.base_velocity
        odometry = Odometry((pose[0], pose[1], pose[2]), math.hypot(vx, vy), turn)
        self._executor.on_odometry(odometry, now)

    def _look(self) -> Observation:
        robot = self._sim.robot
        jpegs = {
            camera: encode_jpeg(self._sim.render(camera, *self._size), JPEG_QUALITY)
            for camera in self._policy.cameras
        }
        state = layout.join(robot.arm_positions, robot.hand_closures)
        return Observation(self._now(), jpegs, state, {})

    def _plan(self) -> None:
        now = self._now()
        self._hand_over(now)
        if self._ready is None and now >= self._next_look - _SLACK:
            self._policy.lasted = 0.0
            outcome = self._planner.step()
            if outcome.stop:
                raise VoidTrial(outcome.reason)
            done = now + self._policy.lasted
            self._next_look = done + outcome.wait
            if outcome.chunk is not None:
                self._ready = _Ready(done, outcome.chunk)
            self._hand_over(now)

    def _hand_over(self, now: float) -> None:
        if self._ready is None or now < self._ready.at - _SLACK:
            return
        chunk, self._ready = self._ready.chunk, None
        steps = np.arange(1, len(chunk.actions) + 1) * chunk.step
        names = layout.action_names(chunk.actions.shape[1])
        raw = RawPlan(chunk.epoch, chunk.stamp, names, steps, chunk.actions)  # type: ignore[arg-type]
        refused = self._executor.on_plan(raw)
        if refused is None:
            self._latencies.append(now - chunk.stamp)
        elif self._instruction is not None and chunk.epoch == self._instruction.epoch:
            self._refusal = refused
            self._note("refused plan", refused)

    def _watch(self) -> None:
        executor = self._executor
        self._acted = self._acted or executor.supervisor.state is State.RUN
        told = self._instruction
        if self.resumed is None and told is not None and executor.executing == told.epoch:
            self.resumed = self._sim.time
        if executor.supervisor.state is State.FAULT:
            reason = executor.supervisor.reason
            if is_policy_fault(reason):
                self._acted = True
                raise SafetyStop(reason)
            raise VoidTrial(reason)

    def _changed(self, old: State, new: State, reason: str) -> None:
        if new in (State.HOLD, State.FAULT):
            self._note(new.value, reason)

    def _note(self, kind: str, text: str) -> None:
        self.safety = (*self.safety, SafetyEvent(round(self._sim.time, 3), kind, text))

    def _action(self, commands: Commands) -> np.ndarray:
        robot = self._sim.robot
        arms = robot.arm_command if commands.arms is None else commands.arms
        hands = robot.hand_command if commands.hands is None else commands.hands
        if not self._walks:
            if commands.base is not None and self._target is None:
                self._target = commands.base
                self._note("limit", "asked to walk in a standing task")
            return layout.join(arms, hands)
        if commands.base is not None:
            self._target = commands.base
        if self._target is None:
            return layout.join(arms, hands, layout.Base(*robot.base_pose))
        # as on the robot's topic: the last pose holds until another comes
        return layout.join(arms, hands, layout.Base(*self._target, move=1.0))
