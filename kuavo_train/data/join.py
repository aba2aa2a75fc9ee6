"""Several recordings of one task become one dataset, episode after episode."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kuavo_cli.errors import UserError
from kuavo_train.data.assemble import aggregate
from kuavo_train.data.metadata import read_about, read_episodes
from kuavo_train.data.workspace import Workspace
from kuavo_train.tasks import task_named


def join(parts: Sequence[Path], out: Path) -> int:
    """Join datasets that this project made, in this order; they stay as they are.

    Args:
        parts: two or more, of the same task, with the same cameras and rate.
        out: the new dataset's folder; must not exist. An interrupted call is repeated.

    Returns:
        The number of episodes.

    Raises:
        UserError: fewer than two parts, one that is no dataset of ours, parts that do not go
            together, an episode that is in two of them, or `out` exists.
    """
    if len(parts) < 2:
        raise UserError("joining takes two datasets or more", exit_code=2)
    about = [_about(part) for part in parts]
    _check_alike(parts, about)
    episodes = [(part, episode) for part in parts for episode in read_episodes(part)]
    _check_unique(episodes)
    task = task_named(about[0]["task_name"])
    hashes = [episode["sha256"] for _, episode in episodes]
    with Workspace(out, {"kind": "join", "task": task.name, "episodes": hashes}) as workspace:
        renumbered = [{**e, "episode_index": index} for index, (_, e) in enumerate(episodes)]
        sources = {"source": "joined", "parts": [one["source"] for one in about]}
        own = ("failed_seeds", "features", "scenes", "alone", "failures")
        facts = {key: value for key, value in about[0].items() if key not in own} | sources
        aggregate(workspace, task, parts, renumbered, facts)
    return len(episodes)


def _about(part: Path) -> dict[str, Any]:
    try:
        found = read_about(part)
        features = json.loads((part / "meta" / "info.json").read_text(encoding="utf-8"))["features"]
        return {**found, "features": features}
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{part} is no dataset of `kuavo data convert` or `kuavo sim record`: {error}"
        ) from error


def _check_alike(parts: Sequence[Path], about: Sequence[dict[str, Any]]) -> None:
    for key in ("task_name", "instruction", "fps", "features"):
        first = about[0].get(key)
        for part, other in zip(parts, about, strict=True):
            if other.get(key) != first:
                raise UserError(
                    f"{parts[0]} and {part} cannot be joined: {key} is {first!r} in one and "
                    f"{other.get(key)!r} in the other"
                )


def _check_unique(episodes: Sequence[tuple[Path, dict[str, Any]]]) -> None:
    seen: dict[str, tuple[Path, int]] = {}
    for part, episode in episodes:
        here = part, int(episode["episode_index"])
        before = seen.setdefault(episode["sha256"], here)
        if before != here:
            raise UserError(
                f"episode {here[1]} of {here[0]} is episode {before[1]} of {before[0]} too"
            )
