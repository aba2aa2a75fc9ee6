"""The planner: chunks with absolute times, reasons instead of chunks, figures that add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from kuavo_deploy.executor.epochs import Announcement
from kuavo_deploy.policy.continuation import Blending, Chunk, RealTimeChunking, remaining
from kuavo_deploy.policy.executed import Executed
from kuavo_deploy.policy.memory import FreesMemory
from kuavo_deploy.policy.observations import NotReady, Observation
from kuavo_deploy.policy.planner import Planner, PlannerSettings
from kuavo_deploy.robot import topics
from kuavo_deploy.safety.health import Level


@dataclass
class Scripted:
    """A policy that takes a given time and does what it is told."""

    world: PolicyWorld
    latency: float = 0.2
    fails: Exception | None = None
    seen: list[dict] = field(default_factory=list)
    states: list[np.ndarray] = field(default_factory=list)
    asked: list[dict] = field(default_factory=list)
    cameras: tuple[str, ...] = topics.CAMERAS
    instructions: dict[str, str] | None = None
    chunk: np.ndarray = field(default_factory=lambda: np.zeros((10, 20)))

    def plan(self, observation: Mapping[str, Any], sampling: Mapping[str, Any]) -> np.ndarray:
        self.see(observation)
        return self.act(observation[topics.STATE_FEATURE], sampling)

    def see(self, images: Mapping[str, Any]) -> None:
        self.seen.append(dict(images))
        if self.world.while_seeing:
            self.world.while_seeing()

    def act(self, state: np.ndarray, sampling: Mapping[str, Any]) -> np.ndarray:
        self.states.append(state)
        self.asked.append(dict(sampling))
        self.world.now += self.latency
        if self.world.while_inferring:
            self.world.while_inferring()
        if self.fails:
            raise self.fails
        return self.chunk

    def to_own_scale(self, actions: np.ndarray) -> np.ndarray:
        return actions


class PolicyWorld:
    """Time, sensors and a scripted policy around a planner."""

    def __init__(self, continuation: Any = None, **settings: float) -> None:
        self.now = 50.0
        self.announcement: Announcement | None = Announcement("s:1", "weighing", "weigh it")
        self.broken: str | None = None
        self.while_inferring: Any = None
        self.while_seeing: Any = None
        self.policy = Scripted(self)
        self.decoded: list[str] = []
        self.planner = Planner(
            self.policy, continuation or Blending(), self.look, self.decode,
            lambda: self.announcement, lambda: self.now, PlannerSettings(**settings),
        )  # fmt: skip

    def look(self) -> Observation:
        if self.broken:
            raise NotReady(self.broken)
        jpegs = {camera: camera.encode() for camera in topics.CAMERAS}
        return Observation(self.now - 0.05, jpegs, np.arange(16.0), {"joints": 0.01})

    def decode(self, jpeg: bytes, camera: str) -> np.ndarray:
        self.decoded.append(camera)
        return np.zeros((4, 4, 3), np.uint8)


def test_a_chunk_has_the_observation_s_stamp_and_the_instruction_s_epoch() -> None:
    world = PolicyWorld()
    outcome = world.planner.step()
    assert outcome.chunk is not None
    assert outcome.chunk.epoch == "s:1"
    assert outcome.chunk.stamp == pytest.approx(49.95)
    assert np.allclose(outcome.chunk.times, 49.95 + 0.1 * np.arange(1, 11))
    assert outcome.wait == pytest.approx(0.3), "0.5 s between starts, 0.2 s spent"


def test_the_policy_sees_exactly_its_features_and_each_image_is_decoded_once() -> None:
    world = PolicyWorld()
    world.planner.step()
    seen = world.policy.seen[0]
    assert set(seen) == {*topics.IMAGE_FEATURES.values(), "task"}
    assert np.array_equal(world.policy.states[0], np.arange(16.0))
    assert seen["task"] == "weigh it"
    assert world.decoded == list(topics.CAMERAS)


def test_nothing_is_decoded_without_an_instruction_or_an_observation() -> None:
    world = PolicyWorld()
    world.announcement = None
    assert world.planner.step().reason == "no instruction yet"
    world.announcement = Announcement("s:1", "weighing", "weigh it")
    world.broken = "wrist_cam_l is 0.50 s old, 0.30 s are allowed"
    outcome = world.planner.step()
    assert (outcome.chunk, outcome.reason) == (None, world.broken)
    assert world.decoded == []


def test_the_executor_is_asked_to_hold_when_there_is_no_observation_for_a_while() -> None:
    world = PolicyWorld(patience=0.5)
    world.planner.step()
    seen = world.now - world.policy.latency
    world.broken = "head_cam_h is not there"
    world.now = seen + 0.49
    assert not world.planner.step().stop, "the plan in execution has its own maximum age"
    world.now = seen + 0.51
    assert world.planner.step().stop
    world.broken = None
    world.planner.step()
    world.broken = "head_cam_h is not there"
    assert not world.planner.step().stop


def test_a_chunk_for_an_instruction_that_was_left_meanwhile_is_abandoned() -> None:
    world = PolicyWorld()

    def switch() -> None:
        world.announcement = Announcement("s:2", "sorting", "sort it")

    world.while_inferring = switch
    outcome = world.planner.step()
    assert outcome.chunk is None
    assert outcome.wait == 0.0
    assert world.planner.figures.abandoned == 1
    world.while_inferring = None
    assert world.planner.step().chunk.epoch == "s:2"  # type: ignore[union-attr]


@pytest.mark.parametrize("half", ["while_seeing", "while_inferring"])
def test_a_new_instruction_is_planned_for_from_the_images_that_were_just_seen(half: str) -> None:
    """They are as new as the chunk that was given up, and their vision is done."""
    world = PolicyWorld()

    def switch() -> None:
        setattr(world, half, None)
        world.announcement = Announcement("s:2", "sorting", "sort it")

    setattr(world, half, switch)
    assert world.planner.step().chunk is None
    assert len(world.policy.asked) == (half == "while_inferring"), "given up between the halves"
    stamp = world.look().stamp - world.policy.latency * len(world.policy.asked)
    outcome = world.planner.step()
    assert outcome.chunk is not None and outcome.chunk.epoch == "s:2"
    assert outcome.chunk.stamp == pytest.approx(stamp)
    assert world.policy.seen[1] == {"task": "sort it"}
    assert world.decoded == list(topics.CAMERAS)
    assert world.planner.step().chunk is not None
    assert len(world.policy.seen[2]) == 4, "the next chunk looks again"


def test_images_that_were_left_long_ago_are_not_planned_from() -> None:
    world = PolicyWorld(patience=0.5)

    def switch() -> None:
        world.now += 0.6
        world.while_seeing = None
        world.announcement = Announcement("s:2", "sorting", "sort it")

    world.while_seeing = switch
    world.planner.step()
    outcome = world.planner.step()
    assert outcome.chunk is not None
    assert outcome.chunk.stamp == pytest.approx(world.now - world.policy.latency - 0.05)
    assert len(world.policy.seen[1]) == 4


def test_an_error_while_seeing_leaves_nothing_to_be_continued() -> None:
    world = PolicyWorld()

    def fail() -> None:
        raise RuntimeError("no")

    world.planner.step()
    world.while_seeing = fail
    assert world.planner.step().reason == "RuntimeError: no"
    world.while_seeing = None
    world.planner.step()
    assert len(world.policy.seen[-1]) == 4


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.full((10, 20), np.nan), "not finite"),
        (np.zeros((10, 16)), "shape"),
        (np.zeros((0, 20)), "shape"),
        (np.zeros(20), "shape"),
    ],
)
def test_a_chunk_that_is_not_one_is_not_handed_over(wrong: np.ndarray, said: str) -> None:
    world = PolicyWorld()
    world.policy.chunk = wrong
    outcome = world.planner.step()
    assert outcome.chunk is None and outcome.stop and said in outcome.reason


def test_a_failing_policy_is_asked_again_ever_more_patiently_and_recovers() -> None:
    world = PolicyWorld(retry=0.2, max_retry=1.0)
    world.policy.fails = RuntimeError("CUDA out of memory")
    waits = [world.planner.step().wait for _ in range(5)]
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.0, 1.0])
    assert world.planner.step().reason == "RuntimeError: CUDA out of memory"
    world.policy.fails = None
    assert world.planner.step().chunk is not None
    world.policy.fails = RuntimeError("again")
    assert world.planner.step().wait == pytest.approx(0.2)


class Exhausted(RuntimeError):
    """Stands for torch.cuda.OutOfMemoryError, which needs a GPU to be raised for real."""


def test_a_full_gpu_stops_the_robot_frees_the_cache_and_recovers_by_itself() -> None:
    world = PolicyWorld()
    freed: list[str] = []
    policy = FreesMemory(world.policy, Exhausted, lambda: freed.append("cache"))
    world.planner = Planner(
        policy, Blending(), world.look, world.decode, lambda: world.announcement,
        lambda: world.now, PlannerSettings(),
    )  # fmt: skip
    assert world.planner.step().chunk is not None
    assert world.planner.health() == (Level.OK, "")
    world.policy.fails = Exhausted("CUDA out of memory. Tried to allocate 2 GiB")
    for attempt in (1, 2):
        outcome = world.planner.step()
        assert outcome.chunk is None and outcome.stop
        assert outcome.reason == (
            "OutOfMemory: the GPU's memory is full, its cache was freed: CUDA out of memory"
        )
        assert world.planner.health() == (Level.ERROR, outcome.reason)
        assert freed == ["cache"] * attempt and policy.times == attempt
    world.policy.fails = None
    assert world.planner.step().chunk is not None
    assert world.planner.health().level is Level.OK


def test_other_failures_are_none_of_the_memory_s() -> None:
    world = PolicyWorld()
    freed: list[str] = []
    world.policy.fails = RuntimeError("something else")
    policy = FreesMemory(world.policy, Exhausted, lambda: freed.append("cache"))
    with pytest.raises(RuntimeError, match="something else"):
        policy.act(np.zeros(16), {})
    assert freed == []


def test_health_warns_of_a_reason_and_of_a_latency_above_half_a_chunk() -> None:
    world = PolicyWorld()
    assert world.planner.health() == (Level.WARN, "starting")
    world.planner.step()
    assert world.planner.health().level is Level.OK, "0.25 s of 1 s"
    world.policy.latency = 0.6
    world.planner.step()
    found = world.planner.health()
    assert found.level is Level.WARN and "latency" in found.text
    world.broken = "head_cam_h is not there"
    world.planner.step()
    assert "head_cam_h is not there" in world.planner.health().text


def test_a_policy_slower_than_its_chunk_says_so() -> None:
    world = PolicyWorld()
    world.policy.latency = 1.5
    outcome = world.planner.step()
    assert outcome.chunk is None and outcome.stop
    assert "longer than a chunk" in outcome.reason


def test_the_figures_add_up() -> None:
    world = PolicyWorld()
    for _ in range(4):
        wait = world.planner.step().wait
        world.now += wait
    summary = world.planner.figures.summary()
    assert summary["chunks"] == 4
    assert summary["latency p50 [s]"] == pytest.approx(0.25)
    assert summary["inference p99 [s]"] == pytest.approx(0.2)
    assert summary["overlap p50 [s]"] == pytest.approx(0.25), "0.95 s of chunk, minus 0.7 s"


def test_what_remains_of_a_chunk_is_what_it_says_for_the_new_steps() -> None:
    actions = np.arange(10)[:, None] * np.ones((1, 20))
    chunk = Chunk("s:1", 10.0, 0.1, actions)
    assert np.allclose(remaining(chunk, 10.3)[:, 0], np.arange(3, 10))
    assert np.allclose(remaining(chunk, 10.35)[:, 0], np.arange(3.5, 9))
    assert len(remaining(chunk, 11.0)) == 0


def test_real_time_chunking_gives_the_sampler_the_measured_delay_and_what_remains() -> None:
    world = PolicyWorld(RealTimeChunking(horizon=5))
    world.policy.chunk = np.arange(10)[:, None] * np.ones((1, 20))
    first = world.planner.step()
    assert world.policy.asked[0] == {}
    world.now += first.wait
    world.planner.step()
    asked = world.policy.asked[1]
    assert asked["inference_delay"] == 3, "0.25 s, measured, in steps of 0.1 s"
    assert asked["execution_horizon"] == 5
    assert np.allclose(asked["prev_chunk_left_over"][:, 0], np.arange(5, 10))


def confirmed_world() -> tuple[PolicyWorld, Executed]:
    world, executed = PolicyWorld(), Executed(confirmed=True)
    world.policy.chunk = np.arange(10)[:, None] * np.ones((1, 20))
    world.planner = Planner(
        world.policy, RealTimeChunking(horizon=5), world.look, world.decode,
        lambda: world.announcement, lambda: world.now, PlannerSettings(), executed,
    )  # fmt: skip
    return world, executed


def test_a_chunk_counts_as_executed_when_the_executor_says_so_and_so_does_its_delay() -> None:
    world, executed = confirmed_world()
    first = world.planner.step()
    assert first.chunk is not None
    executed.taken("s:1", first.chunk.stamp + 1e-7, first.chunk.stamp + 0.41)
    world.now += first.wait
    world.planner.step()
    asked = world.policy.asked[1]
    assert asked["inference_delay"] == 5, "0.41 s until it was executed, in steps of 0.1 s"
    assert np.allclose(asked["prev_chunk_left_over"][:, 0], np.arange(5, 10))


@pytest.mark.parametrize("how", ["lost", "forgotten", "another epoch", "another stamp"])
def test_a_chunk_that_is_not_executed_conditions_nothing(how: str) -> None:
    world, executed = confirmed_world()
    first = world.planner.step()
    assert first.chunk is not None
    epoch = "other:1" if how == "another epoch" else "s:1"
    stamp = first.chunk.stamp + (0.1 if how == "another stamp" else 0.0)
    if how != "lost":
        executed.taken(epoch, stamp, world.now)
    if how == "forgotten":
        executed.forget()
    world.now += first.wait
    world.planner.step()
    assert world.policy.asked[1] == {}


def test_a_lost_chunk_leaves_the_one_before_it_in_execution() -> None:
    world, executed = confirmed_world()
    first = world.planner.step()
    assert first.chunk is not None
    executed.taken("s:1", first.chunk.stamp, world.now)
    for _ in range(2):
        world.planner.step()
    left = world.policy.asked[2]["prev_chunk_left_over"][:, 0]
    assert np.allclose(left, np.arange(4, 10)), "two inferences of 0.2 s after the first's sight"


def test_nothing_is_planned_twice_from_one_observation() -> None:
    world = PolicyWorld()
    world.planner.step()
    world.now -= world.policy.latency
    assert world.planner.step() == (None, "", 0.01, False)
    assert len(world.policy.seen) == 1


def test_a_switch_begins_freely() -> None:
    world = PolicyWorld(RealTimeChunking())
    world.planner.step()
    world.announcement = Announcement("s:2", "sorting", "sort it")
    world.planner.step()
    assert world.policy.asked[1] == {}
