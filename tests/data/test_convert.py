"""Bags become episodes, or are refused with their reason while the others go on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kuavo_cli.errors import UserError
from kuavo_deploy.robot import topics
from kuavo_train.data.bags.options import Options
from kuavo_train.data.check.episodes import DatasetFiles, Episode
from kuavo_train.data.cli import app
from kuavo_train.data.conversion import Report, convert
from kuavo_train.data.decoding import decoded
from kuavo_train.tasks import task_named
from tests.data import synthetic
from tests.data.synthetic import Recipe

WEIGHING, SORTING = task_named("weighing"), task_named("sorting")


def converted(folder: Path, recipe: Recipe, options: Options | None = None) -> Episode:
    """The only episode of a bag of `recipe`."""
    bag = synthetic.write(folder / "one.bag", recipe)
    task = SORTING if recipe.walking else WEIGHING
    report = convert(bag, task, folder / "out", options)
    assert report.out, report.rows
    (episode,) = DatasetFiles(report.out).episodes()
    return episode


def expected(recipe: Recipe, n: int) -> tuple[np.ndarray, np.ndarray]:
    """States and actions of the synthetic episode: (n, 16) each."""
    rows = []
    for arms, hands, lead in (
        (synthetic.arms, synthetic.closures, 0.0),
        (synthetic.arm_targets, synthetic.closure_targets, 0.1),
    ):
        times = np.arange(n) / 10 + lead
        rows.append(
            np.array([[*arms(t)[:7], hands(t)[0], *arms(t)[7:], hands(t)[1]] for t in times])
        )
    return rows[0], rows[1]


def reason(folder: Path, recipe: Recipe, options: Options | None = None) -> str:
    """Why the bag of `recipe` is refused; nothing must be left of it."""
    bag = synthetic.write(folder / "bad.bag", recipe)
    task = SORTING if recipe.walking else WEIGHING
    report = convert(bag, task, folder / "out", options)
    assert report.out is None
    assert not (folder / "out").exists()
    assert not (folder / "out.partial").exists()
    assert "trace" not in report.rows[0], report.rows[0]["trace"]
    return str(report.rows[0]["reason"])


@pytest.mark.parametrize("arm_command", ["auto", topics.ARM_TRAJ])
def test_states_and_actions_are_the_bags(tmp_path: Path, arm_command: str) -> None:
    episode = converted(tmp_path, Recipe(), Options(arm_command=arm_command))
    state, action = expected(Recipe(), 20)
    assert episode.length == 20
    np.testing.assert_allclose(episode.state, state, atol=1e-6)
    np.testing.assert_allclose(episode.action, action, atol=1e-6)
    assert episode.instructions == (WEIGHING.instruction,)


def test_images_are_those_of_their_moment(tmp_path: Path) -> None:
    episode = converted(tmp_path, Recipe())
    for number, camera in enumerate(topics.CAMERAS):
        file, first = episode.videos[topics.IMAGE_FEATURES[camera]]
        frames = list(decoded(file, first, episode.length))
        assert len(frames) == 20
        for k, frame in enumerate(frames):
            error = np.abs(frame.astype(float) - synthetic.image(k / 10, number)).mean()
            assert error < 3, f"{camera}, frame {k}: one frame off is 4 in the red channel alone"


@pytest.mark.parametrize(
    ("effector", "tolerance"), [("lejuclaw", 1e-6), ("qiangnao", 0.006), ("rq2f85", 1e-6)]
)
def test_every_end_effector(tmp_path: Path, effector: str, tolerance: float) -> None:
    episode = converted(tmp_path, Recipe(end_effector=effector))
    state, action = expected(Recipe(), 20)
    np.testing.assert_allclose(episode.state, state, atol=tolerance)
    np.testing.assert_allclose(episode.action, action, atol=tolerance)
    assert episode.notes["end_effector"] == effector


def test_a_claw_that_is_closed_at_0(tmp_path: Path) -> None:
    episode = converted(tmp_path, Recipe(), Options(claw_closed_at=0))
    state, _ = expected(Recipe(), 20)
    np.testing.assert_allclose(episode.state[:, [7, 15]], 1 - state[:, [7, 15]], atol=1e-6)


def test_hand_commands_that_are_sent_once_are_held(tmp_path: Path) -> None:
    episode = converted(tmp_path, Recipe(sparse_hands=True), Options(hold_hand_commands=True))
    held = synthetic.closure_targets(0.5)
    np.testing.assert_allclose(
        episode.action[:, [7, 15]], np.tile(held, (episode.length, 1)), atol=1e-6
    )


def test_what_the_executor_sent_last_is_in_force_until_it_sends_something_else(
    tmp_path: Path,
) -> None:
    episode = converted(tmp_path, Recipe(sparse_hands=True, executor=True))
    held = synthetic.closure_targets(0.5)
    np.testing.assert_allclose(
        episode.action[:, [7, 15]], np.tile(held, (episode.length, 1)), atol=1e-6
    )


def test_walking_takes_base_and_carried_move_flag(tmp_path: Path) -> None:
    episode = converted(tmp_path, Recipe(seconds=3, walking=True))
    base = np.array([synthetic.base_target(k / 10 + 0.1) for k in range(30)])
    assert episode.action.shape == (30, 20)
    np.testing.assert_allclose(episode.action[:, 16:], base, atol=1e-6)


def test_the_move_flag_is_derived_where_none_is_carried(tmp_path: Path) -> None:
    """Commanded to walk from 1 s to 2 s; the odometry, 0.2 s late, is within 3 cm at 2.2 s."""
    episode = converted(tmp_path, Recipe(seconds=3, walking=True, move_flag=False))
    moving = np.flatnonzero(episode.action[:, 19] > 0.5) / 10 + 0.1
    np.testing.assert_allclose([moving[0], moving[-1]], [1.1, 2.1])
    assert len(moving) == 11


def test_the_base_command_of_a_bag_without_synced_topics_is_held(tmp_path: Path) -> None:
    recipe = Recipe(seconds=3, walking=True, without=(topics.CMD_POSE_WORLD_SYNCED,))
    episode = converted(tmp_path, recipe)
    np.testing.assert_allclose(episode.action[:, 16], 1.0)
    assert episode.action[0, 19] == 1 and episode.action[-1, 19] == 0


def test_depth_is_stored_losslessly(tmp_path: Path) -> None:
    bag = synthetic.write(tmp_path / "d.bag", Recipe(depth=True))
    report = convert(bag, WEIGHING, tmp_path / "out", Options(depth=True))
    assert report.out
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    from kuavo_train.data.features import depth_from_rgb

    dataset = LeRobotDataset("kuavo/x", root=report.out, video_backend="pyav")
    for k in (0, 7, 19):
        rgb = (dataset[k]["observation.depth_h"].numpy().transpose(1, 2, 0) * 255).round()
        depth = depth_from_rgb(rgb.astype(np.uint8))
        assert (depth == round(500 + 100 * k / 10)).all()


def test_images_can_be_shrunk(tmp_path: Path) -> None:
    episode = converted(tmp_path, Recipe(), Options(image_size=(24, 32)))
    file, first = episode.videos["observation.images.head_cam_h"]
    assert next(decoded(file, first, 1)).shape == (24, 32, 3)


@pytest.mark.parametrize("compression", ["bz2", "lz4"])
def test_compressed_bags(tmp_path: Path, compression: str) -> None:
    episode = converted(tmp_path, Recipe(compression=compression))
    np.testing.assert_allclose(episode.state, expected(Recipe(), 20)[0], atol=1e-6)


def test_jitter_of_the_cameras_is_tolerated(tmp_path: Path) -> None:
    assert converted(tmp_path, Recipe(jitter=0.008)).length >= 19


REFUSALS = [
    (Recipe(nan_at=1.0), "/sensors_data_raw .* not finite in 101 of 201 messages"),
    (Recipe(zero=True), "all 14 arm joints are exactly 0"),
    (Recipe(degrees=True), "are these degrees"),
    (Recipe(joints=20), "carries 20 joints, expected 28"),
    (Recipe(jump_back=(1.0, 0.5)), "time runs backwards on .* by 0.490 s"),
    (Recipe(freeze=("wrist_cam_l", 0.5)), "camera wrist_cam_l is frozen: the same image in 15"),
    (Recipe(freeze=("head_cam_h", 0.2)), "camera head_cam_h is frozen"),
    (Recipe(camera_gap=("wrist_cam_r", 0.8, 1.1)), "/cam_r/.* nothing within 40 ms of frame 9"),
    (Recipe(camera_gap=("head_cam_h", 0.8, 1.1)), "the head camera has nothing within"),
    (Recipe(seconds=5, camera_gap=("wrist_cam_l", 2.0, 9)), "/cam_l/.* stops .* before the head"),
    (Recipe(without=(topics.SENSORS,)), "/sensors_data_raw .joint positions. is missing"),
    (Recipe(without=(topics.CLAW_STATE,)), "no topic with the hands' state"),
    (Recipe(without=(topics.CLAW_COMMAND,)), "/leju_claw_command .* is missing"),
    (Recipe(without=(topics.JOINT_CMD, topics.ARM_TRAJ)), "no topic with the arms' action"),
    (Recipe(without=(topics.CAMERA_TOPICS["wrist_cam_r"],)), "camera images are missing"),
    (Recipe(sparse_hands=True), "no time in common|nothing within|too short"),
    (Recipe(seconds=0.1), "too short for an episode"),
    (Recipe(walking=True, move_flag=False, without=(topics.ODOM,)), "/odom is missing"),
    (
        Recipe(walking=True, without=(topics.CMD_POSE_WORLD, topics.CMD_POSE_WORLD_SYNCED)),
        "the task walks, and neither",
    ),
]


@pytest.mark.parametrize(("recipe", "pattern"), REFUSALS, ids=[p[:40] for _, p in REFUSALS])
def test_damage_is_refused_with_its_reason(tmp_path: Path, recipe: Recipe, pattern: str) -> None:
    import re

    assert re.search(pattern, reason(tmp_path, recipe))


def test_another_type_on_the_topic_is_refused(tmp_path: Path) -> None:
    """A topic that carries a message of another type than the robot's."""
    from kuavo_sim.recording.robot_bag import RobotBag

    with RobotBag(tmp_path / "bad.bag") as bag:
        for k in range(10):
            bag.image(topics.SENSORS, synthetic.START + k, b"x")
            for number, topic in enumerate(topics.CAMERA_TOPICS.values()):
                bag.image(topic, synthetic.START + k, synthetic.jpeg(k, number))
    report = convert(tmp_path / "bad.bag", WEIGHING, tmp_path / "out")
    assert report.out is None and report.rows[0]["status"] == "refused"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good, repairable and hopeless bags."""
    folder = tmp_path_factory.mktemp("bags")
    good = synthetic.write(folder / "good.bag").read_bytes()
    synthetic.write(folder / "killed.bag.active", Recipe(unfinished=True))
    (folder / "sub").mkdir()
    (folder / "sub" / "cut.bag").write_bytes(good[: len(good) * 2 // 3])
    (folder / "empty.bag").write_bytes(b"")
    (folder / "text.bag").write_bytes(b"hello, I am no bag\n")
    synthetic.write(folder / "nan.bag", Recipe(nan_at=0.5))
    (folder / "notes.txt").write_text("not a bag")
    return folder


def statuses(report: Report) -> dict[str, str]:
    return {row["bag"]: row["status"] for row in report.rows}


MIXED = {
    "empty.bag": "refused",
    "good.bag": "converted",
    "killed.bag.active": "repaired",
    "nan.bag": "refused",
    "sub/cut.bag": "repaired",
    "text.bag": "refused",
}


def test_the_others_go_on_and_the_exit_code_tells(mixed: Path, tmp_path: Path) -> None:
    arguments = [
        "convert",
        str(mixed),
        "--task",
        "weighing",
        "--out",
        str(tmp_path / "out"),
        "--json",
        str(tmp_path / "report.json"),
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert {row["bag"]: row["status"] for row in report["bags"]} == MIXED
    assert all(
        row.get("reason") or row.get("repairs")
        for row in report["bags"]
        if row["status"] != "converted"
    )
    assert "not a ROS 1 bag" in result.output and "the file is empty" in result.output
    # the killed recorder lost its last chunk, the cut bag its last third
    assert [e.length for e in DatasetFiles(tmp_path / "out").episodes()] == [20, 16, 13]
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 1 and "3 episodes" in again.output


def test_all_good_exits_0_and_nothing_usable_exits_1(mixed: Path, tmp_path: Path) -> None:
    arguments = ["--task", "2", "--out", str(tmp_path / "out")]
    bad = CliRunner().invoke(app, ["convert", str(mixed / "empty.bag"), *arguments])
    assert isinstance(bad.exception, UserError) and not list(tmp_path.iterdir())
    good = CliRunner().invoke(app, ["convert", str(mixed / "good.bag"), *arguments])
    assert good.exit_code == 0


def test_strict_refuses_what_would_be_repaired(mixed: Path, tmp_path: Path) -> None:
    report = convert(mixed, WEIGHING, tmp_path / "out", Options(strict=True))
    assert [b for b, s in statuses(report).items() if s == "converted"] == ["good.bag"]


def test_nothing_existing_is_overwritten(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="exists: choose another --out"):
        convert(mixed, WEIGHING, out)
    assert (out / "mine.txt").read_text() == "keep"
    assert not (tmp_path / "out.partial").exists()


def test_a_second_run_continues(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kuavo_train.data.conversion as conversion

    real, seen = conversion.convert_bag, []

    def interrupted(path: Path, *rest: object) -> dict[str, object]:
        seen.append(path.name)
        if path.name == "nan.bag" and len(seen) < 5:
            raise KeyboardInterrupt
        return real(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(conversion, "convert_bag", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert(mixed, WEIGHING, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    first = list(seen)
    with pytest.raises(UserError, match="other settings .*strict"):
        convert(mixed, WEIGHING, tmp_path / "out", Options(strict=True))
    report = convert(mixed, WEIGHING, tmp_path / "out")
    assert statuses(report) == MIXED
    assert seen[len(first) :] == ["nan.bag", "cut.bag", "text.bag"]
    assert not (tmp_path / "out.partial").exists()


def test_two_workers_make_the_same_dataset(mixed: Path, tmp_path: Path) -> None:
    one = convert(mixed, WEIGHING, tmp_path / "one", workers=1)
    two = convert(mixed, WEIGHING, tmp_path / "two", workers=2)
    assert statuses(one) == statuses(two)
    for file in (tmp_path / "one").rglob("*.[mp]*"):
        if file.suffix in (".mp4", ".parquet"):
            twin = tmp_path / "two" / file.relative_to(tmp_path / "one")
            assert file.read_bytes() == twin.read_bytes(), file


def test_a_task_is_mandatory_and_known(mixed: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    missing = CliRunner().invoke(app, ["convert", str(mixed), "--out", out])
    assert missing.exit_code == 2
    wrong = CliRunner().invoke(app, ["convert", str(mixed), "--out", out, "--task", "weight"])
    assert isinstance(wrong.exception, UserError) and wrong.exception.exit_code == 2
    assert "choose from" in str(wrong.exception)


@pytest.mark.parametrize(
    "change",
    [
        {"move": "guess"},
        {"arm_command": "/x"},
        {"end_effector": "hook"},
        {"claw_closed_at": 50},
        {"max_offset": 0},
        {"lead": -1},
        {"max_offset_of": {"/t": 5}},
        {"image_size": (2, 2)},
    ],
)
def test_wrong_options_are_named(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"choose from|closed_at|offset|lead|small"):
        dataclasses.replace(Options(), **change)  # type: ignore[arg-type]


def test_no_bags_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no bags"):
        convert(tmp_path, WEIGHING, tmp_path / "out")
    with pytest.raises(UserError, match="does not exist"):
        convert(tmp_path / "nowhere", WEIGHING, tmp_path / "out")
