"""Offline evaluation, end to end: policies with known scores run through the same code."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kuavo_cli.errors import UserError
from kuavo_deploy.robot import topics
from kuavo_eval.offline import Options, Source, score
from kuavo_eval.offline.demonstrations import HOLD, MEAN, NEAREST
from kuavo_eval.offline.episodes import Recording
from kuavo_eval.offline.scores import weighed
from kuavo_eval.offline.sources import open_source
from kuavo_train.tasks import load_tasks
from tests.train.recordings import hold_images, record

from .conftest import EPISODES, FRAMES
from .known_policies import (
    CHUNK,
    Holding,
    NotFinite,
    Obedient,
    Off,
    Oracle,
    Proprioceptive,
)

TASKS = load_tasks()


@pytest.fixture(scope="module")
def recorded(recordings) -> Path:
    return recordings


@pytest.fixture(scope="module")
def sources(recorded) -> list[Recording]:
    """Opened once for all tests."""
    return [open_source(Source(name, recorded / name), TASKS, Options()) for name in TASKS]


QUICK = Options(parts=("error",))
PROBES = Options(parts=("sampling", "language", "modalities"), probe_frames=12, samples=3)


def test_an_oracle_makes_no_error_and_meets_every_hand_event(sources):
    scores = score([Oracle()], sources, QUICK)
    for task in TASKS:
        error = scores.error("oracle", task)
        assert (error.value, error.low, error.high) == (0.0, 0.0, 0.0)
        for episode in scores.results["oracle"][task].episodes:
            assert episode.hands.recorded >= 2
            assert episode.hands.f1 == 1.0 and episode.hands.lag == 0.0
            assert episode.critical.count > 0 and episode.critical.sums.max() < 1e-12
            assert episode.warping.timing == 0.0
            assert episode.smoothness.sparc == pytest.approx(episode.smoothness.sparc_recorded)
            assert episode.jumps == pytest.approx(episode.jumps_recorded)


def test_an_offset_is_measured_as_what_it_is(sources):
    """0.1 on every joint: MAE 0.1 everywhere, normalized by each joint's own range."""
    scores = score([Off(0.1)], sources, QUICK)
    for name, data in scores.data.items():
        episode = scores.results["off"][name].episodes[0]
        assert episode.horizon.per_joint() == pytest.approx(np.full(len(data.spread), 0.1))
        assert episode.horizon.curve() == pytest.approx(np.full((CHUNK, len(data.spread)), 0.1))
        moved = data.spread[data.spread > 0]
        assert scores.error("off", name).value == pytest.approx(np.mean(0.1 / moved), rel=1e-4)


def test_every_frame_is_scored_once_and_padding_never(sources):
    scores = score([Oracle()], sources, QUICK)
    for task in TASKS:
        _, counts = scores.error_sums("oracle", task)
        inside = sum(min(CHUNK, FRAMES - frame) for frame in range(FRAMES))
        assert counts.tolist() == [inside] * EPISODES


def test_holding_has_no_skill(sources):
    scores = score([Holding("holding")], sources, QUICK)
    for name, data in scores.data.items():
        ours = scores.error_sums("holding", name)
        base = weighed(data.baselines[HOLD], data.spread)
        assert ours[0].sum() > 0
        assert ours[0] == pytest.approx(base[0])


def test_baselines_leave_the_episode_itself_out(sources):
    data = score([Oracle()], sources, QUICK).data["weighing"]
    for name in (HOLD, MEAN, NEAREST):
        sums, _ = weighed(data.baselines[name], data.spread)
        assert (sums > 0).all(), f"{name} must not know the answer"


def test_frames_run_in_batches_over_episodes(sources):
    oracle = Oracle()
    score([oracle], sources[:1], Options(parts=("error",), batch=16))
    assert oracle.batch_sizes == [16, 16, 16, 16, 8], "72 frames of three episodes"


def test_every_and_frames_thin_predictions_out(sources):
    oracle = Oracle()
    scores = score([oracle], sources[:1], Options(parts=("error",), every=5))
    assert sum(oracle.batch_sizes) == EPISODES * 5
    assert scores.error("oracle", "moving_grasp").value == 0.0
    thinned = score([Oracle()], sources[:1], Options(parts=("error",), frames=20))
    assert thinned.data["moving_grasp"].every == 4
    with pytest.raises(UserError, match="leaves gaps"):
        score([Oracle()], sources[:1], Options(parts=("error",), every=CHUNK + 1))


def test_few_frames_leave_no_gaps_between_chunks(sources):
    """Eight predictions over 72 frames would be 9 apart; chunks have 8 steps."""
    scores = score([Oracle()], sources[:1], Options(parts=("error",), frames=8))
    assert scores.data["moving_grasp"].every == CHUNK
    assert scores.error("oracle", "moving_grasp").value == 0.0
    for episode in scores.results["oracle"]["moving_grasp"].episodes:
        assert np.isfinite(episode.stream).all()
        assert episode.hands.f1 == 1.0


def identified(scores, label: str) -> dict[str, float]:
    from kuavo_eval.metrics.instruction_matrix import identification

    found = {}
    for task in TASKS:
        probed = scores.results[label][task].probed
        errors = np.stack([probed.told[name] for name in TASKS], axis=1)
        found[task] = float(identification(errors, list(TASKS).index(task)).mean())
    return found


def test_a_policy_that_ignores_language_is_at_chance_and_insensitive(sources):
    scores = score([Off(0.1, "deaf")], sources, PROBES)
    assert identified(scores, "deaf") == pytest.approx(dict.fromkeys(TASKS, 0.25))
    for task in TASKS:
        assert scores.results["deaf"][task].probed.by_language.max() == 0.0


def test_an_obedient_policy_is_identified_and_one_that_swaps_two_tasks_is_not(sources):
    swapped = Obedient("swapped", {"weighing": "placement", "placement": "weighing"})
    scores = score([Obedient(), swapped], sources, PROBES)
    assert identified(scores, "obedient") == dict.fromkeys(TASKS, 1.0)
    assert identified(scores, "swapped") == {
        "moving_grasp": 1.0,
        "weighing": 0.0,
        "placement": 0.0,
        "sorting": 1.0,
    }
    probed = scores.results["obedient"]["sorting"].probed
    assert (probed.blank > 2 * probed.intact).all()
    assert (probed.by_language > 10 * probed.by_noise).all()


def test_paraphrases_are_further_instructions(sources):
    wording = {"weighing": ("weigh the parcel", "put it on the scale")}
    options = Options(parts=("language",), probe_frames=6, samples=2, paraphrases=wording)
    scores = score([Obedient()], sources[:2], options)
    assert len(scores.results["obedient"]["weighing"].probed.paraphrased) == 2
    assert scores.results["obedient"]["moving_grasp"].probed.paraphrased == []


def test_blinding_shows_what_a_policy_looks_at(sources):
    scores = score([Proprioceptive("feels")], sources, PROBES)
    probed = scores.results["feels"]["weighing"].probed
    images = [name for name in probed.ablated if "images" in name or "cam" in name]
    assert len(images) == 8
    for name in images:
        np.testing.assert_array_equal(probed.ablated[name], probed.intact)
    for name in ("state_zeroed", "state_shuffled"):
        assert probed.ablated[name].mean() > 1.3 * probed.intact.mean()


def test_tasks_of_their_own_colour_are_flagged(sources):
    names, accuracy = score([Oracle()], sources, PROBES).told_apart
    assert names == list(TASKS)
    assert np.nanmin(accuracy) > 0.9


def test_samples_of_a_deterministic_policy_are_one(sources):
    probed = score([Off(0.1)], sources, PROBES).results["off"]["sorting"].probed
    assert probed.sampling["arms"].spread.max() < 1e-12
    assert probed.sampling["arms"].mean == pytest.approx(np.full(12, 0.1))
    assert probed.sampling["base"].best == pytest.approx(np.full(12, 0.1))


def test_one_nan_voids_the_task_and_only_this_one(sources):
    scores = score([NotFinite("weighing"), Off(0.1)], sources, QUICK)
    assert "3 of 72 chunks, first episode 0 frame 3" in scores.void("nan", "weighing")
    error = scores.error("nan", "weighing")
    assert error.value is None and "not finite" in error.why
    assert scores.results["nan"]["weighing"].episodes == []
    assert scores.error("nan", "sorting").value == 0.0
    assert scores.error("off", "weighing").value > 0


def test_checkpoints_are_paired_on_the_same_episodes(sources):
    scores = score([Off(0.1, "a"), Off(0.2, "b")], sources, QUICK)
    for task in TASKS:
        (a, n), (b, m) = scores.error_sums("a", task), scores.error_sums("b", task)
        assert b == pytest.approx(2 * a, rel=1e-5)
        assert (n == m).all()
    assert len(scores.episodes("weighing")) == EPISODES


def keys(sources, task: str) -> list[str]:
    (recording,) = [source for source in sources if source.task.name == task]
    return [episode.key for episode in recording.episodes]


def test_episodes_that_one_policy_trained_on_are_refused_for_all(sources):
    known = keys(sources, "weighing")
    trained = Oracle("trained", {known[0], "replayed elsewhere"})
    scores = score([trained, Off(0.1)], sources, QUICK)
    assert scores.episodes("weighing") == known[1:]
    selection = scores.data["weighing"].selection
    assert [episode.name for episode in selection.refused] == ["episode 0"]
    assert selection.seen == {"trained": (known[0],), "off": ()}
    assert len(scores.episodes("sorting")) == EPISODES


def test_a_copied_renumbered_dataset_is_recognized_by_content(sources, recorded, tmp_path):
    known = keys(sources, "weighing")
    copy = shutil.copytree(recorded / "weighing", tmp_path / "elsewhere")
    with pytest.raises(UserError, match="all 3 episodes were trained on"):
        score([Oracle("trained", set(known))], [Source("task2", copy)], QUICK)


def test_allow_seen_scores_them_and_remembers(sources):
    known = keys(sources, "weighing")
    scores = score(
        [Oracle("trained", set(known))],
        sources,
        Options(parts=("error",), allow_seen=True),
    )
    assert scores.episodes("weighing") == known
    assert scores.data["weighing"].selection.seen["trained"] == tuple(known)
    assert scores.data["weighing"].selection.refused == ()


def test_wrong_cameras_another_task_nothing_there(recorded, tmp_path):
    other = record(TASKS["weighing"], tmp_path / "two_cameras", cameras=topics.CAMERAS[:2])
    with pytest.raises(UserError, match="wrist_cam_r"):
        score([Oracle()], [Source("weighing", other)], QUICK)
    with pytest.raises(UserError, match="recorded with the instruction of task 4"):
        score([Oracle()], [Source("weighing", _standing(tmp_path))], QUICK)
    with pytest.raises(UserError, match="does not exist"):
        score([Oracle()], [Source("weighing", tmp_path / "nowhere")], QUICK)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no bags"):
        score([Oracle()], [Source("weighing", tmp_path / "empty")], QUICK)
    with pytest.raises(UserError, match="unknown task 'baking'"):
        score([Oracle()], [Source("baking", recorded / "weighing")], QUICK)
    with pytest.raises(UserError, match="one per task"):
        score([Oracle()], [Source("2", recorded / "weighing")] * 2, QUICK)


def _standing(tmp_path: Path) -> Path:
    """Sixteen numbers, but the sentence of another task."""
    sorting = TASKS["sorting"].instruction
    return record(TASKS["weighing"], tmp_path / "mislabelled", instruction=sorting)


def test_images_that_were_held_between_frames_are_not_scored_on(recorded, tmp_path):
    copy = shutil.copytree(recorded / "weighing", tmp_path / "copy")
    hold_images(copy, [1] * (EPISODES - 1) + [4])
    with pytest.raises(UserError, match="1 episodes.*for training alone"):
        score([Oracle()], [Source("weighing", copy)], QUICK)


def test_a_dataset_that_lacks_a_file_is_named(recorded, tmp_path):
    copy = shutil.copytree(recorded / "weighing", tmp_path / "copy")
    (copy / "data/chunk-000/file-000.parquet").unlink()
    with pytest.raises(UserError, match="incomplete: data/chunk-000/file-000.parquet"):
        score([Oracle()], [Source("weighing", copy)], QUICK)


def test_truncated_metadata_is_an_error(recorded, tmp_path):
    copy = shutil.copytree(recorded / "weighing", tmp_path / "copy")
    file = copy / "meta/episodes/chunk-000/file-000.parquet"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(UserError, match="cannot be read"):
        score([Oracle()], [Source("weighing", copy)], QUICK)


def test_videos_are_read_frame_by_frame_and_a_short_one_voids_its_episode(tmp_path):
    root = record(TASKS["weighing"], tmp_path / "video", episodes=2, frames=12, video=True)
    whole = score([Off(0.1)], [Source("weighing", root)], QUICK)
    assert len(whole.episodes("weighing")) == 2
    _cut_short(root)
    scores = score([Off(0.1)], [Source("weighing", root)], QUICK)
    (void,) = scores.data["weighing"].void
    assert void.name == "episode 1" and "wrist_cam_l: its video ends after" in void.why
    assert scores.episodes("weighing") == whole.episodes("weighing")[:1]
    for file in (root / "videos").rglob("*.mp4"):
        file.write_bytes(b"no video")
    with pytest.raises(UserError, match="no episode can be replayed"):
        score([Off(0.1)], [Source("weighing", root)], QUICK)


def _cut_short(root: Path) -> None:
    """Write the left wrist's video again, without its last six frames."""
    import av

    (file,) = (root / "videos/observation.images.wrist_cam_l").rglob("*.mp4")
    with av.open(str(file)) as container:
        images = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(file), "w") as container:
        stream = container.add_stream("h264", rate=10)
        stream.width, stream.height, stream.pix_fmt = (
            images[0].shape[1],
            images[0].shape[0],
            "yuv420p",
        )
        for image in images[:-6]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def test_a_policy_of_another_shape_is_a_defect(sources):
    class Short(Oracle):
        def predict(self, batch, texts, sample):
            return super().predict(batch, texts, sample)[:, :-1]

    with pytest.raises(ValueError, match=r"chunks of shape \(16, 7, 20\)"):
        score([Short("short")], sources, QUICK)


@pytest.mark.parametrize(
    "bad",
    [{"parts": ("speed",)}, {"every": 0}, {"samples": 0}, {"frames": 0}, {"replan_s": 0.0}],
)
def test_options_name_what_is_wrong(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Options(**bad)
