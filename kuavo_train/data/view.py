"""One episode in rerun: cameras, states and actions over time."""

from __future__ import annotations

from pathlib import Path

import rerun as rr
import rerun.blueprint as rrb

from kuavo_cli.errors import UserError
from kuavo_deploy.robot import topics
from kuavo_train.data.check.episodes import DatasetFiles, Episode
from kuavo_train.data.decoding import decoded

JPEG_QUALITY = 85


def view_episode(root: Path, index: int, save: Path | None = None) -> None:
    """Open episode `index` of the dataset `root` in the viewer, or write it to `save`.

    Raises:
        UserError: no such dataset or episode, `save` exists, or the viewer does not start.
    """
    files = DatasetFiles(root)
    episode = next((e for e in files.episodes() if e.index == index), None)
    if episode is None:
        raise UserError(
            f"{root} has episodes 0 to {int(files.info['total_episodes']) - 1}, not {index}"
        )
    if save is not None and save.exists():
        raise UserError(f"{save} exists: choose another file")
    recording = rr.RecordingStream(f"{Path(root).resolve().name} episode {index}")
    if save is not None:
        save.parent.mkdir(parents=True, exist_ok=True)
        recording.save(save, default_blueprint=_layout(files))
    else:
        try:
            recording.spawn(default_blueprint=_layout(files))
        except RuntimeError as error:
            raise UserError(f"the viewer does not start ({error}): use --save FILE.rrd") from error
    _log(recording, files, episode)
    recording.flush()


def _layout(files: DatasetFiles) -> rrb.Blueprint:
    cameras = [rrb.Spatial2DView(origin=_short(key), name=_short(key)) for key in files.cameras]
    plots = [rrb.TimeSeriesView(origin=name, name=name) for name in ("arms", "hands", "base")]
    return rrb.Blueprint(rrb.Vertical(rrb.Horizontal(*cameras), rrb.Horizontal(*plots)))


def _log(recording: rr.RecordingStream, files: DatasetFiles, episode: Episode) -> None:
    recording.log("instruction", rr.TextDocument(" / ".join(episode.instructions)), static=True)
    for key, kind in ((topics.STATE_FEATURE, "state"), (topics.ACTION_FEATURE, "action")):
        values = episode.state if kind == "state" else episode.action
        for column, name in enumerate(files.info["features"][key]["names"]):
            times = rr.TimeColumn("time", duration=episode.timestamp)
            path = f"{_group(name)}/{name}/{kind}"
            recording.send_columns(path, [times], rr.Scalars.columns(scalars=values[:, column]))
    for key, (file, first) in episode.videos.items():
        for number, image in enumerate(decoded(file, first, episode.length)):
            recording.set_time("time", duration=number / files.fps)
            recording.log(_short(key), rr.Image(image).compress(jpeg_quality=JPEG_QUALITY))


def _group(name: str) -> str:
    if name.endswith("hand"):
        return "hands"
    return "arms" if "_arm_" in name else "base"


def _short(key: str) -> str:
    return key.rsplit(".", 1)[-1]
