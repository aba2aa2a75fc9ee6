"""Episodes straight from bags: the JPEG images that the robot sees, no dataset in between."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from kuavo_cli.errors import UserError
from kuavo_cli.progress import track
from kuavo_deploy.robot.topics import IMAGE_FEATURES
from kuavo_eval.offline.episodes import (
    Damaged,
    Images,
    RecordedEpisode,
    Recording,
    Void,
    content_key,
)
from kuavo_train.data.bags.convert import episode_images, image_sizes
from kuavo_train.data.bags.errors import BagRefused
from kuavo_train.data.bags.options import Options as BagOptions
from kuavo_train.data.bags.plan import EpisodePlan, plan_episode
from kuavo_train.data.bags.tracks import read_tracks
from kuavo_train.data.conversion import find_bags
from kuavo_train.tasks import Task


def open_bags(task: Task, path: Path, options: BagOptions) -> Recording:
    """Read the numbers of every bag of `path` (a folder, or one bag).

    A bag that cannot be used becomes void, with its reason; the others are scored.

    Raises:
        UserError: there are no bags.
    """
    episodes, void = [], []
    for bag in track(find_bags(path), "reading bags"):
        try:
            episodes.append(_episode(task, bag, options))
        except (BagRefused, OSError) as error:
            void.append(Void(bag.name, str(error)))
    return Recording(task, str(path), tuple(episodes), tuple(void))


def _episode(task: Task, bag: Path, options: BagOptions) -> RecordedEpisode:
    found = read_tracks(bag, options)
    plan = plan_episode(found, task, options)
    if len(plan.states) < 2:
        raise BagRefused(f"{len(plan.states)} frames: an episode needs two or more")
    states = np.asarray(plan.states, np.float32)
    actions = np.asarray(plan.actions, np.float32)
    return RecordedEpisode(
        task=task,
        key=content_key(states, actions),
        name=bag.name,
        states=states,
        actions=actions,
        images=partial(_images, bag, plan, options),
        notes=(*found.repairs, *plan.notes),
    )


def _images(bag: Path, plan: EpisodePlan, options: BagOptions) -> Iterator[Images]:
    try:
        sizes = image_sizes(bag, options)
        for _, images in episode_images(bag, plan, sizes, options):
            yield {feature: images[camera] for camera, feature in IMAGE_FEATURES.items()}
    except (BagRefused, OSError) as error:
        raise Damaged(str(error)) from error


def check_bag_options(end_effector: str, claw_closed_at: float) -> BagOptions:
    """Options of reading bags.

    Raises:
        UserError: an unknown end effector, or a claw that is neither 0 nor 100 when closed.
    """
    try:
        return BagOptions(end_effector=end_effector, claw_closed_at=claw_closed_at)
    except ValueError as error:
        raise UserError(str(error), exit_code=2) from error
