"""A folder of bags to one dataset: continues where it stopped, and reports on every bag."""

from __future__ import annotations

import dataclasses
import errno
import json
import shutil
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from kuavo_cli.errors import UserError
from kuavo_cli.progress import Progress
from kuavo_train.data.assemble import assemble
from kuavo_train.data.bags.convert import convert_bag, image_sizes
from kuavo_train.data.bags.errors import BagRefused
from kuavo_train.data.bags.options import Options
from kuavo_train.data.features import FPS
from kuavo_train.data.pool import run_all
from kuavo_train.data.workspace import ItemFolder, Workspace, write_atomically
from kuavo_train.tasks import Task

BAG_ENDINGS = (".bag", ".bag.active")
REPORT_FILE = "meta/kuavo_conversion.json"
CONVERTED, REPAIRED, REFUSED = "converted", "repaired", "refused"
_OUR_FAULT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENOMEM}


class Report(NamedTuple):
    """What became of every bag; `rows` as in the JSON report. out: None if nothing was usable."""

    out: Path | None
    rows: list[dict[str, Any]]

    def count(self, status: str) -> int:
        """How many bags ended with `status`."""
        return sum(row["status"] == status for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        counts = {status: self.count(status) for status in (CONVERTED, REPAIRED, REFUSED)}
        return {"out": None if self.out is None else str(self.out), **counts, "bags": self.rows}


class _Job(NamedTuple):
    bag: Path
    name: str
    items: Path
    task: Task
    sizes: dict[str, tuple[int, int]]
    options: Options


def find_bags(folder: Path) -> list[Path]:
    """The bags in `folder` (or `folder` itself, if it is one), sorted.

    Raises:
        UserError: there is none.
    """
    folder = Path(folder)
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist")
    bags = sorted(p for p in folder.rglob("*") if p.name.endswith(BAG_ENDINGS) and p.is_file())
    if not bags:
        raise UserError(f"no bags (*.bag, *.bag.active) in {folder}")
    return bags


def convert(
    source: Path, task: Task, out: Path, options: Options | None = None, workers: int = 1
) -> Report:
    """Convert every bag of `source` that can be, into the dataset `out`.

    Args:
        source: a folder of bags, or one bag.
        task: what the bags show; its instruction goes into the dataset.
        out: the dataset's folder; must not exist. An interrupted run is continued.
        options: how to read the bags.
        workers: processes.

    Raises:
        UserError: `out` exists, no bags, or another run is there.
    """
    options = options or Options()
    source = Path(source)
    bags = find_bags(source)
    names = {bag: _name(bag, source) for bag in bags}
    workspace = Workspace(out, _job_description(task, options))
    if workspace.complete:
        return _earlier_report(workspace, set(names.values()))
    with workspace:
        sizes = _sizes(workspace, names, options)
        if sizes is not None:
            jobs = [
                _Job(bag, names[bag], workspace.items, task, sizes, options)
                for bag in bags
                if not _settled(workspace, bag, names[bag])
            ]
            with Progress("converting", len(bags), unit="bags") as progress:
                progress.advance(len(bags) - len(jobs))
                for job, status in run_all(_convert_one, jobs, workers):
                    progress.advance(note=f"{job.name}: {status}")
        rows = _rows(workspace, [names[bag] for bag in bags])
        return _complete(workspace, task, rows)


def _job_description(task: Task, options: Options) -> dict[str, Any]:
    return {
        "kind": "convert",
        "task": task.name,
        "instruction": task.instruction,
        "fps": FPS,
        "options": dataclasses.asdict(options),
    }


def _name(bag: Path, source: Path) -> str:
    return bag.name if source.is_file() else bag.relative_to(source).as_posix()


def _key(name: str) -> str:
    # as a folder's name; a leading dot would make it look unfinished
    return "bag-" + name.replace("%", "%25").replace("/", "%2F")


def _identity(bag: Path) -> dict[str, int]:
    status = bag.stat()
    return {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns}


def _settled(workspace: Workspace, bag: Path, name: str) -> bool:
    """Whether an earlier run dealt with this very file."""
    result = workspace.result(_key(name))
    if result is None:
        return False
    if result["file"] == _identity(bag):
        return True
    shutil.rmtree(workspace.items / _key(name))
    return False


def _sizes(
    workspace: Workspace, bags: dict[Path, str], options: Options
) -> dict[str, tuple[int, int]] | None:
    """The dataset's image sizes: those of the first bag that has images, once and for all.

    None if no bag has: then every bag gets its reason here.
    """
    file = workspace.folder / "sizes.json"
    if file.is_file():
        return {name: (h, w) for name, (h, w) in json.loads(file.read_text()).items()}
    reasons: dict[Path, str] = {}
    for bag in bags:
        try:
            sizes = image_sizes(bag, options)
        except (BagRefused, OSError) as error:
            reasons[bag] = str(error)
            continue
        write_atomically(file, json.dumps(sizes))
        return sizes
    for bag, reason in reasons.items():
        if not _settled(workspace, bag, bags[bag]):
            _refuse(workspace.items, bag, bags[bag], reason)
    return None


def _convert_one(job: _Job) -> str:
    """Settle one bag: an item with a dataset, or one with the reason why not."""
    try:
        with ItemFolder(job.items, _key(job.name)) as item:
            result = convert_bag(job.bag, item.path, job.task, job.sizes, job.options)
            status = REPAIRED if result["repairs"] else CONVERTED
            item.finish({**result, "bag": job.name, "status": status, "file": _identity(job.bag)})
            return status
    except BagRefused as error:
        reason = str(error)
    except OSError as error:
        if error.errno in _OUR_FAULT:
            raise UserError(f"{error}: free it and run again to continue") from error
        reason = f"unreadable: {error}"
    except Exception as error:
        reason = f"unexpected {type(error).__name__}: {error}"
        _refuse(job.items, job.bag, job.name, reason, traceback.format_exc())
        return REFUSED
    _refuse(job.items, job.bag, job.name, reason)
    return REFUSED


def _refuse(items: Path, bag: Path, name: str, reason: str, trace: str = "") -> None:
    with ItemFolder(items, _key(name)) as item:
        result = {"status": REFUSED, "bag": name, "reason": reason, "file": _identity(bag)}
        item.finish({**result, "trace": trace} if trace else result)


def _rows(workspace: Workspace, names: list[str]) -> list[dict[str, Any]]:
    def numbered() -> Iterator[dict[str, Any]]:
        episode = 0
        for name in names:
            result = workspace.result(_key(name)) or {}
            row = {"bag": name, **result}
            if row["status"] != REFUSED:
                row["episode_index"] = episode
                row["duration_s"] = row["length"] / FPS
                episode += 1
            yield row

    return list(numbered())


def _complete(workspace: Workspace, task: Task, rows: list[dict[str, Any]]) -> Report:
    used = [row for row in rows if row["status"] != REFUSED]
    if not used:
        workspace.remove()
        return Report(None, rows)
    report = Report(workspace.out, rows)
    assemble(
        workspace,
        task,
        [_key(row["bag"]) for row in used],
        {"source": "bags"},
        {REPORT_FILE: json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n"},
    )
    return report


def _earlier_report(workspace: Workspace, names: set[str]) -> Report:
    content = json.loads((workspace.out / REPORT_FILE).read_text(encoding="utf-8"))
    new = names - {row["bag"] for row in content["bags"]}
    if new:
        raise UserError(
            f"{workspace.out} is complete and lacks {len(new)} bag(s) that are here now "
            f"({', '.join(sorted(new)[:3])} …): choose another --out"
        )
    workspace.remove()
    return Report(workspace.out, content["bags"])
