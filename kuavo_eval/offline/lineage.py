"""Which episodes a policy has seen in training, by content: those are refused.

A checkpoint's manifest names every episode that any stage of its chain trained on, replayed ones
too. An episode that one of several policies has seen is refused for all, so that all are scored
on the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kuavo_cli.errors import UserError
from kuavo_eval.offline.episodes import RecordedEpisode, Recording


@dataclass(frozen=True)
class Selection:
    """scored: what is going to be scored. seen: what some policy trained on (label → keys)."""

    scored: tuple[RecordedEpisode, ...]
    seen: Mapping[str, tuple[str, ...]]
    refused: tuple[RecordedEpisode, ...]

    @property
    def seen_keys(self) -> set[str]:
        """Episodes that any policy trained on."""
        return {key for keys in self.seen.values() for key in keys}


def select(recording: Recording, trained: Mapping[str, set[str]], allow_seen: bool) -> Selection:
    """Take the episodes that no policy trained on.

    Args:
        recording: of one task.
        trained: per policy, content hashes of everything that it was trained on.
        allow_seen: score them all the same.

    Raises:
        UserError: nothing is left.
    """
    keys = [episode.key for episode in recording.episodes]
    seen = {label: tuple(k for k in keys if k in known) for label, known in trained.items()}
    any_seen = {key for known in seen.values() for key in known}
    scored = [e for e in recording.episodes if allow_seen or e.key not in any_seen]
    refused = [e for e in recording.episodes if not allow_seen and e.key in any_seen]
    if not scored:
        raise UserError(_nothing_left(recording, seen))
    return Selection(tuple(_unique(scored)), seen, tuple(refused))


def _unique(episodes: Sequence[RecordedEpisode]) -> list[RecordedEpisode]:
    """The same recording twice is one episode."""
    return list({episode.key: episode for episode in episodes}.values())


def _nothing_left(recording: Recording, seen: Mapping[str, tuple[str, ...]]) -> str:
    where = f"task {recording.task.id} ({recording.task.name}), {recording.path}"
    if recording.episodes:
        by = ", ".join(f"{label} on {len(keys)}" for label, keys in seen.items() if keys)
        return (
            f"{where}: all {len(recording.episodes)} episodes were trained on ({by}); score "
            "held-out episodes, or say --allow-seen (the report will say so too)"
        )
    reasons = "; ".join(f"{void.name}: {void.why}" for void in recording.void[:3])
    return f"{where}: no episode can be replayed ({reasons or 'there is none'})"
