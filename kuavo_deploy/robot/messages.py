"""The robot's message classes, `kuavo_msgs`: the workspace's own, else the vendor SDK's.

Both are pure Python and carry the robot's MD5 sums. Use `kuavo_msgs()` instead of an import
statement, so that the search and its error live in one place.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType


def kuavo_msgs(submodule: str = "msg") -> ModuleType:
    """Import `kuavo_msgs.msg` or `kuavo_msgs.srv`.

    Raises:
        ImportError: neither the robot's workspace nor the SDK is at hand; says what to do.
    """
    try:
        return importlib.import_module("kuavo_msgs." + submodule)
    except ImportError:
        pass
    folder = _sdk_message_folder()
    if folder is None:
        raise ImportError(
            "kuavo_msgs not found: source the robot's workspace (devel/setup.bash) or "
            "`pip install --no-deps kuavo-humanoid-sdk`"
        )
    sys.path.append(folder)
    return importlib.import_module("kuavo_msgs." + submodule)


def _sdk_message_folder() -> str | None:
    # find_spec, not import: the SDK's own __init__ wants a running robot
    spec = importlib.util.find_spec("kuavo_humanoid_sdk")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = os.path.join(list(spec.submodule_search_locations)[0], "msg")
    return folder if os.path.isdir(os.path.join(folder, "kuavo_msgs")) else None
