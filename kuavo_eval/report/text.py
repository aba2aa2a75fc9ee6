"""The one place where a number becomes text, with its unit and interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MISSING = "–"
MINUS = "\u2212"
THIN = "\u202f"
NO_BREAK = "\u00a0"
FRACTION, POINTS, P_VALUE = "fraction", "points", "p"
MOST_DIGITS = 4
_SCALE = {FRACTION: 100.0, POINTS: 100.0}
_SUFFIX = {FRACTION: "%", POINTS: "points", P_VALUE: "", "": ""}


def shown(item: Any, unit: str | None = None, decimals: int | None = None) -> str:
    """A number of a document as text.

    Args:
        item: a plain number, or a mapping with `value` and perhaps `unit`, `low`, `high`,
            `successes`, `trials`; None is shown as a dash.
        unit: instead of the item's own. 'fraction' is shown as per cent, 'points' as a signed
            difference in percentage points, 'p' as a p-value.
        decimals: default: two significant digits of the interval, at most four of the value;
            without an interval three of the value.
    """
    value, own, low, high = parts(item)
    unit = own if unit is None else unit
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if unit == P_VALUE:
        return _p_value(float(value))
    scale, suffix = _SCALE.get(unit, 1.0), _SUFFIX.get(unit, unit)
    if decimals is None:
        decimals = _decimals(value, low, high, scale, unit)
    signed = unit == POINTS
    text = _number(value * scale, decimals, signed)
    if suffix:
        text += NO_BREAK + suffix
    if isinstance(item, Mapping) and "successes" in item:
        text = f"{item['successes']}/{item['trials']} · {text}"
    if low is not None and high is not None:
        join = " to " if signed or low < 0 else "–"
        ends = (_number(end * scale, decimals, signed) for end in (low, high))
        interval = join.join(ends)
        text += f" ({interval}{NO_BREAK}%)" if unit == FRACTION else f" ({interval})"
    return text


def parts(item: Any) -> tuple[Any, str, float | None, float | None]:
    """value, unit, low, high of a plain number or a quantity."""
    if isinstance(item, Mapping):
        return item["value"], item.get("unit", ""), item.get("low"), item.get("high")
    return item, "", None, None


def _decimals(value: float, low: float | None, high: float | None, scale: float, unit: str) -> int:
    if isinstance(value, int):
        return 0
    if low is not None and high is not None and high - low > 1e-9 * max(abs(low), abs(high)):
        width = (high - low) * scale
        digits = 1 - math.floor(math.log10(width))
        largest = max(abs(low), abs(high)) * scale
        digits = min(digits, MOST_DIGITS - 1 - math.floor(math.log10(largest)))
        return min(max(digits, 0), 1 if unit in _SCALE else 6)
    if unit in _SCALE:
        return 0 if abs(value * scale - round(value * scale)) < 1e-9 else 1
    if value == 0 or not math.isfinite(value):
        return 0 if value == 0 else 3
    return min(max(2 - math.floor(math.log10(abs(value) * scale)), 0), 6)


def _number(value: float, decimals: int, signed: bool = False) -> str:
    text = f"{abs(value):,.{decimals}f}".replace(",", THIN)
    zero = not any(digit in text for digit in "123456789")
    if value < 0 and not zero:
        return MINUS + text
    return "+" + text if signed and not zero else text


def _p_value(p: float) -> str:
    if p < 0.001:
        return f"<{NO_BREAK}0.001"
    return f"{p:.2f}" if p >= 0.0995 else f"{p:.{1 - math.floor(math.log10(p))}f}"
