"""The project's launch files and what they cannot start without."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree


def launch_commands(root: Path) -> list[list[str]]:
    """File name and required arguments (given as 1) of each launch file."""
    commands = []
    for path in sorted((root / "launch").glob("*.launch")):
        arguments = ElementTree.parse(path).getroot().findall("arg")
        required = [arg for arg in arguments if not {"default", "value"} & set(arg.keys())]
        commands.append([path.name, *(f"{arg.get('name')}:=1" for arg in required)])
    return commands
