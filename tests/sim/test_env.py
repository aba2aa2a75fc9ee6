"""The simulation as a Gymnasium environment."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from kuavo_deploy.robot import layout
from kuavo_deploy.robot.topics import CAMERAS
from kuavo_sim.env import KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.scenes import SCENES, scene_class
from kuavo_train.tasks import load_tasks

SMALL = (48, 64)


@pytest.fixture
def make():
    environments = []

    def factory(task="weighing", image_size=None, **options):
        environments.append(KuavoEnv(task, image_size=image_size, **options))
        return environments[-1]

    yield factory
    for environment in environments:
        environment.close()


def rest(env):
    """The action that leaves everything where it is."""
    robot = env.sim.robot
    base = layout.Base(*robot.base_pose) if env.action_space.shape == (20,) else None
    return layout.join(robot.arm_command, robot.hand_command, base)


@pytest.mark.filterwarnings("ignore:.*symmetric and normalized space")
@pytest.mark.parametrize("task", SCENES)
def test_gymnasiums_own_check_passes(task):
    env = gymnasium.make("kuavo_sim.env:Kuavo-v0", task=task, image_size=SMALL)
    check_env(env.unwrapped)


def test_every_task_of_the_registry_has_a_scene():
    assert set(SCENES) == set(load_tasks())


def test_a_task_without_a_scene_is_refused_with_the_list():
    with pytest.raises(ValueError, match="choose from moving_grasp, weighing"):
        scene_class("juggling")


@pytest.mark.parametrize("task", SCENES)
def test_the_same_seed_gives_the_same_episode_bit_for_bit(make, task):
    def states(seed):
        env = make(task)
        observation, _ = env.reset(seed=seed)
        action = rest(env)
        seen = [observation["state"]]
        for i in range(5):
            action[layout.RIGHT_ARM] += 0.01 * i
            seen.append(env.step(action)[0]["state"])
        return np.array(seen), env.sim.data.qpos.copy()

    first, second, other = states(7), states(7), states(8)
    assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])
    assert not np.array_equal(first[1], other[1])


def test_images_differ_between_cameras_and_show_something(make):
    env = make(image_size=SMALL)
    observation, _ = env.reset(seed=0)
    images = [observation[camera] for camera in CAMERAS]
    assert all(image.shape == (48, 64, 3) and image.std() > 10 for image in images)
    assert not np.array_equal(images[1], images[2])


def test_the_command_in_force_is_the_line_from_action_to_action(make):
    env = make()
    env.reset(seed=0)
    before = rest(env)
    action = before.copy()
    action[layout.LEFT_ARM] += 0.05
    action[layout.RIGHT_HAND] = 1.0
    commands = []
    env.on_substep.append(lambda sim: commands.append(sim.command.copy()))
    env.step(action)
    assert len(commands) == 50
    assert np.array_equal(commands[-1], action)
    assert np.allclose(commands[24], (before + action) / 2)


def test_arms_arrive_where_they_are_told(make):
    env = make()
    env.reset(seed=0)
    target = rest(env)
    target[layout.LEFT_ARM] -= [0.1, -0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    for _ in range(10):
        observation, *_ = env.step(target)
    assert np.abs(observation["state"][layout.LEFT_ARM] - target[layout.LEFT_ARM]).max() < 0.01


@pytest.mark.parametrize("bad", [np.zeros(20), np.zeros(3), np.full(16, np.nan), [np.inf] * 16])
def test_a_wrong_action_is_refused_and_nothing_moves(make, bad):
    env = make()
    env.reset(seed=0)
    time = env.sim.time
    with pytest.raises(ValueError, match="16 finite numbers"):
        env.step(np.asarray(bad))
    assert env.sim.time == time


def test_using_it_before_reset_is_told(make):
    with pytest.raises(RuntimeError, match="reset"):
        make().step(np.zeros(16))


def test_an_episode_ends_at_its_time_limit(make, monkeypatch):
    env = make("placement")
    env.reset(seed=0)
    monkeypatch.setattr(type(env.sim.scene), "time_limit", 0.2)
    assert env.step(rest(env))[3] is False
    assert env.step(rest(env))[3] is True


def test_a_walking_task_walks_only_above_the_threshold(make):
    env = make("sorting")
    env.reset(seed=0)
    action = rest(env)
    action[layout.BASE_POSE] = [0.1, 0.0, 0.0]
    for _ in range(5):
        env.step(action)
    assert abs(env.sim.robot.base_pose.x) < 0.01
    action[layout.MOVE] = 1.0
    for _ in range(15):
        env.step(action)
    assert env.sim.robot.base_pose.x == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("task", ["moving_grasp", "weighing", "placement", "sorting"])
def test_going_back_to_a_moment_repeats_the_future_to_the_last_bit(task: str) -> None:
    env = KuavoEnv(task, image_size=None)
    env.reset(seed=5)
    expert = make_expert(env.sim, np.random.default_rng(0))
    for _ in range(45):
        env.step(expert.act())
    moment = env.sim.snapshot()
    actions = []
    for _ in range(60):  # grasps, displays and stages change meanwhile
        actions.append(expert.act())
        env.step(actions[-1])
    future = env.sim.snapshot()
    for _ in range(2):
        env.resume(moment)
        assert env.sim.time == moment.data.time
        for action in actions:
            env.step(action)
        assert np.array_equal(env.sim.data.qpos, future.data.qpos)
        assert np.array_equal(env.sim.data.qvel, future.data.qvel)
        assert env.info()["stages"] == future.parts["rubrics"][0].progress.stages
        for name, values in future.model.items():
            assert np.array_equal(getattr(env.sim.model, name), values), name
    env.close()
