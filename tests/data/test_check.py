"""`kuavo data check` finds each kind of damage, and finds nothing in a healthy dataset."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from kuavo_cli.errors import UserError
from kuavo_deploy.robot import topics
from kuavo_train.data.assemble import assemble
from kuavo_train.data.check.run import CheckReport, check_dataset
from kuavo_train.data.check.tokens import estimate
from kuavo_train.data.cli import app
from kuavo_train.data.episode import EpisodeDataset, Frame
from kuavo_train.data.metadata import DRAWN_EVERY, EPISODES_FILE, dump_episodes, read_episodes
from kuavo_train.data.workspace import ItemFolder, Workspace
from kuavo_train.tasks import Task, load_tasks, task_named

SIZE = (48, 64)
POSE = np.array(
    [0.2, 0.3, 0.1, -0.8, 0.1, -0.4, -0.2, 0.5, 0.2, -0.9, 0.1, -0.8, 0.1, -0.1, -0.2, 0.5]
)

Change = Callable[[int, np.ndarray, np.ndarray, dict[str, np.ndarray]], None]


def write(root: Path, change: Change | None = None, task: Task | None = None, n: int = 2) -> Path:
    """A healthy dataset of 25 frames an episode, but for what `change` does to each frame."""
    task = task or task_named("weighing")
    rng = np.random.default_rng(0)
    noise = rng.integers(30, 220, (6, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    with Workspace(root, {}) as workspace:
        keys = [f"{i}" for i in range(n)]
        for i, key in enumerate(keys):
            with ItemFolder(workspace.items, key) as item:
                episode = EpisodeDataset(item.path, task, dict.fromkeys(topics.CAMERAS, SIZE))
                for k in range(25):
                    state = POSE + 0.03 * k * np.array([*[1] * 3, -1, *[1] * 4] * 2) * (1 + 0.1 * i)
                    state[[7, 15]] = 0.5
                    action = state.copy()
                    images = {c: np.roll(noise, 2 * k + i, 1) for c in topics.CAMERAS}
                    if change:
                        change(k, state, action, images)
                    episode.add(Frame(state, action, images))
                item.finish({"seed": i, "stages": {"grasped": 1.0}, **episode.finish()})
        assemble(workspace, task, keys, {})
    return root


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("healthy") / "set")


@pytest.fixture
def copy(healthy: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(healthy, tmp_path / "set"))


def found(report: CheckReport) -> str:
    return "\n".join(f"{f.level} {f.where}: {f.text}" for f in report.findings)


def test_a_healthy_dataset_has_no_findings(healthy: Path) -> None:
    report = check_dataset(healthy)
    assert found(report) == ""
    assert [row.frames for row in report.episodes] == [25, 25]
    assert "estimated" in report.about["tokens"]


def zero(k: int, state: np.ndarray, action: np.ndarray, images: dict[str, np.ndarray]) -> None:
    if k == 4:
        state[:] = 0


def jump(k: int, state: np.ndarray, action: np.ndarray, images: dict[str, np.ndarray]) -> None:
    if k >= 10:
        action[2] += 0.5


def outside(k: int, state: np.ndarray, action: np.ndarray, images: dict[str, np.ndarray]) -> None:
    action[3] += 2.5


def black(k: int, state: np.ndarray, action: np.ndarray, images: dict[str, np.ndarray]) -> None:
    if k > 20:
        images["wrist_cam_r"] = np.zeros((*SIZE, 3), np.uint8)


def frozen(k: int, state: np.ndarray, action: np.ndarray, images: dict[str, np.ndarray]) -> None:
    images["head_cam_h"] = np.full((*SIZE, 3), 90, np.uint8)


def idle_arm(k: int, state: np.ndarray, action: np.ndarray, images: dict[str, np.ndarray]) -> None:
    images["wrist_cam_l"] = np.full((*SIZE, 3), 90, np.uint8)
    state[:8] = action[:8] = POSE[:8]


def hand(k: int, state: np.ndarray, action: np.ndarray, images: dict[str, np.ndarray]) -> None:
    action[7] = 70


def still(k: int, state: np.ndarray, action: np.ndarray, images: dict[str, np.ndarray]) -> None:
    action[:] = POSE


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (zero, "error episode 0: state: all arm joints are exactly 0 in 1 frame\n"),
        (jump, r"warning episode 0: action: l_arm_3 jumps at 5\.3 rad/s in frame 9 \(limit 2\.5\)"),
        (outside, "warning episode 0: action: l_arm_4 is .* rad beyond its limit"),
        (black, "error episode 0: wrist_cam_r is black in 4 of 25 frames"),
        (frozen, "error episode 0: head_cam_h is frozen: 25 equal frames from frame 0"),
        (hand, "error episode 0: action: a hand is outside of 0…1"),
        (still, "warning episode 0: nothing moves"),
    ],
)
def test_each_damage_is_found(tmp_path: Path, change: Change, pattern: str) -> None:
    assert re.search(pattern, found(check_dataset(write(tmp_path / "set", change, n=1))))


def test_the_camera_of_an_arm_that_rests_may_show_one_picture(tmp_path: Path) -> None:
    assert "frozen" not in found(check_dataset(write(tmp_path / "set", idle_arm, n=1)))


def edited(dataset: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    (file,) = (dataset / "data").rglob("*.parquet")
    pq.write_table(change(pq.read_table(file)), file)


def test_changed_numbers_are_found_by_their_hash(copy: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        rows = table["action"].to_pylist()
        rows[30][0] += 0.001
        at = table.schema.get_field_index("action")
        return table.set_column(at, table.schema.field(at), pa.array(rows, table["action"].type))

    edited(copy, change)
    assert "error episode 1: its content is not what was recorded" in found(check_dataset(copy))


def test_a_note_that_does_not_tell_where_the_cameras_drew_is_found(copy: Path) -> None:
    notes = [{**note, DRAWN_EVERY: 0} for note in read_episodes(copy)]
    (copy / EPISODES_FILE).write_text(dump_episodes(notes))
    text = found(check_dataset(copy))
    assert "error episode 0: its metadata is damaged: drawn_every is 0" in text
    assert text.count("drawn_every is 0") == 2  # once an episode, not once a camera


def test_lost_frames_are_a_gap(copy: Path) -> None:
    edited(copy, lambda table: pa.concat_tables([table.slice(0, 10), table.slice(12)]))
    text = found(check_dataset(copy))
    assert "error episode 0: 23 frames, its metadata says 25" in text
    assert "not numbered 0, 1, 2" in text and "gap: frame 10" in text
    assert "meta/info.json says 50" in text


def test_nan_is_found(copy: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        rows = table["observation.state"].to_pylist()
        rows[7][3] = float("nan")
        at = table.schema.get_field_index("observation.state")
        return table.set_column(at, table.schema.field(at), pa.array(rows, table["action"].type))

    edited(copy, change)
    assert "error episode 0: the state is not finite in frame 7" in found(check_dataset(copy))


def test_a_missing_or_broken_video_is_found(copy: Path) -> None:
    left, right = sorted((copy / "videos").glob("*wrist*/*/*.mp4"))
    left.unlink()
    right.write_bytes(right.read_bytes()[:500])
    text = found(check_dataset(copy))
    assert "observation.images.wrist_cam_l: its video cannot be read" in text
    assert "observation.images.wrist_cam_r: its video cannot be read" in text


def test_the_same_episode_twice_is_noticed(tmp_path: Path) -> None:
    def change(
        k: int, state: np.ndarray, action: np.ndarray, images: dict[str, np.ndarray]
    ) -> None:
        state[:] = action[:] = POSE + 0.01 * k

    assert "episodes 0 and 1 are the same" in found(check_dataset(write(tmp_path / "s", change)))


def test_instructions_too_long_for_the_policy_are_found(tmp_path: Path) -> None:
    import dataclasses

    long = dataclasses.replace(task_named("weighing"), instruction="pick the parcel up " * 20)
    text = found(check_dataset(write(tmp_path / "set", task=long, n=1)))
    assert "tokens, SmolVLA's default reads 48" in text


def test_the_estimate_is_plausible_for_the_tasks() -> None:
    for task in load_tasks().values():
        words = len(task.instruction.split())
        assert words <= estimate(task.instruction) <= 2 * words
        assert estimate(task.instruction) <= 48


def test_the_page_stands_alone_and_its_numbers_are_the_reports(copy: Path, tmp_path: Path) -> None:
    page, report = tmp_path / "page.html", tmp_path / "report.json"
    result = CliRunner().invoke(
        app, ["check", str(copy), "--html", str(page), "--json", str(report)]
    )
    assert result.exit_code == 0, result.output
    text, data = page.read_text(), json.loads(report.read_text())
    assert not re.search(r'(src|href)="(?!data:|#)', text), "the page loads something"
    assert f"{len(data['episodes'])} episodes, {data['frames']} frames: 0 errors" in text
    assert text.count("<svg") == 6 and text.count("data:image/jpeg") == 2 * 3 * 4
    assert "weigh it on the electronic scale" in text and "grasped 1.0 s" in text


def test_exit_codes_and_what_is_in_the_way(tmp_path: Path) -> None:
    root = write(tmp_path / "set", jump, n=1)
    run = lambda *more: CliRunner().invoke(app, ["check", str(root), "--no-images", *more])  # noqa: E731
    assert run().exit_code == 0
    assert run("--strict").exit_code == 1
    assert (tmp_path / "set.check.html").is_file()
    (tmp_path / "mine.html").write_text("<p>mine</p>")
    assert isinstance(run("--html", str(tmp_path / "mine.html")).exception, UserError)
    assert (tmp_path / "mine.html").read_text() == "<p>mine</p>"
    unknown = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert isinstance(unknown.exception, UserError) and "is not a LeRobot" in str(unknown.exception)


def test_view_writes_a_recording_without_a_screen(healthy: Path, tmp_path: Path) -> None:
    target = tmp_path / "e1.rrd"
    result = CliRunner().invoke(
        app, ["view", str(healthy), "--episode", "1", "--save", str(target)]
    )
    assert result.exit_code == 0, result.output
    assert target.read_bytes()[:4] in (b"RRF2", b"RRIO") and target.stat().st_size > 20_000
    for arguments in (["--episode", "7"], ["--save", str(target)]):
        failed = CliRunner().invoke(app, ["view", str(healthy), *arguments])
        assert isinstance(failed.exception, UserError)
