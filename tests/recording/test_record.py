"""Recording: reproducible from the seed, whoever works on it, however often it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kuavo_cli.errors import UserError
from kuavo_deploy.robot import topics
from kuavo_sim.cli import app
from kuavo_sim.env import CONTROL_HZ
from kuavo_sim.experts.weighing import WeighingExpert
from kuavo_sim.recording import record as record_module
from kuavo_sim.recording.episodes import IN_VAIN, VERDICT, EpisodeJob, record_one
from kuavo_sim.recording.record import record
from kuavo_sim.recording.sim_bag import BagOptions
from kuavo_train.data.check.episodes import DatasetFiles, Episode
from kuavo_train.data.conversion import convert
from kuavo_train.data.decoding import decoded
from kuavo_train.data.episode import EpisodeDataset, Frame
from kuavo_train.data.metadata import read_episodes
from kuavo_train.data.workspace import RESULT_FILE
from kuavo_train.tasks import task_named

SIZE = (48, 64)


def episodes(root: Path) -> list[Episode]:
    return list(DatasetFiles(root).episodes())


def files(root: Path) -> dict[str, bytes]:
    """The dataset's numbers, byte for byte."""
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in sorted(root.rglob("*"))
        if p.suffix in (".parquet", ".jsonl")
    }


def images(root: Path) -> np.ndarray:
    """All frames of all cameras: (n, height, width, 3)."""
    frames = [
        frame
        for episode in episodes(root)
        for video in episode.videos.values()
        for frame in decoded(*video, episode.length)
    ]
    assert frames
    return np.array(frames, dtype=np.int16)


def assert_same(one: Path, other: Path) -> None:
    """Equal numbers, image statistics among them; the encoder may round a picture differently."""
    assert files(one) == files(other)
    assert np.abs(images(one) - images(other)).mean() < 1.0


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("record") / "one"
    record("weighing", 3, 5, root, image_size=SIZE, workers=1, max_frames=6)
    return root


def test_the_same_seeds_give_the_same_dataset_for_any_number_of_workers(
    reference: Path, tmp_path: Path
) -> None:
    report = record("weighing", 3, 5, tmp_path / "two", image_size=SIZE, workers=2, max_frames=6)
    assert report["seeds"] == [5, 6, 7] and report["frames"] == 18
    assert_same(reference, tmp_path / "two")


def test_seeds_differ_and_are_noted(reference: Path) -> None:
    first, second, third = episodes(reference)
    assert [e.notes["seed"] for e in (first, second, third)] == [5, 6, 7]
    assert not np.allclose(first.action, second.action)
    assert len({e.notes["sha256"] for e in (first, second, third)}) == 3
    assert first.state.shape == (6, 16) and first.action.shape == (6, 16)


def test_cameras_that_draw_every_third_frame_hold_their_images_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[list[Frame]] = []
    add = EpisodeDataset.add

    def kept(dataset: EpisodeDataset, frame: Frame) -> None:
        recorded[-1].append(frame)
        add(dataset, frame)

    monkeypatch.setattr(EpisodeDataset, "add", kept)
    for every in (1, 3):
        recorded.append([])
        job = EpisodeJob(tmp_path, str(every), "weighing", 5, SIZE, None, max_frames=8)
        assert record_one(job._replace(draw_every=every)) == "success"
    drawn, held = recorded
    for index, (one, other) in enumerate(zip(drawn, held, strict=True)):
        assert np.array_equal(one.state, other.state) and np.array_equal(one.action, other.action)
        last = drawn[index - index % 3].images
        assert all(np.array_equal(other.images[camera], last[camera]) for camera in last)
    assert not np.array_equal(held[3].images["head_cam_h"], held[2].images["head_cam_h"])


def test_how_often_the_cameras_drew_is_noted_of_each_episode(
    reference: Path, tmp_path: Path
) -> None:
    record("weighing", 2, 5, tmp_path / "held", None, SIZE, 1, max_frames=6, draw_every=3)
    assert [note["drawn_every"] for note in read_episodes(tmp_path / "held")] == [3, 3]
    assert all("drawn_every" not in note for note in read_episodes(reference))


def test_beginnings_are_the_first_seconds_of_the_whole_demonstrations(
    reference: Path, tmp_path: Path
) -> None:
    cut = [
        *("record", "--task", "weighing", "--episodes", "2", "--seed", "5", "--seconds", "0.4"),
        *("--height", "48", "--width", "64", "--workers", "1", "--out", str(tmp_path / "cut")),
    ]
    result = CliRunner().invoke(app, cut)
    assert result.exit_code == 0, result.output
    notes = read_episodes(tmp_path / "cut")
    assert [(note["length"], note["success"]) for note in notes] == [(4, False)] * 2
    for whole, begun in zip(episodes(reference), episodes(tmp_path / "cut"), strict=False):
        assert np.array_equal(whole.action[:4], begun.action)


def test_a_finished_recording_is_not_repeated_and_another_not_overwritten(reference: Path) -> None:
    before = files(reference)
    again = record("weighing", 3, 5, reference, image_size=SIZE, max_frames=6)
    assert again["episodes"] == 3
    with pytest.raises(UserError, match="exists: choose another --out"):
        record("weighing", 3, 6, reference, image_size=SIZE, max_frames=6)
    assert files(reference) == before


def test_killed_at_any_moment_it_continues(reference: Path, tmp_path: Path) -> None:
    """kill -9 again and again, a little later each time, until a run gets through."""
    out = tmp_path / "out"
    code = (
        "from kuavo_sim.recording.record import record\n"
        f"record('weighing', 3, 5, {str(out)!r}, image_size={SIZE}, workers=1, max_frames=6)\n"
    )
    kills = 0
    for _ in range(30):
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        items = out.with_name("out.partial") / "items"
        done = len(list(items.glob("[0-9]*"))) if items.exists() else 0
        while process.poll() is None:
            if items.exists() and (
                len(list(items.glob("[0-9]*"))) > done or list(items.glob(".0*/dataset/*"))
            ):
                time.sleep(0.3 * kills)
                if kills < 2:
                    process.send_signal(signal.SIGKILL)
                    kills += 1
                    process.wait()
                    assert not out.exists()
                break
            time.sleep(0.02)
        process.wait(timeout=120)
        if out.exists():
            break
    assert kills >= 2
    assert_same(out, reference)
    assert not out.with_name("out.partial").exists()


def test_seeds_on_which_the_expert_fails_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = record_module.record_one

    def failing(job: record_module.EpisodeJob) -> str:
        return real(job._replace(max_frames=None if job.seed == 1 else 4))

    from kuavo_sim.env import KuavoEnv

    def short(self: KuavoEnv, action: np.ndarray) -> object:
        observation, reward, _, _, info = step(self, action)
        return observation, reward, False, self.sim.time > 0.35, {**info, "failure": None}

    step = KuavoEnv.step
    monkeypatch.setattr(KuavoEnv, "step", short)
    monkeypatch.setattr(record_module, "record_one", failing)
    report = record("weighing", 2, 0, tmp_path / "d", image_size=SIZE, workers=1)
    assert report["seeds"] == [0, 2]
    assert report["failed_seeds"] == {"1": "out of time"}
    assert [e["episode_index"] for e in read_episodes(tmp_path / "d")] == [0, 1]


def test_an_expert_that_is_done_in_vain_does_not_wait_for_the_time_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WeighingExpert, "plan", lambda self: iter(()))
    job = EpisodeJob(tmp_path, "0", "weighing", 0, SIZE, None, None, True, draw_every=25)
    assert record_one(job) == "failed"
    result = json.loads((tmp_path / "0" / RESULT_FILE).read_text())
    assert result["failure"] == IN_VAIN
    assert result["length"] == round(VERDICT * CONTROL_HZ)


@pytest.mark.parametrize(
    ("task", "seconds"),
    [("weighing", 1.2), ("sorting", 2.5), ("moving_grasp", 0.6), ("placement", 0.6)],
)
def test_recorded_directly_or_by_bag_and_conversion_is_the_same(
    tmp_path: Path, task: str, seconds: float
) -> None:
    size = (72, 96)
    record(
        task, 1, 3, tmp_path / "direct", bags=tmp_path / "bags", image_size=size, workers=1,
        max_frames=round(seconds * 10), bag_options=BagOptions(image_size=size),
    )  # fmt: skip
    report = convert(tmp_path / "bags", task_named(task), tmp_path / "converted")
    assert report.rows[0]["status"] == "converted", report.rows
    (direct,), (by_bag,) = episodes(tmp_path / "direct"), episodes(tmp_path / "converted")
    assert direct.length == by_bag.length == round(seconds * 10)
    np.testing.assert_allclose(by_bag.state, direct.state, atol=1e-5)
    np.testing.assert_allclose(by_bag.action, direct.action, atol=1e-5)
    for camera in direct.videos:
        pairs = zip(
            decoded(*direct.videos[camera], direct.length),
            decoded(*by_bag.videos[camera], by_bag.length),
            strict=True,
        )
        errors = [np.square(a.astype(float) - b).mean() for a, b in pairs]
        assert 10 * np.log10(255**2 / max(*errors, 1e-9)) > 28, camera


def test_bags_hold_the_robots_topics_types_and_rates(tmp_path: Path) -> None:
    from kuavo_deploy.robot.messages import kuavo_msgs
    from kuavo_train.data.bags.scan import Scan

    record("sorting", 1, 0, tmp_path / "d", bags=tmp_path / "b", image_size=SIZE, workers=1,
           max_frames=20)  # fmt: skip
    (bag,) = (tmp_path / "b").iterdir()
    counts: dict[str, int] = {}
    sums = {}
    for message in Scan(bag):
        counts[message.connection.topic] = counts.get(message.connection.topic, 0) + 1
        sums[message.connection.type] = message.connection.md5
    expected = {topics.SENSORS: 1001, topics.JOINT_CMD: 1001, topics.ARM_TRAJ: 201,
                topics.ARM_TRAJ_SYNCED: 201, topics.CMD_POSE_WORLD_SYNCED: 201,
                topics.CLAW_STATE: 201, topics.CLAW_COMMAND: 201, topics.ODOM: 201,
                **dict.fromkeys(topics.CAMERA_TOPICS.values(), 61)}  # fmt: skip
    assert {t: n for t, n in counts.items() if t in expected} == expected
    assert set(counts) - set(expected) <= {topics.CMD_POSE_WORLD}
    for kind, md5 in sums.items():
        if kind.startswith("kuavo_msgs/"):
            assert getattr(kuavo_msgs(), kind.split("/")[1])._md5sum == md5


def test_an_existing_bag_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/weighing_seed000000.bag").write_text("mine")
    with pytest.raises(UserError, match="exists: choose another --bags"):
        record("weighing", 1, 0, tmp_path / "d", bags=tmp_path / "b", image_size=SIZE, workers=1,
               max_frames=2)  # fmt: skip
    assert (tmp_path / "b/weighing_seed000000.bag").read_text() == "mine"


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "from kuavo_sim.recording.record import record\n"
        "if __name__ == '__main__':\n"
        f"    record('weighing', 9, 0, {str(tmp_path / 'd')!r}, image_size={SIZE}, workers=2)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    process = subprocess.Popen([sys.executable, str(script)], start_new_session=True)
    items = tmp_path / "d.partial/items"
    deadline = time.monotonic() + 120
    while not (items.exists() and list(items.glob(".*"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    process.kill()
    process.wait()
    time.sleep(2)
    alive = [c for c in children if _runs(int(c), str(script))]
    assert alive == []


def _runs(pid: int, script: str) -> bool:
    try:
        os.kill(pid, 0)
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (ProcessLookupError, FileNotFoundError):
        return False
    return b"multiprocessing" in command or script.encode() in command
