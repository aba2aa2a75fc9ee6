"""One bag to one episode, in two streaming passes: the numbers, then the images of its frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kuavo_deploy.robot import topics
from kuavo_train.data.bags.errors import BagRefused
from kuavo_train.data.bags.images import decode_color, decode_depth, resized
from kuavo_train.data.bags.options import Options
from kuavo_train.data.bags.plan import EpisodePlan, plan_episode
from kuavo_train.data.bags.scan import Scan
from kuavo_train.data.bags.tracks import read_tracks
from kuavo_train.data.bags.types import Decoder
from kuavo_train.data.episode import EpisodeDataset, Frame
from kuavo_train.data.features import ImageSizes
from kuavo_train.tasks import Task

_NAMES = {
    **{topic: name for name, topic in topics.CAMERA_TOPICS.items()},
    **{topic: name for name, topic in topics.DEPTH_TOPICS.items()},
}


def image_sizes(path: Path, options: Options) -> dict[str, tuple[int, int]]:
    """Height and width of every camera's (and, if wanted, depth camera's) first image.

    Raises:
        BagRefused: a camera is missing, or its first image is damaged.
    """
    wanted = set(_wanted(options))
    sizes: dict[str, tuple[int, int]] = {}
    decode = Decoder()
    for raw in Scan(path):
        topic = raw.connection.topic
        if topic in wanted:
            wanted.remove(topic)
            image = _pixels(decode(raw).data, topic)
            sizes[_NAMES[topic]] = options.image_size or (image.shape[0], image.shape[1])
            if not wanted:
                return {name: sizes[name] for name in _NAMES.values() if name in sizes}
    raise BagRefused(f"camera images are missing: {', '.join(sorted(wanted))}")


def convert_bag(
    path: Path, folder: Path, task: Task, sizes: ImageSizes, options: Options
) -> dict[str, Any]:
    """Write the bag's episode into `folder`; gives its metadata.

    Args:
        path: the bag.
        folder: an existing folder, deleted by the caller if this raises.
        task: what the bag shows.
        sizes: the dataset's image sizes (see `image_sizes`).
        options: how to read it.

    Raises:
        BagRefused: with the reason for the report.
    """
    found = read_tracks(path, options)
    plan = plan_episode(found, task, options)
    repairs = found.repairs
    if repairs and options.strict:
        raise BagRefused("; ".join(repairs))
    color = {name: sizes[name] for name in topics.CAMERA_TOPICS}
    depth = {name: sizes[name] for name in topics.DEPTH_TOPICS} if options.depth else None
    episode = EpisodeDataset(folder, task, color, depth)
    try:
        for index, images in episode_images(path, plan, sizes, options):
            episode.add(
                Frame(
                    plan.states[index],
                    plan.actions[index],
                    {name: images[name] for name in color},
                    {name: images[name] for name in depth or ()},
                )
            )
        written = episode.finish()
    except BaseException:
        episode.abandon()
        raise
    return {
        "bag": path.name,
        **plan.facts,
        **written,
        "repairs": repairs,
        "notes": plan.notes,
    }


def episode_images(
    path: Path, plan: EpisodePlan, sizes: ImageSizes, options: Options
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Each frame's index and images, in order; holds only frames whose images are under way."""
    users = {topic: _by_rank(ranks) for topic, ranks in plan.images.items()}
    seen = dict.fromkeys(users, 0)
    waiting: dict[int, dict[str, np.ndarray]] = {}
    decode = Decoder()
    following = 0
    for raw in Scan(path):
        topic = raw.connection.topic
        if topic not in users:
            continue
        frames = users[topic].get(seen[topic], ())
        seen[topic] += 1
        if not frames:
            continue
        image = _sized(_pixels(decode(raw).data, topic), topic, sizes, options)
        for frame in frames:
            waiting.setdefault(frame, {})[_NAMES[topic]] = image
        while len(waiting.get(following, ())) == len(users):
            yield following, waiting.pop(following)
            following += 1
    if following != len(plan.states):
        raise BagRefused(f"the images of frame {following} are not in the file any more")


def _by_rank(ranks: np.ndarray) -> dict[int, list[int]]:
    """Which frames use the topic's image of a rank: two may share one."""
    users: dict[int, list[int]] = {}
    for frame, rank in enumerate(ranks):
        users.setdefault(int(rank), []).append(frame)
    return users


def _pixels(data: np.ndarray, topic: str) -> np.ndarray:
    if topic in topics.DEPTH_TOPICS.values():
        return decode_depth(data, topic)
    return decode_color(data, topic)


def _sized(image: np.ndarray, topic: str, sizes: ImageSizes, options: Options) -> np.ndarray:
    size = sizes[_NAMES[topic]]
    if options.image_size is not None:
        return resized(image, size, nearest=topic in topics.DEPTH_TOPICS.values())
    if image.shape[:2] != tuple(size):
        raise BagRefused(
            f"{topic} has images of {image.shape[1]}×{image.shape[0]}, the dataset's are "
            f"{size[1]}×{size[0]}: choose one with --image-size"
        )
    return image


def _wanted(options: Options) -> list[str]:
    depth = list(topics.DEPTH_TOPICS.values()) if options.depth else []
    return [*topics.CAMERA_TOPICS.values(), *depth]
