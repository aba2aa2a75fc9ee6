"""Values of a document by their dotted path, e.g. `tasks.weighing.success` or `trials.3.time`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def value_at(document: Mapping[str, Any], source: str) -> Any:
    """What stands at `source`.

    Raises:
        KeyError: nothing stands there; the message lists what does.
    """
    value: Any = document
    walked: list[str] = []
    for key in source.split("."):
        if isinstance(value, Mapping):
            valid = [str(name) for name in value]
        elif isinstance(value, Sequence) and not isinstance(value, str):
            valid = [str(i) for i in range(len(value))]
        else:
            valid = []
        if key not in valid:
            raise KeyError(
                f"{source}: no {key!r} at {'.'.join(walked) or 'the top'}; there is "
                f"{', '.join(valid[:20]) or 'nothing below'}"
            )
        value = value[key] if isinstance(value, Mapping) else value[int(key)]
        walked.append(key)
    return value
