"""Bags are scored as they are, and count as the same episodes as datasets made from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kuavo_cli.errors import UserError
from kuavo_deploy.robot import topics
from kuavo_eval.offline import Options, Source, score
from kuavo_eval.offline.sources import open_source
from kuavo_train.data.conversion import convert
from kuavo_train.tasks import load_tasks
from tests.data.synthetic import Recipe, image, write

from .known_policies import Oracle

TASKS = load_tasks()
QUICK = Options(parts=("error",))


@pytest.fixture(scope="module")
def bags(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("bags")
    write(root / "a.bag")
    write(root / "b.bag", Recipe(seconds=1.5))
    return root


def test_a_folder_of_bags_is_scored(bags):
    scores = score([Oracle()], [Source("weighing", bags)], QUICK)
    assert len(scores.episodes("weighing")) == 2
    assert scores.error("oracle", "weighing").value == 0.0
    assert [e.name for e in scores.data["weighing"].episodes] == ["a.bag", "b.bag"]


def test_a_bag_is_the_same_episode_as_the_dataset_made_from_it(bags, tmp_path):
    convert(bags, TASKS["weighing"], tmp_path / "dataset")
    of_bags, of_dataset = (
        open_source(Source("weighing", path), TASKS, QUICK) for path in (bags, tmp_path / "dataset")
    )
    assert [e.key for e in of_bags.episodes] == [e.key for e in of_dataset.episodes]
    trained = Oracle("trained", {episode.key for episode in of_dataset.episodes})
    with pytest.raises(UserError, match="were trained on"):
        score([trained], [Source("weighing", bags)], QUICK)


def test_the_images_are_those_of_the_frames(bags):
    """A picture's brightness tells its time (see `synthetic.image`)."""
    episode = open_source(Source("weighing", bags / "a.bag"), TASKS, QUICK).episodes[0]
    images = list(episode.images())
    assert len(images) == len(episode)
    for frame in (0, 5, len(images) - 1):
        for number, feature in enumerate(topics.IMAGE_FEATURES.values()):
            gap = images[frame][feature].astype(float) - image(frame / 10, number)
            assert np.abs(gap).mean() < 2.0


def test_unusable_bags_are_void_and_named(bags, tmp_path):
    write(tmp_path / "good.bag")
    write(tmp_path / "no_wrist.bag", Recipe(without=(topics.CAMERA_TOPICS["wrist_cam_l"],)))
    write(tmp_path / "nan.bag", Recipe(nan_at=0.5))
    (tmp_path / "empty.bag").write_bytes(b"")
    scores = score([Oracle()], [Source("weighing", tmp_path)], QUICK)
    assert len(scores.episodes("weighing")) == 1
    void = {v.name: v.why for v in scores.data["weighing"].void}
    assert set(void) == {"no_wrist.bag", "nan.bag", "empty.bag"}
    assert "/cam_l" in void["no_wrist.bag"] and "not finite" in void["nan.bag"]


def test_a_cut_off_bag_is_scored_as_far_as_it_goes_and_says_so(tmp_path):
    whole = write(tmp_path / "cut.bag", Recipe(seconds=3.0))
    content = whole.read_bytes()
    whole.write_bytes(content[: int(len(content) * 0.6)])
    scores = score([Oracle()], [Source("weighing", whole)], QUICK)
    (episode,) = scores.data["weighing"].episodes
    assert len(episode) < 28 and episode.notes


def test_nothing_usable_is_an_error(tmp_path):
    (tmp_path / "x.bag").write_bytes(b"no bag")
    with pytest.raises(UserError, match="no episode can be replayed .*x.bag"):
        score([Oracle()], [Source("weighing", tmp_path)], QUICK)
    with pytest.raises(UserError, match="choose from"):
        score(
            [Oracle()],
            [Source("weighing", tmp_path)],
            Options(parts=("error",), end_effector="hook"),
        )
