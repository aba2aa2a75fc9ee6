"""The project's launch files and what they cannot start without."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from kuavo_train.checkpoint.manifest import Lineage, Manifest, TaskRecord


def launch_commands(root: Path, checkpoint: Path) -> list[list[str]]:
    """File name and arguments of each launch file: required ones are given as 1.

    A launch file that takes a checkpoint checks it while it is read: `checkpoint`, a folder, is
    made to look like one.
    """
    tasks = [TaskRecord(2, "weighing", "", 16, "")]
    lineage = Lineage("", "1", 0, 0, tasks, "", [], {})
    (checkpoint / "manifest.json").write_text(Manifest({}, "", lineage).to_json())
    commands = []
    for path in sorted((root / "launch").glob("*.launch")):
        arguments = ElementTree.parse(path).getroot().findall("arg")
        required = [arg for arg in arguments if not {"default", "value"} & set(arg.keys())]
        given = [f"{arg.get('name')}:=1" for arg in required]
        if any(arg.get("name") == "checkpoint" for arg in arguments):
            given.append(f"checkpoint:={checkpoint}")
        commands.append([path.name, *given])
    return commands
